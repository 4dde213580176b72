//! Component at work between two milestones.

use serde::{Deserialize, Serialize};

use crate::observe::Milestone;

/// Component that a VM waits for between two milestones
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Section {
    /// The request: the API server, virt-api's webhooks.
    Api,
    /// The guest shuts down, and its instance goes.
    Shutdown,
    /// Disks are cloned or imported.
    Filling,
    /// virt-controller makes the instance and its pod, and hands it over when the pod runs.
    Controller,
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
    /// virt-handler, libvirt and QEMU start the domain.
    Domain,
    /// The guest boots, up to its agent.
    Boot,
    /// The guest runs, its agent too, and does not answer yet.
    Network,
    /// The guest boots and gets its address; not distinguished without an agent.
    Guest,
    /// A live migration waits for its turn in virt-controller.
    Queue,
    /// virt-controller and virt-handler prepare the target of a live migration.
    Target,
    /// The memory of a guest that migrates is copied.
    Copying,
    /// Several of these: milestones between them were not seen.
    Several,
}

impl Section {
    /// The same in a phase with that goal: a live migration waits for its turn where an instance is made otherwise.
    pub fn on_the_way(goal: Milestone, from: Milestone, to: Milestone) -> Self {
        match (goal, from, to) {
            (
                Milestone::Migrated | Milestone::Moved,
                Milestone::Accepted | Milestone::Requested,
                Milestone::Pod,
            ) => Self::Queue,
            _ => Self::between(from, to),
        }
    }

    /// Component at work between two consecutive observed milestones.
    ///
    /// `Several` if milestones between them were not seen.
    pub fn between(from: Milestone, to: Milestone) -> Self {
        use Milestone::{
            Accepted, Address, Agent, Attached, Copying, Gone, Initialized, Instance, Migrated, Placed, Pod,
            Prepared, Reachable, Ready, Requested, Running, Scheduled, Started, Target, Volume,
        };
        match (from, to) {
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

    /// The words for it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Api => "API server and virt-api",
            Self::Shutdown => "guests shut down",
            Self::Filling => "filling disks",
            Self::Controller => "virt-controller",
            Self::Scheduling => "scheduler",
            Self::Attaching => "attaching volumes",
            Self::Pods => "mounts and pod network",
            Self::Images => "images, init containers",
            Self::Containers => "starting containers",
            Self::Launcher => "launcher pod",
            Self::Domain => "virt-handler, QEMU",
            Self::Boot => "guest boots",
            Self::Network => "guest network",
            Self::Guest => "guest boots, network",
            Self::Queue => "KubeVirt's migration queue",
            Self::Target => "preparing targets",
            Self::Copying => "copying memory",
            Self::Several => "several",
        }
    }
}
