//! Outages compared with a known truth.

use proptest::prelude::*;

use super::*;
use crate::observe::{Change, Instance, InstancePhase, Outcome};
use crate::plan::Target;
use crate::record::PhaseState;

const ZERO: i64 = 1_800_000_000;

fn target(number: usize) -> Target {
    Target { namespace: "shop".into(), name: format!("web-{number}") }
}

fn zero() -> Timestamp {
    Timestamp::from_second(ZERO).unwrap()
}

/// An instant of the axis as the server stamps it: in whole seconds, truncated.
fn stamp(at: Offset) -> Timestamp {
    Timestamp::from_second(ZERO + at.0.div_euclid(1_000_000)).unwrap()
}

fn seconds(seconds: f64) -> Offset {
    Offset::from_seconds(seconds)
}

fn heard(at: f64) -> Arrival {
    Arrival { at: seconds(at), gap: None, server_zero: zero() }
}

fn late(at: f64, gap: f64) -> Arrival {
    Arrival { gap: Some(seconds(gap)), ..heard(at) }
}

/// An instance of VM 0 that has been up since `since`.
fn standing(uid: &str, since: f64) -> Instance {
    let since = stamp(seconds(since));
    Instance {
        uid: uid.into(),
        target: target(0),
        created: Some(since),
        phase: InstancePhase::Running,
        node: Some("n1".into()),
        ready: true,
        ready_since: Some(since),
        transitions: vec![(InstancePhase::Running, since)],
        ..Instance::default()
    }
}

fn watcher(goal: Milestone) -> Watcher {
    let mut observation = Observation::new(zero(), 2, goal);
    observation.interval_millis = 200;
    Watcher::new(&[target(0), target(1)], observation)
}

fn present(instance: Instance) -> Change {
    Change::Present(instance)
}

fn absent(uid: &str) -> Change {
    Change::Absent { uid: uid.into(), target: target(0) }
}

fn up(goal: Milestone) -> Watcher {
    let mut watcher = watcher(goal);
    watcher.instance(&present(standing("a", 0.0)), heard(0.1));
    watcher
}

fn outage(timeline: &Timeline) -> &Outage {
    timeline.outage.as_ref().unwrap()
}

#[test]
fn a_restart_that_is_watched_is_timed_from_the_deletion() {
    let mut watcher = up(Milestone::Ready);
    let deleting = Instance { deleting: true, deleted: Some(stamp(seconds(10.0))), ..standing("a", 0.0) };
    watcher.instance(&present(deleting), heard(10.2));
    assert_eq!(watcher.down().count(), 1);
    watcher.instance(&absent("a"), heard(12.0));
    let starting = Instance { phase: InstancePhase::Scheduling, ready: false, ..standing("b", 13.0) };
    watcher.instance(&present(starting), heard(13.1));
    watcher.instance(&present(standing("b", 15.0)), heard(15.4));
    assert_eq!(watcher.down().count(), 0);
    let [timeline] = watcher.over() else { panic!("{:?}", watcher.over()) };
    assert_eq!((outage(timeline).sign, outage(timeline).cause), (Sign::Deleting, Cause::Deleted));
    assert_eq!((outage(timeline).exactness, outage(timeline).at), (Exactness::Watch, seconds(10.2)));
    assert_eq!(timeline.at(Milestone::Gone), Some(seconds(12.0)));
    assert!((timeline.seconds_to(Milestone::Instance).unwrap() - 2.9).abs() < 1e-9);
    assert!((timeline.seconds_to(Milestone::Ready).unwrap() - 5.2).abs() < 1e-9);
    assert_eq!(timeline.outcome, Outcome::Reached);
}

#[test]
fn a_vm_that_was_never_up_cannot_go_down() {
    let mut watcher = watcher(Milestone::Ready);
    let starting = Instance { phase: InstancePhase::Scheduling, ready: false, ..standing("a", 0.0) };
    watcher.instance(&present(starting), heard(0.1));
    watcher.instance(&absent("a"), heard(1.0));
    assert_eq!((watcher.down().count(), watcher.never_up()), (0, 2));
}

