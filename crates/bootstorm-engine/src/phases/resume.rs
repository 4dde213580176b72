//! Reconciles a resumed phase: requests carried out, requests lost, and changes while unwatched.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use super::eligibility::present;
use super::existing::Existing;
use crate::cluster::machines::Standing;
use bootstorm_model::observe::{
    Change, Instance, InstancePhase, MigrationFacts, Milestone, Offset, Outcome, Timeline,
};
use bootstorm_model::plan::Target;
use bootstorm_model::record::{Gap, PhaseKind, PhaseRecord};

/// Reconciles a phase that another process began; returns the VMs whose request need not be sent any more.
///
/// The state of the VM decides, not the saved state: a request may have been carried out after the last save. A VM
/// whose request was carried out unsaved has no known zero, so its times stay unknown. A saved request without effect
/// died with the process; the VM's time restarts with the request that is sent now.
pub(super) fn reconcile(
    phase: &mut PhaseRecord,
    targets: &[Target],
    existing: &Existing,
    server_zero: Timestamp,
    is_carried_out: impl Fn(&Timeline, &Standing) -> bool,
) -> HashSet<u32> {
    let kind = phase.name.kind;
    let mut done = HashSet::new();
    for (timeline, target) in phase.timelines.iter_mut().zip(targets) {
        if timeline.is_over() {
            continue;
        }
        if let (Some(machine), PhaseKind::Create) = (existing.ours.get(target), kind) {
            // It was created, but the process ended before that was saved.
            timeline.machine_uid.get_or_insert_with(|| machine.uid().into());
        }
        match (existing.ours.get(target), kind) {
            (None, PhaseKind::Create) if !timeline.has(Milestone::Accepted) => forget_request(timeline),
            (None, _) => {
                timeline.outcome = Outcome::Failed;
                timeline.reason = Some(existing.absence(target));
            }
            (Some(machine), _) if timeline.has(Milestone::Accepted) || is_carried_out(timeline, machine) => {
                if let (PhaseKind::Create, Some(created)) = (kind, machine.created()) {
                    let at = Offset(created.as_microsecond() - server_zero.as_microsecond());
                    let floor = timeline.at(Milestone::Requested).unwrap_or(at);
                    timeline.fill(Milestone::Accepted, at.max(floor));
                }
                timeline.untimed = !timeline.has(Milestone::Requested);
                done.insert(timeline.target);
            }
            (Some(_), _) => forget_request(timeline),
        }
    }
    done
}

/// Records the unwatched gap, from the last save until now.
pub(super) fn note_gap(phase: &mut PhaseRecord, now: Offset) {
    let seen = phase.timelines.iter().flat_map(|timeline| timeline.moments.values()).map(|moment| moment.at);
    let from = phase.watched_until.or_else(|| seen.max()).unwrap_or(Offset::ZERO).min(now);
    for gap in phase.gaps_mut().filter(|gap| gap.open) {
        // It was open when that process ended, so its end is unknown.
        (gap.open, gap.to) = (false, now);
    }
    phase.watch.gaps.push(Gap { from, to: now, ..Gap::default() });
    phase.continued += 1;
}

/// Instances that disappeared while unwatched, by the first list.
pub(super) fn missed(phase: &PhaseRecord, targets: &[Target], first: &[Change]) -> Vec<Change> {
    let mut present: HashMap<&Target, HashSet<&str>> = HashMap::new();
    for change in first {
        if let Change::Present(instance) = change {
            present.entry(&instance.target).or_default().insert(&instance.uid);
        }
    }
    let stops = phase.name.kind == PhaseKind::Stop;
    let open = phase.timelines.iter().zip(targets).filter(|(timeline, _)| !timeline.is_over());
    let gone = |(timeline, target): (&Timeline, &Target)| {
        let here = present.get(target);
        let uid = match &timeline.instance_uid {
            Some(uid) if here.is_some_and(|here| here.contains(uid.as_str())) => return None,
            Some(uid) => uid.clone(),
            // Stopped before its instance was ever seen.
            None if stops && timeline.is_asked() && here.is_none() => String::new(),
            None => return None,
        };
        Some(Change::Absent { uid, target: target.clone() })
    };
    open.filter_map(gone).collect()
}

/// Whether the state of a VM shows that the phase's request was carried out.
pub(super) fn is_carried_out(machine: &Standing, kind: PhaseKind) -> bool {
    match kind {
        PhaseKind::Create => true,
        PhaseKind::Stop => machine.is_halted(),
        PhaseKind::Storm => machine.is_started(),
    }
}

/// Whether the instances and the state of a VM show that it was restarted.
///
/// `instances` were listed after the VM: its request to stop is removed only once the old instance is gone.
pub(super) fn is_restarted(timeline: &Timeline, machine: &Standing, instances: &[Change]) -> bool {
    let is_old = |change: &Change| match change {
        Change::Present(instance) => {
            timeline.old_instance.as_deref() == Some(&instance.uid) && !instance.deleting
        }
        Change::Absent { .. } => false,
    };
    machine.wish() == Some("Stop") || !instances.iter().any(is_old)
}

