//! What was found out about a VM whose time was up: its own words, as they were at that moment.

use serde::{Deserialize, Serialize};

use super::Offset;

/// The most conditions, and the most volumes, that are kept for one VM.
pub const MOST_FOUND: usize = 6;

/// What a VM said of itself when it was asked
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    /// When it was asked, from the beginning of the phase.
    pub at: Offset,
    /// `status.printableStatus`; empty where there is no VM any more.
    pub status: String,
    /// Its conditions that tell of trouble, one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<String>,
    /// Its volumes that are not ready, one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<String>,
}
