//! Passes observations to the tracker and carries out its effects, until every VM has ended.

use std::time::{Duration, Instant};

use tokio::time::{Interval, MissedTickBehavior, interval, sleep_until};

use super::Interrupt;
use super::context::StopReason;
use super::diagnostics::Diagnostics;
use super::event::{Event, Listener, VmEvent};
use super::health::Checkup;
use super::saving::Saver;
use crate::cluster::guard::Guard;
use crate::cluster::{Cluster, Kind};
use crate::streams::Streams;
use bootstorm_model::observe::clock::monotonic_now;
use bootstorm_model::observe::{Clock, Milestone};
use bootstorm_model::plan::Target;
use bootstorm_model::tracker::{self, Effect, Happened, Tracker};

/// Interval at which observations are saved while they arrive.
const SAVE_EVERY: Duration = Duration::from_secs(5);
/// Interval at which the most common wait is reported.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// When all have reached the goal, time to wait for milestones that follow directly.
const TRAILING: Duration = Duration::from_secs(3);
/// When all have migrated, time to wait for guests that do not answer yet.
const RETURNING: Duration = Duration::from_secs(30);
/// Time to wait for requests in flight when the user interrupts.
const LAST_ANSWERS: Duration = Duration::from_secs(5);
/// Farther in the future than any phase lasts.
const NEVER: Duration = Duration::from_secs(3600);

/// Inputs of `follow`
pub(super) struct Following<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) clock: Clock,
    pub(super) targets: &'a [Target],
    /// Ends with the following: after losing the lock, no further request may be sent.
    pub(super) streams: Streams,
    pub(super) checkup: &'a Checkup,
    pub(super) saver: &'a mut Saver,
    pub(super) interrupt: Interrupt,
    pub(super) guard: Guard,
    pub(super) events: Listener<'a>,
}

/// Follows until every VM has ended, the user interrupts, or the lock is lost.
pub(super) async fn follow(mut following: Following<'_>, tracker: &mut Tracker<'_>) -> Option<StopReason> {
    let clock = following.clock;
    let mut questions = Diagnostics::new(following.cluster);
    let mut save = ticking(SAVE_EVERY);
    let mut look = ticking(LOOK_EVERY);
    let mut cut = None;
    let mut give_up_at: Option<Instant> = None;
    // Nothing is awaited any more but guests and diagnoses, until then.
    let mut trailing_until: Option<Instant> = None;
    let phase_limit = tracker.phase().settings.phase_timeout_seconds.map(Duration::from_secs);
    let mut phase_ends_at = phase_limit.map(|limit| monotonic_now() + limit);
    loop {
        following.act(tracker, &mut questions);
        if cut.is_none() && tracker.is_hopeless() && !tracker.is_over() {
            following.streams.stop_requests();
            cut = Some(StopReason::TooManyFailed);
            give_up_at = Some(monotonic_now() + LAST_ANSWERS);
        }
        if tracker.is_over() || cut.is_some() && tracker.is_answered() {
            let goal = tracker.phase().goal;
            let returning = cut.is_none() && tracker.awaits_guests(clock.now());
            let trailing = cut.is_none() && goal == Milestone::Running && tracker.lacks(Milestone::Ready);
            let trailing = trailing || returning;
            if !trailing && !questions.is_open() {
                return cut;
            }
            let patience = if returning { RETURNING } else { TRAILING };
            trailing_until.get_or_insert_with(|| monotonic_now() + patience);
        } else {
            // A stopped VM may turn out to have another instance.
            trailing_until = None;
        }
        following.streams.launching.release(tracker.waves_through());
        let tick = tracker.next_tick().map(|at| clock.instant(at));
        let until = [tick, give_up_at, trailing_until, phase_ends_at].into_iter().flatten().min();
        let until = until.unwrap_or_else(|| monotonic_now() + NEVER);
        tokio::select! {
            biased;
            () = following.interrupt.wait(), if cut.is_none() => {
                (following.events)(&Event::Interrupted);
                cut = Some(StopReason::Interrupted);
                give_up_at = Some(monotonic_now() + LAST_ANSWERS);
            }
            () = following.guard.lost() => return Some(StopReason::LockLost),
            () = sleep_until(until.into()) => {
                let now = monotonic_now();
                if [give_up_at, trailing_until].into_iter().flatten().any(|at| at <= now) {
                    tracker.give_up(clock.now());
                    following.act(tracker, &mut questions);
                    return cut;
                }
                if phase_ends_at.is_some_and(|at| at <= now) {
                    phase_ends_at = None;
                    following.streams.stop_requests();
                    tracker.end_all(phase_limit.unwrap_or_default(), clock.now());
                    give_up_at.get_or_insert(now + LAST_ANSWERS);
                }
                tracker.tick(clock.now());
            }
            observations = following.streams.next() => {
                tracker.set_server_zero(clock.zero_at(following.cluster.server_now()));
                for observation in observations {
                    tracker.observe(observation);
                }
                if tracker.take_wave_sent() {
                    // Request times cannot be recovered later from any timestamp of the server.
                    save.reset_immediately();
                }
            }
            answered = questions.next() => {
                tracker.diagnose(answered.target, answered.complaint, answered.findings);
            }
            outcome = following.saver.ended() => match outcome {
                Err(error) if error.kind == Kind::Conflict => return Some(StopReason::RecordChanged),
                Err(error) => {
                    tracker.set_dirty();
                    (following.events)(&Event::Warning(error.to_string()));
                }
                Ok(()) => {}
            },
            _ = save.tick() => {
                if following.saver.is_at_rest() && let Some(mut changed) = tracker.take_changed(clock.now()) {
                    changed.phase.health = Some(following.checkup.so_far(tracker.delays()));
                    following.saver.begin(changed);
                }
            }
            _ = look.tick() => {
                (following.events)(&Event::requests(&tracker.phase().timelines));
                if let Some((waiting, vms, of)) = tracker.waiting() {
                    let (waits_for, cause) = (waiting.waits_for, waiting.cause);
                    (following.events)(&Event::Waiting { vms, of, waits_for, cause });
                }
            }
        }
    }
}

