//! Possible bottlenecks, and the guide's kinds that they belong to.

use serde::{Deserialize, Serialize};

use super::GROWN;
use crate::observe::Timeline;
use crate::outage;
use crate::stats::breakdown::Part;
use crate::stats::{Cause, Section};

/// Component that holds a storm up
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Culprit {
    /// The API server and virt-api.
    Api,
    /// The shutdown of the guests before they start again.
    Shutdown,
    /// Nodes that were lost: their VMs wait until the old instances are gone.
    LostNodes,
    /// The filling of disks.
    Filling,
    /// virt-controller.
    Controller,
    /// The scheduler, or the room on nodes.
    Scheduling,
    /// The attaching of volumes.
    Attaching,
    /// The setting up of pods: mounts and network plugin.
    Pods,
    /// Images and init containers.
    Images,
    /// The disks that containers and guests read from.
    Disks,
    /// The processors of the nodes.
    Processors,
    /// Disks or processors: no measurement separates them.
    DisksOrProcessors,
    /// The launcher pod as a whole, where pods were not watched.
    Launcher,
    /// virt-handler, libvirt and QEMU.
    Domain,
    /// The network of the guests.
    Network,
    /// The guests or their network: without an agent, no measurement separates them.
    Guest,
    /// `KubeVirt`'s queue of live migrations.
    Queue,
    /// virt-controller and virt-handler, which prepare the targets of live migrations.
    Target,
    /// The copying of the guests' memory.
    Copying,
    /// One node.
    Node,
    /// Launcher pods that the API server refuses, for example for a quota.
    Refused,
    /// Instances that end before they run.
    Crashing,
}

impl Culprit {
    /// Component to blame for a section; `None` if unknown.
    pub(super) fn of(section: Section) -> Option<Self> {
        Some(match section {
            Section::Several => return None,
            Section::Queue => Self::Queue,
            Section::Target => Self::Target,
            Section::Copying => Self::Copying,
            Section::Api => Self::Api,
            Section::Shutdown => Self::Shutdown,
            Section::Filling => Self::Filling,
            Section::Controller => Self::Controller,
            Section::Scheduling => Self::Scheduling,
            Section::Attaching => Self::Attaching,
            Section::Pods => Self::Pods,
            Section::Images => Self::Images,
            Section::Containers | Section::Boot => Self::DisksOrProcessors,
            Section::Launcher => Self::Launcher,
            Section::Domain => Self::Domain,
            Section::Network => Self::Network,
            Section::Guest => Self::Guest,
        })
    }

    /// The same where these VMs went down: on a node that is lost, no guest shuts down.
    pub(super) fn where_nodes_are_lost<'a>(self, vms: impl Iterator<Item = &'a Timeline>) -> Self {
        let outages: Vec<outage::Cause> =
            vms.filter_map(|vm| vm.outage.as_ref()).map(|outage| outage.cause).collect();
        let lost = outages.iter().filter(|cause| **cause == outage::Cause::NodeLost).count();
        if self == Self::Shutdown && lost * 2 > outages.len() { Self::LostNodes } else { self }
    }

    /// Which of the guide's kinds it is.
    pub fn causes(self) -> Vec<Cause> {
        match self {
            Self::Api | Self::Controller | Self::Domain => vec![Cause::Hypervisor],
            Self::Filling | Self::Attaching | Self::Disks => vec![Cause::Storage],
            Self::Images | Self::Network => vec![Cause::Network],
            Self::Scheduling | Self::Processors | Self::Node => vec![Cause::Compute],
            // The guests themselves, or VMs that did not arrive, each with a cause of its own.
            Self::Shutdown | Self::LostNodes | Self::Refused | Self::Crashing => Vec::new(),
            // The guide is about boots; its hints do not fit guests that run on.
            Self::Queue | Self::Target | Self::Copying => Vec::new(),
            Self::Pods => vec![Cause::Storage, Cause::Network],
            Self::DisksOrProcessors | Self::Launcher => vec![Cause::Storage, Cause::Compute],
            Self::Guest => vec![Cause::Storage, Cause::Network],
        }
    }

    /// Whether VMs pass through it one by one, so its rate is meaningful.
    pub(super) fn is_queue(self) -> bool {
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

    /// It, at the beginning of a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Self::Api => "the API server and virt-api",
            Self::Shutdown => "the shutdown of the guests",
            Self::LostNodes => "lost nodes, whose VMs start elsewhere only when the old instances are gone",
            Self::Filling => "filling the disks",
            Self::Controller => "virt-controller",
            Self::Scheduling => "finding a node",
            Self::Attaching => "attaching volumes",
            Self::Pods => "mounting volumes and connecting pods",
            Self::Images => "pulling images and init containers",
            Self::Disks => "storage",
            Self::Processors => "the processors of the nodes",
            Self::DisksOrProcessors => "disks or processors of the nodes",
            Self::Launcher => "the launcher pods",
            Self::Domain => "virt-handler, libvirt and QEMU",
            Self::Network => "the network of the guests",
            Self::Guest => "the guests or their network",
            Self::Queue => "KubeVirt's queue of migrations",
            Self::Target => "preparing the targets",
            Self::Copying => "copying the guests' memory",
            Self::Node => "one node",
            Self::Refused => "launcher pods that are refused",
            Self::Crashing => "instances that end before they run",
        }
    }
}

