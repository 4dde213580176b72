//! All figures of the boot model, with units and sources; profiles are overlays on the default.
//!
//! Sources: "KV" is `KubeVirt`'s own default, "k8s" that of Kubernetes, "CSI" that of the external attacher, "CDI" of
//! the containerized data importer, "published" a measured number of a public source, "estimate" is ours.

mod classes;
mod defaults;
mod guest;
mod migration;
mod named;
mod node_loss;
mod storage;

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::dice::{Draw, Stragglers};
use super::misbehaviour::MisbehaviourTable;
pub use classes::StorageClass;
pub use defaults::NamespaceDefaults;
pub use guest::Guest;
pub use migration::{Migration, copying};
pub use named::{ProfileError, load, named, names, parse};
pub use node_loss::NodeLoss;
pub use storage::Storage;

/// Every figure of the simulation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Profile {
    /// Built-in profile on which this one is based; by default `default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// Summary, one line.
    pub summary: String,
    /// Capacity of each node.
    pub node: NodeShape,
    /// The API server and virt-api.
    pub api_server: ApiServer,
    /// virt-controller.
    pub virt_controller: VirtController,
    /// The scheduler.
    pub scheduler: Scheduler,
    /// The kubelet and container runtime of each node.
    pub kubelet: Kubelet,
    /// virt-handler and virt-launcher of each node.
    pub virt_handler: VirtHandler,
    /// Storage: disks of the nodes and the shared pool.
    pub storage: Storage,
    /// CDI: imports and clones.
    pub cdi: Cdi,
    /// The guests.
    pub guest: Guest,
    /// Live migrations.
    pub migration: Migration,
    /// Nodes that are lost.
    pub node_loss: NodeLoss,
    /// Rare steps that take much longer.
    pub stragglers: Stragglers,
    /// kube-controller-manager.
    pub controller_manager: ControllerManager,
    /// Objects that appear in every new namespace.
    pub namespace_defaults: NamespaceDefaults,
    /// Machines that misbehave.
    pub misbehave: MisbehaviourTable,
}

/// Capacity of a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct NodeShape {
    /// Default number of nodes.
    pub count: usize,
    /// CPU cores.
    pub cores: f64,
    /// Memory, in GiB.
    pub memory_gib: f64,
    /// Maximum number of pods. `OpenShift` allows 250, upstream 110.
    pub pods: u32,
    /// Whether pods have a second, IPv6 address.
    pub dual_stack: bool,
    /// Node → factor on all durations there.
    pub slow: BTreeMap<String, f64>,
    /// Node → speed of its CPUs and disk: 0.5 is half as fast.
    pub factors: BTreeMap<String, f64>,
}

impl Default for NodeShape {
    fn default() -> Self {
        Self {
            count: 3,
            cores: 64.0,
            memory_gib: 256.0,
            pods: 250,
            dual_stack: false,
            slow: BTreeMap::new(),
            factors: BTreeMap::new(),
        }
    }
}

/// The API server and virt-api's webhooks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ApiServer {
    /// Seconds for a write without webhooks (estimate; a healthy etcd commits in 5-10 ms).
    pub write: Draw,
    /// Seconds for a write of a controller to an object with webhooks (estimate: two calls of 3-5 ms more).
    pub webhook_write: Draw,
    /// Seconds of virt-api's work for a client's new machine: mutation, validation, access reviews (estimate; the
    /// real virt-api let 8 parallel clients create 200 in 1.9 s, that is 76 ms each).
    pub machine_create: Draw,
    /// Seconds of virt-api's work for a client's change of a machine (estimate: half of a create).
    pub machine_change: Draw,
    /// Writes through webhooks worked on at the same time (estimate: two virt-api replicas of a few cores).
    pub admission_places: usize,
    /// Real seconds by which the clocks of the whole cluster are ahead of this computer's; negative means behind.
    pub clock_ahead: f64,
}

