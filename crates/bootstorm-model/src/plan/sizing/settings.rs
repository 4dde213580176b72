//! `KubeVirt` settings that affect a VM's resource requests.

use super::quantity::Amounts;

/// Sizing settings in `spec.configuration` of the `KubeVirt` object; defaults are `KubeVirt`'s own
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// `developerConfiguration.cpuAllocationRatio`: vCPUs per requested core.
    pub cpu_allocation_ratio: u64,
    /// `developerConfiguration.memoryOvercommit`: guest memory in percent of the request for it.
    pub memory_overcommit: u64,
    /// `developerConfiguration.useEmulation`: guests run without KVM, many times slower.
    pub emulation: bool,
    /// `developerConfiguration.nodeSelectors`: labels that the node of every VM must have.
    pub node_selector: Vec<(String, String)>,
    /// `additionalGuestMemoryOverheadRatio`: factor of the overhead.
    pub overhead_ratio: Option<f64>,
    /// Whether launchers have a container that logs the serial console (`KubeVirt` 1.1 and later).
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
            architecture: String::new(),
        }
    }
}

/// One container of a launcher pod, with its requests
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// `resources.requests`.
    pub requests: Amounts,
    /// `resources.limits`.
    pub limits: Amounts,
}
