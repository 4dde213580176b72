//! State of a phase: folds observations into timelines, owns deadlines and outcomes, knows which streams are blind.
//!
//! Pure: time comes in with observations and ticks, and actions go out as [`Effect`]s.
//!
//! A VM past its deadline is not given an outcome at once. Its streams first have to prove that they have delivered
//! everything up to its deadline: a watch by a list that was requested after it, a prober by an echo. The list is
//! judged by the server's own timestamps. Without such a proof within the blind limit, the outcome is unknown.

mod deadline;
mod keeping;
mod lateness;
mod moving;
mod probing;
mod requests;
mod stream_state;
mod streams;
mod verdict;
mod waves;
mod weighing;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;

use crate::observation::{Observation, Stream, StreamKind, What};
use crate::observe::{
    Change, Delays, Fold, LauncherFold, MigrationFold, Milestone, Offset, Outcome, Passed, Receipt, Timeline,
    VolumeFold,
};
use crate::plan::Target;
use crate::probe::binding::Answerer;
use crate::probe::{Ask, Interruption, Keeping, Probe, Roster};
use crate::record::codec::Tally;
use crate::record::{PhaseKind, PhaseRecord};
use crate::stats::Diagnosis;
use deadline::{LIST_EVERY, Limit};
use lateness::Weighed;
use stream_state::State;

use waves::Waves;

/// An action for the engine
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Ask a prober.
    Ask(usize, Ask),
    /// List the objects that a watch covers, separately from the watch.
    List(Stream),
    /// Reopen a watch that did not deliver what a list shows.
    Reopen(Stream),
    /// Diagnose a VM that did not arrive.
    Diagnose(u32),
}

/// An event with its time and VM
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Time of its observation.
    pub at: Offset,
    /// VM; absent if it concerns none.
    pub vm: Option<u32>,
    /// Content.
    pub what: Happened,
}

/// Content of an event
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    /// The request is about to be written.
    Sent,
    /// The request was accepted.
    Accepted,
    /// The VM passed a milestone.
    Passed(Milestone),
    /// The VM's part in the phase has ended.
    Ended(Outcome, Option<String>),
    /// The VM's end with this outcome was premature.
    Reopened(Outcome),
    /// A stream has delivered nothing since then, long enough to be reported.
    Blind {
        /// Stream.
        stream: Stream,
        /// Last delivery.
        since: Offset,
        /// Reason, as far as known.
        why: Option<String>,
    },
    /// A stream delivers again.
    Seeing {
        /// Stream.
        stream: Stream,
        /// Duration of the gap.
        gap: Offset,
    },
    /// A continuously probed guest no longer answers.
    Quiet {
        /// Last answer.
        last: Offset,
    },
    /// The guest answers again.
    Back(Interruption),
    /// A message for the user.
    Warning(String),
}

/// Changes in a phase since the last save
#[derive(Debug, Clone)]
pub struct Changed {
    /// The phase with only the changed timelines.
    pub phase: PhaseRecord,
    /// Tally of the whole phase.
    pub tally: Tally,
}

/// Initial state of a tracker
#[derive(Debug)]
pub struct Beginning<'a> {
    /// The phase, as it begins or continues.
    pub phase: PhaseRecord,
    /// Current time. In a continued phase, there was no probing before it.
    pub now: Offset,
    /// The VMs of the plan.
    pub targets: &'a [Target],
    /// Instances from before the phase.
    pub fold: Fold,
    /// Required probes; the first one decides. Empty unless guests are probed in this phase.
    pub probes: Vec<Probe>,
    /// Whether guests are probed continuously, from their first answer to the end of the phase, to measure when they do
    /// not answer.
    pub keeps: bool,
    /// Disks, if they are followed.
    pub volumes: Option<VolumeFold>,
    /// Launcher pods, if they are followed.
    pub launchers: Option<LauncherFold>,
    /// Migration objects, in a phase that migrates VMs.
    pub migrations: Option<MigrationFold>,
    /// Streams, each with the namespace that it covers; `None` means all.
    pub streams: Vec<(Stream, Option<String>)>,
    /// VMs whose request is sent by this process.
    pub asked: &'a [u32],
}

