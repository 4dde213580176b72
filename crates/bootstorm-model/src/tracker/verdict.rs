//! Deadlines and outcomes: never without a proof.

use std::cmp::Reverse;
use std::time::Duration;

use super::deadline::Limit;
use super::lateness::TOLERANCE;
use super::{Effect, Tracker};
use crate::observation::{Stream, StreamKind};
use crate::observe::{Milestone, Moment, Offset, Outcome, Source};
use crate::probe::Probe;

/// Error of an observed time.
const SEEN_ERROR: Offset = Offset(50_000);
/// A prober that was asked about a guest has tried it within this time.
const TRIED_WITHIN: Duration = Duration::from_secs(1);

impl Tracker<'_> {
    /// Sets a VM's deadline for its state, counted from its request.
    pub(super) fn limit_state(&mut self, target: u32) {
        if let Some(at) = self.state_limit(target) {
            self.deadlines.push(Reverse((at, target, Limit::State)));
        }
    }

    /// Sets a guest's deadline for its answer, counted from Running.
    pub(super) fn limit_answer(&mut self, target: u32) {
        if let Some(at) = self.answer_limit(target).filter(|_| !self.probes.is_empty()) {
            self.deadlines.push(Reverse((at, target, Limit::Answer)));
        }
    }

    fn state_limit(&self, target: u32) -> Option<Offset> {
        let timeline = &self.phase.timelines[target as usize];
        let zero = timeline.at(Milestone::Requested).or(timeline.untimed.then_some(self.taken_over))?;
        Some(zero.plus(Duration::from_secs(self.phase.settings.timeout_seconds)))
    }

    /// Time until which a running guest may be silent.
    fn answer_limit(&self, target: u32) -> Option<Offset> {
        let running = self.phase.timelines[target as usize].at(Milestone::Running)?;
        let limit = Duration::from_secs(self.phase.settings.ping_timeout_seconds);
        Some(running.max(self.taken_over).plus(limit))
    }

    /// Whether a limit no longer matters.
    pub(super) fn is_moot(&self, target: u32, limit: Limit, at: Offset) -> bool {
        let timeline = &self.phase.timelines[target as usize];
        if timeline.is_over() {
            return true;
        }
        match limit {
            // It runs in time; from then on the other limit applies.
            Limit::State => {
                !self.probes.is_empty() && self.keeping.is_none() && timeline.has(Milestone::Running)
            }
            // It has begun to run again since, as another instance.
            Limit::Answer => self.answer_limit(target).is_none_or(|limit| limit > at),
            Limit::Told | Limit::Phase(_) => false,
        }
    }

    /// Outcome of a VM that is where it has to be; `None` for others.
    pub(super) fn arrived(&self, target: u32) -> Option<Outcome> {
        let timeline = &self.phase.timelines[target as usize];
        let goal = timeline.moments.get(&self.phase.goal)?;
        let mut checks = Vec::new();
        if self.probes.is_empty() || self.keeping.is_some() {
            checks.push((*goal, self.state_limit(target)));
        } else {
            checks.push((*timeline.moments.get(&Milestone::Running)?, self.state_limit(target)));
            for (place, probe) in self.probes.iter().enumerate() {
                // A probe that would prove nothing is skipped; only the first probe decides.
                if place > 0 && self.hollow(target, *probe).is_some() {
                    continue;
                }
                checks.push((*timeline.probes.get(&probe.to_string())?, self.answer_limit(target)));
            }
        }
        let in_time = checks
            .into_iter()
            .map(|(moment, limit)| limit.map_or(Outcome::Reached, |limit| within(moment, limit)));
        let worst = |outcome: &Outcome| match outcome {
            Outcome::TimedOut => 2,
            Outcome::Unknown => 1,
            _ => 0,
        };
        in_time.max_by_key(worst)
    }

    /// Outcome of a VM that is where it has to be by its first probe, which decides, whatever the others show.
    fn arrived_by_first(&self, target: u32) -> Option<Outcome> {
        let timeline = &self.phase.timelines[target as usize];
        let goal = *timeline.moments.get(&self.phase.goal)?;
        let in_time =
            |moment, limit: Option<Offset>| limit.map_or(Outcome::Reached, |limit| within(moment, limit));
        if self.probes.is_empty() || self.keeping.is_some() {
            return Some(in_time(goal, self.state_limit(target)));
        }
        let Some(running) = timeline.moments.get(&Milestone::Running) else { return Some(Outcome::Reached) };
        let ran = in_time(*running, self.state_limit(target));
        Some(if ran == Outcome::Reached { in_time(goal, self.answer_limit(target)) } else { ran })
    }

    /// Reason why a VM that arrived did not do so in time, as far as known.
    pub(super) fn came_late(&self, target: u32) -> String {
        let timeline = &self.phase.timelines[target as usize];
        let limit = if timeline.has(Milestone::Reachable)
            && timeline.at(Milestone::Running) <= self.state_limit(target)
        {
            self.phase.settings.ping_timeout_seconds
        } else {
            self.phase.settings.timeout_seconds
        };
        match timeline.moments.get(&self.phase.goal) {
            Some(Moment { source: Source::Late, .. }) => {
                format!("{}, but whether that was within {limit}s could not be observed", self.phase.goal)
            }
            _ => format!("{}, but only after the limit of {limit}s", self.phase.goal),
        }
    }

    /// Judges every VM whose deadline has passed and whose streams have delivered everything until then.
    pub(super) fn judge(&mut self, now: Offset) {
        self.judged = now;
        let due: Vec<(u32, Limit, Offset)> =
            self.due.iter().map(|(vm, (limit, at))| (*vm, *limit, *at)).collect();
        for (target, limit, at) in due {
            if self.is_moot(target, limit, at) {
                self.due.remove(&target);
                continue;
            }
            let unproved = self.unproved(target, at);
            let blind_limit = Duration::from_secs(self.phase.settings.blind_limit_seconds);
            let hidden = self.unreadable.contains_key(&target) || self.missed.contains(&target);
            if unproved.is_empty() && !hidden {
                self.end_in_vain(target, limit, now);
            } else if unproved.is_empty() || now >= at.plus(blind_limit) {
                self.end_unknown(target, limit, at, now);
            }
            for stream in unproved.into_iter().filter(|stream| stream.kind != StreamKind::Prober) {
                self.want_list(stream, now);
            }
        }
    }

    /// The streams that could still show that a VM was where it had to be at that time.
    fn unproved(&self, target: u32, at: Offset) -> Vec<Stream> {
        let timeline = &self.phase.timelines[target as usize];
        let watched: &[StreamKind] = match self.phase.goal {
            Milestone::Volume => &[StreamKind::Volumes],
            // The instance shows that it moved; the migration shows by which request, and that it failed early.
            Milestone::Migrated => &[StreamKind::Instances, StreamKind::Migrations],
            _ => &[StreamKind::Instances],
        };
        let watches = self.streams.iter().filter(|(stream, state)| {
            watched.contains(&stream.kind) && state.proved < at && self.covers(**stream, target)
        });
        let mut unproved: Vec<Stream> = watches.map(|(stream, _)| *stream).collect();
        if timeline.has(Milestone::Running) && self.keeping.is_none() {
            let tried = self.asked.get(&target).map_or(at, |(asked, _)| at.max(asked.plus(TRIED_WITHIN)));
            for prober in self.roster.probers(target, &self.probes) {
                let stream = Stream::new(StreamKind::Prober, prober);
                if self.streams.get(&stream).is_some_and(|state| state.proved < tried) {
                    unproved.push(stream);
                }
            }
        }
        unproved
    }

    /// Ends a VM that certainly did not arrive.
    fn end_in_vain(&mut self, target: u32, limit: Limit, now: Offset) {
        let timeline = &self.phase.timelines[target as usize];
        let never = !self.was_accepted(target) && !timeline.has(Milestone::Instance) && timeline.is_asked();
        let reason = self.reason(target, limit);
        // Silence proves nothing if nothing was probed.
        let decides = self.keeping.is_none() && !timeline.has(self.phase.goal);
        let untried = self.untried(target).filter(|_| decides);
        if let Some(why) = untried {
            let reason = format!("{reason}: {why}");
            return self.end(target, Outcome::Unknown, Some(reason), now);
        }
        let (outcome, reason) = match self.arrived_by_first(target) {
            // A failure of another probe is reported nevertheless.
            Some(Outcome::Reached) => (Outcome::Reached, reason),
            Some(late) => (late, self.came_late(target)),
            None if never => (Outcome::Failed, reason),
            None => (Outcome::TimedOut, reason),
        };
        self.end(target, outcome, Some(reason), now);
        // There is nothing to diagnose about a VM without a start request.
        if self.phase.timelines[target as usize].is_asked() {
            self.effects.push(Effect::Diagnose(target));
        }
    }

    pub(super) fn end_unknown(&mut self, target: u32, limit: Limit, at: Offset, now: Offset) {
        let reason = match self.unreadable.get(&target) {
            Some(why) => why.clone(),
            None if self.missed.contains(&target) => {
                let reason = self.reason(target, limit);
                format!("{reason}, but an instance of it disappeared while it could not be observed")
            }
            None => {
                let blind = self.unproved(target, at).first().map(|stream| stream.kind.words());
                let reason = self.reason(target, limit);
                format!("{} was interrupted (as far as was observed: {reason})", blind.unwrap_or("a stream"))
            }
        };
        self.end(target, Outcome::Unknown, Some(reason), now);
    }

    fn reason(&self, target: u32, limit: Limit) -> String {
        let settings = &self.phase.settings;
        let (state, answer) = (settings.timeout_seconds, settings.ping_timeout_seconds);
        let timeline = &self.phase.timelines[target as usize];
        let goal = self.phase.goal;
        let silent = || -> String {
            let open =
                self.probes.iter().map(Probe::to_string).filter(|probe| !timeline.probes.contains_key(probe));
            open.collect::<Vec<_>>().join(" and ")
        };
        let unaccepted = !self.was_accepted(target) && timeline.answer.is_some();
        let reason = match limit {
            Limit::State if unaccepted => format!("its request was not accepted within {state}s"),
            Limit::State if goal == Milestone::Volume => format!("its disk is not ready after {state}s"),
            Limit::State if goal == Milestone::Reachable => format!("not running after {state}s"),
            Limit::State | Limit::Told => format!("not {goal} after {state}s"),
            Limit::Answer if timeline.address.is_none() => {
                format!("running, but it reports no address after {answer}s")
            }
            Limit::Answer => format!("running, but no answer to {} after {answer}s", silent()),
            Limit::Phase(limit) if timeline.is_asked() => {
                format!("not {goal} when the phase's time limit of {limit}s expired")
            }
            Limit::Phase(limit) => {
                format!("its request was not sent before the phase's time limit of {limit}s expired")
            }
        };
        let volumes =
            self.volumes.as_ref().filter(|_| timeline.is_asked() && !timeline.has(Milestone::Volume));
        let doing = volumes.and_then(|volumes| volumes.unfinished(target)).map(str::to_owned);
        let said = timeline.answer.clone().filter(|_| unaccepted);
        let stays = goal == Milestone::Moved && timeline.has(Milestone::Running);
        let stays = timeline.node.as_ref().filter(|_| stays && !timeline.has(goal));
        let doing = doing.or_else(|| stays.map(|node| format!("it runs on {node} again")));
        let moving = timeline.migration.as_ref().filter(|_| timeline.is_asked());
        let doing = doing.or_else(|| match moving? {
            facts if facts.failed => {
                self.failure_of(target).map(|why| format!("its migration failed: {why}"))
            }
            facts => facts.phase.map(|phase| format!("its migration is {phase:?}")),
        });
        said.or(doing).map_or(reason.clone(), |more| format!("{reason}: {more}"))
    }
}

