//! One VM in one phase: its milestones, their times, and the outcome.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Findings, LauncherState, MigrationFacts, Milestone, Offset, VolumeKind, Warning};
use crate::outage::Outage;
use crate::probe::Interruption;

/// How the time of a milestone is known
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Observed by this client, on its monotonic clock.
    Seen,
    /// Taken from a timestamp of the server because the observation was missed: exact to ±1 s.
    Stamped,
    /// Noticed only after a gap of the watch, without a timestamp to fall back on: an upper bound.
    Late,
}

/// Time of one milestone, and how it is known
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// Offset from the beginning of the phase, in microseconds.
    pub at: Offset,
    /// How the time is known.
    pub source: Source,
}

/// Outcome of a VM in a phase
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Pending (or the phase was cut off before a decision).
    #[default]
    Pending,
    /// Reached the goal of the phase.
    Reached,
    /// Cannot reach the goal: the request was refused for good, or the VM disappeared.
    Failed,
    /// Did not reach the goal within its time limit.
    TimedOut,
    /// Not observed: the streams were blind at its time limit.
    Unknown,
    /// Did not take part, for example because it was never stopped.
    Excluded,
}

impl Outcome {
    /// The word used in JSON and tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Reached => "reached",
            Self::Failed => "failed",
            Self::TimedOut => "timed-out",
            Self::Unknown => "unknown",
            Self::Excluded => "excluded",
        }
    }
}

/// The milestones of one VM in one phase
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    /// Index into the plan's list of targets.
    pub target: u32,
    /// Milestone → time; the first observation wins.
    #[serde(default)]
    pub moments: BTreeMap<Milestone, Moment>,
    /// The server's own timestamps (Unix seconds, whole), kept beside the observations, never mixed with them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stamps: BTreeMap<Milestone, i64>,
    /// UID of the VM from the answer to its creation; only in the phase that creates it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_uid: Option<Box<str>>,
    /// UID of the VMI that ran before a restart, recorded before the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_instance: Option<Box<str>>,
    /// UID of the VMI to which these observations belong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_uid: Option<String>,
    /// How its disks were filled, once they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_kind: Option<VolumeKind>,
    /// Its live migration, in a storm that migrates VMs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migration: Option<Box<MigrationFacts>>,
    /// Node on which the VMI runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Its launcher pod, while the VM is pending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launcher: Option<Box<LauncherState>>,
    /// Its status at its deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub findings: Option<Box<Findings>>,
    /// Time that its launcher pod waited for images, by the kubelet's own clock, in microseconds.
    #[serde(default, skip_serializing_if = "is_zero_offset")]
    pub pulled_for: Offset,
    /// Kubernetes events of type `Warning`; repeated ones are merged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
    /// First IP address that the VMI reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Instances of this VM that ended before one reached the goal.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub restarts: u32,
    /// Requests sent for this VM; more than 1 means retries.
    #[serde(default)]
    pub attempts: u32,
    /// 429 answers among them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub throttled: u32,
    /// Time spent waiting after 429 answers, in microseconds.
    #[serde(default, skip_serializing_if = "is_zero_offset")]
    pub throttled_for: Offset,
    /// Probe, as the user names it → time of the guest's answer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub probes: BTreeMap<String, Moment>,
    /// Periods in which the continuously probed guest stopped answering, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interruptions: Vec<Interruption>,
    /// Time in which no prober could hear a guest that was to be probed continuously, in microseconds.
    #[serde(default, skip_serializing_if = "is_zero_offset")]
    pub unprobed_for: Offset,
    /// Whether its request was carried out at an unknown time: the process ended before the time was saved.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub untimed: bool,
    /// Last error of its request; absent once accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// Last error of its request before it was accepted; absent if the first attempt was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resent_after: Option<Box<str>>,
    /// Outcome.
    #[serde(default)]
    pub outcome: Outcome,
    /// Why it did not reach the goal, one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The outage from which it recovers; only in observations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outage: Option<Box<Outage>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero_offset(offset: &Offset) -> bool {
    offset.0 == 0
}

impl Timeline {
    /// An empty timeline.
    pub fn new(target: u32) -> Self {
        Self { target, ..Self::default() }
    }

    /// Time at which a milestone was passed, since the beginning of the phase.
    pub fn at(&self, milestone: Milestone) -> Option<Offset> {
        self.moments.get(&milestone).map(|moment| moment.at)
    }

    /// Whether a milestone was passed.
    pub fn has(&self, milestone: Milestone) -> bool {
        self.moments.contains_key(&milestone)
    }

    /// Whether its request was sent, even if the time is unknown.
    pub fn is_asked(&self) -> bool {
        self.untimed || self.has(Milestone::Requested)
    }

    /// Seconds from `requested` to `milestone`; `None` while either is unknown.
    pub fn seconds_to(&self, milestone: Milestone) -> Option<f64> {
        Some(self.at(milestone)?.since(self.at(Milestone::Requested)?).seconds())
    }

    /// Records an observed milestone; the first time wins, and an observation replaces a stamp.
    pub fn see(&mut self, milestone: Milestone, at: Offset) -> bool {
        match self.moments.get(&milestone) {
            Some(Moment { source: Source::Seen, .. }) => false,
            _ => {
                self.moments.insert(milestone, Moment { at, source: Source::Seen });
                true
            }
        }
    }

    /// Fills in a missed milestone from a server timestamp; never replaces an observation.
    pub fn fill(&mut self, milestone: Milestone, at: Offset) -> bool {
        if self.has(milestone) {
            return false;
        }
        self.moments.insert(milestone, Moment { at, source: Source::Stamped });
        true
    }

    /// Records a milestone noticed only after a gap; never replaces a known time.
    pub fn notice(&mut self, milestone: Milestone, at: Offset) -> bool {
        if self.has(milestone) {
            return false;
        }
        self.moments.insert(milestone, Moment { at, source: Source::Late });
        true
    }

    /// Whether the time to `milestone` depends on a server timestamp.
    pub fn is_stamped(&self, milestone: Milestone) -> bool {
        self.moments.get(&milestone).is_some_and(|moment| moment.source == Source::Stamped)
    }

    /// Whether this VM's part in the phase is over.
    pub fn is_over(&self) -> bool {
        self.outcome != Outcome::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sight_wins_and_beats_a_stamp() {
        let mut timeline = Timeline::new(0);
        assert!(timeline.fill(Milestone::Running, Offset(3_000_000)));
        assert!(timeline.see(Milestone::Running, Offset(2_400_000)));
        assert!(!timeline.see(Milestone::Running, Offset(9_000_000)));
        assert!(!timeline.fill(Milestone::Running, Offset(1)));
        assert_eq!(timeline.at(Milestone::Running), Some(Offset(2_400_000)));
        assert!(!timeline.is_stamped(Milestone::Running));
    }

    #[test]
    fn time_counts_from_requested_and_is_unknown_without_it() {
        let mut timeline = Timeline::new(0);
        timeline.see(Milestone::Running, Offset(5_000_000));
        assert_eq!(timeline.seconds_to(Milestone::Running), None);
        timeline.see(Milestone::Requested, Offset(1_500_000));
        assert_eq!(timeline.seconds_to(Milestone::Running), Some(3.5));
    }
}