#[test]
fn what_passed_in_a_gap_is_dated_by_stamps_or_not_at_all() {
    // Deleted, and still present after the gap: the server reports the time.
    let mut watcher = up(Milestone::Ready);
    let deleting = Instance { deleting: true, deleted: Some(stamp(seconds(20.0))), ..standing("a", 0.0) };
    watcher.instance(&present(deleting), late(40.0, 10.0));
    let first = watcher.down().next().unwrap().clone();
    assert_eq!(
        (outage(&first).exactness, first.at(Milestone::Requested)),
        (Exactness::Stamp, Some(seconds(20.0)))
    );

    // Replaced: it disappeared between the last sight of it and the creation of the next one.
    let mut watcher = up(Milestone::Ready);
    watcher.observation_mut().watched_until = seconds(10.0);
    for change in [absent("a"), present(standing("b", 25.0))] {
        watcher.instance(&change, late(40.0, 10.0));
    }
    let timeline = &watcher.over()[0];
    let exactness = Exactness::Gap { from: seconds(10.0), to: seconds(25.0) };
    assert_eq!((outage(timeline).exactness, outage(timeline).cause), (exactness, Cause::Unseen));
    assert_eq!((timeline.outcome, timeline.untimed), (Outcome::Reached, true));
    assert_eq!(timeline.seconds_to(Milestone::Ready), None, "its zero is unknown");
    assert_eq!(timeline.at(Milestone::Ready), Some(seconds(25.0)));

    // The same after another process took over, which has no instance of its own.
    let mut watcher = up(Milestone::Ready);
    watcher.observation_mut().watched_until = seconds(10.0);
    let mut resumed = Watcher::new(&[target(0), target(1)], watcher.observation());
    resumed.listed(&[present(standing("b", 25.0))], late(40.0, 10.0));
    assert_eq!(outage(&resumed.over()[0]).exactness, exactness);

    // The same instance is up as before: nothing happened.
    let mut watcher = up(Milestone::Ready);
    watcher.observation_mut().watched_until = seconds(10.0);
    watcher.instance(&present(standing("a", 0.0)), late(40.0, 10.0));
    assert_eq!((watcher.over().len(), watcher.down().count()), (0, 0));

    // It is up, and became ready in the gap: it was not ready before.
    let again = Instance { ready_since: Some(stamp(seconds(60.0))), ..standing("a", 0.0) };
    watcher.instance(&present(again), late(70.0, 45.0));
    assert_eq!(outage(&watcher.over()[0]).sign, Sign::NotReady);
    assert_eq!(watcher.over()[0].at(Milestone::Ready), Some(seconds(60.0)));
}

/// Report of a prober when a guest answers again: the previous answer, and the lost attempts.
fn after(last: f64, lost: u32) -> (Offset, Option<u32>) {
    (seconds(last), Some(lost))
}

#[test]
fn a_silent_guest_is_down_from_its_last_answer() {
    let mut watcher = up(Milestone::Reachable);
    watcher.answer(0, "a", seconds(5.0), None);
    watcher.silent(0, seconds(5.0), seconds(5.6));
    assert_eq!(watcher.down().count(), 0, "a few lost packets are no outage");
    watcher.answer(0, "a", seconds(5.8), Some(after(5.0, 3)));
    watcher.silent(0, seconds(5.8), seconds(6.5));
    watcher.tick(seconds(6.7));
    assert_eq!(watcher.down().count(), 0);
    watcher.tick(seconds(6.9));
    assert_eq!(watcher.down().count(), 1);
    watcher.answer(0, "a", seconds(9.1), Some(after(5.8, 16)));
    let timeline = &watcher.over()[0];
    assert_eq!((outage(timeline).sign, outage(timeline).lost), (Sign::Silent, Some(16)));
    assert_eq!(outage(timeline).exactness, Exactness::Probe { interval: seconds(0.2) });
    assert_eq!(outage(timeline).silence(), Some(seconds(3.3)));
    assert!((timeline.seconds_to(Milestone::Reachable).unwrap() - 3.3).abs() < 1e-9);
}

#[test]
fn a_slow_answer_is_no_outage() {
    let mut watcher = up(Milestone::Reachable);
    watcher.answer(0, "a", seconds(5.0), None);
    watcher.silent(0, seconds(5.0), seconds(6.5));
    assert_eq!(watcher.down().count(), 1);
    watcher.slow(0, "a", seconds(6.8));
    assert_eq!((watcher.down().count(), watcher.over().len()), (0, 0));
}

