//! Who takes part in a phase, and which instances are from before it.

use std::collections::{HashMap, HashSet};

use super::adopted;
use crate::cluster::machines::Machine;
use crate::observe::{Change, Outcome, Timeline};
use crate::plan::{Adoptee, Target};
use crate::record::{PhaseKind, PhaseRecord, RunRecord};

/// Leaves out the VMs that cannot take part; gives them with the reason.
///
/// `machines` are the VMs that exist, `instances` the changes of the first list. Call it once, when a phase begins:
/// a phase that is continued keeps its line-up.
pub(super) fn leave_out(
    phase: &mut PhaseRecord,
    targets: &[Target],
    machines: &HashMap<Target, Machine>,
    instances: &[Change],
) -> Vec<(Target, String)> {
    if phase.name.kind == PhaseKind::Create {
        return Vec::new();
    }
    let alive: HashSet<&Target> = instances
        .iter()
        .filter_map(|change| match change {
            Change::Present(instance) => Some(&instance.target),
            Change::Absent { .. } => None,
        })
        .collect();
    let kind = phase.name.kind;
    leave_out_where(phase, targets, |_, target| {
        let reason = if !machines.contains_key(target) {
            "the VM does not exist"
        } else if kind == PhaseKind::Storm && alive.contains(target) {
            "it was not stopped: its instance still exists"
        } else {
            return None;
        };
        Some(reason.to_owned())
    })
}

/// The same for VMs that the run did not make.
pub(super) fn leave_out_adopted(
    phase: &mut PhaseRecord,
    adopted: &[Adoptee],
    machines: &HashMap<Target, Machine>,
    alive: &HashSet<Target>,
) -> Vec<(Target, String)> {
    let kind = phase.name.kind;
    let targets: Vec<Target> = adopted.iter().map(|adoptee| adoptee.target.clone()).collect();
    leave_out_where(phase, &targets, |position, target| {
        adopted::obstacle(&adopted[position], machines.get(target), kind, alive.contains(target))
    })
}

fn leave_out_where(
    phase: &mut PhaseRecord,
    targets: &[Target],
    obstacle: impl Fn(usize, &Target) -> Option<String>,
) -> Vec<(Target, String)> {
    let mut left_out = Vec::new();
    for (position, (timeline, target)) in phase.timelines.iter_mut().zip(targets).enumerate() {
        let Some(reason) = obstacle(position, target) else { continue };
        timeline.outcome = Outcome::Excluded;
        timeline.reason = Some(reason.clone());
        left_out.push((target.clone(), reason));
    }
    left_out
}

/// The UIDs of instances that a start must not count: those of earlier phases, and those that exist although this
/// phase has not asked for them.
pub(super) fn old_instances(
    record: &RunRecord,
    phase: &PhaseRecord,
    targets: &[Target],
    instances: &[Change],
) -> HashSet<String> {
    let earlier = record.phases.iter().filter(|earlier| earlier.name != phase.name);
    let mut old: HashSet<String> =
        earlier.flat_map(|phase| &phase.timelines).filter_map(|t| t.instance_uid.clone()).collect();
    let positions: HashMap<&Target, usize> = targets.iter().zip(0..).collect();
    for change in instances {
        let Change::Present(instance) = change else { continue };
        let asked = positions
            .get(&instance.target)
            .is_some_and(|position| phase.timelines.get(*position).is_some_and(Timeline::is_asked));
        if !asked {
            old.insert(instance.uid.clone());
        }
    }
    old
}
