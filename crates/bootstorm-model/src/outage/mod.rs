//! Unplanned outages, recognised from observations, one VM at a time.
//!
//! Pure: [`Watcher`] turns facts with their instants into outages; [`recoveries`] groups overlapping outages into
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

/// Maximum number of outages that an observation keeps; later ones are only counted.
pub const MOST_OUTAGES: usize = 50_000;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// Last observed state of a VM
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Watched {
    /// UID of its VMI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Node of that VMI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Whether it was ever up; only then can it go down.
    #[serde(default)]
    pub was_up: bool,
    /// Whether its VMI is `Running` and `Ready`, and not being deleted.
    #[serde(default)]
    pub stands: bool,
    /// Whether its VMI is paused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
    /// Whether its VMI is being migrated.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub migrating: bool,
    /// Time since which the condition `Ready` of its VMI has had its status, by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_since: Option<Timestamp>,
    /// Whether its guest ever answered a probe.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub answered: bool,
    /// Whether it answers now; absent while no prober can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<bool>,
    /// Last answer of a guest that is silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent_since: Option<Offset>,
    /// Whether the probes were interrupted since the guest was last known to answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unprobed: bool,
    /// Reason why it is not expected to be up; absent while it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rests: Option<Rest>,
    /// Live migrations and other moves of a running VMI to another node.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub moves: u32,
    /// Its current outage, on the axis of the observation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<Box<Timeline>>,
}

/// Everything that was observed
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// Beginning; zero of its axis.
    pub began: Timestamp,
    /// How far the server's clock was ahead of `began`, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_ahead_micros: Option<i64>,
    /// End of the watched time, as far as saved.
    pub watched_until: Offset,
    /// End; absent while it goes on, or if it was killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Offset>,
    /// Number of times that another process continued it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub continued: u32,
    /// Milestone at which a VM is back: `reachable` if guests are probed, else `ready`.
    pub goal: Milestone,
    /// Time between two probes of a guest in milliseconds; zero if no guest is probed.
    #[serde(default)]
    pub interval_millis: u64,
    /// Periods in which a stream did not deliver.
    #[serde(default, deserialize_with = "at_most::<MOST_OUTAGES, _, _>")]
    pub gaps: Vec<Gap>,
    /// The VMs, in the order of the plan.
    #[serde(deserialize_with = "at_most::<MOST_OUTAGES, _, _>")]
    pub vms: Vec<Watched>,
    /// Ended outages in the order in which they ended, on the axis of the observation.
    #[serde(default, deserialize_with = "at_most::<MOST_OUTAGES, _, _>")]
    pub outages: Vec<Timeline>,
    /// Outages dropped because there were too many.
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

    /// Every outage, open ones last.
    pub fn all(&self) -> impl Iterator<Item = &Timeline> {
        self.outages.iter().chain(self.vms.iter().filter_map(|vm| vm.open.as_deref()))
    }

    /// VMs that are down now.
    pub fn down(&self) -> usize {
        let is_left = |vm: &&Watched| vm.rests.is_some_and(|why| !why.is_intended());
        self.vms.iter().filter(|vm| vm.open.is_some() || is_left(vm)).count()
    }

    /// VMs that are down on purpose.
    pub fn resting(&self) -> usize {
        self.vms.iter().filter(|vm| vm.rests.is_some_and(Rest::is_intended)).count()
    }

    /// VMs that were never seen up.
    pub fn never_up(&self) -> usize {
        self.vms.iter().filter(|vm| !vm.was_up).count()
    }
}