/// State of a running phase, without any input or output
#[derive(Debug)]
pub struct Tracker<'a> {
    phase: PhaseRecord,
    targets: &'a [Target],
    fold: Fold,
    volumes: Option<VolumeFold>,
    launchers: Option<LauncherFold>,
    /// `None` unless the phase migrates VMs.
    migrations: Option<MigrationFold>,
    /// Reading of the server's clock at the beginning of the phase, as far as known.
    server_zero: Timestamp,
    streams: BTreeMap<Stream, State>,
    /// Requests without a final answer.
    unanswered: usize,
    waves: Waves,
    /// VMs whose outcome is open.
    pending: usize,
    /// Number of participants.
    participants: usize,
    /// VMs that failed or timed out.
    failed: usize,
    /// Deadlines: time, VM, and purpose.
    deadlines: BinaryHeap<Reverse<(Offset, u32, Limit)>>,
    /// VMs past their deadline that wait for a proof.
    due: BTreeMap<u32, (Limit, Offset)>,
    /// Time of the last judgement.
    judged: Offset,
    /// Time at which this process took over.
    taken_over: Offset,
    probes: Vec<Probe>,
    roster: Roster,
    /// Continuously probed guests; `None` if only the first answer counts.
    keeping: Option<Keeping>,
    /// VMs being probed, with their addresses.
    probed: HashMap<u32, IpAddr>,
    /// Time at which a prober was asked about a VM, and whether for the first time.
    asked: HashMap<u32, (Offset, bool)>,
    /// What answers instead of a guest, and on which interface, by VM.
    answerers: HashMap<u32, (String, Answerer)>,
    /// Reason given by a prober why it cannot probe, by VM and probe.
    untried: HashMap<(u32, Probe), String>,
    /// Complaints already reported: a prober that cannot probe one guest cannot probe a thousand.
    told: HashSet<String>,
    /// VMs with an instance that disappeared while its progress could not be observed.
    missed: HashSet<u32>,
    /// VMs with an unreadable object.
    unreadable: HashMap<u32, String>,
    /// Whether an unreadable object had no name: it may be that of any VM.
    has_unnamed: bool,
    /// Delay of changes by the server's timestamps.
    delays: Delays,
    effects: Vec<Effect>,
    events: Vec<Event>,
    /// Timelines that changed since the last save.
    changed: BTreeSet<u32>,
    dirty: bool,
}

impl<'a> Tracker<'a> {
    /// A tracker of a phase that begins or is continued.
    pub fn new(beginning: Beginning<'a>) -> Self {
        let Beginning {
            phase,
            now,
            targets,
            fold,
            probes,
            keeps,
            volumes,
            launchers,
            migrations,
            streams,
            asked,
        } = beginning;
        let failed = phase.count(Outcome::Failed) + phase.count(Outcome::TimedOut);
        let timeout = Duration::from_secs(phase.settings.timeout_seconds);
        let open = || phase.timelines.iter().filter(|timeline| !timeline.is_over());
        let deadline = |timeline: &Timeline| {
            // Without a known zero, a VM gets its whole time from now on.
            let zero = timeline.at(Milestone::Requested).or(timeline.untimed.then_some(now))?;
            Some(Reverse((zero.plus(timeout), timeline.target, Limit::State)))
        };
        let probers = streams.iter().filter(|(stream, _)| stream.kind == StreamKind::Prober).count();
        let running = |timeline: &&Timeline| timeline.has(Milestone::Running);
        let running: Vec<u32> = open().filter(running).map(|timeline| timeline.target).collect();
        let mut tracker = Self {
            deadlines: open().filter_map(deadline).collect(),
            pending: open().count(),
            participants: phase.participants().count(),
            waves: Waves::new(&phase, asked),
            streams: streams.into_iter().map(|(stream, covers)| (stream, State::new(covers, now))).collect(),
            server_zero: phase.began,
            unanswered: asked.len(),
            failed,
            due: BTreeMap::new(),
            taken_over: now,
            judged: now,
            roster: Roster::new(probers),
            keeping: keeps.then(Keeping::default),
            probed: HashMap::new(),
            asked: HashMap::new(),
            answerers: HashMap::new(),
            untried: HashMap::new(),
            told: HashSet::new(),
            missed: HashSet::new(),
            unreadable: HashMap::new(),
            has_unnamed: false,
            delays: Delays::default(),
            effects: Vec::new(),
            events: Vec::new(),
            changed: BTreeSet::new(),
            dirty: true,
            phase,
            targets,
            fold,
            volumes,
            launchers,
            migrations,
            probes,
        };
        if keeps {
            tracker.hear_on();
        } else {
            // Seen by the process before: no change will set these limits.
            for target in running {
                tracker.limit_answer(target);
            }
        }
        tracker
    }

