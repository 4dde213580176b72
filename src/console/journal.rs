//! Log of a phase: the main events at INFO, every step of every VM at DEBUG.

use bootstorm_engine::phases::{Event, VmEvent};
use bootstorm_model::observe::Outcome;

/// Outcome counts of a phase, from its events
#[derive(Debug, Clone, Copy)]
pub(super) struct Counts {
    pub(super) reached: usize,
    pub(super) failed: u32,
    pub(super) unknown: u32,
    pub(super) total: usize,
}

/// Logs an event.
pub(super) fn note(event: &Event, counts: Counts) {
    match event {
        Event::SetupBegan { namespaces, made, batch_size } => {
            tracing::info!(namespaces, made, batch_size, "setup: creating namespaces");
        }
        Event::ProbersBegan { probers } => tracing::info!(probers, "setup: creating prober pods"),
        Event::ProbersCan(what) => tracing::info!("setup: {what}"),
        Event::PhaseBegan { phase, targets, done, goal } => {
            tracing::info!(%phase, vms = targets, decided_before = done, goal = goal.word(), "phase began");
        }
        Event::PhaseEnded(phase) => {
            let Counts { reached, failed, unknown, total } = counts;
            tracing::info!(%phase, vms = total, reached, failed, unknown, "phase ended");
        }
        Event::LeftOut { target, reason } => tracing::info!(%target, reason, "VM left out"),
        Event::Vm { at, target, what } => vm(*at, target, what),
        Event::Waiting { vms, of, waits_for, cause } => {
            tracing::debug!(vms, of, waits_for = waits_for.awaited(), cause, "VMs wait");
        }
        Event::Blind { at, stream, since, why } => {
            tracing::warn!(%at, ?stream, %since, why, "stream interrupted");
        }
        Event::Seeing { at, stream, gap } => tracing::info!(%at, ?stream, %gap, "stream recovered"),
        Event::Warning(text) => tracing::warn!("{text}"),
        Event::Interrupted => tracing::info!("interrupted"),
        Event::Deleting { what, count } => tracing::info!(count, "cleanup: deleting {what}"),
        Event::Gone(what) => tracing::debug!("cleanup: one of the {what} is gone"),
        Event::StillThere { what, count, since, first, why, .. } => {
            tracing::info!(count, since_s = since.as_secs(), first, why, "cleanup: waiting for {what} to go");
        }
        Event::Restoring { count } => tracing::info!(count, "cleanup: restoring adopted VMs"),
        Event::Requests { .. } | Event::Restored | Event::NamespaceMade | Event::ProberWorks => {
            tracing::debug!(?event);
        }
    }
}

fn vm(at: bootstorm_model::observe::Offset, target: &bootstorm_model::plan::Target, what: &VmEvent) {
    match what {
        VmEvent::Ended { outcome: Outcome::Reached, .. } => {
            tracing::debug!(%target, %at, "VM reached the goal");
        }
        VmEvent::Ended { outcome, reason } => {
            tracing::warn!(%target, %at, outcome = outcome.word(), reason, "VM did not reach the goal");
        }
        VmEvent::Sent => tracing::debug!(%target, %at, "request sent"),
        VmEvent::Accepted => tracing::debug!(%target, %at, "request accepted"),
        VmEvent::Passed(milestone) => {
            tracing::debug!(%target, %at, milestone = milestone.word(), "VM passed");
        }
        VmEvent::Reopened(outcome) => {
            tracing::info!(%target, %at, was = outcome.word(), "VM is followed again");
        }
        VmEvent::Quiet { last } => tracing::info!(%target, %at, %last, "guest no longer answers"),
        VmEvent::Back(interruption) => {
            let (away, lost) = (interruption.length(at), interruption.lost);
            tracing::info!(%target, %at, %away, lost, "guest answers again");
        }
    }
}