#[test]
fn a_lost_node_takes_its_vms_down_and_the_silence_before_it_is_the_first_sign() {
    let mut watcher = up(Milestone::Reachable);
    let facts = NodeFacts { ready: true, ..NodeFacts::default() };
    watcher.node("n1", facts, heard(0.2));
    watcher.answer(0, "a", seconds(1.0), None);
    watcher.silent(0, seconds(5.0), seconds(5.6));
    watcher.node("n1", NodeFacts { ready: false, ..facts }, heard(45.0));
    let down = watcher.down().next().unwrap();
    let expected = (Sign::Silent, Cause::NodeLost, seconds(5.0));
    assert_eq!((outage(down).sign, outage(down).cause, outage(down).at), expected);
    // An answer of an instance that the cluster does not show as up does not end the outage.
    watcher.answer(0, "a", seconds(50.1), Some(after(5.0, 225)));
    assert_eq!(watcher.down().count(), 1);
    watcher.node("n1", facts, heard(52.0));
    let timeline = &watcher.over()[0];
    assert_eq!(timeline.at(Milestone::Reachable), Some(seconds(50.1)));
    assert_eq!(timeline.at(Milestone::Ready), Some(seconds(52.0)));
}

#[test]
fn what_the_old_instance_answered_before_it_was_fenced_is_no_recovery() {
    let mut watcher = up(Milestone::Reachable);
    let facts = NodeFacts { ready: true, ..NodeFacts::default() };
    watcher.node("n1", facts, heard(0.2));
    watcher.answer(0, "a", seconds(1.0), None);
    watcher.node("n1", NodeFacts { ready: false, ..facts }, heard(45.0));
    // The guest runs on, and misses one answer.
    watcher.answer(0, "a", seconds(50.1), Some(after(49.9, 1)));
    watcher.silent(0, seconds(250.0), seconds(250.6));
    watcher.instance(&absent("a"), heard(290.0));
    watcher.instance(&present(standing("b", 300.0)), heard(300.4));
    assert_eq!(watcher.down().count(), 1);
    watcher.answer(0, "b", seconds(310.0), None);
    let timeline = &watcher.over()[0];
    assert_eq!(timeline.at(Milestone::Reachable), Some(seconds(310.0)));
    assert_eq!(
        outage(timeline).silence(),
        Some(seconds(60.0)),
        "from its last answer to that of the new one"
    );
}

#[test]
fn a_restart_is_over_with_the_first_answer_of_the_new_instance() {
    let mut watcher = up(Milestone::Reachable);
    watcher.answer(0, "a", seconds(1.0), None);
    let deleting = Instance { deleting: true, ..standing("a", 0.0) };
    watcher.instance(&present(deleting), heard(10.2));
    // It answers until it is off.
    watcher.silent(0, seconds(11.0), seconds(11.7));
    watcher.instance(&absent("a"), heard(12.0));
    watcher.instance(&present(standing("b", 15.0)), heard(15.4));
    assert_eq!(watcher.down().count(), 1);
    watcher.answer(0, "b", seconds(18.0), None);
    let timeline = &watcher.over()[0];
    assert_eq!(outage(timeline).silence(), Some(seconds(7.0)));
    assert!((timeline.seconds_to(Milestone::Reachable).unwrap() - 7.8).abs() < 1e-9);
}

#[test]
fn what_no_prober_sees_is_no_silence_and_marks_what_is_measured_over_it() {
    let mut watcher = up(Milestone::Reachable);
    watcher.answer(0, "a", seconds(5.0), None);
    watcher.unprobed();
    watcher.tick(seconds(60.0));
    assert_eq!(watcher.down().count(), 0);
    watcher.instance(&present(Instance { ready: false, ..standing("a", 0.0) }), heard(61.0));
    watcher.instance(&present(standing("a", 0.0)), heard(63.0));
    assert_eq!(watcher.down().count(), 1, "whether it answers is unknown");
    watcher.answer(0, "a", seconds(64.0), None);
    let timeline = &watcher.over()[0];
    assert!(outage(timeline).unprobed);
    assert_eq!((outage(timeline).silence(), timeline.outcome), (None, Outcome::Reached));
}

