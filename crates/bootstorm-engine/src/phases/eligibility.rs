//! Determines the VMs that take part in a phase, and the instances from before it.

use std::cell::LazyCell;
use std::collections::{HashMap, HashSet};

use super::adopted;
use super::existing::Existing;
use crate::cluster::machines::Standing;
use bootstorm_model::observe::{Change, Instance, InstancePhase, Outcome, Timeline};
use bootstorm_model::plan::{Order, Target};
use bootstorm_model::record::{NOT_IN_STORM, PhaseKind, PhaseRecord, RunRecord};

/// Excludes ineligible VMs; returns them with the reason.
///
/// `existing` are the VMs that exist, `instances` the changes of the first list, `moving` the VMs with a foreign
/// migration, and its name. Call it once, when a phase begins: a continued phase keeps its line-up.
pub(super) fn leave_out(
    phase: &mut PhaseRecord,
    record: &RunRecord,
    targets: &[Target],
    existing: &Existing,
    instances: &[Change],
    moving: &HashMap<Target, String>,
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
    let starts = kind == PhaseKind::Storm && phase.settings.kind.is_start();
    // A smaller storm left the other VMs stopped. Mostly nobody asks, and the storm's timelines stay packed.
    let resting: LazyCell<HashSet<u32>, _> = LazyCell::new(|| match (kind, record.last_phase()) {
        (PhaseKind::Stop | PhaseKind::Storm, Some(storm)) if !starts => {
            storm.look().set_aside().map(|timeline| timeline.target).collect()
        }
        _ => HashSet::new(),
    });
    let (restarts, migrates) = (phase.restarts(), phase.migrates());
    let (drains, nodes) = (phase.drains(), phase.settings.nodes.clone());
    let running = present(instances);
    leave_out_where(phase, targets, |position, target| {
        let machine = existing.ours.get(target);
        let reason = if machine.is_none() {
            return Some(match existing.strangers.get(target) {
                Some(_) => existing.absence(target),
                None => "the VM does not exist".to_owned(),
            });
        } else if !alive.contains(target)
            && machine.is_some_and(Standing::is_halted)
            && resting.contains(&(position as u32))
        {
            NOT_IN_STORM
        } else if let Some(machine) = machine.filter(|_| restarts) {
            return not_restartable(machine, running.get(target).copied());
        } else if drains {
            let instance = running.get(target).copied();
            return not_evictable(machine?, instance, moving.get(target), &nodes);
        } else if migrates {
            return not_migratable(running.get(target).copied(), moving.get(target));
        } else if kind == PhaseKind::Storm && alive.contains(target) {
            "it was not stopped: its instance still exists"
        } else {
            return None;
        };
        Some(reason.to_owned())
    })
}

/// Excludes ineligible VMs that the run did not create.
pub(super) fn leave_out_adopted(
    phase: &mut PhaseRecord,
    record: &RunRecord,
    machines: &HashMap<Target, Standing>,
    instances: &[Change],
    moving: &HashMap<Target, String>,
) -> Vec<(Target, String)> {
    let (kind, restarts, migrates) = (phase.name.kind, phase.restarts(), phase.migrates());
    let (drains, nodes) = (phase.drains(), phase.settings.nodes.clone());
    let (alive, running) = (adopted::alive(instances), present(instances));
    let adopted = &record.plan.adopted;
    let wishes = record.wishes();
    let targets: Vec<Target> = adopted.iter().map(|adoptee| adoptee.target.clone()).collect();
    leave_out_where(phase, &targets, |position, target| {
        if drains {
            let machine = machines.get(target);
            let instance = running.get(target).copied();
            return adopted::stranger(&adopted[position], machine)
                .or_else(|| not_evictable(machine?, instance, moving.get(target), &nodes))
                .or_else(|| adopted::changed(machine?).filter(|_| !instance.is_some_and(moves_alive)));
        }
        if migrates {
            return adopted::stranger(&adopted[position], machines.get(target))
                .or_else(|| not_migratable(running.get(target).copied(), moving.get(target)));
        }
        if restarts {
            let machine = machines.get(target);
            return adopted::stranger(&adopted[position], machine)
                .or_else(|| not_restartable(machine?, running.get(target).copied()))
                .or_else(|| adopted::changed(machine?));
        }
        let (adoptee, machine, alive) = (&adopted[position], machines.get(target), alive.contains(target));
        let wish = wishes.get(position).copied().unwrap_or_default();
        adopted::obstacle(adoptee, machine, wish, kind, alive).or_else(|| {
            // It would count as gone at once, and lower every figure of the stop.
            let is_off = kind == PhaseKind::Stop && adopted::is_off(adoptee, machine?, alive);
            is_off.then(|| NOT_IN_STORM.to_owned())
        })
    })
}

