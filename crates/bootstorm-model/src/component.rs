//! Components that VMs wait for: labels, layers and remedies.
//!
//! The one vocabulary for the work between two milestones, for bottlenecks, and for what a pending VM is waiting for.
//! In documents a component has the word of its variant, except in `waits_for`, which names the awaited event
//! ([`waits_for`]).

use serde::{Deserialize, Serialize};

use crate::observe::Milestone;

/// Layer of the stack that a component belongs to
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// Slow disks or missing volumes.
    Storage,
    /// Guests run but are unreachable.
    Network,
    /// Nodes lack processors or memory.
    Compute,
    /// `KubeVirt`, the API in front of it, libvirt or QEMU.
    Hypervisor,
}

impl Layer {
    /// All layers, in the order in which advice lists them.
    pub const ALL: [Self; 4] = [Self::Storage, Self::Network, Self::Compute, Self::Hypervisor];

    /// The word used in JSON and tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Storage => "storage",
            Self::Network => "network",
            Self::Compute => "compute",
            Self::Hypervisor => "hypervisor",
        }
    }

    /// Advice from the guide.
    pub fn hints(self) -> [&'static str; 4] {
        match self {
            Self::Storage => [
                "Increase volume replication (Portworx)",
                "Use a faster storage tier",
                "Enable storage caching",
                "Distribute VMs across multiple storage pools",
            ],
            Self::Network => [
                "Check DHCP server capacity",
                "Verify network bandwidth",
                "Check for network congestion",
                "Review CNI plugin performance",
            ],
            Self::Compute => [
                "Add more worker nodes",
                "Increase node resources",
                "Review CPU/memory overcommit ratios",
                "Check for resource contention",
            ],
            Self::Hypervisor => [
                "Tune KubeVirt settings",
                "Adjust virt-launcher resources",
                "Review QEMU/KVM settings",
                "Check for I/O throttling",
            ],
        }
    }
}

/// Component that VMs wait for
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Component {
    /// The request: the API server, virt-api's webhooks.
    Api,
    /// The beginning of a stop.
    Stop,
    /// The guest shuts down, and its instance goes.
    Shutdown,
    /// Lost nodes: their VMs wait until the old instances are gone.
    LostNodes,
    /// Disks are cloned or imported, and claims are there.
    Filling,
    /// virt-controller creates the instance and its pod, and hands the instance over once the pod runs.
    Controller,
    /// virt-controller creates the launcher pod.
    Pod,
    /// Launcher pods refused by the API server, for example because of a quota.
    Refused,
    /// The scheduler finds a node.
    Scheduling,
    /// Volumes are attached to the node.
    Attaching,
    /// The kubelet mounts volumes and the network plugin connects the pod.
    Pods,
    /// Images are pulled and init containers run.
    Images,
    /// The launcher's containers start, which reads from disk.
    Containers,
    /// All of the pod, where pods were not watched.
    Launcher,
    /// virt-handler takes over.
    Handler,
    /// virt-handler, libvirt and QEMU start the domain.
    Domain,
    /// Instances that end before they run.
    Crashing,
    /// The guest boots, up to its agent.
    Boot,
    /// The guest boots and gets its address; not distinguished without an agent.
    Guest,
    /// The guest and its agent run, but the guest does not answer yet.
    Network,
    /// A live migration waits for its turn in virt-controller.
    Queue,
    /// virt-controller and virt-handler prepare the target of a live migration.
    Target,
    /// The memory of a migrating guest is copied.
    Copying,
    /// The disks that containers and guests read from.
    Disks,
    /// The processors of the nodes.
    Processors,
    /// Disks or processors: no measurement separates them.
    DisksOrProcessors,
    /// One node.
    Node,
    /// Several of these: milestones between them were missed.
    Several,
}

/// Work that a component does on nodes
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// Reads heavily from the disks of VMs and nodes, and uses CPU.
    Disks,
    /// Uses CPU, and little else on the node.
    Processors,
    /// Uses something else.
    Other,
}

