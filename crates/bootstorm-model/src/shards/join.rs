//! Joins the parts of a phase into one phase.

use std::collections::BTreeMap;

use super::Shard;
use crate::observe::{Offset, Outcome};
use crate::record::{PhaseRecord, PhaseState};

/// Joins the parts of a phase, by the index of their shard, into the phase as it was lined up.
///
/// Each VM is taken from the part of its shard: nothing is duplicated, and nothing is lost. A VM whose shard has no
/// part yet stays as it was lined up. The phase is done if every part is.
pub fn join(whole: &PhaseRecord, parts: &BTreeMap<u32, PhaseRecord>) -> PhaseRecord {
    let of = whole.settings.shards.unwrap_or(1);
    let mut joined = whole.clone();
    let earlier = joined.health.take();
    joined.state = PhaseState::Done;
    (joined.watched_until, joined.ended) = (None, None);
    let present: Vec<(Shard, &PhaseRecord)> =
        Shard::all(of).filter_map(|shard| Some((shard, parts.get(&shard.index())?))).collect();
    for (shard, part) in &present {
        joined.goal = part.goal;
        let timelines = part.timelines.read();
        for (known, timeline) in joined.timelines.iter_mut().zip(&*timelines) {
            // VMs excluded when the phase was lined up belong to no share.
            if shard.has(known.target) && known.outcome != Outcome::Excluded {
                *known = timeline.clone();
            }
        }
        if joined.migrations.is_none() {
            joined.migrations.clone_from(&part.migrations);
        }
        joined.add_beside(part, Offset::ZERO, str::to_owned);
    }
    one_of_each(&mut joined, whole, &present);
    if let Some(health) = &mut joined.health {
        if let Some(first) = present.first().and_then(|(_, part)| part.health.clone()) {
            (health.clock, health.before, health.after) = (first.clock, first.before, first.after);
        }
        if let Some(earlier) = &earlier {
            health.follow(earlier);
        }
    }
    if present.len() < of as usize {
        joined.state = PhaseState::Interrupted;
    }
    if joined.state != PhaseState::Done {
        // From here on at least one share was not watched.
        let until = present.iter().map(|(_, part)| part.watched_until).min().flatten();
        joined.watched_until = until.filter(|_| present.len() == of as usize).or(whole.watched_until);
        joined.ended = None;
    }
    joined
}