/// Instances in a list, by VM.
pub(super) fn present(instances: &[Change]) -> HashMap<&Target, &Instance> {
    let present = instances.iter().filter_map(|change| match change {
        Change::Present(instance) => Some((&instance.target, instance)),
        Change::Absent { .. } => None,
    });
    present.collect()
}

/// Reason why a VM cannot be restarted; `None` if it can.
///
/// `KubeVirt` refuses `Halted` and `Once` (v1.0 to v1.9, `pkg/virt-api/rest/lifecycle.go`), and VMs without an
/// instance.
pub(super) fn not_restartable(machine: &Standing, instance: Option<&Instance>) -> Option<String> {
    if let Some(why) = not_running(instance) {
        return Some(why);
    }
    let setting = machine.setting();
    let strategy = setting.strategy();
    matches!(strategy, "Halted" | "Once")
        .then(|| format!("KubeVirt does not restart VMs with run strategy {strategy}"))
}

/// Reason why a VM cannot be live-migrated; `None` if it can. `other` is a foreign migration.
///
/// virt-api refuses instances that are not live-migratable, and a second migration of the same one (v1.0 to v1.9,
/// `pkg/virt-api/webhooks/validating-webhook/admitters/migration-create-admitter.go`).
fn not_migratable(instance: Option<&Instance>, other: Option<&String>) -> Option<String> {
    let immobile = |instance: &Instance| {
        let why = instance.immobile.as_deref()?;
        Some(format!("KubeVirt cannot migrate it: {why}"))
    };
    not_running(instance)
        .or_else(|| instance.and_then(immobile))
        .or_else(|| other.map(|other| format!("migration {other} of it has not ended")))
}

/// Reason why a VM is not evicted from these nodes; `None` if it is. `other` is a foreign migration.
///
/// A VM that does not migrate shuts down, and is started elsewhere only if it is meant to run in any case.
fn not_evictable(
    machine: &Standing,
    instance: Option<&Instance>,
    other: Option<&String>,
    nodes: &[String],
) -> Option<String> {
    let on_them = |instance: &&Instance| instance.node.as_ref().is_some_and(|node| nodes.contains(node));
    let Some(instance) = instance.filter(on_them) else { return Some(NOT_IN_STORM.to_owned()) };
    if let Some(why) = not_running(Some(instance)) {
        return Some(why);
    }
    if let Some(other) = other {
        return Some(format!("migration {other} of it has not ended"));
    }
    if let (Some("LiveMigrate"), Some(why)) = (instance.eviction.as_deref(), instance.immobile.as_deref()) {
        return Some(format!("KubeVirt refuses its eviction (evictionStrategy LiveMigrate): {why}"));
    }
    let strategy = machine.setting();
    (!moves_alive(instance) && !machine.is_started())
        .then(|| format!("its eviction would stop it for good: its run strategy is {}", strategy.strategy()))
}

/// Whether an evicted VM migrates; others shut down, and boot elsewhere.
fn moves_alive(instance: &Instance) -> bool {
    match instance.eviction.as_deref() {
        Some("LiveMigrateIfPossible") => instance.immobile.is_none(),
        eviction => matches!(eviction, Some("LiveMigrate" | "External")),
    }
}

/// Reason why a VM is not running; `None` if it is.
fn not_running(instance: Option<&Instance>) -> Option<String> {
    let Some(instance) = instance else { return Some("it is not running: it has no instance".to_owned()) };
    if instance.deleting {
        return Some("it is not running: its instance is being deleted".to_owned());
    }
    let runs = instance.phase == InstancePhase::Running;
    (!runs).then(|| format!("it is not running: its instance is {:?}", instance.phase))
}

