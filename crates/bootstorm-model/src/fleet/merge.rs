//! Merges the runs of a fleet: the timelines of all members on one axis, whose zero is the common start.

use jiff::{SignedDuration, Timestamp};

use super::{FleetRecord, MemberState};
use crate::observe::{Offset, Outcome, Timeline};
use crate::plan::{Order, Pinning, Target};
use crate::record::{ClusterFacts, PhaseKind, PhaseName, PhaseRecord, PhaseState, RunRecord, SetupRecord};

/// A member and its run
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// Name of the member.
    pub name: &'a str,
    /// State of the member.
    pub state: MemberState,
    /// Record of its run.
    pub record: &'a RunRecord,
}

impl Part<'_> {
    /// Whether it took part in a phase; a member left out before its first request did not.
    pub fn took_part(&self, phase: &PhaseRecord) -> bool {
        self.state != MemberState::LeftOut
            || phase.name.kind != PhaseKind::Storm
            || phase.state == PhaseState::Done
            || phase.timelines.read().iter().any(Timeline::is_asked)
    }
}

/// The runs of a fleet, merged into one
///
/// Names of namespaces and nodes are prefixed with the member's name: `site-a/boot-storm-test-1`.
#[derive(Debug, Clone, PartialEq)]
pub struct Merged {
    /// One record with the phases of all. Its plan is the first member's, without cluster-specific settings.
    pub record: RunRecord,
    /// The VMs of all members; the plan of one member cannot name them.
    pub targets: Vec<Target>,
}

/// Reason for excluding the VMs of a member that lacks the phase, or was left out before it sent a request.
pub const NOT_IN_PHASE: &str = "its cluster took no part";

