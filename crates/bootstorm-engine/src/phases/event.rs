//! The engine's whole vocabulary: what it tells while it works.

use std::time::Duration;

use bootstorm_model::observe::{Milestone, Offset, Outcome};
use bootstorm_model::plan::Target;
use bootstorm_model::record::PhaseName;
use bootstorm_model::stats::Awaited;

/// One thing that happened just now
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Namespaces are being made, this many at the same time.
    SetupBegan {
        /// How many there will be.
        namespaces: usize,
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
    /// A request is about to be sent.
    Sent,
    /// A request was accepted.
    Accepted,
    /// A VM passed a milestone.
    Passed(Milestone),
    /// A VM's part in the phase is over.
    Ended {
        /// The VM.
        target: Target,
        /// How it ended.
        outcome: Outcome,
        /// Why, where it did not reach the goal.
        reason: Option<String>,
    },
    /// What most VMs that are on their way wait for at this moment.
    Waiting {
        /// How many they are.
        vms: usize,
        /// Of so many that wait.
        of: usize,
        /// For what.
        waits_for: Awaited,
        /// Why that does not come, where it was seen.
        cause: Option<String>,
    },
    /// The watch was blind for this long.
    Blind(Offset),
    /// The stream of a prober was broken for this long.
    ProbeBlind(Offset),
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

/// Whoever wants to hear events
pub type Listener<'a> = &'a (dyn Fn(&Event) + Sync);