impl ApiServer {
    /// How far the cluster's clocks are ahead.
    pub fn clock(&self) -> SignedDuration {
        SignedDuration::try_from_secs_f64(self.clock_ahead).unwrap_or_default()
    }
}

impl Default for ApiServer {
    fn default() -> Self {
        Self {
            write: Draw::new(0.006, 0.35),
            webhook_write: Draw::new(0.012, 0.35),
            machine_create: Draw::new(0.070, 0.25),
            machine_change: Draw::new(0.030, 0.25),
            admission_places: 8,
            clock_ahead: 0.0,
        }
    }
}

/// virt-controller.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct VirtController {
    /// Calls per second to the API server (KV: 200).
    pub qps: f64,
    /// Calls at once (KV: 400).
    pub burst: f64,
    /// Workers on machines (KV: 3).
    pub vm_workers: usize,
    /// Workers on instances (KV: 10).
    pub vmi_workers: usize,
    /// Seconds of the controller's own work per reconciliation (estimate).
    pub think: Draw,
    /// The unit of the start-failure back-off, in seconds: 10 × n² up to 300 (KV).
    pub crash_back_off: f64,
}

impl Default for VirtController {
    fn default() -> Self {
        Self {
            qps: 200.0,
            burst: 400.0,
            vm_workers: 3,
            vmi_workers: 10,
            think: Draw::new(0.002, 0.4),
            crash_back_off: 10.0,
        }
    }
}

/// The scheduler.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Scheduler {
    /// Calls per second to the API server (k8s: 50).
    pub qps: f64,
    /// Calls at once (k8s: 100).
    pub burst: f64,
    /// Seconds per pod (published: `scheduler_perf` places 333-909 pods/s).
    pub decide: Draw,
    /// Seconds before a pod without a node is retried; doubles up to ten times this (k8s: 1 to 10).
    pub back_off: f64,
}

impl Default for Scheduler {
    fn default() -> Self {
        Self { qps: 50.0, burst: 100.0, decide: Draw::new(0.003, 0.3), back_off: 1.0 }
    }
}

/// The kubelet, the container runtime and the network plugin of a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Kubelet {
    /// Calls per second to the API server (k8s: 50).
    pub qps: f64,
    /// Calls at once (k8s: 100).
    pub burst: f64,
    /// Pod sandboxes set up concurrently. With `sandbox` this results in the 3-8 pods/s that a node starts (estimate
    /// from published densities: runtime and CNI take locks per node).
    pub sandbox_places: usize,
    /// Seconds for a sandbox with its network (estimate).
    pub sandbox: Draw,
    /// Seconds for the init containers of a launcher pod, after the sandbox (estimate).
    pub init_containers: Draw,
    /// Seconds from there until the main containers run and are ready (estimate; k8s goal for a pod: 5 s in all).
    pub containers: Draw,
    /// CPU seconds that starting one pod costs its node (estimate).
    pub start_cpu: f64,
    /// Seconds to pull a container disk that the node does not have; pulls are serial (k8s default).
    pub image_pull: Draw,
    /// Seconds to check whether the node has the image.
    pub image_check: Draw,
    /// Seconds after which an image that no pod uses is removed (k8s `imageMaximumGCAge`); 0 for never (k8s default).
    pub image_gc_age: f64,
    /// Seconds before a failed pull is retried; doubles up to 30 times this (k8s: 10 to 300).
    pub pull_back_off: f64,
    /// Seconds before the second restart of a container; doubles up to 30 times this (k8s: 10 to 300).
    pub restart_back_off: f64,
    /// Seconds from the end of the last container to the removal of the pod (estimate).
    pub teardown: Draw,
    /// Pods taken down concurrently, network and volumes (estimate).
    pub teardown_places: usize,
    /// CPU seconds that taking one pod down costs its node (estimate).
    pub teardown_cpu: f64,
    /// Sysctls that nodes reject although Kubernetes counts them as safe.
    pub forbidden_sysctls: Vec<String>,
    /// Whether pods have a user namespace by default, as by a policy.
    pub user_namespaces: bool,
}

