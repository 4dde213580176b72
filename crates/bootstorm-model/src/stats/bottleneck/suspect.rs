//! Component to blame if measurements leave more than one.

use super::GROWN;
use crate::component::{Component, Load};
use crate::observe::Timeline;
use crate::outage;
use crate::stats::breakdown::Part;

/// Corrects the component by where these VMs went down: on a lost node, no guest shuts down.
pub(super) fn where_nodes_are_lost<'a>(
    component: Component,
    vms: impl Iterator<Item = &'a Timeline>,
) -> Component {
    let outages: Vec<outage::Cause> =
        vms.filter_map(|vm| vm.outage.as_ref()).map(|outage| outage.cause).collect();
    let lost = outages.iter().filter(|cause| **cause == outage::Cause::NodeLost).count();
    let is_lost = component == Component::Shutdown && lost * 2 > outages.len();
    if is_lost { Component::LostNodes } else { component }
}

/// Whether a component reads heavily from the disks of VMs and nodes.
pub(super) fn reads_disks(component: Component) -> bool {
    component.load() == Some(Load::Disks)
}

/// Whether a component uses CPU, and little else on the node.
pub(super) fn needs_processors_only(component: Component) -> bool {
    component.load() == Some(Load::Processors)
}

/// Slowdown of some components relative to the baseline; `None` if they were not measured in both phases.
pub(super) fn factor(parts: &[Part], counts: impl Fn(Component) -> bool) -> Option<f64> {
    let both =
        parts.iter().filter(|part| counts(part.component)).filter_map(|part| part.baseline.zip(part.storm));
    let (before, after) = both.fold((0.0, 0.0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
    (before > 0.0).then(|| after / before)
}

/// Cause of slow container starts and guest boots.
///
/// Both read from disk and compute. CPU-only stages (the pod's sandbox, libvirt, QEMU) slow down with them if CPU is
/// short, and hardly if disks are slow. A guest that slows down alone may also be waiting for its network.
pub(super) fn of_guests(parts: &[Part], main: &Part) -> Component {
    let containers = factor(parts, |component| component == Component::Containers);
    if main.component == Component::Guest && containers.is_none_or(|factor| factor < GROWN) {
        return Component::Guest;
    }
    let (Some(disks), Some(processors)) = (factor(parts, reads_disks), factor(parts, needs_processors_only))
    else {
        return Component::DisksOrProcessors;
    };
    if disks >= GROWN && processors < GROWN && disks >= GROWN * processors {
        return Component::Disks;
    }
    if processors >= GROWN && disks < 2.0 * GROWN * processors {
        return Component::Processors;
    }
    Component::DisksOrProcessors
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
        let of = |vms: &[&Timeline]| where_nodes_are_lost(Component::Shutdown, vms.iter().copied());
        assert_eq!(of(&[&lost, &lost, &deleted]), Component::LostNodes);
        assert_eq!(of(&[&lost, &deleted]), Component::Shutdown);
        assert_eq!(of(&[&Timeline::new(0)]), Component::Shutdown);
        assert_eq!(where_nodes_are_lost(Component::Domain, [&lost].into_iter()), Component::Domain);
    }
}
