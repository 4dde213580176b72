//! What will be done: which VMs, where, made from what. Frozen by `setup`.
//!
//! Pure: a plan is made from decided values, without clap and without a cluster.

pub mod target;
pub mod template;

use serde::{Deserialize, Serialize};

pub use target::Target;
pub use template::{Template, TemplateSource};

/// What a run does, frozen by `setup`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The run's name and the beginning of its namespaces' names.
    pub prefix: String,
    /// First index.
    pub start: u32,
    /// Last index, inclusive.
    pub end: u32,
    /// Name of the VM in each namespace.
    pub vm_name: String,
    /// Where the VM manifest comes from.
    pub template: TemplateSource,
}

impl Plan {
    /// The number of VMs.
    pub fn size(&self) -> u32 {
        self.end - self.start + 1
    }

    /// Every VM of the run, in index order.
    pub fn targets(&self) -> Vec<Target> {
        (self.start..=self.end).map(|index| self.target(index)).collect()
    }

    /// The VM with an index.
    fn target(&self, index: u32) -> Target {
        Target { namespace: format!("{}-{index}", self.prefix), name: self.vm_name.clone() }
    }
}