    /// Sets the reading of the server's clock at the beginning of the phase, as now known.
    pub fn set_server_zero(&mut self, zero: Timestamp) {
        self.server_zero = zero;
    }

    /// Applies an observation.
    pub fn observe(&mut self, observation: Observation) {
        let Observation { stream, at, late, what } = observation;
        let receipt = Receipt { at, late, server_zero: self.server_zero };
        if let Some(state) = stream.and_then(|stream| self.streams.get_mut(&stream)) {
            state.heard(&what, at);
        }
        match what {
            What::Instance(change) => self.apply(&change, receipt),
            What::Volume(volume) => {
                let position = self.fold.position(&volume.target);
                let fold = self.volumes.as_mut();
                let passed = fold.and_then(|fold| fold.apply(&mut self.phase.timelines, volume, receipt));
                self.touch(position);
                if let Some(target) = passed {
                    self.tell(at, Some(target), Happened::Passed(Milestone::Volume));
                    self.check_goal(target, at);
                }
            }
            What::Migration(migration) => self.migration(&migration, receipt),
            What::Migrations(began, listed) => self.listed_migrations(stream, began, &listed, receipt),
            What::Pod(launcher) => {
                let position = self.fold.position(&launcher.target);
                let Some(fold) = self.launchers.as_mut() else { return };
                let passed = fold.apply(&mut self.phase.timelines, launcher, receipt);
                self.touch(position);
                self.passed(&passed, at);
            }
            What::Notice(notice) => {
                let Some(fold) = self.launchers.as_mut() else { return };
                let position = fold.whose(&notice);
                let passed = fold.hear(&mut self.phase.timelines, notice, receipt);
                self.touch(position);
                self.passed(&passed, at);
            }
            What::Answer(id) => self.answered_by_prober(id, at),
            What::Cannot(id, why) => self.cannot(stream, id, &why, at),
            What::Quiet(id, millis) => self.quiet(id, at, millis),
            What::Back { id, gap, lost } => self.back(id, at, gap, lost),
            What::Told(until) => self.told(stream, until),
            What::Interval(millis) => {
                if let Some(keeping) = &mut self.keeping {
                    keeping.set_interval(millis);
                }
                if let Some(health) = self.phase.probing.as_mut() {
                    health.interval_millis = health.interval_millis.max(millis);
                }
            }
            What::Neighbor => {
                if let Some(health) = self.phase.probing.as_mut() {
                    health.neighbors = true;
                }
            }
            What::Echo(asked) => self.echoed(stream, asked, at),
            What::Request(target, request) => self.requested(target, request, at, late),
            What::GapOpened { since, expected, why } => self.gap_opened(stream, since, expected, why),
            What::GapClosed => self.gap_closed(stream, at),
            What::Instances(began, listed, unreadable) => {
                self.listed(stream, began, (&listed, &unreadable), receipt);
            }
            What::Volumes(began, listed) => self.listed_volumes(stream, began, listed, receipt),
            What::Unlisted => {
                if let Some(state) = stream.and_then(|stream| self.streams.get_mut(&stream)) {
                    state.listing = false;
                }
            }
            What::Unreadable(target, why) => {
                self.has_unnamed |= target.is_none();
                let position = target.and_then(|target| self.fold.position(&target));
                if let Some(position) = position {
                    self.unreadable.insert(position, why.clone());
                }
                self.tell(at, position, Happened::Warning(why));
            }
            What::Complaint(text) => self.tell(at, None, Happened::Warning(text)),
        }
    }