/// Texts about a component
struct Facts {
    /// Label for a table cell.
    label: &'static str,
    /// Subject of a sentence.
    noun: &'static str,
    /// What a VM waits for: word in documents, and the phrase after "wait for".
    awaited: Option<(&'static str, &'static str)>,
    /// Its layers: several if no measurement separates them, none if the guide's hints do not apply.
    layers: &'static [Layer],
    /// Remedies if it is the bottleneck.
    remedies: &'static [&'static str],
}

impl Component {
    const ALL: [Self; 28] = [
        Self::Api,
        Self::Stop,
        Self::Shutdown,
        Self::LostNodes,
        Self::Filling,
        Self::Controller,
        Self::Pod,
        Self::Refused,
        Self::Scheduling,
        Self::Attaching,
        Self::Pods,
        Self::Images,
        Self::Containers,
        Self::Launcher,
        Self::Handler,
        Self::Domain,
        Self::Crashing,
        Self::Boot,
        Self::Guest,
        Self::Network,
        Self::Queue,
        Self::Target,
        Self::Copying,
        Self::Disks,
        Self::Processors,
        Self::DisksOrProcessors,
        Self::Node,
        Self::Several,
    ];

    /// Component at work between two consecutive observed milestones of a phase with that goal.
    ///
    /// `Several` if milestones between them were missed. In a live migration, the step that otherwise creates an
    /// instance is the wait in the queue.
    pub fn between(goal: Milestone, from: Milestone, to: Milestone) -> Self {
        use Milestone::{
            Accepted, Address, Agent, Attached, Copying, Gone, Initialized, Instance, Migrated, Moved,
            Placed, Pod, Prepared, Reachable, Ready, Requested, Running, Scheduled, Started, Target, Volume,
        };
        match (from, to) {
            (Accepted | Requested, Pod) if matches!(goal, Migrated | Moved) => Self::Queue,
            (_, Requested | Accepted) => Self::Api,
            (_, Volume) => Self::Filling,
            (_, Gone) => Self::Shutdown,
            (Started, Target) => Self::Target,
            (Pod | Placed | Attached | Prepared | Initialized, Target) => Self::Launcher,
            (Target, Copying) => Self::Domain,
            (Target | Copying, Migrated) => Self::Copying,
            (Accepted | Volume | Gone, Instance) | (Instance, Pod) | (Started, Scheduled) => Self::Controller,
            (Pod | Volume, Placed) => Self::Scheduling,
            (Placed | Volume, Attached) => Self::Attaching,
            (Placed | Volume | Attached, Prepared) => Self::Pods,
            (Prepared, Initialized) => Self::Images,
            (Initialized, Started) => Self::Containers,
            (Pod | Placed | Volume | Attached | Prepared, Initialized | Started | Scheduled) => {
                Self::Launcher
            }
            (Initialized, Scheduled) => Self::Launcher,
            (Scheduled, Running) => Self::Domain,
            (Running | Ready | Address, Agent) => Self::Boot,
            (Agent, Reachable) => Self::Network,
            (Running | Ready | Address, Reachable) => Self::Guest,
            _ => Self::Several,
        }
    }

    /// Component to blame where this one is slow; `None` if unknown.
    pub fn suspect(self) -> Option<Self> {
        match self {
            Self::Several => None,
            Self::Containers | Self::Boot => Some(Self::DisksOrProcessors),
            other => Some(other),
        }
    }

    /// Whether VMs pass through it one by one, so that its rate is meaningful.
    pub fn is_queue(self) -> bool {
        matches!(
            self,
            Self::Api
                | Self::Filling
                | Self::Controller
                | Self::Scheduling
                | Self::Attaching
                | Self::Images
                | Self::Network
                | Self::Queue
        )
    }

    /// Load on nodes; `None` if it works elsewhere.
    pub fn load(self) -> Option<Load> {
        match self {
            Self::Containers | Self::Boot | Self::Guest => Some(Load::Disks),
            Self::Domain | Self::Pods => Some(Load::Processors),
            Self::Images => Some(Load::Other),
            _ => None,
        }
    }