/// Records the instances to migrate, and their nodes.
pub(super) fn note_current(phase: &mut PhaseRecord, targets: &[Target], instances: &[Change]) {
    let running = present(instances);
    for (timeline, target) in phase.timelines.iter_mut().zip(targets) {
        let Some(instance) = running.get(target).filter(|_| timeline.outcome != Outcome::Excluded) else {
            continue;
        };
        timeline.instance_uid = Some(instance.uid.clone());
        timeline.node.clone_from(&instance.node);
        let facts = timeline.migration.get_or_insert_default();
        facts.from.clone_from(&instance.node);
        facts.memory_bytes = instance.memory;
    }
}

/// Records the instances to be evicted, and their nodes.
pub(super) fn note_leaving(phase: &mut PhaseRecord, targets: &[Target], instances: &[Change]) {
    note_old(phase, targets, instances);
    let running = present(instances);
    for (timeline, target) in phase.timelines.iter_mut().zip(targets) {
        if timeline.outcome != Outcome::Excluded {
            let (instance, facts) = (running.get(target), timeline.migration.get_or_insert_default());
            facts.from = instance.and_then(|instance| instance.node.clone());
            facts.memory_bytes = instance.and_then(|instance| instance.memory);
        }
    }
}

/// Records the instances that run before a restart, so that replaced ones can be recognised later.
pub(super) fn note_old(phase: &mut PhaseRecord, targets: &[Target], instances: &[Change]) {
    let running = present(instances);
    for (timeline, target) in phase.timelines.iter_mut().zip(targets) {
        if timeline.outcome != Outcome::Excluded {
            timeline.old_instance = running.get(target).map(|instance| instance.uid.as_str().into());
        }
    }
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
        // Deliberately excluded VMs need no warning.
        if reason != NOT_IN_STORM {
            left_out.push((target.clone(), reason));
        }
    }
    left_out
}

/// Orders the participants, and sets VMs aside if the phase is smaller.
///
/// A share is taken evenly from the nodes of the instances in the first list.
pub(super) fn line_up(phase: &mut PhaseRecord, record: &RunRecord, targets: &[Target], instances: &[Change]) {
    let order = phase.settings.order;
    let mut nodes: Vec<Option<String>> = Vec::new();
    if order == Order::Node {
        nodes.resize(phase.timelines.len(), None);
        // The last phase that knows the node of a VM takes precedence.
        for earlier in record.phases.iter().rev() {
            for (node, timeline) in nodes.iter_mut().zip(&*earlier.timelines.read()) {
                if node.is_none() {
                    node.clone_from(&timeline.node);
                }
            }
        }
    }
    let part = phase.participants().map(|timeline| timeline.target).collect();
    let mut queue = order.queue(part, |vm| nodes.get(vm as usize)?.as_deref());
    let mut rest = Vec::new();
    if let Some(share) = phase.settings.share {
        let running = present(instances);
        let node = |vm: u32| running.get(targets.get(vm as usize)?)?.node.as_deref();
        let size = share.of(queue.len());
        (queue, rest) = spread(&queue, size, node);
        phase.settings.size = Some(size as u32);
    } else if let Some(size) = phase.settings.size {
        rest = queue.split_off(queue.len().min(size as usize));
    }
    for vm in rest {
        let timeline = &mut phase.timelines[vm as usize];
        timeline.outcome = Outcome::Excluded;
        timeline.reason = Some(NOT_IN_STORM.to_owned());
    }
    // An absent queue means by index; large runs need not store it.
    phase.queue = if order == Order::Name { Vec::new() } else { queue };
}

/// Takes this many of a queue, alternating between nodes; returns these and the others, both in the order of the queue.
///
/// The selection for a smaller size is part of that for a larger one.
fn spread<'a>(queue: &[u32], size: usize, node: impl Fn(u32) -> Option<&'a str>) -> (Vec<u32>, Vec<u32>) {
    let mut turns: HashMap<Option<&str>, u32> = HashMap::new();
    let mut keys: Vec<(u32, usize)> = Vec::with_capacity(queue.len());
    for (place, vm) in queue.iter().enumerate() {
        let turn = turns.entry(node(*vm)).or_default();
        *turn += 1;
        keys.push((*turn, place));
    }
    keys.sort_unstable();
    let taken: HashSet<u32> = keys.iter().take(size).map(|(_, place)| queue[*place]).collect();
    queue.iter().partition(|vm| taken.contains(vm))
}

