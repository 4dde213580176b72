//! The view model: exactly what a report shows, in order, unformatted.

use jiff::Timestamp;
use serde::Serialize;

use crate::plan::{Overrides, TemplateSource};
use crate::probe::Probe;
use crate::record::{ClusterFacts, PhaseName, RunRecord};
use crate::stats;

use super::{Compared, PhaseBlock, build};
use super::{Selection, phase::Counts};

/// Version of the JSON and YAML documents, described in `docs/report-schema.json`
///
/// A new field does not change it; a removed field or a changed meaning does.
pub const SCHEMA_VERSION: u32 = 1;

/// Everything a report shows about one run
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Which run this is.
    pub run: Run,
    /// What was planned.
    pub plan: PlanBlock,
    /// The cluster as `setup` found it.
    pub cluster: ClusterBlock,
    /// How `setup` went.
    pub setup: SetupBlock,
    /// The phases, in the order in which they began.
    pub phases: Vec<PhaseBlock>,
    /// The storm against its baseline; absent while there is no storm.
    pub comparison: Option<Compared>,
}

/// Which run a report is about
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Run {
    /// The run's name, its namespace prefix.
    pub name: String,
    /// UUID of the run.
    pub id: String,
    /// When `setup` froze the plan.
    pub created: Timestamp,
    /// Version of the tool that set it up.
    pub tool_version: Option<String>,
}

/// What was planned
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanBlock {
    /// Number of VMs.
    pub vms: usize,
    /// First index.
    pub start: u32,
    /// Last index, inclusive.
    pub end: u32,
    /// Name of the VM in each namespace.
    pub vm_name: String,
    /// Where the VM manifest came from.
    pub template: TemplateSource,
    /// What was changed in it.
    #[serde(skip_serializing_if = "Overrides::is_empty")]
    pub overrides: Overrides,
    /// The probes; the first decides when a VM is reachable.
    pub probes: Vec<Probe>,
}

/// The cluster as `setup` found it
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClusterBlock {
    /// Kubernetes version.
    pub kubernetes_version: Option<String>,
    /// `KubeVirt` version.
    pub kubevirt_version: Option<String>,
    /// Number of nodes.
    pub nodes: Option<usize>,
    /// Nodes on which `KubeVirt` may place VMs.
    pub schedulable_nodes: Option<usize>,
}

/// How `setup` went
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SetupBlock {
    /// Whether it ran to its end.
    pub done: bool,
    /// Namespaces that it made.
    pub namespaces: u32,
    /// How many at the same time.
    pub batch_size: usize,
    /// How long making them took.
    #[serde(rename = "took_seconds", serialize_with = "stats::micros")]
    pub took: f64,
}

/// How the last phase ended, as far as an exit code is concerned
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExitFacts {
    /// The phase.
    pub phase: PhaseName,
    /// Whether it ran to its end.
    pub done: bool,
    /// How its VMs ended.
    pub counts: Counts,
}

impl ExitFacts {
    /// Whether the phase is over and every VM of the plan reached the goal.
    pub fn is_all_good(&self) -> bool {
        self.done && self.counts.reached == self.counts.vms
    }
}

impl Report {
    /// What a report of this run shows.
    pub fn of(record: &RunRecord, selection: &Selection) -> Self {
        build::report(record, selection)
    }

    /// How the last phase ended; `None` while there is no phase.
    pub fn exit_facts(&self) -> Option<ExitFacts> {
        let last = self.phases.last()?;
        Some(ExitFacts { phase: last.name, done: last.is_done(), counts: last.counts })
    }

    /// The phase of that name.
    pub fn phase(&self, name: PhaseName) -> Option<&PhaseBlock> {
        self.phases.iter().find(|phase| phase.name == name)
    }
}

impl From<&ClusterFacts> for ClusterBlock {
    fn from(facts: &ClusterFacts) -> Self {
        Self {
            kubernetes_version: facts.kubernetes.clone(),
            kubevirt_version: facts.kubevirt.clone(),
            nodes: facts.nodes,
            schedulable_nodes: facts.schedulable_nodes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    fn facts(record: &RunRecord) -> Option<ExitFacts> {
        Report::of(record, &Selection::default()).exit_facts()
    }

    #[test]
    fn only_a_finished_phase_in_which_everyone_arrived_is_all_good() {
        assert_eq!(facts(&fixtures::fresh()), None);
        let is_all_good = |record| facts(&record).unwrap().is_all_good();
        assert!(is_all_good(fixtures::small()));
        assert!(!is_all_good(fixtures::interrupted(3)));
        assert!(!is_all_good(fixtures::hopeless()));
        let mut excluded = fixtures::small();
        excluded.phases[2].timelines[0].outcome = crate::observe::Outcome::Excluded;
        assert!(!is_all_good(excluded));
    }

    #[test]
    fn the_facts_are_about_the_last_phase() {
        let facts = facts(&fixtures::guide()).unwrap();
        assert_eq!((facts.phase.to_string().as_str(), facts.counts.reached), ("storm-1", 96));
        assert_eq!((facts.counts.unsuccessful(), facts.counts.excluded), (2, 2));
    }
}
