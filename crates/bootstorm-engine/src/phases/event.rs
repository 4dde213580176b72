//! The engine's whole vocabulary: what it tells while it works.

use std::time::Duration;

use bootstorm_model::component::Component;
use bootstorm_model::observation::Stream;
use bootstorm_model::observe::{Milestone, Offset, Outcome, Timeline};
use bootstorm_model::plan::Target;
use bootstorm_model::probe::Interruption;
use bootstorm_model::record::PhaseName;

/// One thing that happened just now
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Namespaces are being made, this many at the same time.
    SetupBegan {
        /// How many there will be.
        namespaces: usize,
        /// How many of them an earlier setup has made.
        made: usize,
        /// How many are made at once.
        batch_size: usize,
    },
    /// A namespace exists now.
    NamespaceMade,
    /// Prober pods are being made and tried.
    ProbersBegan {
        /// How many there will be.
        probers: usize,
    },
    /// The probe works in a prober pod.
    ProberWorks,
    /// What prober pods can do, by tool and family.
    ProbersCan(String),
    /// A timed phase began, or continues.
    PhaseBegan {
        /// Which one.
        phase: PhaseName,
        /// VMs that take part.
        targets: usize,
        /// VMs among them that were through before this process took over.
        done: usize,
        /// The milestone that each has to reach.
        goal: Milestone,
    },
    /// VMs that take no part in this phase, with the reason.
    LeftOut {
        /// The VM.
        target: Target,
        /// Why.
        reason: String,
    },
    /// Something happened to a VM.
    Vm {
        /// When it was observed, on the axis of the phase.
        at: Offset,
        /// The VM.
        target: Target,
        /// What.
        what: VmEvent,
    },
    /// Requests of the phase so far, about once a second and at its end.
    Requests {
        /// How many were sent and answered, repeated ones included.
        sent: u64,
        /// How many of them were answered with 429.
        throttled: u64,
    },
    /// What most VMs that are on their way wait for at this moment.
    Waiting {
        /// How many they are.
        vms: usize,
        /// Of so many that wait.
        of: usize,
        /// For what.
        waits_for: Component,
        /// Cause, if one was seen.
        cause: Option<String>,
    },
    /// A stream of observations has been blind for long enough to be worth a word.
    Blind {
        /// When that was noted, on the axis of the phase.
        at: Offset,
        /// The stream.
        stream: Stream,
        /// When it last delivered.
        since: Offset,
        /// Reason, if known.
        why: Option<String>,
    },
    /// A stream of observations delivers again.
    Seeing {
        /// When, on the axis of the phase.
        at: Offset,
        /// The stream.
        stream: Stream,
        /// How long it did not.
        gap: Offset,
    },
    /// Something went wrong that the phase survives.
    Warning(String),
    /// The user interrupted; requests in flight are waited for.
    Interrupted,
    /// The phase is over.
    PhaseEnded(PhaseName),
    /// Cleanup is deleting objects of a kind.
    Deleting {
        /// The kind, plural.
        what: &'static str,
        /// How many.
        count: usize,
    },
    /// An object of a kind, plural, is gone.
    Gone(&'static str),
    /// Objects are still there although they were deleted.
    StillThere {
        /// The kind, plural.
        what: &'static str,
        /// How many.
        count: usize,
        /// For how long they have been waited for.
        since: Duration,
        /// One of them, with what holds it.
        first: Option<String>,
        /// The command that shows it.
        look: Option<String>,
    },
    /// Adopted VMs are being given back as they were.
    Restoring {
        /// How many.
        count: usize,
    },
    /// A VM is as it was, or as somebody else wants it.
    Restored,
}

impl Event {
    /// The requests of a phase so far.
    pub(super) fn requests(timelines: &[Timeline]) -> Self {
        let sum = |count: fn(&Timeline) -> u32| timelines.iter().map(|one| u64::from(count(one))).sum();
        Self::Requests { sent: sum(|one| one.attempts), throttled: sum(|one| one.throttled) }
    }
}

/// What happened to a VM
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VmEvent {
    /// Its request is about to be sent.
    Sent,
    /// Its request was accepted.
    Accepted,
    /// It passed a milestone.
    Passed(Milestone),
    /// Its part in the phase is over.
    Ended {
        /// How it ended.
        outcome: Outcome,
        /// Why, where it did not reach the goal.
        reason: Option<String>,
    },
    /// That it had ended in this way was premature.
    Reopened(Outcome),
    /// Its guest, probed on and on, does not answer any more.
    Quiet {
        /// Its last answer.
        last: Offset,
    },
    /// Its guest answers again.
    Back(Interruption),
}

/// Whoever wants to hear events
pub type Listener<'a> = &'a (dyn Fn(&Event) + Sync);