#[test]
fn a_vm_that_is_lost_and_that_nothing_restarts_is_not_down_on_purpose() {
    let not_ready = NodeFacts { ready: false, ..NodeFacts::default() };
    let mut watcher = up(Milestone::Ready);
    watcher.node("n1", not_ready, heard(9.0));
    watcher.instance(&absent("a"), heard(12.0));
    watcher.rests(0, Rest::Left);
    let [timeline] = watcher.over() else { panic!("{:?}", watcher.over()) };
    let why = "its run strategy does not restart it";
    assert_eq!((timeline.outcome, timeline.reason.as_deref()), (Outcome::Failed, Some(why)));
    let observation = watcher.observation();
    assert_eq!((observation.resting(), observation.down()), (0, 1));
    assert_eq!(recoveries(&observation)[0].count(Outcome::Failed), 1);
    watcher.node("n1", NodeFacts { ready: true, ..NodeFacts::default() }, heard(15.0));
    watcher.instance(&present(standing("b", 20.0)), heard(20.2));
    let again = watcher.over().last().unwrap();
    assert_eq!((outage(again).sign, outage(again).cause), (Sign::Started, Cause::NodeLost));
    assert_eq!((again.outcome, watcher.observation().down()), (Outcome::Reached, 0));

    // Whoever deletes the instance of a VM that stays off has stopped it.
    let mut watcher = up(Milestone::Ready);
    watcher.instance(&present(Instance { deleting: true, ..standing("a", 0.0) }), heard(10.2));
    watcher.instance(&absent("a"), heard(12.0));
    watcher.rests(0, Rest::Left);
    assert_eq!(watcher.over()[0].outcome, Outcome::Excluded);
    assert_eq!(watcher.observation().resting(), 1);
}

#[test]
fn a_vm_that_was_stopped_on_purpose_is_not_waited_for_and_is_timed_once_it_is_started() {
    let mut watcher = up(Milestone::Ready);
    let leaving = |watcher: &Watcher| watcher.leaving().collect::<Vec<_>>();
    watcher.instance(&present(Instance { ready: false, ..standing("a", 0.0) }), heard(9.0));
    assert_eq!(leaving(&watcher), [], "its instance may be ready again");
    let deleting = Instance { deleting: true, deleted: Some(stamp(seconds(10.0))), ..standing("a", 0.0) };
    watcher.instance(&present(deleting), heard(10.2));
    assert_eq!(leaving(&watcher), [(0, seconds(9.0))]);
    watcher.rests(0, Rest::Stopped);
    watcher.instance(&absent("a"), heard(12.0));
    watcher.node("n1", NodeFacts { ready: false, ..NodeFacts::default() }, heard(13.0));
    watcher.silent(0, seconds(10.0), seconds(20.0));
    watcher.tick(seconds(30.0));
    assert_eq!((watcher.down().count(), watcher.observation().resting()), (0, 1));
    assert_eq!(watcher.over()[0].outcome, Outcome::Excluded);
    assert!(recoveries(&watcher.observation()).is_empty());

    // Another process continues.
    let mut watcher = Watcher::new(&[target(0), target(1)], watcher.observation());
    watcher.listed(&[], heard(40.0));
    assert_eq!(watcher.down().count(), 0);
    watcher.node("n1", NodeFacts { ready: true, ..NodeFacts::default() }, heard(50.0));
    let starting = Instance { phase: InstancePhase::Scheduling, ready: false, ..standing("b", 100.0) };
    watcher.instance(&present(starting), heard(100.1));
    assert_eq!((watcher.down().count(), watcher.observation().resting()), (1, 0));
    watcher.instance(&present(standing("b", 104.0)), heard(104.1));
    let [_, timeline] = watcher.over() else { panic!("{:?}", watcher.over()) };
    assert_eq!((outage(timeline).sign, outage(timeline).cause), (Sign::Started, Cause::Stopped));
    assert!((timeline.seconds_to(Milestone::Ready).unwrap() - 4.0).abs() < 1e-9);
    let phases = recoveries(&watcher.finish(seconds(110.0), false));
    assert_eq!((phases.len(), phases[0].participants().count()), (1, 1));
}

#[test]
fn an_instance_that_is_back_is_not_leaving() {
    let mut watcher = up(Milestone::Ready);
    watcher.instance(&absent("a"), heard(12.0));
    let starting = Instance { phase: InstancePhase::Scheduling, ready: false, ..standing("b", 13.0) };
    watcher.instance(&present(starting), heard(13.1));
    assert_eq!(watcher.leaving().count(), 0);
    watcher.rests(0, Rest::Deleted);
    assert_eq!((watcher.down().count(), watcher.observation().resting()), (1, 0));
}