    /// Applies a change of an instance.
    fn apply(&mut self, change: &Change, receipt: Receipt) {
        let target = match change {
            Change::Present(instance) => &instance.target,
            Change::Absent { target, .. } => target,
        };
        let Some(position) = self.fold.position(target) else { return };
        if self.phase.migrates() {
            return self.apply_move(position, change, receipt);
        }
        if self.phase.drains() {
            self.apply_evicted(position, change, receipt);
        }
        let Weighed { receipt, is_dated } = match change {
            Change::Present(instance) => self.weighed(position, instance, receipt),
            Change::Absent { .. } => receipt.into(),
        };
        let undated = match change {
            Change::Present(instance) if !is_dated => Some(Change::Present(instance.undated())),
            _ => None,
        };
        let change = undated.as_ref().unwrap_or(change);
        self.unreadable.remove(&position);
        if let Change::Absent { uid, .. } = change
            && receipt.late
            && self.phase.name.kind != PhaseKind::Stop
            && self.phase.timelines[position as usize].instance_uid.as_ref() == Some(uid)
        {
            self.missed.insert(position);
        }
        self.touch(Some(position));
        let ran = self.phase.timelines[position as usize].has(Milestone::Running);
        let passed = self.fold.apply(&mut self.phase.timelines, change, receipt);
        if ran && !self.phase.timelines[position as usize].has(Milestone::Running) {
            // Its instance is gone, and with it the limit of its answer: the next one has to run in time, too.
            self.limit_state(position);
        }
        if let Change::Present(instance) = change {
            self.know_answerer(position, instance, receipt.at);
        }
        for passed in passed {
            self.tell(receipt.at, Some(passed.target), Happened::Passed(passed.milestone));
            match passed.milestone {
                Milestone::Running if self.phase.drains() => self.moved_by_boot(passed.target, receipt.at),
                // Continuous probing decides nothing.
                _ if self.keeping.is_some() => {}
                Milestone::Running => self.limit_answer(passed.target),
                Milestone::Agent if self.probes.contains(&Probe::Agent) => {
                    self.answered_by(passed.target, Probe::Agent, Milestone::Agent);
                }
                Milestone::Ready if self.probes.contains(&Probe::CloudInit) => {
                    self.answered_by(passed.target, Probe::CloudInit, Milestone::Ready);
                }
                _ => {}
            }
            self.check_goal(passed.target, receipt.at);
        }
        if self.keeping.is_none() {
            self.end_hollow(position, receipt.at);
        }
        self.reopen(position, receipt.at);
        if let Some(fold) = self.launchers.as_ref() {
            // Milestones of pods seen before their instance, which may be known now.
            let passed = fold.join(&mut self.phase.timelines, position);
            self.passed(&passed, receipt.at);
        }
        self.plan_probing(position, receipt.at);
    }

    /// Ends what is due, or requests what is needed to end it.
    pub fn tick(&mut self, now: Offset) {
        while let Some(Reverse((at, target, limit))) = self.deadlines.peek().copied() {
            let moot = self.is_moot(target, limit, at);
            if !moot && at > now {
                break;
            }
            self.deadlines.pop();
            if !moot && limit == Limit::Told {
                self.end_migration(target, at.max(now));
            } else if !moot {
                self.due.insert(target, (limit, at));
            }
        }
        self.watch_streams(now);
        self.judge(now);
    }

    /// Time at which the next tick is needed; `None` while time alone cannot change anything.
    pub fn next_tick(&self) -> Option<Offset> {
        let deadline = self.deadlines.peek().map(|Reverse((at, ..))| *at);
        let retry = (!self.due.is_empty()).then(|| self.judged.plus(LIST_EVERY));
        let word = self.streams.iter().filter_map(|(stream, state)| state.worth_a_word_at(*stream)).min();
        [deadline, retry, word].into_iter().flatten().min()
    }

    /// Ends every pending VM at a limit of the whole phase.
    pub fn end_all(&mut self, limit: Duration, now: Offset) {
        for target in 0..self.phase.timelines.len() as u32 {
            if !self.phase.timelines[target as usize].is_over() {
                self.due.insert(target, (Limit::Phase(limit.as_secs()), now));
            }
        }
        self.judge(now);
    }

    /// Gives up on proofs: VMs that still wait for one become unknown.
    pub fn give_up(&mut self, now: Offset) {
        for (target, (limit, at)) in std::mem::take(&mut self.due) {
            if !self.phase.timelines[target as usize].is_over() {
                self.end_unknown(target, limit, at, now);
            }
        }
    }

    /// Whether every VM has ended and every request was answered.
    pub fn is_over(&self) -> bool {
        self.pending == 0 && self.unanswered == 0
    }

    /// Whether every request was answered.
    pub fn is_answered(&self) -> bool {
        self.unanswered == 0
    }

    /// Whether enough VMs have failed to stop the phase.
    pub fn is_hopeless(&self) -> bool {
        let limit = self.phase.settings.abort_if_failed;
        limit.is_some_and(|limit| limit.is_reached(self.failed, self.participants))
    }

    /// Whether some VM that reached the goal has not passed `milestone` yet.
    pub fn lacks(&self, milestone: Milestone) -> bool {
        self.phase.timelines.iter().any(|t| t.outcome == Outcome::Reached && !t.has(milestone))
    }