impl Following<'_> {
    /// Carries out the tracker's effects, and forwards its events.
    fn act(&mut self, tracker: &mut Tracker<'_>, questions: &mut Diagnostics) {
        for effect in tracker.take_effects() {
            match effect {
                Effect::Ask(prober, ask) => self.streams.ask(prober, ask),
                Effect::List(stream) => self.streams.list(stream),
                Effect::Reopen(stream) => self.streams.reopen(stream),
                Effect::Diagnose(target) => {
                    let (vm, made) = (self.targets[target as usize].clone(), tracker.was_accepted(target));
                    questions.ask(target, vm, made, self.clock.now());
                }
            }
        }
        for event in tracker.take_events() {
            if let Some(event) = self.named(event) {
                (self.events)(&event);
            }
        }
    }

    /// An event of the tracker, with the VM's name.
    fn named(&self, event: tracker::Event) -> Option<Event> {
        let tracker::Event { at, vm, what } = event;
        let target = vm.and_then(|vm| self.targets.get(vm as usize));
        let what = match what {
            Happened::Blind { stream, since, why } => return Some(Event::Blind { at, stream, since, why }),
            Happened::Seeing { stream, gap } => return Some(Event::Seeing { at, stream, gap }),
            Happened::Warning(text) => return Some(Event::Warning(text)),
            Happened::Sent => VmEvent::Sent,
            Happened::Accepted => VmEvent::Accepted,
            Happened::Passed(milestone) => VmEvent::Passed(milestone),
            Happened::Ended(outcome, reason) => VmEvent::Ended { outcome, reason },
            Happened::Reopened(outcome) => VmEvent::Reopened(outcome),
            Happened::Quiet { last } => VmEvent::Quiet { last },
            Happened::Back(interruption) => VmEvent::Back(interruption),
        };
        Some(Event::Vm { at, target: target?.clone(), what })
    }
}

/// An interval, beginning after its first period.
fn ticking(every: Duration) -> Interval {
    let mut tick = interval(every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tick.reset();
    tick
}
