//! Facts that `setup` collects about the cluster and the VMs' disks.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::plan::Disk;

/// Facts about the cluster, collected by `setup`
///
/// Everything is optional: a permission that is missing leaves its part out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ClusterFacts {
    /// Context of the kubeconfig; absent inside a cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Address of the API server, without credentials and query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// Kubernetes version of the API server, as `/version` gives it.
    pub kubernetes: Option<String>,
    /// `KubeVirt` version that the `KubeVirt` object reports.
    pub kubevirt: Option<String>,
    /// Generation of the `KubeVirt` object: changes with its settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubevirt_generation: Option<i64>,
    /// CDI version that the `CDI` object reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cdi: Option<String>,
    /// Number of nodes.
    pub nodes: Option<usize>,
    /// Nodes on which `KubeVirt` may place VMs.
    pub schedulable_nodes: Option<usize>,
    /// The nodes, like ones together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub node_kinds: Vec<NodeKind>,
    /// The storage classes that the VMs use, and the default ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub storage_classes: Vec<StorageClassFacts>,
    /// How fast the components of `KubeVirt` may talk to the API server.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rate_limits: Vec<RateLimit>,
    /// How many workers the components of `KubeVirt` have, where somebody set their number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workers: Vec<Workers>,
    /// The disks of each VM.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disks: Vec<Disk>,
    /// Version of this tool.
    pub tool: Option<String>,
}

impl ClusterFacts {
    /// How many disks with data each VM has, at least one: the number that the origin tool sorts results by.
    pub fn data_disks(&self) -> usize {
        self.disks.iter().filter(|disk| !disk.is_settings()).count().max(1)
    }
}

/// Nodes that are alike
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NodeKind {
    /// How many there are.
    pub nodes: usize,
    /// On how many of them `KubeVirt` may place VMs.
    pub schedulable: usize,
    /// CPU capacity, in thousandths of a core.
    pub cpu_millis: Option<u64>,
    /// Memory capacity in GiB, rounded.
    pub memory_gib: Option<u64>,
    /// CPU architecture.
    pub architecture: Option<String>,
    /// Operating system.
    pub os: Option<String>,
    /// Kernel version.
    pub kernel: Option<String>,
    /// Container runtime and its version.
    pub container_runtime: Option<String>,
    /// Version of the kubelet.
    pub kubelet: Option<String>,
}

/// A storage class
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageClassFacts {
    /// Its name.
    pub name: String,
    /// Provisioner.
    pub provisioner: String,
    /// When volumes are bound: `Immediate` or `WaitForFirstConsumer`.
    pub binding_mode: Option<String>,
    /// Whether it is used where no class is named, by everything or by VMs.
    pub default: bool,
    /// Whether a disk of the VMs is made from it.
    pub used: bool,
}

/// How fast a component of `KubeVirt` may talk to the API server
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RateLimit {
    /// The component, for example `virt-controller`.
    pub component: String,
    /// Requests per second, sustained.
    pub qps: f64,
    /// Requests at once.
    pub burst: u32,
    /// Whether it is set in the `KubeVirt` object; otherwise it is the version's default.
    pub configured: bool,
}

/// How many live migrations `KubeVirt` runs at a time: `spec.configuration.migrations` of the `KubeVirt` object
///
/// Defaults and meaning of `KubeVirt` v1.0 to v1.9 (`pkg/virt-config/virt-config.go`): what is above the limits waits in
/// virt-controller's queue, the migration in phase Pending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MigrationLimits {
    /// Migrations at the same time in the whole cluster (`parallelMigrationsPerCluster`, by default 5).
    pub per_cluster: u32,
    /// Migrations at the same time away from one node (`parallelOutboundMigrationsPerNode`, by default 2).
    pub per_node: u32,
    /// Whether one of them is set in the `KubeVirt` object.
    pub configured: bool,
    /// Bytes per second that one migration may send (`bandwidthPerMigration`, by default 0); absent where there is no limit.
    /// A `MigrationPolicy` may say otherwise for some VMs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bandwidth_bytes: Option<u64>,
}

impl MigrationLimits {
    /// How many VMs on so many nodes migrate at the same time at most.
    pub fn at_once(self, nodes: usize) -> usize {
        (self.per_node as usize).saturating_mul(nodes).min(self.per_cluster as usize)
    }
}

/// How many workers a component of `KubeVirt` has for one kind of object
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workers {
    /// The component, for example `virt-controller`.
    pub component: String,
    /// The flag that sets their number, for example `vmi-controller-threads`.
    pub flag: String,
    /// How many.
    pub count: u32,
}

impl fmt::Display for NodeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x", self.nodes)?;
        let cores = self.cpu_millis.map(|millis| format!("{} cores", millis as f64 / 1000.0));
        let memory = self.memory_gib.map(|gib| format!("{gib} GiB"));
        let kernel = self.kernel.as_ref().map(|kernel| format!("kernel {kernel}"));
        let words = [
            cores,
            memory,
            self.architecture.clone(),
            self.os.clone(),
            kernel,
            self.container_runtime.clone(),
        ];
        for (position, word) in words.into_iter().flatten().enumerate() {
            write!(f, "{} {word}", if position == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl fmt::Display for StorageClassFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}", self.name, self.provisioner)?;
        f.write_str(if self.default { ", default" } else { "" })?;
        f.write_str(if self.used { ", used)" } else { ")" })
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.configured { "configured" } else { "default" };
        write!(f, "{} {}/s, burst {} ({how})", self.component, self.qps, self.burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_read_as_words() {
        let kind =
            NodeKind { nodes: 3, cpu_millis: Some(15_500), memory_gib: Some(64), ..NodeKind::default() };
        assert_eq!(kind.to_string(), "3x 15.5 cores, 64 GiB");
        assert_eq!(NodeKind { nodes: 1, ..NodeKind::default() }.to_string(), "1x");
        let limit = RateLimit { component: "virt-api".into(), qps: 5.0, burst: 10, configured: false };
        assert_eq!(limit.to_string(), "virt-api 5/s, burst 10 (default)");
    }
}