impl Default for Kubelet {
    fn default() -> Self {
        Self {
            qps: 50.0,
            burst: 100.0,
            sandbox_places: 8,
            sandbox: Draw::new(1.1, 0.25),
            init_containers: Draw::new(0.8, 0.3),
            containers: Draw::new(1.0, 0.3),
            start_cpu: 1.5,
            image_pull: Draw::new(0.8, 0.2),
            image_check: Draw::new(0.1, 0.3),
            image_gc_age: 0.0,
            pull_back_off: 10.0,
            restart_back_off: 10.0,
            teardown: Draw::new(0.9, 0.3),
            teardown_places: 6,
            teardown_cpu: 0.5,
            forbidden_sysctls: Vec::new(),
            user_namespaces: false,
        }
    }
}

/// virt-handler and the virt-launchers of a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct VirtHandler {
    /// Calls per second to the API server (KV 1.7 and later: 50).
    pub qps: f64,
    /// Calls at once (KV: 100).
    pub burst: f64,
    /// Workers (KV: 10).
    pub workers: usize,
    /// Seconds between two checks of something that is not ready (KV: 1).
    pub recheck: f64,
    /// Seconds from the pod's readiness until virt-launcher's command socket answers (estimate).
    pub socket: Draw,
    /// Seconds to convert and define the domain (estimate).
    pub define: Draw,
    /// Seconds to start qemu (estimate).
    pub qemu_start: Draw,
    /// CPU seconds of one start: libvirt, qemu, firmware (estimate).
    pub start_cpu: f64,
    /// Seconds from the end of a guest to the end of its launcher (estimate).
    pub launcher_exit: f64,
}

impl Default for VirtHandler {
    fn default() -> Self {
        Self {
            qps: 50.0,
            burst: 100.0,
            workers: 10,
            recheck: 1.0,
            socket: Draw::new(0.7, 0.4),
            define: Draw::new(0.35, 0.3),
            qemu_start: Draw::new(0.75, 0.3),
            start_cpu: 1.0,
            launcher_exit: 0.2,
        }
    }
}

/// CDI.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Cdi {
    /// Workers of each of its controllers (CDI: 3).
    pub workers: usize,
    /// Seconds of one snapshot clone (published: 1-3).
    pub snapshot_clone: Draw,
    /// Snapshot clones per second from one source (published, ceph-csi #6516: 34.6 a minute per snapshot).
    pub clones_per_second: f64,
    /// MB/s of one host-assisted copy or import (estimate).
    pub transfer: f64,
    /// MB of data in an image that is imported or copied (estimate).
    pub image: f64,
    /// Seconds to provision an empty volume (estimate).
    pub provision: Draw,
    /// Seconds between two progress reports of a transfer.
    pub progress: f64,
}

impl Default for Cdi {
    fn default() -> Self {
        Self {
            workers: 3,
            snapshot_clone: Draw::new(1.6, 0.3),
            clones_per_second: 0.58,
            transfer: 120.0,
            image: 600.0,
            provision: Draw::new(1.2, 0.3),
            progress: 2.0,
        }
    }
}

/// kube-controller-manager: namespaces, garbage and Jobs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ControllerManager {
    /// Calls per second to the API server (k8s: 20).
    pub qps: f64,
    /// Calls at once (k8s: 30).
    pub burst: f64,
    /// Seconds between two checks of a terminating namespace (observed: 5).
    pub namespace_pause: f64,
    /// Seconds before a failed pod of a Job is replaced; doubles up to 60 times this (k8s: 10 to 600).
    pub job_back_off: f64,
}

impl Default for ControllerManager {
    fn default() -> Self {
        Self { qps: 20.0, burst: 30.0, namespace_pause: 5.0, job_back_off: 10.0 }
    }
}
