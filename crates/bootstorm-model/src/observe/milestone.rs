//! Milestones and their order.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A point that a VM passes while it starts, stops or migrates
///
/// Variants are in the order in which a VM passes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Milestone {
    /// The request for this VM is about to be written to an open connection.
    Requested,
    /// The API server answered the request with success.
    Accepted,
    /// All disks created for the VM are filled: cloned, imported, or blank.
    Volume,
    /// The `VirtualMachineInstance` object exists.
    Instance,
    /// The launcher pod exists: it was seen itself, or the VMI is in phase `Scheduling`. In a live migration, the pod
    /// on the target node: the migration has left `KubeVirt`'s queue.
    Pod,
    /// The launcher pod has a node.
    Placed,
    /// The volumes of the launcher pod are attached to its node; passed only if some have to be.
    Attached,
    /// Its volumes are mounted and its network is set up (pod condition `PodReadyToStartContainers`).
    Prepared,
    /// Its init containers are done and the images of container disks are pulled (pod condition `Initialized`).
    Initialized,
    /// Its main container runs and all others are ready, which is what virt-controller waits for.
    Started,
    /// The VMI is in phase `Scheduled`: virt-controller has seen the pod run, virt-handler takes over.
    Scheduled,
    /// The domain runs (VMI phase `Running`). The guide's "Time to Running".
    Running,
    /// The VMI condition `Ready` is true.
    Ready,
    /// The VMI reports an IP address.
    Address,
    /// The guest agent is connected.
    Agent,
    /// The guest answers a probe. The guide's "Time to Ping".
    Reachable,
    /// The stop took effect: the VMI is being deleted. In a restart, the VMI that ran before it.
    Stopping,
    /// The VMI object no longer exists; in a restart, the VMI that ran before it.
    Gone,
    /// The target of a live migration can receive the guest: its launcher pod runs, and virt-handler of the target node
    /// has opened its ports (migration phase `TargetReady`).
    Target,
    /// The guest's memory is being copied (migration phase `Running`, or `status.migrationState.startTimestamp`).
    Copying,
    /// The guest runs on the target (`status.migrationState.completed` without `failed`).
    Migrated,
    /// In a drain: the VM runs on another node, to which it migrated or on which it was started again.
    Moved,
}

impl Milestone {
    /// Every milestone, in order.
    pub const ALL: [Self; 22] = [
        Self::Requested,
        Self::Accepted,
        Self::Volume,
        Self::Instance,
        Self::Pod,
        Self::Placed,
        Self::Attached,
        Self::Prepared,
        Self::Initialized,
        Self::Started,
        Self::Scheduled,
        Self::Running,
        Self::Ready,
        Self::Address,
        Self::Agent,
        Self::Reachable,
        Self::Stopping,
        Self::Gone,
        Self::Target,
        Self::Copying,
        Self::Migrated,
        Self::Moved,
    ];

    /// The word used in JSON, tables, thresholds and documentation.
    pub fn word(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Accepted => "accepted",
            Self::Volume => "volume",
            Self::Instance => "instance",
            Self::Pod => "pod",
            Self::Placed => "placed",
            Self::Attached => "attached",
            Self::Prepared => "prepared",
            Self::Initialized => "initialized",
            Self::Started => "started",
            Self::Scheduled => "scheduled",
            Self::Running => "running",
            Self::Ready => "ready",
            Self::Address => "address",
            Self::Agent => "agent",
            Self::Reachable => "reachable",
            Self::Stopping => "stopping",
            Self::Gone => "gone",
            Self::Target => "target",
            Self::Copying => "copying",
            Self::Migrated => "migrated",
            Self::Moved => "moved",
        }
    }

    /// What VMs are once they have passed it, for sentences: `15 VMs are provisioned`.
    pub fn state(self) -> &'static str {
        match self {
            Self::Volume => "provisioned",
            Self::Instance => "created",
            Self::Pod => "in a pod",
            Self::Address => "addressed",
            Self::Agent => "connected",
            Self::Target => "received",
            Self::Copying => "being copied",
            other => other.word(),
        }
    }

    /// Whether only VMs that change nodes pass it.
    pub fn is_of_migration(self) -> bool {
        matches!(self, Self::Target | Self::Copying | Self::Migrated | Self::Moved)
    }

    /// Whether only VMs whose instance ends pass it.
    pub fn is_of_stop(self) -> bool {
        matches!(self, Self::Stopping | Self::Gone)
    }
}

impl fmt::Display for Milestone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_in_order_and_words_match_the_stored_form() {
        assert!(Milestone::ALL.is_sorted());
        for milestone in Milestone::ALL {
            assert_eq!(serde_json::to_value(milestone).unwrap(), milestone.word());
        }
    }
}