/// Whether a milestone was passed within a limit, as far as its moment shows.
fn within(moment: Moment, limit: Offset) -> Outcome {
    let latest = match moment.source {
        Source::Seen | Source::Late => Offset(limit.0.saturating_add(SEEN_ERROR.0)),
        // Truncated to whole seconds, so that the true time is up to a second later: it may have been in time.
        Source::Stamped => Offset(limit.0.saturating_add(TOLERANCE.0)),
    };
    match moment.source {
        _ if moment.at <= latest => Outcome::Reached,
        Source::Late => Outcome::Unknown,
        _ => Outcome::TimedOut,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use jiff::Timestamp;

    use super::*;
    use crate::component::Component;
    use crate::observation::{Observation, Request, What};
    use crate::observe::{Change, Findings, Fold, Instance, InstancePhase, Timeline};
    use crate::plan::Target;
    use crate::probe::Probe;
    use crate::record::{PhaseKind, PhaseName, PhaseRecord, PhaseSettings, StormKind};
    use crate::stats::Diagnosis;
    use crate::tracker::stream_state::State;
    use crate::tracker::{Ask, Beginning, Effect};

    fn seconds(seconds: f64) -> Offset {
        Offset::from_seconds(seconds)
    }

    fn vm() -> Target {
        Target { namespace: "shop".into(), name: "web".into() }
    }

    /// A storm of one VM that was requested at 0, has to run within 60 s, and to answer 600 s later; begun or continued
    /// at `now`.
    fn storm(targets: &[Target], timeline: Timeline, now: f64) -> Tracker<'_> {
        let name = PhaseName { kind: PhaseKind::Storm, number: 1 };
        let settings =
            PhaseSettings { timeout_seconds: 60, ping_timeout_seconds: 600, ..PhaseSettings::default() };
        let mut phase = PhaseRecord::new(name, Timestamp::UNIX_EPOCH, settings, 1);
        phase.goal = Milestone::Reachable;
        phase.timelines = vec![timeline].into();
        Tracker::new(Beginning {
            phase,
            now: seconds(now),
            targets,
            fold: Fold::new(targets, false, HashSet::new()),
            probes: vec![Probe::Ping],
            keeps: false,
            volumes: None,
            launchers: None,
            migrations: None,
            streams: Vec::new(),
            asked: &[],
        })
    }

    fn requested() -> Timeline {
        let mut timeline = Timeline::new(0);
        timeline.see(Milestone::Requested, Offset::ZERO);
        timeline
    }

    fn present(tracker: &mut Tracker<'_>, uid: &str, phase: InstancePhase, at: f64) {
        let address = Some("10.0.0.1".to_owned());
        let instance = Instance { uid: uid.into(), target: vm(), phase, address, ..Instance::default() };
        let what = What::Instance(Change::Present(instance));
        tracker.observe(Observation { stream: None, at: seconds(at), late: false, what });
    }

    fn absent(tracker: &mut Tracker<'_>, uid: &str, at: f64) {
        let what = What::Instance(Change::Absent { uid: uid.into(), target: vm() });
        tracker.observe(Observation { stream: None, at: seconds(at), late: false, what });
    }

    #[test]
    fn a_vm_whose_instance_crashed_after_it_ran_has_a_limit_again() {
        let targets = [vm()];
        let mut tracker = storm(&targets, requested(), 0.0);
        present(&mut tracker, "a", InstancePhase::Running, 10.0);
        // Whatever it is for, a tick drops the limit that no longer matters.
        tracker.tick(seconds(20.0));
        assert_eq!(tracker.next_tick(), Some(seconds(610.0)));
        absent(&mut tracker, "a", 30.0);
        present(&mut tracker, "b", InstancePhase::Scheduling, 31.0);
        assert_eq!(tracker.next_tick(), Some(seconds(60.0)), "the limit of Running");
        tracker.tick(seconds(61.0));
        tracker.tick(seconds(620.0));
        assert_eq!(tracker.phase.timelines[0].outcome, Outcome::TimedOut);
    }

    #[test]
    fn a_vm_that_stays_on_a_drained_node_is_reported_as_being_there() {
        let targets = [vm()];
        let timeline = Timeline { old_instance: Some("old".into()), ..requested() };
        let mut tracker = storm(&targets, timeline, 0.0);
        tracker.phase.goal = Milestone::Moved;
        tracker.phase.settings.kind = StormKind::Drain;
        tracker.phase.settings.nodes = vec!["node-2".into()];
        tracker.phase.timelines[0].see(Milestone::Accepted, seconds(1.0));
        tracker.probes.clear();
        let node = Some("node-2".to_owned());
        let running = InstancePhase::Running;
        let instance =
            Instance { uid: "new".into(), target: vm(), phase: running, node, ..Instance::default() };
        let what = What::Instance(Change::Present(instance));
        tracker.observe(Observation { stream: None, at: seconds(10.0), late: false, what });
        tracker.tick(seconds(61.0));
        let timeline = &tracker.phase.timelines[0];
        let why = "not moved after 60s: it runs on node-2 again";
        assert_eq!((timeline.outcome, timeline.reason.as_deref()), (Outcome::TimedOut, Some(why)));
        let found = Diagnosis::of_failed(timeline, Milestone::Moved).unwrap();
        assert_eq!(found.waits_for, Component::Scheduling);
        assert!(found.to_string().contains("it runs on node-2 again"), "{found}");
    }

    #[test]
    fn a_guest_that_ran_before_the_phase_was_continued_has_a_limit() {
        let targets = [vm()];
        let mut timeline = requested();
        timeline.instance_uid = Some("a".into());
        timeline.see(Milestone::Running, seconds(10.0));
        let tracker = storm(&targets, timeline, 100.0);
        let limits: Vec<_> = tracker.deadlines.iter().map(|Reverse((at, _, limit))| (*at, *limit)).collect();
        // Nobody probed it while no process was there.
        assert!(limits.contains(&(seconds(700.0), Limit::Answer)), "{limits:?}");
    }

    #[test]
    fn a_vm_whose_time_passed_while_a_resumed_process_prepared_is_judged_by_a_list() {
        let targets = [vm()];
        let mut timeline = requested();
        timeline.see(Milestone::Accepted, seconds(1.0));
        let mut tracker = storm(&targets, timeline, 70.0);
        let watch = Stream::new(StreamKind::Instances, 0);
        tracker.streams.insert(watch, State::new(None, seconds(70.0)));
        tracker.tick(seconds(70.1));
        assert_eq!(
            tracker.phase.timelines[0].outcome,
            Outcome::Pending,
            "what it has yet to read may be in time"
        );
        assert!(matches!(tracker.take_effects()[..], [Effect::List(_)]));
        let at = Timestamp::from_second(50).unwrap();
        let instance = Instance {
            uid: "a".into(),
            target: vm(),
            phase: InstancePhase::Running,
            transitions: vec![(InstancePhase::Running, at)],
            address: Some("10.0.0.1".into()),
            ..Instance::default()
        };
        let what = What::Instances(seconds(70.1), vec![instance], Vec::new());
        tracker.observe(Observation { stream: Some(watch), at: seconds(70.2), late: false, what });
        tracker.tick(seconds(70.3));
        let timeline = &tracker.phase.timelines[0];
        assert_eq!(
            (timeline.outcome, timeline.at(Milestone::Running)),
            (Outcome::Pending, Some(seconds(50.0)))
        );
    }

    #[test]
    fn a_vm_that_ran_too_late_is_not_there_because_its_first_probe_answers() {
        let ended = |ran: f64| {
            let targets = [vm()];
            let mut tracker = storm(&targets, requested(), 0.0);
            tracker.probes = vec![Probe::Ping, Probe::Agent];
            present(&mut tracker, "a", InstancePhase::Running, ran);
            let timeline = &mut tracker.phase.timelines[0];
            timeline.see(Milestone::Reachable, seconds(ran + 1.0));
            timeline.probes.insert("ping".into(), Moment { at: seconds(ran + 1.0), source: Source::Seen });
            tracker.tick(seconds(ran + 601.0));
            (tracker.phase.timelines[0].outcome, tracker.phase.timelines[0].reason.clone().unwrap())
        };
        let (outcome, why) = ended(50.0);
        assert!(outcome == Outcome::Reached && why.contains("no answer to agent"), "{outcome:?} {why}");
        let (outcome, why) = ended(75.0);
        assert!(
            outcome == Outcome::TimedOut && why.contains("only after the limit of 60s"),
            "{outcome:?} {why}"
        );
    }

    #[test]
    fn a_vm_that_says_it_runs_without_an_instance_that_was_seen_is_unknown() {
        let ended = |status: &str| {
            let targets = [vm()];
            let mut tracker = storm(&targets, requested(), 0.0);
            tracker.phase.timelines[0].see(Milestone::Accepted, seconds(1.0));
            tracker.tick(seconds(61.0));
            assert_eq!(tracker.phase.timelines[0].outcome, Outcome::TimedOut);
            let found = Findings {
                at: seconds(61.2),
                status: status.into(),
                conditions: Vec::new(),
                volumes: Vec::new(),
            };
            tracker.diagnose(0, status.to_owned(), Some(found));
            (tracker.phase.timelines[0].outcome, tracker.phase.timelines[0].reason.clone().unwrap())
        };
        assert_eq!(ended("ErrorUnschedulable").0, Outcome::TimedOut);
        let (outcome, why) = ended("Running");
        assert!(
            outcome == Outcome::Unknown && why.contains("no instance of it was seen"),
            "{outcome:?} {why}"
        );
    }

    #[test]
    fn in_a_continued_phase_nobody_else_is_blamed_for_a_start() {
        let ended = |continued: u32| {
            let targets = [vm()];
            let mut tracker = storm(&targets, Timeline::new(0), 0.0);
            tracker.phase.continued = continued;
            present(&mut tracker, "a", InstancePhase::Scheduling, 1.0);
            let what = What::Request(0, Request::Sent);
            tracker.observe(Observation { stream: None, at: seconds(1.5), late: false, what });
            let timeline = &tracker.phase.timelines[0];
            (timeline.outcome, timeline.untimed, timeline.has(Milestone::Requested))
        };
        assert_eq!(ended(0), (Outcome::Failed, false, true), "somebody else was faster");
        assert_eq!(ended(1), (Outcome::Pending, true, false), "or a request of the process before");
    }

    #[test]
    fn an_instance_that_is_newer_than_a_list_is_not_gone() {
        let targets = [vm()];
        let watch = Stream::new(StreamKind::Instances, 0);
        let missed = |began: f64, unreadable: Vec<Target>| {
            let mut tracker = storm(&targets, requested(), 0.0);
            tracker.streams.insert(watch, State::new(None, Offset::ZERO));
            present(&mut tracker, "b", InstancePhase::Scheduling, 61.2);
            tracker.tick(seconds(61.3));
            let what = What::Instances(seconds(began), Vec::new(), unreadable);
            tracker.observe(Observation { stream: Some(watch), at: seconds(63.0), late: false, what });
            tracker.phase.timelines[0].outcome
        };
        assert_eq!(missed(61.1, Vec::new()), Outcome::TimedOut, "created after the list was requested");
        assert_eq!(missed(62.9, vec![vm()]), Outcome::TimedOut, "it is there, but cannot be read");
        assert_eq!(missed(62.9, Vec::new()), Outcome::Unknown, "it has disappeared unnoticed");
    }

    #[test]
    fn nobody_is_asked_at_the_address_of_an_instance_that_has_ended() {
        let targets = [vm()];
        let mut tracker = storm(&targets, requested(), 0.0);
        present(&mut tracker, "a", InstancePhase::Running, 10.0);
        let effects = tracker.take_effects();
        assert!(matches!(effects[..], [Effect::Ask(_, Ask::Add { .. })]), "{effects:?}");
        present(&mut tracker, "a", InstancePhase::Failed, 12.0);
        let effects = tracker.take_effects();
        assert!(matches!(effects[..], [Effect::Ask(_, Ask::Drop { .. })]), "{effects:?}");
    }
}
