//! Status of a VM at the end of its time.

use serde::{Deserialize, Serialize};

use super::Offset;

/// The most conditions, and the most volumes, that are kept for one VM.
pub const MOST_FOUND: usize = 6;

/// Status of a VM when it was read
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    /// When it was read, on the phase's time axis.
    pub at: Offset,
    /// `status.printableStatus`; empty if the VM is gone.
    pub status: String,
    /// Conditions that report a problem, one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<String>,
    /// Its volumes that are not ready, one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<String>,
}
