//! What a timed phase works with, and why it may be cut short.

use super::Interrupt;
use super::event::Listener;
use super::gate::Gate;
use crate::cluster::Cluster;
use crate::cluster::lease::Held;
use bootstorm_model::plan::Template;
use bootstorm_model::record::PhaseSettings;
use bootstorm_model::record::lifecycle::Step;

/// Context of a timed phase
pub struct Work<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// The lock on the run.
    pub lock: &'a Held,
    /// Step to run.
    pub step: Step,
    /// How it is to be done.
    pub settings: PhaseSettings,
    /// The VM manifest; needed by create only.
    pub template: Option<&'a Template>,
    /// The common start with phases of other clusters; absent where it starts by itself.
    pub gate: Option<&'a Gate>,
    /// Interrupt by the user.
    pub interrupt: Interrupt,
    /// Receives events.
    pub events: Listener<'a>,
}

/// Why a phase was cut short
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The user interrupted; everything known is saved.
    Interrupted,
    /// The user interrupted, and the cluster did not answer for so long that the end could not be saved.
    NotSaved,
    /// The lock was lost; another process may work on the run now.
    LockLost,
    /// Somebody else changed the record.
    RecordChanged,
    /// More VMs failed than the user allows; everything known is saved.
    TooManyFailed,
    /// The phases of other clusters start without it; nothing was sent.
    LeftOut,
}