#[test]
fn outages_that_overlap_are_one_recovery_and_a_vm_has_one_in_each() {
    let mut observation = Observation::new(zero(), 3, Milestone::Ready);
    let mut add = |vm: u32, from: f64, to: f64| {
        let mut timeline = Timeline::new(vm);
        timeline.see(Milestone::Requested, seconds(from));
        timeline.see(Milestone::Ready, seconds(to));
        timeline.outcome = Outcome::Reached;
        timeline.outage = Some(Box::new(Outage {
            sign: Sign::Deleting,
            at: seconds(from),
            exactness: Exactness::Watch,
            cause: Cause::Deleted,
            left_node: None,
            last_answer: None,
            first_answer: None,
            lost: None,
            unprobed: false,
            noticed: None,
            evicted: None,
        }));
        observation.outages.push(timeline);
    };
    add(0, 10.0, 20.0);
    add(1, 12.0, 30.0);
    add(0, 25.0, 28.0);
    add(2, 100.0, 110.0);
    observation.watched_until = seconds(200.0);
    let phases = recoveries(&observation);
    let members = |phase: &crate::record::PhaseRecord| {
        phase.participants().map(|timeline| timeline.target).collect::<Vec<_>>()
    };
    assert_eq!(phases.iter().map(members).collect::<Vec<_>>(), [vec![0, 1], vec![0], vec![2]]);
    assert!(phases.iter().all(|phase| phase.state == PhaseState::Done && phase.timelines.len() == 3));
    let first = &phases[0];
    assert_eq!(first.began, zero() + jiff::SignedDuration::from_secs(10));
    assert_eq!(first.timelines[1].at(Milestone::Requested), Some(seconds(2.0)));
    assert_eq!((first.ended, outage(&first.timelines[1]).at), (Some(seconds(20.0)), seconds(2.0)));
    assert_eq!((first.set_aside().count(), phases[2].name.to_string().as_str()), (1, "storm-3"));
}

/// One VM that is restarted repeatedly: actual time of each step, in seconds.
#[derive(Debug, Clone)]
struct Truth {
    /// Deleted, gone, created, ready.
    restarts: Vec<[f64; 4]>,
    /// Watch gaps.
    gaps: Vec<(f64, f64)>,
}

fn truth() -> impl Strategy<Value = Truth> {
    let restart = (3.0..40.0, 0.1..5.0, 0.1..5.0, 0.5..20.0);
    let gap = (0.5..60.0, 0.05..50.0);
    (prop::collection::vec(restart, 0..6), prop::collection::vec(gap, 0..4)).prop_map(|(restarts, gaps)| {
        let mut at = 0.0;
        let mut step = |seconds: f64| {
            at += seconds;
            (at * 1000.0_f64).round() / 1000.0
        };
        let restarts = restarts.into_iter().map(|(a, b, c, d)| [a, b, c, d].map(&mut step)).collect();
        let mut at = 0.0;
        let gaps = gaps.into_iter().map(|(after, long)| {
            let from: f64 = at + after;
            at = from + long;
            (from, at)
        });
        Truth { restarts, gaps: gaps.collect() }
    })
}

impl Truth {
    /// The instance at an instant; `None` between two.
    fn instance(&self, now: f64) -> Option<Instance> {
        let mut current = Some(standing("0", -100.0));
        for (number, [deleted, gone, created, ready]) in self.restarts.iter().enumerate() {
            if now >= *deleted
                && let Some(instance) = &mut current
            {
                (instance.deleting, instance.deleted) = (true, Some(stamp(seconds(*deleted))));
            }
            if now >= *gone {
                current = None;
            }
            if now >= *created {
                let is_ready = now >= *ready;
                current = Some(Instance {
                    created: Some(stamp(seconds(*created))),
                    phase: if is_ready { InstancePhase::Running } else { InstancePhase::Scheduling },
                    ready: is_ready,
                    ready_since: Some(stamp(seconds(if is_ready { *ready } else { *created }))),
                    transitions: if is_ready {
                        vec![(InstancePhase::Running, stamp(seconds(*ready)))]
                    } else {
                        Vec::new()
                    },
                    ..standing(&(number + 1).to_string(), 0.0)
                });
            }
        }
        current
    }

    fn is_blind(&self, at: f64) -> Option<(f64, f64)> {
        self.gaps.iter().copied().find(|(from, to)| at >= *from && at < *to)
    }

