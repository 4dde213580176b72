//! What a timed phase works with, and why it may be cut short.

use super::Interrupt;
use super::event::Listener;
use super::gate::{Gate, ShardGate};
use crate::cluster::Cluster;
use crate::cluster::lease::Held;
use bootstorm_model::plan::Template;
use bootstorm_model::record::PhaseSettings;
use bootstorm_model::record::lifecycle::Step;
use bootstorm_model::shards::Shard;

/// Context of a timed phase
pub struct PhaseContext<'a> {
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
    /// The common start with others; absent where it starts by itself.
    pub gate: Option<Start<'a>>,
    /// What of the phase is done here.
    pub extent: Extent,
    /// Interrupt by the user.
    pub interrupt: Interrupt,
    /// Receives events.
    pub events: Listener<'a>,
}

/// With whom a phase starts
#[derive(Debug, Clone, Copy)]
pub enum Start<'a> {
    /// With phases of other clusters, in this process.
    Fleet(&'a Gate),
    /// With the other shards of the phase.
    Shards(&'a ShardGate<'a>),
}

/// What of a phase is done
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    Whole,
    /// The VMs are lined up and the phase is saved as begun; shards do the rest.
    LineUp,
    /// The VMs of this shard, in a phase that was lined up.
    Shard(Shard),
}

/// Why a phase was cut short
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
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
