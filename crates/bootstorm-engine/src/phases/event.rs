//! Events of the engine: everything that it reports while working.

use std::time::Duration;

use bootstorm_model::component::Component;
use bootstorm_model::observation::Stream;
use bootstorm_model::observe::{Milestone, Offset, Outcome, Timeline};
use bootstorm_model::plan::Target;
use bootstorm_model::probe::Interruption;
use bootstorm_model::record::PhaseName;

/// An event
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Namespaces are being created, this many concurrently.
    SetupBegan {
        /// Total number.
        namespaces: usize,
        /// Number created by an earlier setup.
        made: usize,
        /// Number created concurrently.
        batch_size: usize,
    },
    /// A namespace was created.
    NamespaceMade,
    /// Prober pods are being created and tested.
    ProbersBegan {
        /// Total number.
        probers: usize,
    },
    /// The probe works in a prober pod.
    ProberWorks,
    /// Abilities of the prober pods, by tool and family.
    ProbersCan(String),
    /// A timed phase began, or continues.
    PhaseBegan {
        /// Name.
        phase: PhaseName,
        /// Participants.
        targets: usize,
        /// Participants that had ended before this process took over.
        done: usize,
        /// Milestone that each has to reach.
        goal: Milestone,
    },
    /// A VM was excluded from this phase, with the reason.
    LeftOut {
        /// The VM.
        target: Target,
        /// Reason.
        reason: String,
    },
    /// An event of a VM.
    Vm {
        /// Time of its observation, on the axis of the phase.
        at: Offset,
        /// The VM.
        target: Target,
        /// Event.
        what: VmEvent,
    },
    /// Requests of the phase so far, about once a second and at its end.
    Requests {
        /// Number sent and answered, including retries.
        sent: u64,
        /// Number answered with 429.
        throttled: u64,
    },
    /// Most common wait of pending VMs at this moment.
    Waiting {
        /// Number of VMs.
        vms: usize,
        /// Number of pending VMs.
        of: usize,
        /// Awaited component.
        waits_for: Component,
        /// Cause, if one was seen.
        cause: Option<String>,
    },
    /// A stream of observations has been blind long enough to be reported.
    Blind {
        /// Time of the report, on the axis of the phase.
        at: Offset,
        /// The stream.
        stream: Stream,
        /// Last delivery.
        since: Offset,
        /// Reason, if known.
        why: Option<String>,
    },
    /// A stream of observations delivers again.
    Seeing {
        /// Time, on the axis of the phase.
        at: Offset,
        /// The stream.
        stream: Stream,
        /// Duration of the gap.
        gap: Offset,
    },
    /// A problem that the phase survives.
    Warning(String),
    /// The user interrupted; the phase waits for requests in flight.
    Interrupted,
    /// The phase has ended.
    PhaseEnded(PhaseName),
    /// Cleanup is deleting objects of a kind.
    Deleting {
        /// The kind, plural.
        what: &'static str,
        /// Number of objects.
        count: usize,
    },
    /// An object of a kind, plural, is gone.
    Gone(&'static str),
    /// Objects still exist although they were deleted.
    StillThere {
        /// The kind, plural.
        what: &'static str,
        /// Number of objects.
        count: usize,
        /// Time waited so far.
        since: Duration,
        /// One of them, and what holds it.
        first: Option<String>,
        /// What Kubernetes reports about its deletion.
        why: Option<String>,
        /// The command that shows it.
        look: Option<String>,
    },
    /// Adopted VMs are being restored.
    Restoring {
        /// Number of VMs.
        count: usize,
    },
    /// A VM is as it was, or as others want it.
    Restored,
}

impl Event {
    /// Requests of a phase so far.
    pub(super) fn requests(timelines: &[Timeline]) -> Self {
        let sum = |count: fn(&Timeline) -> u32| timelines.iter().map(|one| u64::from(count(one))).sum();
        Self::Requests { sent: sum(|one| one.attempts), throttled: sum(|one| one.throttled) }
    }
}

/// Event of a VM
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VmEvent {
    /// The request is about to be sent.
    Sent,
    /// The request was accepted.
    Accepted,
    /// The VM passed a milestone.
    Passed(Milestone),
    /// The VM's part in the phase has ended.
    Ended {
        /// Outcome.
        outcome: Outcome,
        /// Reason, if it did not reach the goal.
        reason: Option<String>,
    },
    /// The VM's end with this outcome was premature.
    Reopened(Outcome),
    /// The continuously probed guest no longer answers.
    Quiet {
        /// Last answer.
        last: Offset,
    },
    /// The guest answers again.
    Back(Interruption),
}

/// Receiver of events
pub type Listener<'a> = &'a (dyn Fn(&Event) + Sync);