/// Counts once what all shards have in common: the kinds of objects that they watch, and their probers.
fn one_of_each(joined: &mut PhaseRecord, whole: &PhaseRecord, present: &[(Shard, &PhaseRecord)]) {
    let each = || std::iter::once(whole).chain(present.iter().map(|(_, part)| *part));
    if let Some(insight) = &mut joined.insight {
        let streams = each().filter_map(|phase| phase.insight.as_ref()).map(|insight| insight.streams);
        insight.streams = streams.max().unwrap_or_default();
        insight.missing.sort();
        insight.missing.dedup();
    }
    if let Some(probing) = &mut joined.probing {
        let probers = each().filter_map(|phase| phase.probing.as_ref()).map(|probing| probing.probers);
        let again = probing.streams.saturating_sub(probing.probers as u32);
        probing.probers = probers.max().unwrap_or_default();
        probing.streams = again.saturating_add(probing.probers as u32);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::observation::{Attempts, Observation, Request, Stream, StreamKind, What};
    use crate::observe::{Change, Fold, Instance, InstancePhase};
    use crate::plan::Target;
    use crate::record::{Gap, PhaseSettings};
    use crate::tracker::{Beginning, Tracker};

    fn target(vm: u32) -> Target {
        Target { namespace: format!("p-{vm}"), name: "vm".into() }
    }

    fn instance(vm: u32, phase: InstancePhase, ready: bool) -> Instance {
        Instance {
            uid: format!("uid-{vm}"),
            target: target(vm),
            phase,
            node: Some(format!("node-{}", vm % 3)),
            ready,
            ..Instance::default()
        }
    }

    /// An event that a process of the phase receives, and its time
    #[derive(Debug, Clone)]
    enum Step {
        Request(u32, Request),
        Seen(u32, u8),
        Gone(u32),
        Gap(bool),
        Tick,
    }

    fn step(vms: u32) -> impl Strategy<Value = Step> {
        let attempts = Attempts { sent: 1, ..Attempts::default() };
        let vm = 0..vms;
        prop_oneof![
            3 => vm.clone().prop_map(|vm| Step::Request(vm, Request::Sent)),
            3 => vm.clone().prop_map(move |vm| Step::Request(vm, Request::Accepted { attempts, uid: None })),
            1 => vm.clone().prop_map(move |vm| {
                Step::Request(vm, Request::Refused { attempts, why: "no".into(), certain: true })
            }),
            6 => (vm.clone(), 0_u8..4).prop_map(|(vm, phase)| Step::Seen(vm, phase)),
            1 => vm.prop_map(Step::Gone),
            1 => any::<bool>().prop_map(Step::Gap),
            2 => Just(Step::Tick),
        ]
    }

    const INSTANCES: Stream = Stream { kind: StreamKind::Instances, number: 0 };

    fn observation(step: &Step, at: Offset) -> Option<Observation> {
        let from = |stream, what| Some(Observation { stream, at, late: false, what });
        match step {
            Step::Request(vm, request) => from(None, What::Request(*vm, request.clone())),
            Step::Seen(vm, phase) => {
                let phases = [
                    InstancePhase::Scheduling,
                    InstancePhase::Scheduled,
                    InstancePhase::Running,
                    InstancePhase::Running,
                ];
                let instance = instance(*vm, phases[usize::from(*phase)], *phase == 3);
                from(Some(INSTANCES), What::Instance(Change::Present(instance)))
            }
            Step::Gone(vm) => {
                let gone = Change::Absent { uid: format!("uid-{vm}"), target: target(*vm) };
                from(Some(INSTANCES), What::Instance(gone))
            }
            Step::Gap(true) => {
                from(Some(INSTANCES), What::GapOpened { since: at, expected: false, why: None })
            }
            Step::Gap(false) => from(Some(INSTANCES), What::GapClosed),
            Step::Tick => None,
        }
    }

    /// Result of a process that receives these steps.
    fn tracked(phase: PhaseRecord, steps: &[(Step, i64)]) -> PhaseRecord {
        let vms = phase.timelines.len() as u32;
        let targets: Vec<Target> = (0..vms).map(target).collect();
        let asked: Vec<u32> = phase.participants().map(|timeline| timeline.target).collect();
        let mut tracker = Tracker::new(Beginning {
            phase,
            now: Offset::ZERO,
            targets: &targets,
            fold: Fold::new(&targets, false, HashSet::new()),
            probes: Vec::new(),
            keeps: false,
            volumes: None,
            launchers: None,
            migrations: None,
            streams: vec![(INSTANCES, None)],
            asked: &asked,
        });
        let mut now = Offset::ZERO;
        for (step, later) in steps {
            now = Offset(now.0 + later);
            match observation(step, now) {
                Some(observation) => {
                    // No request is sent for a VM that takes no part.
                    let is_ours = !matches!(step, Step::Request(vm, _) if !asked.contains(vm));
                    if is_ours {
                        tracker.observe(observation);
                    }
                }
                None => tracker.tick(now),
            }
        }
        let (mut phase, _) = tracker.finish(Offset(now.0 + 1));
        phase.state = PhaseState::Done;
        phase
    }

    fn whole(vms: u32, of: u32) -> PhaseRecord {
        let settings = PhaseSettings { shards: Some(of), timeout_seconds: 20, ..PhaseSettings::default() };
        let began = "2026-01-01T00:00:00Z".parse().unwrap();
        PhaseRecord::new("storm-1".parse().unwrap(), began, settings, vms)
    }

    proptest! {
        /// Shards that see what one process sees reach the same result: nothing is lost, and nothing is duplicated.
        #[test]
        fn joined_parts_are_what_one_process_finds(
            (vms, of, steps) in (1_u32..12, 1_u32..5).prop_flat_map(|(vms, of)| {
                let steps = prop::collection::vec((step(vms), 0_i64..3_000_000), 0..120);
                (Just(vms), Just(of), steps)
            }),
            left_out in prop::collection::vec(any::<bool>(), 12),
        ) {
            let mut whole = whole(vms, of);
            for (timeline, out) in whole.timelines.iter_mut().zip(left_out) {
                // At most one in four, so that there are participants.
                if out && timeline.target % 4 == 0 {
                    timeline.outcome = Outcome::Excluded;
                    timeline.reason = Some("it was not stopped".into());
                }
            }
            let alone = tracked(whole.clone(), &steps);
            let parts: BTreeMap<u32, PhaseRecord> = Shard::all(of)
                .map(|shard| (shard.index(), tracked(shard.part(&whole), &steps)))
                .collect();
            let joined = join(&whole, &parts);
            prop_assert_eq!(&joined.timelines, &alone.timelines);
            prop_assert_eq!(joined.state, PhaseState::Done);
            prop_assert_eq!(joined.ended, alone.ended);
            prop_assert_eq!(joined.goal, alone.goal);
            prop_assert_eq!(Gap::together(&joined.watch.gaps), Gap::together(&alone.watch.gaps));
            prop_assert_eq!(joined.settings.clone(), whole.settings.clone());
        }
    }

    #[test]
    fn without_a_part_its_vms_stay_as_they_were_lined_up() {
        let whole = whole(4, 2);
        let mut part = Shard::new(1, 2).unwrap().part(&whole);
        for vm in [1, 3] {
            part.timelines[vm].outcome = Outcome::Reached;
        }
        part.state = PhaseState::Done;
        part.watched_until = Some(Offset(9));
        let joined = join(&whole, &BTreeMap::from([(1, part.clone())]));
        let outcomes: Vec<Outcome> = joined.timelines.iter().map(|timeline| timeline.outcome).collect();
        assert_eq!(outcomes, [Outcome::Pending, Outcome::Reached, Outcome::Pending, Outcome::Reached]);
        assert_eq!((joined.state, joined.watched_until), (PhaseState::Interrupted, None));
        let mut other = Shard::new(0, 2).unwrap().part(&whole);
        (other.state, other.watched_until) = (PhaseState::Interrupted, Some(Offset(5)));
        let joined = join(&whole, &BTreeMap::from([(0, other), (1, part)]));
        assert_eq!(
            (joined.state, joined.watched_until, joined.ended),
            (PhaseState::Interrupted, Some(Offset(5)), None)
        );
    }

    #[test]
    fn what_all_shards_have_in_common_counts_once() {
        use crate::record::{Health, InsightHealth, ProbeHealth};
        let whole = whole(4, 2);
        let part = |shard: Shard, streams| {
            let mut part = shard.part(&whole);
            part.insight =
                Some(InsightHealth { streams: 3, missing: vec!["events".into()], gaps: Vec::new() });
            part.probing = Some(ProbeHealth { probers: 2, streams, ..ProbeHealth::default() });
            part.health = Some(Health { retries: 2, ..Health::default() });
            (shard.index(), part)
        };
        let mut shards = Shard::all(2).zip([2, 3]);
        let parts = BTreeMap::from(std::array::from_fn::<_, 2, _>(|_| {
            let (shard, streams) = shards.next().unwrap();
            part(shard, streams)
        }));
        let joined = join(&whole, &parts);
        let (insight, probing) = (joined.insight.unwrap(), joined.probing.unwrap());
        assert_eq!((insight.streams, insight.missing), (3, vec!["events".to_owned()]));
        assert_eq!((probing.probers, probing.streams), (2, 3), "one stream was opened again");
        assert_eq!(joined.health.unwrap().retries, 4);
    }
}
