//! One VM of the plan: its namespace and name.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One VM of the plan
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Target {
    /// Namespace of the VM.
    pub namespace: String,
    /// Name of the VM, and of its VMI.
    pub name: String,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}
