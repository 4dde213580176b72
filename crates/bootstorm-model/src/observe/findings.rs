//! Status of a VM at its deadline.

use serde::{Deserialize, Serialize};

use super::Offset;

/// Maximum number of conditions, and of volumes, kept for one VM.
pub const MOST_FOUND: usize = 6;

/// Status of a VM at the time it was read
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    /// Time of the reading, on the phase's time axis.
    pub at: Offset,
    /// `status.printableStatus`; empty if the VM is gone.
    pub status: String,
    /// Conditions that report a problem, one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<String>,
    /// Volumes that are not ready, one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<String>,
}
