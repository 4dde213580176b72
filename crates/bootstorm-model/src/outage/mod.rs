//! Outages that nobody asked for: recognised from what is observed, one VM at a time.
//!
//! Pure: [`Watcher`] takes facts with their instants, and gives outages; [`recoveries`] puts outages that overlap into
//! phases, so that everything that works on storms works on them.

mod facts;
mod join;
mod recovery;
#[cfg(test)]
mod tests;
mod watcher;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use facts::{Cause, Exactness, Outage, Rest, Sign};
pub use join::join;
pub use recovery::recoveries;
pub use watcher::{Arrival, NodeFacts, SILENT_AFTER_MICROS, Watcher};

use crate::observe::{Milestone, Offset, Timeline};
use crate::record::{Gap, at_most};

/// The most outages that an observation keeps; later ones are counted.
pub const MOST_OUTAGES: usize = 50_000;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// A VM as it was last observed
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Watched {
    /// UID of its VMI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Node of that VMI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// It was up at least once: only then can it go down.
    #[serde(default)]
    pub was_up: bool,
    /// Its VMI is `Running` and `Ready`, and not being deleted.
    #[serde(default)]
    pub stands: bool,
    /// Its VMI is paused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
    /// Its VMI is being migrated.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub migrating: bool,
    /// Since when the condition `Ready` of its VMI has its status, by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_since: Option<Timestamp>,
    /// Its guest answered a probe at least once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub answered: bool,
    /// Whether it answers now; absent while no prober can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<bool>,
    /// Last answer of a guest that is silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent_since: Option<Offset>,
    /// The probes could not see since the guest was last known to answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unprobed: bool,
    /// Why it is not expected to be up; absent while it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rests: Option<Rest>,
    /// Live migrations and other moves of a running VMI to another node.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub moves: u32,
    /// The outage that it is in, on the axis of the observation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<Box<Timeline>>,
}

/// Everything that was observed
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// When it began; zero of its axis.
    pub began: Timestamp,
    /// How far the server's clock was ahead of `began`, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_ahead_micros: Option<i64>,
    /// Until when it was watched, as far as was saved.
    pub watched_until: Offset,
    /// When it ended; absent while it goes on, or was killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Offset>,
    /// How often another process continued it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub continued: u32,
    /// The milestone at which a VM is back: `reachable` where guests are probed, else `ready`.
    pub goal: Milestone,
    /// Time between two probes of a guest in milliseconds; zero where none is probed.
    #[serde(default)]
    pub interval_millis: u64,
    /// Times in which a stream did not deliver.
    #[serde(default, deserialize_with = "at_most::<MOST_OUTAGES, _, _>")]
    pub gaps: Vec<Gap>,
    /// The VMs, in the order of the plan.
    #[serde(deserialize_with = "at_most::<MOST_OUTAGES, _, _>")]
    pub vms: Vec<Watched>,
    /// Outages that are over, in the order in which they ended, on the axis of the observation.
    #[serde(default, deserialize_with = "at_most::<MOST_OUTAGES, _, _>")]
    pub outages: Vec<Timeline>,
    /// Outages that were not kept, because there were too many.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped: u32,
}

impl Observation {
    /// An observation of this many VMs that begins now.
    pub fn new(began: Timestamp, vms: usize, goal: Milestone) -> Self {
        Self {
            began,
            server_ahead_micros: None,
            watched_until: Offset::ZERO,
            ended: None,
            continued: 0,
            goal,
            interval_millis: 0,
            gaps: Vec::new(),
            vms: vec![Watched::default(); vms],
            outages: Vec::new(),
            dropped: 0,
        }
    }

    /// Every outage, those that go on last.
    pub fn all(&self) -> impl Iterator<Item = &Timeline> {
        self.outages.iter().chain(self.vms.iter().filter_map(|vm| vm.open.as_deref()))
    }

    /// VMs that are down now.
    pub fn down(&self) -> usize {
        self.vms.iter().filter(|vm| vm.open.is_some()).count()
    }

    /// VMs that are down on purpose.
    pub fn resting(&self) -> usize {
        self.vms.iter().filter(|vm| vm.rests.is_some()).count()
    }

    /// VMs that were never seen up.
    pub fn never_up(&self) -> usize {
        self.vms.iter().filter(|vm| !vm.was_up).count()
    }
}