impl Merged {
    /// Merges the runs of a fleet; `None` if there are none.
    pub fn of(fleet: &FleetRecord, parts: &[Part<'_>]) -> Option<Self> {
        let first = parts.first()?.record;
        let mut plan = first.plan.clone();
        plan.prefix.clone_from(&fleet.name);
        plan.pinning = Pinning::default();
        let mut record = RunRecord::new(fleet.id.clone(), fleet.created, plan);
        record.facts = facts(parts);
        record.setup = setup(parts);
        let mut targets = Vec::new();
        for part in parts {
            let named = |target: Target| Target {
                namespace: format!("{}/{}", part.name, target.namespace),
                ..target
            };
            targets.extend(part.record.plan.targets().into_iter().map(named));
        }
        record.phases = names(parts).into_iter().map(|name| phase(fleet, parts, name)).collect();
        Some(Self { record, targets })
    }
}

/// The phases of all members, in the order of a run.
fn names(parts: &[Part<'_>]) -> Vec<PhaseName> {
    let mut names: Vec<PhaseName> = Vec::new();
    for part in parts {
        // A run with another order keeps it: a new phase goes after the known phase that precedes it.
        let mut after = 0;
        for phase in &part.record.phases {
            after = match names.iter().position(|name| *name == phase.name) {
                Some(known) => known + 1,
                None => {
                    names.insert(after, phase.name);
                    after + 1
                }
            };
        }
    }
    names
}

/// Merges one phase of all members.
fn phase(fleet: &FleetRecord, parts: &[Part<'_>], name: PhaseName) -> PhaseRecord {
    let known: Vec<(Part<'_>, &PhaseRecord)> =
        parts.iter().filter_map(|part| Some((*part, part.record.phase(name)?))).collect();
    let began = began(fleet, &known, name);
    let settings = known.first().map(|(_, phase)| phase.settings.clone()).unwrap_or_default();
    let mut all = PhaseRecord::new(name, began, settings, 0);
    // Waves and orders belong to one cluster; the fleet has neither.
    (all.settings.shape, all.settings.order, all.settings.size) = (None, Order::Name, None);
    all.settings.share = None;
    all.goal = known.iter().map(|(_, phase)| phase.goal).min().unwrap_or(all.goal);
    all.state = PhaseState::Done;
    for part in parts {
        let base = all.timelines.len() as u32;
        let size = part.record.plan.size();
        let Some(found) = part.record.phase(name).filter(|found| part.took_part(found)) else {
            all.timelines.extend((0..size).map(|vm| absent(base + vm)));
            continue;
        };
        let shift = shift(fleet, part, found, began);
        let timelines = found.timelines.read();
        all.timelines.extend(timelines.iter().map(|one| moved(one, part.name, base, shift)));
        all.add_beside(found, shift, |missing| format!("{}: {missing}", part.name));
    }
    all
}

fn absent(vm: u32) -> Timeline {
    Timeline { outcome: Outcome::Excluded, reason: Some(NOT_IN_PHASE.to_owned()), ..Timeline::new(vm) }
}

/// Zero of the merged axis: the common start, else the earliest beginning of any member.
fn began(fleet: &FleetRecord, known: &[(Part<'_>, &PhaseRecord)], name: PhaseName) -> Timestamp {
    let starts = known.iter().filter_map(|(part, _)| Some(fleet.start_of(part.name, name)?.0.at));
    let begun = known.iter().map(|(_, phase)| phase.began);
    starts.min().or_else(|| begun.min()).unwrap_or(fleet.created)
}

/// Shift of the axis of a member's phase.
fn shift(fleet: &FleetRecord, part: &Part<'_>, phase: &PhaseRecord, began: Timestamp) -> Offset {
    match fleet.start_of(part.name, phase.name) {
        // A later start is aligned with the first: the curve counts from the instant at which the member began.
        Some((_, released)) => Offset(released.zero.0.saturating_neg()),
        None => Offset(micros(phase.began.duration_since(began))),
    }
}

fn micros(duration: SignedDuration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// A timeline on the axis of the fleet, with the fleet's names.
fn moved(timeline: &Timeline, member: &str, base: u32, shift: Offset) -> Timeline {
    let mut moved = timeline.clone();
    moved.target = base.saturating_add(timeline.target);
    let forward = |at: &mut Offset| *at = plus(*at, shift);
    moved.moments.values_mut().chain(moved.probes.values_mut()).for_each(|moment| forward(&mut moment.at));
    for interruption in &mut moved.interruptions {
        forward(&mut interruption.last);
        interruption.first.iter_mut().for_each(forward);
    }
    for warning in &mut moved.warnings {
        forward(&mut warning.first);
        forward(&mut warning.last);
    }
    moved.findings.iter_mut().for_each(|findings| forward(&mut findings.at));
    let named = |node: &mut String| *node = format!("{member}/{node}");
    moved.node.iter_mut().for_each(named);
    if let Some(migration) = &mut moved.migration {
        migration.from.iter_mut().chain(&mut migration.to).for_each(named);
    }
    moved
}

fn plus(at: Offset, shift: Offset) -> Offset {
    Offset(at.0.saturating_add(shift.0))
}

/// Facts that hold for all members, and sums over members.
fn facts(parts: &[Part<'_>]) -> ClusterFacts {
    let each = || parts.iter().map(|part| &part.record.facts);
    let words = |of: fn(&ClusterFacts) -> &Option<String>| {
        let mut known: Vec<&String> = each().filter_map(|facts| of(facts).as_ref()).collect();
        known.sort();
        known.dedup();
        let known: Vec<&str> = known.into_iter().map(String::as_str).collect();
        (!known.is_empty()).then(|| known.join(" and "))
    };
    let sum = |of: fn(&ClusterFacts) -> Option<usize>| each().map(of).sum::<Option<usize>>();
    let first = parts.first().map(|part| part.record.facts.clone()).unwrap_or_default();
    ClusterFacts {
        context: None,
        server: None,
        kubernetes: words(|facts| &facts.kubernetes),
        kubevirt: words(|facts| &facts.kubevirt),
        kubevirt_generation: None,
        cdi: words(|facts| &facts.cdi),
        nodes: sum(|facts| facts.nodes),
        schedulable_nodes: sum(|facts| facts.schedulable_nodes),
        node_kinds: Vec::new(),
        storage_classes: Vec::new(),
        rate_limits: first
            .rate_limits
            .into_iter()
            .filter(|limit| each().all(|f| f.rate_limits.contains(limit)))
            .collect(),
        workers: first.workers.into_iter().filter(|some| each().all(|f| f.workers.contains(some))).collect(),
        disks: if each().all(|facts| facts.disks == first.disks) { first.disks } else { Vec::new() },
        tool: first.tool,
    }
}

fn setup(parts: &[Part<'_>]) -> SetupRecord {
    let each = || parts.iter().map(|part| &part.record.setup);
    SetupRecord {
        namespaces: each().map(|setup| setup.namespaces).sum(),
        took: each().map(|setup| setup.took).max().unwrap_or_default(),
        batch_size: each().map(|setup| setup.batch_size).max().unwrap_or_default(),
        done: each().all(|setup| setup.done),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::fleet::Released;
    use crate::observe::Milestone;
    use crate::plan::{Plan, TemplateSource};
    use crate::record::Gap;
    use crate::record::PhaseSettings;

    const STORM: PhaseName = PhaseName { kind: PhaseKind::Storm, number: 1 };

    /// A run of two VMs whose storm sent its first request `zero` microseconds after the phase began.
    fn run(began: &str, zero: i64) -> RunRecord {
        let template = TemplateSource::ContainerDisk { image: "i".into() };
        let plan = Plan::resolve("p", 1, 2, "vm", template).unwrap();
        let mut record = RunRecord::new("run".into(), Timestamp::UNIX_EPOCH, plan);
        let mut phase = PhaseRecord::new(STORM, began.parse().unwrap(), PhaseSettings::default(), 2);
        phase.state = PhaseState::Done;
        for (vm, timeline) in phase.timelines.iter_mut().enumerate() {
            timeline.see(Milestone::Requested, Offset(zero + 1000 * (vm as i64 + 1)));
            timeline.see(Milestone::Running, Offset(zero + 2_000_000));
            timeline.node = Some("node-1".into());
            timeline.outcome = Outcome::Reached;
        }
        phase.watch.gaps = vec![Gap { from: Offset(zero), to: Offset(zero + 5), ..Gap::default() }];
        phase.ended = Some(Offset(zero + 3_000_000));
        record.phases.push(phase);
        record
    }

    fn fleet(zeros: &[(&str, i64)]) -> FleetRecord {
        let mut fleet = FleetRecord::new("fleet-id".into(), "all".into(), Timestamp::UNIX_EPOCH);
        let released: BTreeMap<_, _> = zeros
            .iter()
            .map(|(name, zero)| ((*name).to_owned(), Released { phase: STORM, zero: Offset(*zero) }))
            .collect();
        fleet.release("2026-01-01T00:00:30Z".parse().unwrap(), released, &[]);
        fleet
    }

    fn part<'a>(name: &'a str, state: MemberState, record: &'a RunRecord) -> Part<'a> {
        Part { name, state, record }
    }

    #[test]
    fn timelines_of_all_members_count_from_the_common_start() {
        let (a, b) = (run("2026-01-01T00:00:20Z", 10_000_000), run("2026-01-01T00:00:29Z", 1_000_000));
        let parts = [part("a", MemberState::Done, &a), part("b", MemberState::Done, &b)];
        let merged = Merged::of(&fleet(&[("a", 10_000_000), ("b", 1_000_000)]), &parts).unwrap();
        let names: Vec<String> = merged.targets.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["a/p-1/vm", "a/p-2/vm", "b/p-1/vm", "b/p-2/vm"]);
        let storm = merged.record.phase(STORM).unwrap();
        assert_eq!(
            (storm.began.to_string().as_str(), storm.state),
            ("2026-01-01T00:00:30Z", PhaseState::Done)
        );
        let asked: Vec<i64> =
            storm.timelines.iter().map(|one| one.at(Milestone::Requested).unwrap().0).collect();
        assert_eq!(asked, [1000, 2000, 1000, 2000]);
        assert_eq!(storm.ended, Some(Offset(3_000_000)));
        assert_eq!(storm.watch.gaps.iter().map(|gap| gap.from.0).collect::<Vec<_>>(), [0, 0]);
        assert_eq!(storm.timelines[3].node.as_deref(), Some("b/node-1"));
        assert_eq!(storm.timelines.iter().map(|one| one.target).collect::<Vec<_>>(), [0, 1, 2, 3]);
        let seconds = storm.timelines[2].seconds_to(Milestone::Running);
        assert_eq!(
            seconds,
            b.phases[0].timelines[0].seconds_to(Milestone::Running),
            "its own request counts"
        );
    }

    #[test]
    fn without_a_common_start_the_wall_clock_places_a_member() {
        let (a, b) = (run("2026-01-01T00:00:20Z", 0), run("2026-01-01T00:00:24Z", 0));
        let parts = [part("a", MemberState::Done, &a), part("b", MemberState::Done, &b)];
        let merged = Merged::of(&fleet(&[]), &parts).unwrap();
        let storm = merged.record.phase(STORM).unwrap();
        assert_eq!(storm.timelines[2].at(Milestone::Requested), Some(Offset(4_001_000)));
    }

    #[test]
    fn a_member_that_was_left_out_has_excluded_vms_and_keeps_nobody_from_being_done() {
        let (a, mut b) = (run("2026-01-01T00:00:20Z", 0), run("2026-01-01T00:00:24Z", 0));
        let storm = b.phase_mut(STORM).unwrap();
        storm.state = PhaseState::Interrupted;
        for timeline in &mut storm.timelines {
            *timeline = Timeline::new(timeline.target);
        }
        let fleet = fleet(&[("a", 0)]);
        let merged = |state| {
            let parts = [part("a", MemberState::Done, &a), part("b", state, &b)];
            Merged::of(&fleet, &parts).unwrap().record.phases.remove(0)
        };
        let left_out = merged(MemberState::LeftOut);
        assert_eq!((left_out.state, left_out.count(Outcome::Excluded)), (PhaseState::Done, 2));
        assert_eq!(left_out.timelines[2].reason.as_deref(), Some(NOT_IN_PHASE));
        let interrupted = merged(MemberState::Interrupted);
        assert_eq!((interrupted.state, interrupted.count(Outcome::Pending)), (PhaseState::Interrupted, 2));
    }

    #[test]
    fn phases_of_all_members_are_in_the_order_of_their_runs() {
        let named = |names: &[&str]| {
            let mut record = run("2026-01-01T00:00:20Z", 0);
            let phase = record.phases.remove(0);
            record.phases = names
                .iter()
                .map(|name| PhaseRecord { name: name.parse().unwrap(), ..phase.clone() })
                .collect();
            record
        };
        let (a, b) = (named(&["create", "storm-1"]), named(&["create", "stop-1", "storm-1", "stop-2"]));
        let parts = [part("a", MemberState::Done, &a), part("b", MemberState::Done, &b)];
        let found: Vec<String> = names(&parts).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["create", "stop-1", "storm-1", "stop-2"]);
    }
}