    /// Number of finished waves: every VM of them reached its goal, or failed.
    pub fn waves_through(&self) -> u32 {
        self.waves.through()
    }

    /// Whether the last request of a wave was sent since the last call.
    pub fn take_wave_sent(&mut self) -> bool {
        self.waves.take_sent()
    }

    /// Actions to carry out.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Requests to probers among the actions to carry out.
    pub fn take_asks(&mut self) -> Vec<(usize, Ask)> {
        let is_ask = |effect: &mut Effect| matches!(effect, Effect::Ask(..));
        let asks = self.effects.extract_if(.., is_ask);
        let asks = asks.filter_map(|effect| match effect {
            Effect::Ask(prober, ask) => Some((prober, ask)),
            _ => None,
        });
        asks.collect()
    }

    /// Events, in the order of their observation.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// The phase, as known so far.
    pub fn phase(&self) -> &PhaseRecord {
        &self.phase
    }

    /// Delay of changes by the server's timestamps.
    pub fn delays(&self) -> &Delays {
        &self.delays
    }

    /// Whether the request of a VM is known to have been accepted.
    pub fn was_accepted(&self, target: u32) -> bool {
        let timeline = &self.phase.timelines[target as usize];
        timeline.untimed || timeline.has(Milestone::Accepted)
    }

    /// Adds the diagnosis of a VM that did not reach the goal.
    ///
    /// A VM that reports to be running without any instance that was seen has an instance that the watch does not
    /// cover: nobody knows then whether it ran in time.
    pub fn diagnose(&mut self, target: u32, complaint: String, findings: Option<crate::observe::Findings>) {
        // That it runs, it did before its migration.
        let says_nothing = complaint.is_empty() || self.phase.migrates() && complaint == "Running";
        let runs = findings.as_ref().is_some_and(|findings| findings.status == "Running");
        let boots = self.phase.name.kind != PhaseKind::Stop && !self.phase.migrates() && !self.phase.drains();
        let timeline = &self.phase.timelines[target as usize];
        if boots && runs && timeline.outcome == Outcome::TimedOut && !timeline.has(Milestone::Instance) {
            let reason = timeline.reason.clone().unwrap_or_default();
            let reason = format!(
                "{reason}, but its VM is Running and no instance of it was seen: it may lack the labels of the run"
            );
            let at = findings.as_ref().map_or(self.judged, |findings| findings.at);
            return self.end(target, Outcome::Unknown, Some(reason), at);
        }
        let timeline = self.timeline(target);
        timeline.findings = findings.map(Box::new);
        timeline.reason = Some(match timeline.reason.take() {
            Some(reason) if !says_nothing => format!("{reason}: {complaint}"),
            Some(reason) => reason,
            None => complaint,
        });
    }

    /// Changes since the last call; `None` if there are none.
    pub fn take_changed(&mut self, now: Offset) -> Option<Changed> {
        if !std::mem::take(&mut self.dirty) {
            return None;
        }
        let changed = std::mem::take(&mut self.changed);
        let timelines = changed.into_iter().map(|target| self.phase.timelines[target as usize].clone());
        let mut phase = PhaseRecord { timelines: timelines.collect(), ..self.phase.header() };
        phase.watched_until = Some(now);
        self.note_open_gaps(&mut phase, now);
        Some(Changed { phase, tally: Tally::of(&self.phase) })
    }

    /// Requests a save although nothing changed.
    pub fn set_dirty(&mut self) {
        self.dirty = true;
    }

    /// The phase, for changes that do not concern VMs.
    pub fn phase_mut(&mut self) -> &mut PhaseRecord {
        &mut self.phase
    }

    /// The phase at its end, and the VMs whose timelines changed since the last save.
    pub fn finish(mut self, now: Offset) -> (PhaseRecord, BTreeSet<u32>) {
        self.note_lost(now);
        let mut phase = self.phase.header();
        self.note_open_gaps(&mut phase, now);
        phase.timelines = self.phase.timelines;
        phase.ended = Some(now);
        phase.watched_until = Some(now);
        (phase, self.changed)
    }

    fn timeline(&mut self, target: u32) -> &mut Timeline {
        self.touch(Some(target));
        &mut self.phase.timelines[target as usize]
    }

    /// Marks a timeline as changed.
    fn touch(&mut self, target: Option<u32>) {
        if let Some(target) = target {
            self.changed.insert(target);
            self.dirty = true;
        }
    }

