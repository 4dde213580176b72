//! Nodes of a phase, for display: number of VMs, their speed, and whether the node is slow.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::natural;
use bootstorm_model::observe::{Outcome, Timeline};
use bootstorm_model::record::PhaseRecord;
use bootstorm_model::stats::{self, Sample, Summary, node};

/// The VMs on one node
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeBlock {
    /// Node; `None` for VMs that never got one.
    pub node: Option<String>,
    /// VMs of the phase on it.
    pub vms: usize,
    /// VMs that reached the goal.
    pub reached: usize,
    /// VMs that failed or timed out.
    #[serde(default)]
    pub failed: usize,
    /// Their times to the goal.
    pub summary: Summary,
    /// Ratio of their mean to the median node; absent if there are too few VMs or nodes.
    #[serde(default, serialize_with = "stats::maybe_micros")]
    pub times_middle: Option<f64>,
    /// Whether the node is slow.
    #[serde(default)]
    pub slow: bool,
}

/// Distribution of a phase's VMs over nodes
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BalanceBlock {
    /// Nodes with a VM.
    pub nodes: usize,
    /// VMs on the emptiest node.
    pub fewest: usize,
    /// VMs on the fullest node.
    pub most: usize,
    /// VMs on the fullest node ÷ mean per node.
    #[serde(serialize_with = "stats::micros")]
    pub imbalance: f64,
}

impl NodeBlock {
    /// Participants of a phase by node, nodes in natural order, VMs without a node last.
    pub(super) fn all(phase: &PhaseRecord) -> Vec<Self> {
        let mut groups: BTreeMap<Option<&str>, Vec<&Timeline>> = BTreeMap::new();
        for timeline in phase.participants() {
            groups.entry(timeline.node.as_deref()).or_default().push(timeline);
        }
        let count = |timelines: &[&Timeline], outcomes: &[Outcome]| {
            timelines.iter().filter(|timeline| outcomes.contains(&timeline.outcome)).count()
        };
        let mut nodes: Vec<Self> = groups
            .into_iter()
            .map(|(node, timelines)| Self {
                node: node.map(str::to_owned),
                vms: timelines.len(),
                reached: count(&timelines, &[Outcome::Reached]),
                failed: count(&timelines, &[Outcome::Failed, Outcome::TimedOut]),
                summary: Summary::of(&Sample::to_milestone(timelines, phase.goal, phase.goal)),
                times_middle: None,
                slow: false,
            })
            .collect();
        nodes.sort_by(|a, b| match (&a.node, &b.node) {
            (Some(a), Some(b)) => natural::compare(a, b),
            (a, b) => b.is_some().cmp(&a.is_some()),
        });
        let known = |block: &Self| {
            let mean = block.summary.mean.filter(|_| block.node.is_some());
            (block.summary.arrived, mean)
        };
        let times = node::against_the_middle(&nodes.iter().map(known).collect::<Vec<_>>());
        for (block, times) in nodes.iter_mut().zip(times) {
            block.times_middle = times;
            block.slow = times.is_some_and(node::is_slow);
        }
        nodes
    }

    /// Verdict on a slow node.
    pub(super) fn verdict(&self) -> Option<String> {
        let (name, times) = (self.node.as_deref()?, self.times_middle.filter(|_| self.slow)?);
        let mean = self.summary.mean?;
        Some(format!(
            "{name} is slow: its {} VMs took {mean:.2}s on average, {times:.1} times as long as on the \
             median node",
            self.summary.arrived
        ))
    }
}

impl BalanceBlock {
    /// Distribution of VMs over these nodes; `None` if none has a VM.
    pub(super) fn of(nodes: &[NodeBlock]) -> Option<Self> {
        let vms: Vec<usize> = nodes.iter().filter(|node| node.node.is_some()).map(|node| node.vms).collect();
        Some(Self {
            nodes: vms.len(),
            fewest: *vms.iter().min()?,
            most: *vms.iter().max()?,
            imbalance: node::imbalance(&vms)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use bootstorm_model::observe::{Milestone, Offset};

    #[test]
    fn a_slow_node_is_named_and_failures_are_counted_where_they_were() {
        let mut record = fixtures::guide();
        let storm = &mut record.phases[2];
        let nodes = NodeBlock::all(storm);
        assert!(nodes.iter().all(|node| !node.slow && node.times_middle.is_some()));
        assert_eq!(nodes.iter().map(|node| node.failed).sum::<usize>(), 2);
        let balance = BalanceBlock::of(&nodes).unwrap();
        assert_eq!((balance.nodes, balance.fewest, balance.most), (3, 32, 33));
        for timeline in
            storm.timelines.iter_mut().filter(|timeline| timeline.node.as_deref() == Some("worker-2"))
        {
            if let Some(moment) = timeline.moments.get_mut(&Milestone::Running) {
                moment.at = Offset(moment.at.0 + 20_000_000);
            }
        }
        let slow: Vec<_> = NodeBlock::all(storm).iter().filter_map(NodeBlock::verdict).collect();
        assert_eq!(slow.len(), 1);
        assert!(
            slow[0].starts_with("worker-2 is slow: its ") && slow[0].contains("times as long"),
            "{slow:?}"
        );
    }
}