/// UIDs of instances that a start must not count: those of earlier phases, and those that exist although this phase has
/// not requested them.
pub(super) fn old_instances(
    record: &RunRecord,
    phase: &PhaseRecord,
    targets: &[Target],
    instances: &[Change],
) -> HashSet<String> {
    let mut old: HashSet<String> = HashSet::new();
    for earlier in record.phases.iter().filter(|earlier| earlier.name != phase.name) {
        old.extend(
            earlier.timelines.uids().into_iter().filter_map(|uids| uids.instance_uid).map(String::from),
        );
    }
    old.extend(
        phase.timelines.iter().filter_map(|timeline| timeline.old_instance.as_deref().map(str::to_owned)),
    );
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

#[cfg(test)]
mod tests {
    use super::*;
    use bootstorm_model::plan::{Plan, TemplateSource};
    use bootstorm_model::record::{PhaseName, PhaseSettings};

    fn record() -> RunRecord {
        let template = TemplateSource::ContainerDisk { image: "i".into() };
        let plan = Plan::resolve("p", 1, 6, "vm", template).unwrap();
        let mut record = RunRecord::new("id".into(), "2026-01-01T00:00:00Z".parse().unwrap(), plan);
        let mut create = PhaseRecord::new(PhaseName::CREATE, record.created, PhaseSettings::default(), 6);
        for (timeline, node) in create.timelines.iter_mut().zip(["a", "a", "a", "b", "b", "a"]) {
            timeline.node = Some(node.to_owned());
        }
        record.phases.push(create);
        record
    }

    fn storm(order: &str, size: Option<u32>) -> PhaseRecord {
        let record = record();
        let settings = PhaseSettings { order: order.parse().unwrap(), size, ..PhaseSettings::default() };
        let mut phase = PhaseRecord::new("storm-1".parse().unwrap(), record.created, settings, 6);
        phase.timelines[1].outcome = Outcome::Excluded;
        line_up(&mut phase, &record, &record.plan.targets(), &[]);
        phase
    }

    #[test]
    fn a_smaller_storm_takes_the_first_of_the_queue_and_says_why_others_rest() {
        let phase = storm("node", Some(3));
        assert_eq!(phase.queue(), [0, 3, 2], "the nodes take turns");
        let aside: Vec<u32> = phase.set_aside().map(|timeline| timeline.target).collect();
        assert_eq!(aside, [4, 5], "1 is left out for another reason");
        assert_eq!(storm("name", Some(2)).queue(), [0, 2]);
        assert_eq!(storm("name", Some(99)).queue(), [0, 2, 3, 4, 5]);
    }

    #[test]
    fn a_share_is_taken_from_the_nodes_in_turn() {
        let nodes = ["a", "a", "a", "b", "b", "a"];
        let node = |vm: u32| nodes.get(vm as usize).copied();
        let taken = |queue: &[u32], size| spread(queue, size, node).0;
        assert_eq!(taken(&[0, 1, 2, 3, 4, 5], 2), [0, 3]);
        assert_eq!(taken(&[0, 1, 2, 3, 4, 5], 3), [0, 1, 3]);
        assert_eq!(spread(&[0, 1, 2, 3, 4, 5], 4, node), (vec![0, 1, 3, 4], vec![2, 5]));
        assert_eq!(taken(&[5, 4, 3, 2, 1, 0], 3), [5, 4, 3], "the order of the queue decides");
        assert_eq!(taken(&[0, 1], 9), [0, 1]);
    }

    #[test]
    fn smaller_storms_of_one_seed_are_parts_of_larger_ones() {
        let all = storm("random:5", None).queue();
        assert_eq!(all.len(), 5);
        for size in 1..5 {
            assert_eq!(storm("random:5", Some(size)).queue(), all[..size as usize]);
        }
    }
}