    fn tell(&mut self, at: Offset, vm: Option<u32>, what: Happened) {
        self.events.push(Event { at, vm, what });
    }

    fn passed(&mut self, passed: &[Passed], at: Offset) {
        for passed in passed {
            self.tell(at, Some(passed.target), Happened::Passed(passed.milestone));
        }
    }

    /// Ends a VM that is where it has to be, if that was in time.
    fn check_goal(&mut self, target: u32, at: Offset) {
        let timeline = &self.phase.timelines[target as usize];
        let revisable = matches!(timeline.outcome, Outcome::Pending | Outcome::TimedOut | Outcome::Unknown);
        if !revisable || !timeline.is_asked() {
            return;
        }
        match self.arrived(target) {
            Some(Outcome::Reached) => self.end(target, Outcome::Reached, None, at),
            Some(outcome) if !timeline.is_over() => {
                let reason = self.came_late(target);
                self.end(target, outcome, Some(reason), at);
            }
            _ => {}
        }
    }

    fn end(&mut self, target: u32, outcome: Outcome, reason: Option<String>, at: Offset) {
        let counts = |outcome| matches!(outcome, Outcome::Failed | Outcome::TimedOut);
        let timeline = self.timeline(target);
        let before = std::mem::replace(&mut timeline.outcome, outcome);
        timeline.reason.clone_from(&reason);
        if outcome == Outcome::Reached {
            timeline.launcher = None;
            timeline.findings = None;
        }
        if before == Outcome::Pending {
            self.pending -= 1;
            self.waves.over(target);
        } else {
            self.tell(at, Some(target), Happened::Reopened(before));
        }
        self.failed += usize::from(counts(outcome));
        self.failed -= usize::from(counts(before));
        self.due.remove(&target);
        let cause = Diagnosis::of_failed(&self.phase.timelines[target as usize], self.phase.goal);
        let reason = match (reason, cause.and_then(|found| found.cause)) {
            // The cause stands for all VMs, so numbers and generated names in it are left out.
            (Some(reason), Some(cause))
                if !skeleton(&reason).contains(skeleton(&cause).trim_end_matches('…')) =>
            {
                Some(format!("{reason}: {cause}"))
            }
            (reason, _) => reason,
        };
        self.tell(at, Some(target), Happened::Ended(outcome, reason));
        self.plan_probing(target, at);
    }

    /// Resumes a VM that seemed to be stopped, but turns out to have another instance.
    fn reopen(&mut self, target: u32, at: Offset) {
        let timeline = &self.phase.timelines[target as usize];
        if self.phase.goal != Milestone::Gone
            || timeline.outcome != Outcome::Reached
            || timeline.has(Milestone::Gone)
        {
            return;
        }
        self.timeline(target).outcome = Outcome::Pending;
        self.pending += 1;
        self.waves.reopen(target);
        self.limit_state(target);
        self.tell(at, Some(target), Happened::Reopened(Outcome::Reached));
    }

    /// Groups pending VMs by what they wait for: the largest group, its size, and the total.
    pub fn waiting(&self) -> Option<(Diagnosis, usize, usize)> {
        let waits = |timeline: &&Timeline| !timeline.is_over() && timeline.is_asked();
        let waiting: Vec<&Timeline> = self.phase.timelines.iter().filter(waits).collect();
        let step = waiting.len().div_ceil(LOOKED_AT).max(1);
        let mut groups: HashMap<(crate::component::Component, Option<String>), usize> = HashMap::new();
        for timeline in waiting.iter().step_by(step) {
            let Diagnosis { waits_for, cause } = Diagnosis::of(timeline, self.phase.goal);
            *groups.entry((waits_for, cause)).or_default() += 1;
        }
        // Of equal groups, the one that is further behind, so that the line does not flicker.
        let most = groups.into_iter().max_by(|(a, many), (b, more)| many.cmp(more).then_with(|| b.cmp(a)));
        let ((waits_for, cause), vms) = most?;
        Some((Diagnosis { waits_for, cause }, (vms * step).min(waiting.len()), waiting.len()))
    }

    fn is_start(&self) -> bool {
        self.phase.name.kind == PhaseKind::Storm
    }
}

/// A text without what differs between VMs.
fn skeleton(text: &str) -> String {
    crate::text::normalised(text).replace("<n>", "…").replace("<id>", "…")
}

/// Sample at most this many VMs per call, evenly spread, so that sampling delays nothing.
const LOOKED_AT: usize = 400;