    /// Result of an observer that is replaced by another process in every second gap.
    fn observed(&self) -> Observation {
        let targets = [target(0)];
        let mut watcher = Watcher::new(&targets, Observation::new(zero(), 1, Milestone::Ready));
        let mut events: Vec<(f64, Option<(f64, f64)>)> =
            self.restarts.iter().flatten().map(|at| (*at, None)).collect();
        events.extend(self.gaps.iter().map(|gap| (gap.1, Some(*gap))));
        events.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut known: Option<String> = None;
        let mut gaps = 0;
        let first = self.instance(0.0);
        for (at, gap) in std::iter::once((0.0, None)).chain(events) {
            let when = match gap {
                Some((from, _)) => late(at, from),
                None if self.is_blind(at).is_some() => continue,
                None => heard(at),
            };
            if let Some((from, _)) = gap {
                gaps += 1;
                watcher.observation_mut().watched_until = seconds(from);
                if gaps % 2 == 0 {
                    watcher = Watcher::new(&targets, watcher.observation());
                    known = None;
                    let now: Vec<Change> = self.instance(at).into_iter().map(present).collect();
                    watcher.listed(&now, when);
                }
            }
            let now = if at == 0.0 { first.clone() } else { self.instance(at) };
            let uid = now.as_ref().map(|instance| instance.uid.clone());
            if let Some(known) = known.clone().filter(|known| Some(known) != uid.as_ref()) {
                watcher.instance(&absent(&known), when);
            }
            if let Some(instance) = now {
                watcher.instance(&present(instance), when);
            }
            known = uid;
        }
        watcher.observation()
    }
}

proptest! {
    #[test]
    fn every_outage_is_true_and_as_exact_as_it_says(truth in truth()) {
        let observation = truth.observed();
        let mut taken = vec![false; truth.restarts.len()];
        for timeline in observation.all() {
            let outage = outage(timeline);
            let (low, high) = match outage.exactness {
                Exactness::Watch => (outage.at.seconds(), outage.at.seconds()),
                Exactness::Stamp => (outage.at.seconds() - 1.0, outage.at.seconds() + 1.0),
                Exactness::Probe { .. } => panic!("nothing was probed"),
                // The created instance is stamped in whole seconds.
                Exactness::Gap { from, to } => (from.seconds() - 1.0, to.seconds() + 1.0),
            };
            // A missed sign may be followed by one that was seen: gone instead of deleting.
            let fits = |[deleted, gone, ..]: &[f64; 4]| {
                let began = if outage.sign == Sign::Gone && outage.exactness == Exactness::Watch { gone } else { deleted };
                *began >= low - 1e-6 && *began <= high + 1e-6
            };
            let mut places = truth.restarts.iter().enumerate().filter(|(number, one)| !taken[*number] && fits(one));
            let place = places.next().map(|(number, _)| number);
            prop_assert!(place.is_some(), "no such outage: {outage:?}");
            taken[place.unwrap_or_default()] = true;
            if let Some(took) = timeline.seconds_to(Milestone::Ready) {
                prop_assert!(took > -2.0, "{timeline:?}");
            }
        }
        // Without gaps no restart is missed.
        if truth.gaps.is_empty() {
            prop_assert_eq!(observation.all().count(), truth.restarts.len());
            for (timeline, [deleted, _, _, ready]) in observation.all().zip(&truth.restarts) {
                let took = timeline.seconds_to(Milestone::Ready).unwrap();
                prop_assert!((took - (ready - deleted)).abs() < 1e-5);
            }
        }
        // No recovery contains a VM twice, and each outage is in one.
        let phases = recoveries(&observation);
        let members: usize = phases.iter().map(|phase| phase.participants().count()).sum();
        prop_assert_eq!(members, observation.all().count());
    }
}

#[test]
fn a_vm_that_is_restarting_does_not_rest() {
    let mut watcher = up(Milestone::Ready);
    let deleting = Instance { deleting: true, deleted: Some(stamp(seconds(10.0))), ..standing("a", 0.0) };
    watcher.instance(&present(deleting.clone()), heard(10.0));
    let ended = Instance { phase: InstancePhase::Succeeded, ready: false, ..deleting };
    watcher.instance(&present(ended), heard(12.0));
    assert_eq!(watcher.leaving().count(), 1);
    watcher.rests(0, Rest::Left);
    assert_eq!((watcher.resting(0), watcher.down().count()), (None, 1), "its final instance still exists");
    watcher.instance(&absent("a"), heard(14.0));
    watcher.instance(&present(standing("b", 15.0)), heard(20.0));
    let back = &watcher.over()[0];
    assert_eq!((back.outcome, back.at(Milestone::Ready)), (Outcome::Reached, Some(seconds(20.0))));
    let deleting = Instance { deleting: true, ..standing("b", 15.0) };
    watcher.instance(&present(deleting), heard(30.0));
    watcher.instance(&absent("b"), heard(31.0));
    watcher.rests(0, Rest::Left);
    assert_eq!(watcher.resting(0), Some(Rest::Stopped), "it is gone, and nothing starts it");
}