    /// Label for a cell.
    pub fn label(self) -> &'static str {
        self.facts().label
    }

    /// Subject of a sentence.
    pub fn noun(self) -> &'static str {
        self.facts().noun
    }

    /// Phrase after "wait for".
    pub fn awaited(self) -> &'static str {
        self.facts().awaited.map_or(self.noun(), |(_, phrase)| phrase)
    }

    /// Its layers.
    pub fn layers(self) -> &'static [Layer] {
        self.facts().layers
    }

    /// Remedies if it is the bottleneck, whatever else was seen.
    pub fn remedies(self) -> &'static [&'static str] {
        self.facts().remedies
    }

    #[expect(clippy::too_many_lines, reason = "a table with a row for each component")]
    fn facts(self) -> Facts {
        use Layer::{Compute, Hypervisor, Network, Storage};
        let row = |label, noun, awaited, layers, remedies| Facts { label, noun, awaited, layers, remedies };
        match self {
            Self::Api => row(
                "API server and virt-api",
                "the API server and virt-api",
                Some(("answer", "an answer to the request")),
                &[Hypervisor],
                &["check the latency of the API server and of virt-api's webhooks, and flow control"],
            ),
            Self::Stop => row(
                "beginning of the stop",
                "the beginning of the stop",
                Some(("stop", "the stop to begin")),
                &[],
                &[],
            ),
            Self::Shutdown => row(
                "guests shut down",
                "the shutdown of the guests",
                Some(("power-off", "the guest to power off")),
                &[],
                &[],
            ),
            Self::LostNodes => row(
                "lost nodes",
                "lost nodes, whose VMs start elsewhere only when the old instances are gone",
                None,
                &[],
                &[
                    "a node that stays down keeps its pods until it is back, is deleted, or has the taint \
                     node.kubernetes.io/out-of-service",
                    "let node health checks with remediation (Medik8s, or the machine health checks of \
                     Cluster API) automate that",
                ],
            ),
            Self::Filling => {
                row("filling disks", "filling the disks", Some(("volumes", "disks")), &[Storage], &[])
            }
            Self::Controller => row(
                "virt-controller",
                "virt-controller",
                Some(("instance", "an instance")),
                &[Hypervisor],
                &[],
            ),
            Self::Pod => row(
                "virt-controller",
                "the creation of launcher pods",
                Some(("pod", "a launcher pod")),
                &[Hypervisor],
                &[],
            ),
            Self::Refused => row(
                "refused objects",
                "instances or launcher pods that are refused",
                None,
                &[],
                &[
                    "see why: kubectl get events -A --field-selector reason=FailedCreate",
                    "check quotas and limit ranges of the namespaces: kubectl get resourcequotas,limitranges \
                     -A",
                ],
            ),
            Self::Scheduling => row(
                "scheduler",
                "finding a node",
                Some(("node", "a node")),
                &[Compute],
                &[
                    "see why pods find no node: kubectl get events -A --field-selector reason=FailedScheduling",
                ],
            ),
            Self::Attaching => row(
                "attaching volumes",
                "attaching volumes",
                Some(("attachment", "volumes to be attached")),
                &[Storage],
                &[
                    "raise --kube-api-qps and --worker-threads of the CSI external-attacher",
                    "start VMs in waves: --wave",
                ],
            ),
            Self::Pods => row(
                "mounts and pod network",
                "mounting volumes and connecting pods",
                None,
                &[Storage, Network],
                &[],
            ),
            Self::Images => row(
                "images, init containers",
                "pulling images and init containers",
                Some(("image", "an image")),
                &[Network],
                &[
                    "pull images before the storm, or keep them on the nodes",
                    "allow parallel pulls: serializeImagePulls: false in the kubelet's configuration",
                    "put a registry mirror next to the nodes",
                ],
            ),
            Self::Containers => row(
                "starting containers",
                "starting containers",
                Some(("containers", "containers to start")),
                &[Storage, Compute],
                &[],
            ),
            Self::Launcher => row(
                "launcher pod",
                "the launcher pods",
                Some(("pod-up", "the launcher pod to run")),
                &[Storage, Compute],
                &[],
            ),
            Self::Handler => {
                row("virt-handler", "virt-handler", Some(("handler", "virt-handler")), &[Hypervisor], &[])
            }
            Self::Domain => row(
                "virt-handler, QEMU",
                "virt-handler, libvirt and QEMU",
                Some(("guest", "the guest to be started")),
                &[Hypervisor],
                &[],
            ),
            Self::Crashing => row(
                "crashing instances",
                "instances that end before they run",
                Some(("stay-up", "the guest to stay up")),
                &[],
                &[
                    "see why: kubectl logs of the launcher pod, container compute, and kubectl get events of the VMI",
                ],
            ),
            Self::Boot => row("guest boots", "the boot of the guests", None, &[Storage, Compute], &[]),
            Self::Guest => row(
                "guest boots, network",
                "the guests or their network",
                Some(("address", "an address")),
                &[Storage, Network],
                &[],
            ),
            Self::Network => row(
                "guest network",
                "the network of the guests",
                Some(("reply", "an answer of the guest")),
                &[Network],
                &[],
            ),
            // The guide is about boots; its hints do not apply to guests that keep running.
            Self::Queue => row(
                "KubeVirt's migration queue",
                "KubeVirt's queue of migrations",
                Some(("turn", "KubeVirt to begin the migration")),
                &[],
                &["raise parallelMigrationsPerCluster and parallelOutboundMigrationsPerNode in \
                     spec.configuration.migrations of the KubeVirt object, as far as the network allows"],
            ),
            Self::Target => row(
                "preparing targets",
                "preparing the targets",
                Some(("target", "the target node to be ready")),
                &[],
                &["check virt-handler on the target nodes, and the latency of the API server"],
            ),
            Self::Copying => row(
                "copying memory",
                "copying the guests' memory",
                Some(("copy", "memory to be copied")),
                &[],
                &[
                    "use a network of its own for migrations: spec.configuration.migrations.network of the KubeVirt object",
                    "check bandwidthPerMigration in spec.configuration.migrations, and guests that write \
                     much memory: allowAutoConverge, allowPostCopy",
                ],
            ),
            Self::Disks => row(
                "storage",
                "storage",
                None,
                &[Storage],
                &["start VMs in waves, so that fewer read at once: --wave"],
            ),
            Self::Processors => row(
                "processors",
                "the processors of the nodes",
                None,
                &[Compute],
                &["start VMs in waves, so that fewer boot at once on a node: --wave"],
            ),
            Self::DisksOrProcessors => {
                row("disks or processors", "disks or processors of the nodes", None, &[Storage, Compute], &[])
            }
            Self::Node => row(
                "one node",
                "one node",
                None,
                &[Compute],
                &["check the node: kubectl describe node, its disks, its processors, its pods"],
            ),
            Self::Several => row("several", "several components", None, &[], &[]),
        }
    }
}

