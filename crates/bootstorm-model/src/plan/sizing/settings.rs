//! The settings of `KubeVirt` that decide how much a VM asks of its node.

use super::quantity::Amounts;

/// What `spec.configuration` of the `KubeVirt` object says about sizes; defaults are `KubeVirt`'s own
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// `developerConfiguration.cpuAllocationRatio`: vCPUs per requested core.
    pub cpu_allocation_ratio: u64,
    /// `developerConfiguration.memoryOvercommit`: guest memory in percent of what is requested for it.
    pub memory_overcommit: u64,
    /// `developerConfiguration.useEmulation`: guests run without KVM, many times slower.
    pub emulation: bool,
    /// `developerConfiguration.nodeSelectors`: labels that the node of every VM must have.
    pub node_selector: Vec<(String, String)>,
    /// `additionalGuestMemoryOverheadRatio`: what the overhead is multiplied with.
    pub overhead_ratio: Option<f64>,
    /// Whether launchers have a container that keeps the serial console's log (`KubeVirt` 1.1 and later).
    pub console_log: bool,
    /// `defaultArchitecture` of its status.
    pub architecture: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            cpu_allocation_ratio: 10,
            memory_overcommit: 100,
            emulation: false,
            node_selector: Vec::new(),
            overhead_ratio: None,
            console_log: true,
            architecture: "amd64".into(),
        }
    }
}

/// One container of a launcher pod, and what it asks for
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// `resources.requests`.
    pub requests: Amounts,
    /// `resources.limits`.
    pub limits: Amounts,
}