/// Whether a section is work that nodes do.
pub(super) fn is_on_nodes(section: Section) -> bool {
    reads_disks(section) || needs_processors_only(section) || section == Section::Images
}

/// Whether a section reads much from the disks of VMs and of nodes.
pub(super) fn reads_disks(section: Section) -> bool {
    matches!(section, Section::Containers | Section::Boot | Section::Guest)
}

/// Whether a section costs processors, and little else on the node.
pub(super) fn needs_processors_only(section: Section) -> bool {
    matches!(section, Section::Domain | Section::Pods)
}

/// How many times as long as in the baseline some sections took; `None` where they were not measured in both phases.
pub(super) fn factor(parts: &[Part], counts: impl Fn(Section) -> bool) -> Option<f64> {
    let both =
        parts.iter().filter(|part| counts(part.section)).filter_map(|part| part.baseline.zip(part.storm));
    let (before, after) = both.fold((0.0, 0.0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
    (before > 0.0).then(|| after / before)
}

/// Cause of slow container starts and guest boots.
///
/// Both read from disk and compute. What needs processors only (the pod's sandbox, libvirt, QEMU) grows with them where
/// processors are short, and hardly where disks are slow. A guest that slows down alone may also wait for its network.
pub(super) fn of_guests(parts: &[Part], main: &Part) -> Culprit {
    let containers = factor(parts, |section| section == Section::Containers);
    if main.section == Section::Guest && containers.is_none_or(|factor| factor < GROWN) {
        return Culprit::Guest;
    }
    let (Some(disks), Some(processors)) = (factor(parts, reads_disks), factor(parts, needs_processors_only))
    else {
        return Culprit::DisksOrProcessors;
    };
    if disks >= GROWN && processors < GROWN && disks >= GROWN * processors {
        return Culprit::Disks;
    }
    if processors >= GROWN && disks < 2.0 * GROWN * processors {
        return Culprit::Processors;
    }
    Culprit::DisksOrProcessors
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Offset;
    use crate::outage::{Cause, Exactness, Outage, Sign};

    fn vm(cause: Cause) -> Timeline {
        let outage = Outage {
            sign: Sign::NodeNotReady,
            at: Offset::ZERO,
            exactness: Exactness::Watch,
            cause,
            left_node: None,
            last_answer: None,
            first_answer: None,
            lost: None,
            unprobed: false,
            noticed: None,
            evicted: None,
        };
        Timeline { outage: Some(Box::new(outage)), ..Timeline::new(0) }
    }

    #[test]
    fn where_most_vms_were_on_lost_nodes_no_guest_shut_down() {
        let [lost, deleted] = [Cause::NodeLost, Cause::Deleted].map(vm);
        let of = |vms: &[&Timeline]| Culprit::Shutdown.where_nodes_are_lost(vms.iter().copied());
        assert_eq!(of(&[&lost, &lost, &deleted]), Culprit::LostNodes);
        assert_eq!(of(&[&lost, &deleted]), Culprit::Shutdown);
        assert_eq!(of(&[&Timeline::new(0)]), Culprit::Shutdown);
        assert_eq!(Culprit::Domain.where_nodes_are_lost([&lost].into_iter()), Culprit::Domain);
    }
}
