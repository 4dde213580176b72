//! Where a phase stands: its timelines, who is still on the way, and whose time is up.

mod insight;
mod limits;
mod waiting;
mod waves;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::event::{Event, Listener};
use super::launch::Launched;
use super::questions::Answered;
use jiff::Timestamp;

use crate::cluster::changes::{News, Received};
use crate::cluster::volumes::{VolumeNews, VolumesHeard};
use bootstorm_model::observe::{
    Change, Clock, Fold, LauncherFold, Milestone, Moment, Offset, Outcome, Receipt, Source, VolumeFold,
};
use bootstorm_model::plan::Target;
use bootstorm_model::probe::Probe;
use bootstorm_model::record::{Gap, PhaseRecord};
use bootstorm_model::stats::Diagnosis;
use limits::Limit;
use waves::Waves;

/// Within this time after taking over, every guest that can answer has answered.
const FIRST_ROUND: Duration = Duration::from_secs(3);

/// A wish about probing
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// A guest runs at an address: probe it.
    Probe(u32, IpAddr),
    /// It does not run any more, or its part is over.
    Forget(u32),
}

/// The state of a running phase, without any input or output
pub(super) struct Board<'a> {
    pub(super) phase: PhaseRecord,
    pub(super) clock: Clock,
    fold: Fold,
    targets: &'a [Target],
    events: Listener<'a>,
    /// Requests that gave no final answer yet.
    unanswered: usize,
    /// Which waves are sent and through.
    waves: Waves,
    /// VMs whose outcome is open.
    pending: usize,
    /// VMs that take part.
    participants: usize,
    /// VMs that failed or timed out.
    failed: usize,
    /// Whose time is up when, and for what.
    deadlines: BinaryHeap<Reverse<(Instant, u32, Limit)>>,
    /// When this process took over. Nobody probed before.
    taken_over: Offset,
    /// What has to be answered; the first decides. Empty unless guests are probed in this phase.
    probes: Vec<Probe>,
    /// Whom the probers are busy with, and where.
    probed: HashMap<u32, IpAddr>,
    /// Wishes that nobody has taken yet.
    dues: Vec<Due>,
    /// What is known about disks; `None` unless they are followed.
    volumes: Option<VolumeFold>,
    /// What is known about launcher pods; `None` unless they are followed.
    launchers: Option<LauncherFold>,
    /// Something changed since the last save.
    pub(super) dirty: bool,
}

impl<'a> Board<'a> {
    pub(super) fn new(
        phase: PhaseRecord,
        clock: Clock,
        fold: Fold,
        targets: &'a [Target],
        events: Listener<'a>,
        probes: Vec<Probe>,
    ) -> Self {
        let failed = phase.count(Outcome::Failed) + phase.count(Outcome::TimedOut);
        let participants = phase.participants().count();
        let pending = phase.timelines.iter().filter(|timeline| !timeline.is_over()).count();
        let timeout = Duration::from_secs(phase.settings.timeout_seconds);
        let taken_over = clock.now();
        let deadline = |timeline: &bootstorm_model::observe::Timeline| {
            // Who has no known zero gets the whole time from now on.
            let zero = timeline.at(Milestone::Requested).or(timeline.untimed.then_some(taken_over))?;
            Some(Reverse((clock.instant(zero.plus(timeout)), timeline.target, Limit::State)))
        };
        let open = phase.timelines.iter().filter(|timeline| !timeline.is_over());
        let deadlines = open.filter_map(deadline).collect();
        let (probed, dues) = (HashMap::new(), Vec::new());
        Self {
            phase,
            clock,
            fold,
            targets,
            events,
            unanswered: 0,
            waves: Waves::default(),
            pending,
            participants,
            failed,
            deadlines,
            taken_over,
            probes,
            probed,
            dues,
            volumes: None,
            launchers: None,
            dirty: true,
        }
    }

    /// Follows disks too.
    pub(super) fn follow_volumes(&mut self, fold: VolumeFold) {
        self.volumes = Some(fold);
    }

    /// Takes news of the watch on disks into account.
    pub(super) fn hear_volumes(&mut self, heard: VolumesHeard, server_now: Timestamp) {
        let at = self.clock.at(heard.at);
        match heard.news {
            VolumeNews::Blind(since) => self.note_gap(self.clock.at(since), at),
            VolumeNews::Complaint(trouble) => (self.events)(&Event::Warning(trouble.to_string())),
            VolumeNews::Changes(volumes) => {
                let server_zero = self.clock.zero_at(server_now);
                let receipt = Receipt { at, late: heard.late, server_zero };
                for volume in volumes {
                    let fold = self.volumes.as_mut();
                    let passed = fold.and_then(|fold| fold.apply(&mut self.phase.timelines, volume, receipt));
                    if let Some(target) = passed {
                        self.dirty = true;
                        (self.events)(&Event::Passed(Milestone::Volume));
                        self.check_goal(target);
                    }
                }
            }
        }
    }