/// Whether the instances show that a VM was evicted: its instance ends, is gone, is on another node, or is marked to
/// leave this one. A second request would give it a later zero, and would fail if it left meanwhile.
pub(super) fn is_evicted(timeline: &Timeline, nodes: &[String], instances: &[Change]) -> bool {
    let stays = |change: &Change| match change {
        Change::Present(instance) => {
            timeline.old_instance.as_deref() == Some(&instance.uid)
                && !instance.deleting
                && instance.node.as_ref().is_none_or(|node| nodes.contains(node))
                && (instance.evacuating.is_none() || instance.evacuating != instance.node)
        }
        Change::Absent { .. } => false,
    };
    !instances.iter().any(stays)
}

/// Begins anew for VMs that are on a drained node again: the interrupted drain had lifted its cordons, so a VM may have
/// booted there, or have migrated from one of these nodes to another.
pub(super) fn note_returned(phase: &mut PhaseRecord, targets: &[Target], instances: &[Change]) {
    if !phase.drains() {
        return;
    }
    let (running, nodes) = (present(instances), phase.settings.nodes.clone());
    for (timeline, target) in phase.timelines.iter_mut().zip(targets) {
        let Some(instance) = running.get(target).filter(|instance| is_there(instance)) else { continue };
        let from = timeline.migration.as_ref().and_then(|facts| facts.from.as_ref());
        let is_known =
            timeline.old_instance.as_deref() == Some(&instance.uid) && from == instance.node.as_ref();
        let is_drained = instance.node.as_ref().is_some_and(|node| nodes.contains(node));
        if timeline.is_over() || is_known || !is_drained {
            continue;
        }
        let facts = MigrationFacts {
            from: instance.node.clone(),
            memory_bytes: instance.memory,
            ..MigrationFacts::default()
        };
        *timeline = Timeline {
            old_instance: Some(instance.uid.as_str().into()),
            migration: Some(Box::new(facts)),
            machine_uid: timeline.machine_uid.take(),
            warnings: std::mem::take(&mut timeline.warnings),
            ..Timeline::new(timeline.target)
        };
    }
}

/// Whether an instance exists and is not about to end.
fn is_there(instance: &Instance) -> bool {
    !instance.deleting && !matches!(instance.phase, InstancePhase::Succeeded | InstancePhase::Failed)
}

