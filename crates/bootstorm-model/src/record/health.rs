//! How far the times of a phase can be trusted: how well this program kept up, and whether the cluster stayed the same.

use serde::{Deserialize, Serialize};

use super::ClusterFacts;
use crate::observe::{Delays, Offset};

/// How well this program kept up in a phase, and the cluster before and after it
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// Lateness of timers: every observation may be as late.
    #[serde(default)]
    pub timer: Delays,
    /// Delay of changes on the watch, a lower bound.
    #[serde(default)]
    pub watch: Delays,
    /// Delay of changes by the server's own timestamps, a lower bound.
    #[serde(default, skip_serializing_if = "Delays::is_empty")]
    pub stamps: Delays,
    /// CPU time of this process, in microseconds; absent if unavailable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processor: Option<Offset>,
    /// Time covered by these measurements.
    #[serde(default)]
    pub measured: Offset,
    /// CPUs that this process may use.
    #[serde(default)]
    pub processors: u32,
    /// Untimed requests that were retried.
    #[serde(default)]
    pub retries: u32,
    /// How far the server's clock is ahead of ours; absent while unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<ClockDifference>,
    /// The cluster at the beginning of the phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<ClusterMark>,
    /// The cluster at the end of the phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<ClusterMark>,
}

impl Health {
    /// Adds the measurements of another process before this one took over.
    pub fn follow(&mut self, earlier: &Self) {
        self.timer.merge(&earlier.timer);
        self.watch.merge(&earlier.watch);
        self.stamps.merge(&earlier.stamps);
        self.processor =
            self.processor.zip(earlier.processor).map(|(now, before)| Offset(now.0.saturating_add(before.0)));
        self.measured = Offset(self.measured.0.saturating_add(earlier.measured.0));
        self.retries = self.retries.saturating_add(earlier.retries);
        self.before = earlier.before.clone().or(self.before.take());
    }
}

/// How far the server's clock is ahead of ours, in microseconds
///
/// A `Date` header has whole seconds, so each one gives a range; this is the intersection of all. If it is empty, with
/// `least` above `most`, a clock was set meanwhile, or servers disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockDifference {
    /// Lower bound.
    pub least: Offset,
    /// Upper bound.
    pub most: Offset,
}

/// Properties that must not change during a run; absent if they may not be read
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterMark {
    /// Kubernetes version of the API server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<String>,
    /// `KubeVirt` version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubevirt: Option<String>,
    /// Generation of the `KubeVirt` object: changes with its settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<i64>,
    /// Number of nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<usize>,
}

impl ClusterMark {
    /// Differences from another mark, one sentence each; unknown values are not differences.
    pub fn changes(&self, later: &Self) -> Vec<String> {
        let (nodes, settings) =
            (|mark: &Self| mark.nodes.map(|n| n.to_string()), self.settings.zip(later.settings));
        let mut changes = Vec::new();
        for (what, before, after) in [
            ("Kubernetes", self.kubernetes.clone(), later.kubernetes.clone()),
            ("KubeVirt", self.kubevirt.clone(), later.kubevirt.clone()),
            ("nodes", nodes(self), nodes(later)),
        ] {
            if let Some((before, after)) = before.zip(after).filter(|(before, after)| before != after) {
                changes.push(format!("{what} {before} -> {after}"));
            }
        }
        if settings.is_some_and(|(before, after)| before != after) {
            changes.push("the settings of KubeVirt".into());
        }
        changes
    }
}

impl From<&ClusterFacts> for ClusterMark {
    fn from(facts: &ClusterFacts) -> Self {
        Self {
            kubernetes: facts.kubernetes.clone(),
            kubevirt: facts.kubevirt.clone(),
            settings: facts.kubevirt_generation,
            nodes: facts.nodes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_named_and_what_is_unknown_is_not() {
        let before = ClusterMark { nodes: Some(3), settings: Some(1), ..ClusterMark::default() };
        assert_eq!(before.changes(&before), Vec::<String>::new());
        assert_eq!(before.changes(&ClusterMark::default()), Vec::<String>::new());
        let after =
            ClusterMark { nodes: Some(2), settings: Some(4), kubevirt: Some("v1".into()), ..before.clone() };
        assert_eq!(before.changes(&after), ["nodes 3 -> 2", "the settings of KubeVirt"]);
    }

    #[test]
    fn two_processes_on_one_phase_are_added_up() {
        let mut one = Health { retries: 1, processor: Some(Offset(5)), ..Health::default() };
        one.timer.add(Offset(10));
        let mark = |nodes| Some(ClusterMark { nodes: Some(nodes), ..ClusterMark::default() });
        (one.before, one.after) = (mark(3), mark(3));
        let mut two = Health { retries: 2, processor: Some(Offset(7)), before: mark(2), ..Health::default() };
        two.timer.add(Offset(30));
        two.follow(&one);
        assert_eq!((two.retries, two.processor, two.timer.count), (3, Some(Offset(12)), 2));
        assert_eq!((two.before, two.after), (mark(3), None), "what it is after is not known yet");
    }
}