    fn note_gap(&mut self, from: Offset, to: Offset) {
        self.phase.watch.restarts += 1;
        self.phase.watch.gaps.push(Gap { from, to });
        (self.events)(&Event::Blind(to.since(from)));
        self.dirty = true;
    }

    fn timeout(&self) -> Duration {
        Duration::from_secs(self.phase.settings.timeout_seconds)
    }

    /// Says whose requests will be answered.
    pub(super) fn expect_answers(&mut self, asked: &[u32]) {
        self.unanswered = asked.len();
        self.waves = Waves::new(&self.phase, asked);
    }

    /// Whether every VM is through and every request answered.
    pub(super) fn is_over(&self) -> bool {
        self.pending == 0 && self.unanswered == 0
    }

    /// Whether every request was answered.
    pub(super) fn is_answered(&self) -> bool {
        self.unanswered == 0
    }

    /// Whether some VM that reached the goal has not passed `milestone` yet.
    pub(super) fn lacks(&self, milestone: Milestone) -> bool {
        self.phase.timelines.iter().any(|t| t.outcome == Outcome::Reached && !t.has(milestone))
    }

    /// Takes news of the watch into account.
    pub(super) fn hear(&mut self, received: Received, server_now: Timestamp) {
        let at = self.clock.at(received.at);
        match received.news {
            News::Blind(since) => {
                let from = self.clock.at(since);
                self.note_gap(from, at);
            }
            News::Complaint(trouble) => (self.events)(&Event::Warning(trouble.to_string())),
            News::Changes(changes) => {
                let server_zero = self.clock.zero_at(server_now);
                let receipt = Receipt { at, late: received.late, server_zero };
                for change in &changes {
                    self.apply(change, receipt);
                }
            }
        }
    }

    /// Takes one change into account.
    pub(super) fn apply(&mut self, change: &Change, receipt: Receipt) {
        for passed in self.fold.apply(&mut self.phase.timelines, change, receipt) {
            self.dirty = true;
            (self.events)(&Event::Passed(passed.milestone));
            match passed.milestone {
                Milestone::Running => self.limit_answer(passed.target),
                Milestone::Agent if self.probes.contains(&Probe::Agent) => {
                    let moment = self.phase.timelines[passed.target as usize].moments[&Milestone::Agent];
                    self.answered(passed.target, Probe::Agent, moment);
                }
                _ => {}
            }
            self.check_goal(passed.target);
        }
        let target = match change {
            Change::Present(instance) => &instance.target,
            Change::Absent { target, .. } => target,
        };
        if let Some(position) = self.fold.position(target) {
            self.reopen(position);
            self.join_launchers(position);
            self.plan_probing(position);
        }
    }

    /// Takes an answer of a guest into account.
    pub(super) fn probed(&mut self, target: u32, probe: Probe, at: Instant, late: bool) {
        // A guest that ran before we took over may have been answering for long.
        let early = self.timeline(target).at(Milestone::Running).is_some_and(|at| at < self.taken_over);
        let first_round = self.clock.at(at) < self.taken_over.plus(FIRST_ROUND);
        let source = if late || early && first_round { Source::Late } else { Source::Seen };
        self.answered(target, probe, Moment { at: self.clock.at(at), source });
        self.check_goal(target);
        self.plan_probing(target);
    }

    /// Takes the wishes about probing.
    pub(super) fn take_dues(&mut self) -> Vec<Due> {
        std::mem::take(&mut self.dues)
    }

    /// Whether a guest has answered a probe.
    pub(super) fn has_answered(&self, target: u32, probe: Probe) -> bool {
        self.phase.timelines[target as usize].probes.contains_key(&probe.to_string())
    }

    fn answered(&mut self, target: u32, probe: Probe, moment: Moment) {
        let decides = self.probes.first() == Some(&probe);
        let timeline = self.timeline(target);
        timeline.probes.entry(probe.to_string()).or_insert(moment);
        if decides && !timeline.has(Milestone::Reachable) {
            timeline.moments.insert(Milestone::Reachable, moment);
            (self.events)(&Event::Passed(Milestone::Reachable));
        }
        self.dirty = true;
    }

    /// Decides whether, and where, a guest has to be probed.
    fn plan_probing(&mut self, target: u32) {
        if !self.probes.iter().any(|probe| probe.needs_prober()) {
            return;
        }
        let timeline = &self.phase.timelines[target as usize];
        let runs = !timeline.is_over() && timeline.has(Milestone::Running);
        let address = timeline.address.as_deref().filter(|_| runs).and_then(|text| text.parse().ok());
        match (address, self.probed.get(&target)) {
            (Some(address), known) if known != Some(&address) => {
                self.probed.insert(target, address);
                self.dues.push(Due::Probe(target, address));
            }
            (None, Some(_)) => {
                self.probed.remove(&target);
                self.dues.push(Due::Forget(target));
            }
            _ => {}
        }
    }