fn forget_request(timeline: &mut Timeline) {
    timeline.moments.retain(|milestone, _| *milestone > Milestone::Accepted);
    timeline.untimed = false;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::machines::Machine;
    use bootstorm_model::record::{PhaseName, PhaseSettings, StormKind};

    fn target(n: u32) -> Target {
        Target { namespace: format!("p-{n}"), name: "vm".into() }
    }

    fn machine(n: u32, strategy: &str) -> (Target, Standing) {
        let value = serde_json::json!({
            "metadata": {"name": "vm", "namespace": format!("p-{n}"), "creationTimestamp": "2026-01-01T00:00:07Z"},
            "spec": {"runStrategy": strategy},
        });
        (target(n), standing(value))
    }

    fn standing(machine: serde_json::Value) -> Standing {
        serde_json::from_value::<Machine>(machine).unwrap().into_standing()
    }

    fn existing<const N: usize>(machines: [(Target, Standing); N]) -> Existing {
        Existing { ours: machines.into(), ..Existing::default() }
    }

    fn phase(name: &str) -> (PhaseRecord, Vec<Target>) {
        let name: PhaseName = name.parse().unwrap();
        (PhaseRecord::new(name, zero(), PhaseSettings::default(), 4), (0..4).map(target).collect())
    }

    fn zero() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn what_was_carried_out_is_not_sent_again_and_what_was_not_begins_anew() {
        let (mut phase, targets) = phase("storm-1");
        phase.timelines[0].see(Milestone::Requested, Offset(1));
        phase.timelines[1].see(Milestone::Requested, Offset(2));
        let machines =
            [machine(0, "Always"), machine(1, "Halted"), machine(2, "Always"), machine(3, "Halted")];
        let done = reconcile(&mut phase, &targets, &existing(machines), zero(), |_, machine| {
            is_carried_out(machine, PhaseKind::Storm)
        });
        assert_eq!(done, HashSet::from([0, 2]));
        assert_eq!(phase.timelines[0].at(Milestone::Requested), Some(Offset(1)));
        assert!(!phase.timelines[1].is_asked(), "it counts from the request that is sent now");
        assert!(phase.timelines[2].untimed && phase.timelines[2].is_asked(), "nobody knows when");
        assert!(!phase.timelines[3].is_asked());
    }

    fn instance(uid: &str, deleting: bool) -> Change {
        Change::Present(Instance {
            uid: uid.into(),
            target: target(0),
            deleting,
            phase: InstancePhase::Running,
            ..Instance::default()
        })
    }

    #[test]
    fn a_vm_was_restarted_when_its_old_instance_ends() {
        let timeline = Timeline { old_instance: Some("old".into()), ..Timeline::new(0) };
        let asked = serde_json::json!({"metadata": {}, "spec": {"runStrategy": "Always"},
            "status": {"stateChangeRequests": [{"action": "Stop"}, {"action": "Start"}]}});
        let (_, quiet) = machine(0, "Always");
        for (machine, instances, restarted) in [
            (&quiet, vec![instance("old", false)], false),
            (&quiet, vec![instance("old", true)], true),
            (&quiet, vec![instance("new", false)], true),
            (&quiet, vec![], true),
            (&standing(asked), vec![instance("old", false)], true),
        ] {
            assert_eq!(is_restarted(&timeline, machine, &instances), restarted, "{instances:?}");
        }
    }

    #[test]
    fn a_vm_that_is_marked_to_leave_its_node_was_evicted() {
        let timeline = Timeline { old_instance: Some("old".into()), ..Timeline::new(0) };
        let nodes = ["node-1".to_owned()];
        for (deleting, node, evacuating, evicted) in [
            (false, "node-1", None, false),
            (false, "node-1", Some("node-1"), true),
            (false, "node-1", Some("node-9"), false),
            (true, "node-1", None, true),
            (false, "node-2", None, true),
        ] {
            let mut change = instance("old", deleting);
            if let Change::Present(instance) = &mut change {
                (instance.node, instance.evacuating) = (Some(node.into()), evacuating.map(Into::into));
            }
            assert_eq!(is_evicted(&timeline, &nodes, &[change]), evicted, "{node} {evacuating:?}");
        }
    }

    #[test]
    fn a_vm_that_booted_on_a_drained_node_again_has_to_leave_it_again() {
        let (mut phase, targets) = phase("storm-1");
        phase.settings.kind = StormKind::Drain;
        phase.settings.nodes = vec!["node-1".into(), "node-2".into()];
        let on = |n: u32, uid: &str, node: Option<&str>| {
            let node = node.map(str::to_owned);
            let running = InstancePhase::Running;
            Change::Present(Instance {
                uid: uid.into(),
                target: target(n),
                phase: running,
                node,
                ..Instance::default()
            })
        };
        for timeline in &mut phase.timelines {
            timeline.old_instance = Some("old".into());
            timeline.see(Milestone::Requested, Offset(1));
            timeline.see(Milestone::Accepted, Offset(2));
            let facts = MigrationFacts { from: Some("node-1".into()), ..MigrationFacts::default() };
            timeline.migration = Some(Box::new(facts));
        }
        phase.timelines[0].see(Milestone::Running, Offset(3));
        phase.timelines[0].instance_uid = Some("new".into());
        let instances = [
            on(0, "new", Some("node-1")),
            on(1, "old", Some("node-2")),
            on(2, "new", Some("node-3")),
            on(3, "old", Some("node-1")),
        ];
        note_returned(&mut phase, &targets, &instances);
        let begins_anew: Vec<bool> = phase.timelines.iter().map(|timeline| !timeline.is_asked()).collect();
        assert_eq!(begins_anew, [true, true, false, false]);
        assert_eq!(phase.timelines[0].old_instance.as_deref(), Some("new"));
        assert_eq!((&phase.timelines[0].instance_uid, phase.timelines[0].moments.len()), (&None, 0));
        let from = |n: usize| phase.timelines[n].migration.as_ref().unwrap().from.as_deref();
        assert_eq!((from(0), from(1)), (Some("node-1"), Some("node-2")));
        let nodes = &phase.settings.nodes;
        assert!(!is_evicted(&phase.timelines[0], nodes, &instances[..1]), "its eviction is requested again");
    }

    #[test]
    fn a_created_vm_was_accepted_when_the_server_says() {
        let (mut phase, targets) = phase("create");
        phase.timelines[1].see(Milestone::Accepted, Offset(5));
        let done = reconcile(&mut phase, &targets, &existing([machine(0, "Always")]), zero(), |_, _| true);
        assert_eq!(done, HashSet::from([0]));
        assert!(phase.timelines[0].untimed && phase.timelines[0].is_stamped(Milestone::Accepted));
        assert_eq!(phase.timelines[0].at(Milestone::Accepted), Some(Offset::from_seconds(7.0)));
        assert_eq!(phase.timelines[1].outcome, Outcome::Failed, "created, and deleted by somebody");
        assert_eq!(phase.timelines[2].outcome, Outcome::Pending);
    }

    #[test]
    fn instances_that_are_not_listed_any_more_are_gone() {
        let (mut phase, targets) = phase("stop-1");
        phase.timelines[0].instance_uid = Some("a".into());
        phase.timelines[1].untimed = true;
        let absent = missed(&phase, &targets, &[]);
        let uid = |n: u32, uid: &str| Change::Absent { uid: uid.into(), target: target(n) };
        assert_eq!(absent, [uid(0, "a"), uid(1, "")]);
        note_gap(&mut phase, Offset(9));
        assert_eq!(phase.watch.gaps, [Gap { from: Offset::ZERO, to: Offset(9), ..Gap::default() }]);
    }
}
