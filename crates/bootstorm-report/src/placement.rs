//! Whether pinned VMs ran where intended.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::phase::PhaseBlock;
use bootstorm_model::observe::Outcome;
use bootstorm_model::plan::Pinning;
use bootstorm_model::record::{PhaseKind, PhaseName};

/// Placement of the VMs of one phase, compared with the nodes in the plan
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// Phase.
    pub phase: PhaseName,
    /// VMs on a node of the plan.
    pub as_planned: usize,
    /// Other nodes, with the number of VMs.
    pub elsewhere: BTreeMap<String, usize>,
    /// Participants that ran on no known node.
    pub unplaced: usize,
}

impl Placed {
    /// Placement of the VMs that a phase started; `None` for a stop, and if the plan names no nodes.
    pub(super) fn of(pinning: &Pinning, phase: &PhaseBlock) -> Option<Self> {
        if phase.kind == PhaseKind::Stop || pinning.nodes.is_empty() {
            return None;
        }
        let mut placed = Self { phase: phase.name, as_planned: 0, elsewhere: BTreeMap::new(), unplaced: 0 };
        for row in phase.rows.iter().filter(|row| row.outcome != Outcome::Excluded) {
            match &row.node {
                Some(node) if pinning.allows(node) => placed.as_planned += 1,
                Some(node) => *placed.elsewhere.entry(node.clone()).or_default() += 1,
                None => placed.unplaced += 1,
            }
        }
        Some(placed)
    }

    /// Whether a VM ran on a node on which it should not have.
    pub fn is_astray(&self) -> bool {
        !self.elsewhere.is_empty()
    }
}

impl fmt::Display for Placed {
    /// `storm-1: 47 of 50 VMs as planned, 2 on node-3, 1 on none`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.as_planned + self.elsewhere.values().sum::<usize>() + self.unplaced;
        write!(f, "{}: {} of {all} VMs as planned", self.phase, self.as_planned)?;
        for (node, vms) in &self.elsewhere {
            write!(f, ", {vms} on {node}")?;
        }
        if self.unplaced > 0 {
            write!(f, ", {} on none", self.unplaced)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::{Report, Selection, fixtures};

    #[test]
    fn vms_that_ran_elsewhere_are_counted_by_node() {
        let mut record = fixtures::small();
        for phase in &mut record.phases {
            for (timeline, node) in phase.timelines.iter_mut().zip(["a", "b", "a"]) {
                timeline.node = Some(node.to_owned());
            }
            phase.timelines[2].node = None;
        }
        assert!(Report::of(&record, &Selection::default()).placement.is_empty(), "any node is as planned");
        record.plan.pinning.nodes = vec!["a".to_owned()];
        let placement = Report::of(&record, &Selection::default()).placement;
        let vms = record.phases[0].timelines.len();
        let phases: Vec<String> = placement.iter().map(|placed| placed.phase.to_string()).collect();
        assert_eq!(phases, ["create", "storm-1"]);
        assert!(placement[0].is_astray());
        let first = placement[0].to_string();
        assert!(
            first.starts_with("create: ") && first.contains(&format!(" of {vms} VMs as planned, 1 on b")),
            "{first}"
        );
        assert!(first.ends_with(" on none"), "{first}");
    }
}
