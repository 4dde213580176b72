//! Context of a timed phase, and reasons for its early end.

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
    /// Cluster.
    pub cluster: &'a Cluster,
    /// Lock on the run.
    pub lock: &'a Held,
    /// Step to run.
    pub step: Step,
    /// Settings.
    pub settings: PhaseSettings,
    /// VM manifest; needed by create only.
    pub template: Option<&'a Template>,
    /// Common start with others; absent if it starts by itself.
    pub gate: Option<Start<'a>>,
    /// Part of the phase that this process handles.
    pub extent: Extent,
    /// Interrupt by the user.
    pub interrupt: Interrupt,
    /// Receives events.
    pub events: Listener<'a>,
}

/// Partners of a common start
#[derive(Debug, Clone, Copy)]
pub enum Start<'a> {
    /// With phases of other clusters, in this process.
    Fleet(&'a Gate),
    /// With the other shards of the phase.
    Shards(&'a ShardGate<'a>),
}

/// Part of a phase to be handled
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    Whole,
    /// Line up the VMs and save the phase as begun; shards do the rest.
    LineUp,
    /// The VMs of this shard, in a phase that was lined up.
    Shard(Shard),
}

/// Reason for the early end of a phase
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// The user interrupted; everything known is saved.
    Interrupted,
    /// The user interrupted, and the cluster did not answer in time to save the end.
    NotSaved,
    /// The lock was lost; another process may be working on the run now.
    LockLost,
    /// Another client changed the record.
    RecordChanged,
    /// More VMs failed than the user allows; everything known is saved.
    TooManyFailed,
    /// The phases of other clusters start without it; nothing was sent.
    LeftOut,
    /// No VM is on the nodes that would be drained; the phase has not begun.
    NothingToDrain,
}
