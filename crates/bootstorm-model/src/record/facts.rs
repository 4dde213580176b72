//! Facts that `setup` collects about the cluster and the VMs' disks.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::plan::Disk;

/// Facts about the cluster, collected by `setup`
///
/// Everything is optional: a missing permission leaves its part out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ClusterFacts {
    /// Context of the kubeconfig; absent inside a cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Address of the API server, without credentials and query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// Kubernetes version of the API server, from `/version`.
    pub kubernetes: Option<String>,
    /// `KubeVirt` version, as reported by the `KubeVirt` object.
    pub kubevirt: Option<String>,
    /// Generation of the `KubeVirt` object: changes with its settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubevirt_generation: Option<i64>,
    /// CDI version, as reported by the `CDI` object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cdi: Option<String>,
    /// Number of nodes.
    pub nodes: Option<usize>,
    /// Nodes on which `KubeVirt` may place VMs.
    pub schedulable_nodes: Option<usize>,
    /// Nodes, grouped by shape.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub node_kinds: Vec<NodeKind>,
    /// Storage classes used by the VMs, and the default ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub storage_classes: Vec<StorageClassFacts>,
    /// Client rate limits of `KubeVirt`'s components.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rate_limits: Vec<RateLimit>,
    /// Worker counts of `KubeVirt`'s components, where configured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workers: Vec<Workers>,
    /// Disks of each VM.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disks: Vec<Disk>,
    /// Version of this tool.
    pub tool: Option<String>,
}

impl ClusterFacts {
    /// Number of disks with data per VM, at least one; the origin tool sorts results by it.
    pub fn data_disks(&self) -> usize {
        self.disks.iter().filter(|disk| !disk.is_settings()).count().max(1)
    }
}

/// Nodes of the same shape
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NodeKind {
    /// Number of nodes.
    pub nodes: usize,
    /// Number of these on which `KubeVirt` may place VMs.
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
    /// Name.
    pub name: String,
    /// Provisioner.
    pub provisioner: String,
    /// Volume binding mode: `Immediate` or `WaitForFirstConsumer`.
    pub binding_mode: Option<String>,
    /// Whether it is the default, for all volumes or for those of VMs.
    pub default: bool,
    /// Whether a disk of the VMs uses it.
    pub used: bool,
}

/// Client rate limit of a component of `KubeVirt`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RateLimit {
    /// Component, for example `virt-controller`.
    pub component: String,
    /// Requests per second, sustained.
    pub qps: f64,
    /// Burst size in requests.
    pub burst: u32,
    /// Whether it is set in the `KubeVirt` object; otherwise it is the version's default.
    pub configured: bool,
}

/// Limits on concurrent live migrations: `spec.configuration.migrations` of the `KubeVirt` object
///
/// Defaults and meaning as in `KubeVirt` v1.0 to v1.9 (`pkg/virt-config/virt-config.go`): migrations above the limits
/// wait in virt-controller's queue, in phase Pending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MigrationLimits {
    /// Concurrent migrations in the whole cluster (`parallelMigrationsPerCluster`, 5 by default).
    pub per_cluster: u32,
    /// Concurrent migrations away from one node (`parallelOutboundMigrationsPerNode`, 2 by default).
    pub per_node: u32,
    /// Whether either is set in the `KubeVirt` object.
    pub configured: bool,
    /// Bytes per second that one migration may send (`bandwidthPerMigration`, 0 by default); absent if unlimited. A
    /// `MigrationPolicy` may override it for some VMs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bandwidth_bytes: Option<u64>,
}

impl MigrationLimits {
    /// Maximum number of VMs on this many nodes that migrate concurrently.
    pub fn at_once(self, nodes: usize) -> usize {
        (self.per_node as usize).saturating_mul(nodes).min(self.per_cluster as usize)
    }
}

/// Worker count of a component of `KubeVirt` for one kind of object
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workers {
    /// Component, for example `virt-controller`.
    pub component: String,
    /// Flag that sets the count, for example `vmi-controller-threads`.
    pub flag: String,
    /// Number of workers.
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