    /// Takes the fate of a request into account; gives the VM whose request was refused for good.
    pub(super) fn launched(&mut self, launched: Launched) -> Option<u32> {
        self.dirty = true;
        match launched {
            Launched::Sent { target, at } => {
                let offset = self.clock.at(at);
                let deadline = at + self.timeout();
                self.waves.sent(target);
                self.timeline(target).see(Milestone::Requested, offset);
                self.deadlines.push(Reverse((deadline, target, Limit::State)));
                (self.events)(&Event::Sent);
                // The watch may have been faster than the launch's own message.
                self.check_goal(target);
                None
            }
            Launched::Skipped => {
                self.unanswered -= 1;
                None
            }
            Launched::Answered { target, effort, outcome } => {
                self.unanswered -= 1;
                let clock = self.clock;
                let stops = self.phase.goal == Milestone::Gone;
                let timeline = self.timeline(target);
                timeline.attempts += effort.attempts;
                timeline.throttled += effort.throttled;
                if effort.uid.is_some() {
                    timeline.machine_uid = effort.uid;
                }
                timeline.throttled_for = timeline.throttled_for.plus(effort.throttled_for);
                match outcome {
                    Ok(at) => {
                        let offset = clock.at(at);
                        timeline.see(Milestone::Accepted, offset);
                        if stops && timeline.instance_uid.is_none() {
                            // There was no instance to wait for.
                            timeline.see(Milestone::Gone, offset);
                        }
                        (self.events)(&Event::Accepted);
                        self.check_goal(target);
                        None
                    }
                    Err(trouble) if timeline.is_over() => {
                        tracing::debug!(%trouble, "refused after the goal was reached");
                        None
                    }
                    Err(trouble) => {
                        self.end(target, Outcome::Failed, Some(trouble.to_string()));
                        Some(target)
                    }
                }
            }
        }
    }

    /// Whether so many VMs have failed that the phase is to be stopped.
    pub(super) fn is_hopeless(&self) -> bool {
        let limit = self.phase.settings.abort_if_failed;
        limit.is_some_and(|limit| limit.is_reached(self.failed, self.participants))
    }

    /// Adds what was found out about a VM that did not reach the goal.
    pub(super) fn diagnose(&mut self, answered: Answered) {
        let Answered { target, complaint, findings } = answered;
        let timeline = self.timeline(target);
        timeline.findings = findings;
        timeline.reason = Some(match timeline.reason.take() {
            Some(reason) => format!("{reason}: {complaint}"),
            None => complaint,
        });
        self.dirty = true;
    }

    fn timeline(&mut self, target: u32) -> &mut bootstorm_model::observe::Timeline {
        &mut self.phase.timelines[target as usize]
    }

    fn check_goal(&mut self, target: u32) {
        let goal = self.phase.goal;
        let timeline = self.timeline(target);
        let arrived = !timeline.is_over() && timeline.has(goal) && timeline.is_asked();
        if arrived && self.probes.iter().all(|probe| self.has_answered(target, *probe)) {
            self.end(target, Outcome::Reached, None);
        }
    }

    /// Follows a VM again that seemed to be stopped, and turns out to have another instance.
    fn reopen(&mut self, target: u32) {
        let goal = self.phase.goal;
        let timeline = self.timeline(target);
        if goal == Milestone::Gone && timeline.outcome == Outcome::Reached && !timeline.has(goal) {
            timeline.outcome = Outcome::Pending;
            self.pending += 1;
            self.waves.reopen(target);
            self.dirty = true;
        }
    }

    fn end(&mut self, target: u32, outcome: Outcome, reason: Option<String>) {
        let timeline = self.timeline(target);
        timeline.outcome = outcome;
        timeline.reason.clone_from(&reason);
        if outcome == Outcome::Reached {
            timeline.launcher = None;
        }
        self.pending -= 1;
        self.waves.over(target);
        self.failed += usize::from(matches!(outcome, Outcome::Failed | Outcome::TimedOut));
        self.dirty = true;
        let cause = Diagnosis::of_failed(&self.phase.timelines[target as usize], self.phase.goal);
        let reason = match (reason, cause.and_then(|found| found.cause)) {
            (Some(reason), Some(cause)) if !reason.contains(&cause) => Some(format!("{reason}: {cause}")),
            (reason, _) => reason,
        };
        (self.events)(&Event::Ended { target: self.targets[target as usize].clone(), outcome, reason });
    }
}
