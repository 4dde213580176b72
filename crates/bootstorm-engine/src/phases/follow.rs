//! Turns what the cluster tells into timelines, until every VM is through.

use std::time::{Duration, Instant};

use tokio::time::{Interval, MissedTickBehavior, interval, sleep_until};

use super::board::{Board, Due};
use super::event::{Event, Listener};
use super::health::Checkup;
use super::launch::Launching;
use super::probing::{Probed, Probing};
use super::questions::Questions;
use super::saving::Saver;
use super::{Interrupt, timed::Cut};
use crate::cluster::changes::Changes;
use crate::cluster::guard::Guard;
use crate::cluster::insight::{Insight, InsightHeard};
use crate::cluster::volumes::{Volumes, VolumesHeard};
use crate::cluster::{Cluster, Kind};
use bootstorm_model::observe::Milestone;
use bootstorm_model::observe::clock::monotonic_now;
use bootstorm_model::plan::Target;
use bootstorm_model::record::RunRecord;

/// How often observations are saved while they arrive.
const SAVE_EVERY: Duration = Duration::from_secs(5);
/// How often it is said what most VMs wait for.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long to wait, when all reached the goal, for the milestones that come right after it.
const TRAILING: Duration = Duration::from_secs(3);
/// How long to wait for requests in flight when the user interrupts.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// What `follow` needs
pub(super) struct Following<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) record: &'a RunRecord,
    pub(super) targets: &'a [Target],
    pub(super) changes: &'a mut Changes,
    /// `None` unless disks are followed.
    pub(super) volumes: Option<Volumes>,
    /// `None` unless launcher pods and events are followed.
    pub(super) insight: Option<Insight>,
    /// Ends with the following: whoever lost the lock must not send another request.
    pub(super) launching: Launching,
    pub(super) probing: &'a mut Option<Probing>,
    pub(super) checkup: &'a Checkup,
    pub(super) saver: &'a mut Saver,
    pub(super) interrupt: Interrupt,
    pub(super) guard: Guard,
    pub(super) events: Listener<'a>,
}

/// Follows until every VM is through, or the user interrupts, or the lock is lost.
pub(super) async fn follow(mut following: Following<'_>, board: &mut Board<'_>) -> Option<Cut> {
    let mut questions = Questions::new(following.cluster);
    let mut tick = ticking(SAVE_EVERY);
    let mut look = ticking(LOOK_EVERY);
    let mut cut = None;
    let mut give_up_at: Option<Instant> = None;
    let phase_limit = board.phase.settings.phase_timeout_seconds.map(Duration::from_secs);
    let mut phase_ends_at = phase_limit.map(|limit| monotonic_now() + limit);
    loop {
        if cut.is_none() && board.is_hopeless() && !board.is_over() {
            following.launching.stop();
            cut = Some(Cut::TooManyFailed);
            give_up_at = Some(monotonic_now() + LAST_ANSWERS);
        }
        if board.is_over() || cut.is_some() && board.is_answered() {
            let trailing =
                cut.is_none() && board.phase.goal == Milestone::Running && board.lacks(Milestone::Ready);
            if !trailing && !questions.is_open() {
                return cut;
            }
            give_up_at.get_or_insert_with(|| monotonic_now() + TRAILING);
        }
        probe_whom_it_is_due(board, following.probing);
        following.launching.release(board.waves_through());
        let until = [board.next_deadline(), give_up_at, phase_ends_at].into_iter().flatten().min();
        let until = until.unwrap_or_else(|| monotonic_now() + Duration::from_secs(3600));
        tokio::select! {
            biased;
            () = following.interrupt.wait(), if cut.is_none() => {
                (following.events)(&Event::Interrupted);
                cut = Some(Cut::Interrupted);
                give_up_at = Some(monotonic_now() + LAST_ANSWERS);
            }
            () = following.guard.lost() => return Some(Cut::LockLost),
            Some(received) = following.changes.next() => {
                board.hear(received, following.cluster.server_now());
            }
            Some(heard) = next_volumes(&mut following.volumes) => {
                board.hear_volumes(heard, following.cluster.server_now());
            }
            Some(heard) = next_insight(&mut following.insight) => {
                board.hear_insight(heard, following.cluster.server_now());
            }
            Some(launched) = following.launching.next() => {
                board.launched(launched);
                if board.take_wave_sent() {
                    // When each VM was asked is what no timestamp of the server can tell later.
                    tick.reset_immediately();
                }
            }
            probed = next_probed(following.probing) => match probed {
                Probed::Answered { target, probe, at, late } => board.probed(target, probe, at, late),
                Probed::Blind(gap) => (following.events)(&Event::ProbeBlind(gap.to.since(gap.from))),
                Probed::Warning(text) => (following.events)(&Event::Warning(text)),
            },
            answered = questions.next() => board.diagnose(answered),
            outcome = following.saver.ended() => match outcome {
                Err(trouble) if trouble.kind == Kind::Conflict => return Some(Cut::RecordChanged),
                Err(trouble) => {
                    board.dirty = true;
                    (following.events)(&Event::Warning(trouble.to_string()));
                }
                Ok(()) => {}
            },
            _ = tick.tick() => {
                board.phase.watched_until = Some(board.clock.now());
                board.phase.health = Some(following.checkup.so_far());
                if board.dirty && following.saver.begin(following.record, &board.phase) {
                    board.dirty = false;
                }
            }
            _ = look.tick() => board.tell_what_most_wait_for(),
            () = sleep_until(until.into()) => {
                let now = monotonic_now();
                if give_up_at.is_some_and(|at| at <= now) {
                    return cut;
                }
                if phase_ends_at.is_some_and(|at| at <= now) {
                    phase_ends_at = None;
                    following.launching.stop();
                    board.end_all(phase_limit.unwrap_or_default());
                    give_up_at.get_or_insert(now + LAST_ANSWERS);
                }
                for target in board.expire(now) {
                    questions.ask(target, following.targets[target as usize].clone(), board.clock.now());
                }
            }
        }
    }
}

/// Ticks every so often, from so long after now on.
fn ticking(every: Duration) -> Interval {
    let mut tick = interval(every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tick.reset();
    tick
}

/// The next news of the disks; never when they are not followed.
async fn next_volumes(volumes: &mut Option<Volumes>) -> Option<VolumesHeard> {
    match volumes {
        Some(volumes) => volumes.next().await,
        None => std::future::pending().await,
    }
}

/// The next news of launcher pods and events; never when they are not followed.
async fn next_insight(insight: &mut Option<Insight>) -> Option<InsightHeard> {
    match insight {
        Some(insight) => insight.next().await,
        None => std::future::pending().await,
    }
}

/// The next news of the probers; never when nothing is probed.
async fn next_probed(probing: &mut Option<Probing>) -> Probed {
    match probing {
        Some(probing) => probing.next().await,
        None => std::future::pending().await,
    }
}

/// Tells the probers whom to probe and whom to forget.
fn probe_whom_it_is_due(board: &mut Board<'_>, probing: &mut Option<Probing>) {
    let Some(probing) = probing else { return };
    for due in board.take_dues() {
        match due {
            Due::Probe(target, address) => {
                probing.due(target, address, |probe| board.has_answered(target, probe));
            }
            Due::Forget(target) => probing.forget(target),
        }
    }
}
