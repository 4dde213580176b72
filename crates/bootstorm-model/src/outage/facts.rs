//! Facts of one outage: its first sign, and how exactly the instant is known.

use serde::{Deserialize, Serialize};

use crate::observe::Offset;

/// First sign that a VM is down
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sign {
    /// The guest stopped answering.
    Silent,
    /// Its node is no longer ready.
    NodeNotReady,
    /// Its VMI is being deleted.
    Deleting,
    /// Its VMI is in phase `Succeeded` or `Failed`.
    Ended,
    /// The VMI condition `Ready` is no longer true.
    NotReady,
    /// Its VMI no longer exists.
    Gone,
    /// It has another VMI; the end of the previous one was not seen.
    Replaced,
    /// It was down on purpose, and has a VMI again.
    Started,
}

impl Sign {
    /// Every sign.
    pub const ALL: [Self; 8] = [
        Self::Silent,
        Self::NodeNotReady,
        Self::Deleting,
        Self::Ended,
        Self::NotReady,
        Self::Gone,
        Self::Replaced,
        Self::Started,
    ];

    /// The word used in JSON and tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::NodeNotReady => "node-not-ready",
            Self::Deleting => "deleting",
            Self::Ended => "ended",
            Self::NotReady => "not-ready",
            Self::Gone => "gone",
            Self::Replaced => "replaced",
            Self::Started => "started",
        }
    }
}

/// How exactly the instant of the first sign is known
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "by")]
pub enum Exactness {
    /// Received by a connected watch, so late only by the delay of the watch.
    Watch,
    /// Server timestamp: ±1 s.
    Stamp,
    /// Between two probes: the last answer, and the first unanswered attempt this much later, in microseconds.
    Probe {
        /// Time between the two.
        interval: Offset,
    },
    /// In a gap of the observation: after `from`, and at `to` at the latest.
    Gap {
        /// Time at which the VM was last known to be up.
        from: Offset,
        /// Time at which it was known to be down or to have been down.
        to: Offset,
    },
}

/// Most likely cause of an outage, judged by the observations
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Its node was not ready.
    NodeLost,
    /// Its VMI was deleted while its node was cordoned, as a drain does.
    Drain,
    /// Its VMI was deleted: a restart, a stop, or a deletion by another party.
    Deleted,
    /// Its VMI failed: the guest crashed, or its pod was killed or evicted.
    Failed,
    /// The guest shut down by itself.
    ShutDown,
    /// It was paused.
    Paused,
    /// It was being migrated.
    Migration,
    /// Its pod was not ready, while its VMI went on.
    NotReady,
    /// It was stopped or deleted on purpose.
    Stopped,
    /// The guest stopped answering, without any other sign.
    Silent,
    /// Happened in a gap of the observation.
    Unseen,
}

impl Cause {
    /// The word used in JSON and tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::NodeLost => "node-lost",
            Self::Drain => "drain",
            Self::Deleted => "deleted",
            Self::Failed => "failed",
            Self::ShutDown => "shut-down",
            Self::Paused => "paused",
            Self::Migration => "migration",
            Self::NotReady => "not-ready",
            Self::Stopped => "stopped",
            Self::Silent => "silent",
            Self::Unseen => "unseen",
        }
    }

    /// The cause in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::NodeLost => "the node was not ready",
            Self::Drain => "deleted while the node was cordoned",
            Self::Deleted => "the instance was deleted",
            Self::Failed => "the instance failed",
            Self::ShutDown => "the guest shut down",
            Self::Paused => "the VM was paused",
            Self::Migration => "the VM was migrated",
            Self::NotReady => "the pod was not ready",
            Self::Stopped => "stopped on purpose",
            Self::Silent => "the guest stopped answering",
            Self::Unseen => "it passed unseen",
        }
    }

    /// Whether it takes a VM down without anyone stopping it.
    pub(super) fn is_loss(self) -> bool {
        matches!(self, Self::NodeLost | Self::Failed | Self::Silent)
    }

    /// The more informative of two: a lost node explains a failed instance, for example.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        self.min(other)
    }
}

/// Reason why a VM without an instance is not expected back
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rest {
    /// The VM is being deleted, or no longer exists.
    Deleted,
    /// The VM exists and is not meant to run.
    Stopped,
    /// Nobody stopped it, but its run strategy does not restart it.
    Left,
}

impl Rest {
    /// The reason in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Deleted => "deleted on purpose",
            Self::Stopped => "stopped on purpose",
            Self::Left => "its run strategy does not restart it",
        }
    }

    /// Whether somebody intended it.
    pub fn is_intended(self) -> bool {
        self != Self::Left
    }
}

/// Facts of an outage beside its milestones
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// First sign that the VM is down.
    pub sign: Sign,
    /// Instant of the sign, on the axis of the observation or phase. For a sign in a gap, the latest possible instant.
    pub at: Offset,
    /// How exactly the instant is known.
    pub exactness: Exactness,
    /// Most likely cause.
    pub cause: Cause,
    /// Node on which the VM ran before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_node: Option<String>,
    /// Last answer of the guest before it fell silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_answer: Option<Offset>,
    /// First answer after that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_answer: Option<Offset>,
    /// Unanswered attempts between the two; absent if they were not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<u32>,
    /// Whether the probes were interrupted between the two, so that the silence may have been shorter.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unprobed: bool,
    /// Time at which Kubernetes noticed the loss of the node: its condition `Ready` ceased to be true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noticed: Option<Offset>,
    /// Time of the eviction: from then on the pod of the old instance, or that instance, is being deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evicted: Option<Offset>,
}

impl Outage {
    /// Time in which no client got an answer; `None` while unknown.
    pub fn silence(&self) -> Option<Offset> {
        Some(self.first_answer?.since(self.last_answer?))
    }

    /// Every instant in it.
    pub fn instants(&self) -> impl Iterator<Item = Offset> {
        let bounds = match self.exactness {
            Exactness::Gap { from, to } => [Some(from), Some(to)],
            Exactness::Probe { interval } => [Some(interval), None],
            Exactness::Watch | Exactness::Stamp => [None, None],
        };
        let instants = [Some(self.at), self.last_answer, self.first_answer, self.noticed, self.evicted];
        bounds.into_iter().chain(instants).flatten()
    }

    /// Moves every instant to an axis that begins at `zero`.
    pub(super) fn shift(&mut self, zero: Offset) {
        let Self { at, exactness, last_answer, first_answer, noticed, evicted, .. } = self;
        *at = at.since(zero);
        if let Exactness::Gap { from, to } = exactness {
            (*from, *to) = (from.since(zero), to.since(zero));
        }
        for instant in [last_answer, first_answer, noticed, evicted].into_iter().flatten() {
            *instant = instant.since(zero);
        }
    }
}
