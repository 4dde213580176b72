//! What a storm does with its VMs.

use serde::{Deserialize, Serialize};

use crate::observe::Milestone;

/// Kinds of storms: the recovery that is measured
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StormKind {
    /// Stopped VMs are started.
    #[default]
    Start,
    /// Running VMs are restarted, each by one request.
    Restart,
    /// Running VMs are live-migrated to other nodes, each by one request.
    Migrate,
    /// VMs are evicted from drained nodes: each migrates or restarts elsewhere.
    Drain,
    /// VMs recover from an outage that was not requested.
    Observed,
}

impl StormKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Start, Self::Restart, Self::Migrate, Self::Drain, Self::Observed];

    /// The word used in JSON, flags and tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Restart => "restart",
            Self::Observed => "observed",
            Self::Migrate => "migrate",
            Self::Drain => "drain",
        }
    }

    /// Noun for one request.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Restart => "restart",
            Self::Migrate => "migration",
            Self::Drain => "eviction",
            Self::Observed => "first sign",
        }
    }

    /// The command that runs such a storm.
    pub fn command(self) -> &'static str {
        match self {
            Self::Start => "storm",
            Self::Restart => "storm --kind restart",
            Self::Migrate => "storm --kind migrate",
            Self::Drain => "storm --kind drain",
            Self::Observed => "observe",
        }
    }

    /// Whether stopped VMs are started.
    pub fn is_start(&self) -> bool {
        *self == Self::Start
    }

    /// The milestone that ends a VM's part regardless of probes; `None` if it depends on the probes.
    pub fn own_goal(self) -> Option<Milestone> {
        match self {
            Self::Start | Self::Restart | Self::Observed => None,
            Self::Migrate => Some(Milestone::Migrated),
            Self::Drain => Some(Milestone::Moved),
        }
    }

    /// Whether the instance that ran before the storm ends in it, at least of some VMs.
    pub fn ends_instances(self) -> bool {
        match self {
            Self::Start | Self::Migrate => false,
            Self::Restart | Self::Drain | Self::Observed => true,
        }
    }

    /// Whether guests are probed continuously, because they answer before the storm and should keep answering.
    pub fn keeps_guests(self) -> bool {
        match self {
            Self::Start | Self::Restart => false,
            Self::Migrate | Self::Drain | Self::Observed => true,
        }
    }

    /// Reason why its times are not judged against those of a first boot; `None` if they are.
    pub fn unlike_a_boot(self) -> Option<&'static str> {
        match self {
            Self::Start => None,
            Self::Restart => Some("the times of a restart include the shutdown of its guests"),
            Self::Migrate => Some("a guest that migrates does not boot"),
            Self::Drain => Some("VMs that are evicted migrate, or shut down first"),
            Self::Observed => {
                Some("the times of an observed recovery begin at the first sign of each outage")
            }
        }
    }
}