/// Words of `waits_for` in documents.
pub mod waits_for {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Component;

    /// Writes the word for what a VM waits for.
    pub fn serialize<S: Serializer>(component: &Component, serializer: S) -> Result<S::Ok, S::Error> {
        match component.facts().awaited {
            Some((word, _)) => serializer.serialize_str(word),
            None => Err(serde::ser::Error::custom(format!("no VM waits for {}", component.noun()))),
        }
    }

    /// Reads the word for what a VM waits for.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Component, D::Error> {
        let word = String::deserialize(deserializer)?;
        let is_meant =
            |component: &Component| component.facts().awaited.is_some_and(|(known, _)| known == word);
        let unknown = || serde::de::Error::custom(format!("unknown waits_for {word:?}"));
        Component::ALL.into_iter().find(is_meant).ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Waiting {
        #[serde(with = "waits_for")]
        waits_for: Component,
    }

    #[test]
    fn words_are_one_for_each_component_and_read_back() {
        let words: BTreeSet<String> =
            Component::ALL.map(|one| serde_json::to_string(&one).unwrap()).into_iter().collect();
        assert_eq!(words.len(), Component::ALL.len());
        let awaited: Vec<Component> =
            Component::ALL.into_iter().filter(|one| one.facts().awaited.is_some()).collect();
        assert_eq!(awaited.len(), 19);
        for waits_for in awaited {
            let text = serde_json::to_string(&Waiting { waits_for }).unwrap();
            assert_eq!(serde_json::from_str::<Waiting>(&text).unwrap(), Waiting { waits_for }, "{text}");
        }
        assert!(serde_json::from_str::<Waiting>(r#"{"waits_for":"api"}"#).is_err());
    }
}
