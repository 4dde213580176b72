//! The view model: exactly what a report shows, in order, unformatted.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use bootstorm_model::plan::{Disk, Layout, Overrides, Pinning, TemplateSource};
use bootstorm_model::probe::Probe;
use bootstorm_model::record::{ClusterFacts, NodeKind, PhaseKind, PhaseName, RateLimit, StorageClassFacts};
use bootstorm_model::record::{MOST_PHASES, at_most};
use bootstorm_model::stats;

use super::phase::Shown;
use super::{
    Capacity, Compared, FailureBlock, ObservationBlock, PhaseBlock, Placed, Repetitions, ThresholdBlock,
};

/// Version of the JSON and YAML documents, described in `docs/report-schema.json`
///
/// A new field does not change it; a removed field or a changed meaning does. Version 2 compares boots, and has
/// `result` in a threshold instead of version 1's `crossed`. Older versions are read.
pub const SCHEMA_VERSION: u32 = 2;

/// Everything a report shows about one run
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Identity of the run.
    pub run: Run,
    /// Plan.
    pub plan: PlanBlock,
    /// The cluster as found by `setup`.
    pub cluster: ClusterBlock,
    /// Result of `setup`.
    pub setup: SetupBlock,
    /// Observation of outages; absent for a run that caused its storms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observation: Option<ObservationBlock>,
    /// The phases, in the order in which they began.
    #[serde(deserialize_with = "at_most::<MOST_PHASES, _, _>")]
    pub phases: Vec<PhaseBlock>,
    /// Comparison of the storm with its baseline; absent while there is no storm.
    pub comparison: Option<Compared>,
    /// Spread of the run's storms; absent while fewer than two have ended.
    #[serde(default)]
    pub repetitions: Option<Repetitions>,
    /// Search for the largest storm that meets a goal; absent if there was none.
    #[serde(default)]
    pub capacity: Option<Capacity>,
    /// Placement of pinned VMs; empty if the plan names no nodes.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "at_most::<MOST_PHASES, _, _>"
    )]
    pub placement: Vec<Placed>,
    /// Requested thresholds, in the order given.
    #[serde(default)]
    pub thresholds: Vec<ThresholdBlock>,
}

/// Identity of a run
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Name of the run, its namespace prefix.
    pub name: String,
    /// UUID of the run.
    pub id: String,
    /// Time at which `setup` froze the plan.
    pub created: Timestamp,
    /// Version of the tool that set it up.
    pub tool_version: Option<String>,
}

/// Plan of a run
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanBlock {
    /// Number of VMs.
    pub vms: usize,
    /// First index.
    pub start: u32,
    /// Last index, inclusive.
    pub end: u32,
    /// Name of the VM in each namespace.
    pub vm_name: String,
    /// Distribution of the VMs over namespaces; absent if each has one of its own.
    #[serde(default, skip_serializing_if = "Layout::is_default")]
    pub layout: Layout,
    /// Nodes on which they may run; absent if unrestricted.
    #[serde(default, skip_serializing_if = "Pinning::is_default")]
    pub pinning: Pinning,
    /// Source of the VM manifest.
    pub template: TemplateSource,
    /// Overrides of it.
    #[serde(default, skip_serializing_if = "Overrides::is_empty")]
    pub overrides: Overrides,
    /// SHA-256 of the manifest, lower-case hex; for the built-in one, as in this version of the tool.
    #[serde(default)]
    pub template_sha256: Option<String>,
    /// Disks of each VM, as far as its manifest was available.
    #[serde(default)]
    pub disks: Vec<Disk>,
    /// Probes; the first one decides when a VM is reachable.
    pub probes: Vec<Probe>,
    /// Image of the prober pods, if there are any.
    #[serde(default)]
    pub probe_image: Option<String>,
    /// Number of prober pods to create.
    #[serde(default)]
    pub probers: usize,
    /// The user's own prober pod, as NAMESPACE/NAME.
    #[serde(default)]
    pub probe_pod: Option<String>,
}

/// The cluster as found by `setup`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ClusterBlock {
    /// Context of the kubeconfig, if one was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Address of the API server, without credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// Kubernetes version.
    pub kubernetes_version: Option<String>,
    /// `KubeVirt` version.
    pub kubevirt_version: Option<String>,
    /// CDI version.
    #[serde(default)]
    pub cdi_version: Option<String>,
    /// Number of nodes.
    pub nodes: Option<usize>,
    /// Nodes on which `KubeVirt` may place VMs.
    pub schedulable_nodes: Option<usize>,
    /// Nodes, grouped by shape.
    #[serde(default)]
    pub node_kinds: Vec<NodeKind>,
    /// Storage classes used by the VMs, and the default ones.
    #[serde(default)]
    pub storage_classes: Vec<StorageClassFacts>,
    /// Client rate limits of `KubeVirt`'s components.
    #[serde(default)]
    pub rate_limits: Vec<RateLimit>,
}

/// Result of `setup`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SetupBlock {
    /// Whether it completed.
    pub done: bool,
    /// Namespaces that it created.
    pub namespaces: u32,
    /// Namespaces created concurrently.
    pub batch_size: usize,
    /// Time taken to create them.
    #[serde(rename = "took_seconds", serialize_with = "stats::micros")]
    pub took: f64,
}

impl Report {
    /// Adds judged thresholds.
    #[must_use]
    pub fn with_thresholds(self, thresholds: Vec<ThresholdBlock>) -> Self {
        Self { thresholds, ..self }
    }

    /// Whether a VM missed the goal in the last phase, or in an observation.
    pub fn missed(&self) -> bool {
        let missed = |last: &PhaseBlock| last.counts.reached != last.wanted();
        self.observation
            .as_ref()
            .map_or_else(|| self.phases.last().is_some_and(missed), ObservationBlock::missed)
    }

    /// Completes a report that was read: fields that are not written, or that older versions had in another form.
    pub(super) fn complete(&mut self) {
        if self.schema_version < SCHEMA_VERSION {
            self.schema_version = SCHEMA_VERSION;
            let breakdown = self.comparison.as_mut().and_then(|compared| compared.breakdown.as_mut());
            if let Some(why) = breakdown.and_then(|breakdown| breakdown.unnamed.as_mut()) {
                why.insert_str(0, "No single bottleneck: ");
            }
        }
        let compared = self.comparison.as_ref();
        let storm = compared.map(|compared| compared.storm);
        let last = |kind| self.phases.iter().rev().find(|phase| phase.kind == kind).map(|phase| phase.name);
        let stop =
            if storm.is_some() { compared.and_then(|compared| compared.stop) } else { last(PhaseKind::Stop) };
        // A storm that is not compared with it is shown beside it, too.
        let baseline = compared.and_then(|compared| compared.baseline).or_else(|| self.baseline(storm));
        let full = [baseline, stop, storm];
        let deciding = self.plan.probes.first().copied();
        for phase in &mut self.phases {
            let full = full.contains(&Some(phase.name)) || phase.settings.halted;
            phase.shown = if full { Shown::Full } else { Shown::Brief };
            phase.deciding = deciding;
            phase.aside = phase.rows.iter().filter(|row| row.is_set_aside()).count();
            phase.outliers.milestone.get_or_insert(phase.goal);
            phase.complete_unknown();
            if phase.failures.is_empty() {
                // For reports from before failures were grouped.
                phase.failures = FailureBlock::all(&phase.rows);
            }
        }
    }

    /// The baseline of a storm, as [`Selection`](super::Selection) has it by default.
    fn baseline(&self, storm: Option<PhaseName>) -> Option<PhaseName> {
        let mut storms = self.phases.iter().filter(|phase| phase.kind == PhaseKind::Storm);
        let first = if matches!(self.plan.template, TemplateSource::Adopted { .. }) {
            let kind = self.phase(storm?)?.settings.kind;
            storms.find(|phase| phase.settings.kind == kind)
        } else {
            let create = self.phases.iter().rev().find(|phase| phase.kind == PhaseKind::Create)?;
            let boot = || storms.next().filter(|first| first.settings.size.is_none());
            Some(create).filter(|create| !create.settings.halted).or_else(boot)
        };
        first.map(|phase| phase.name)
    }

    /// The phase with that name.
    pub fn phase(&self, name: PhaseName) -> Option<&PhaseBlock> {
        self.phases.iter().find(|phase| phase.name == name)
    }
}

impl From<&ClusterFacts> for ClusterBlock {
    fn from(facts: &ClusterFacts) -> Self {
        Self {
            context: facts.context.clone(),
            server: facts.server.clone(),
            kubernetes_version: facts.kubernetes.clone(),
            kubevirt_version: facts.kubevirt.clone(),
            cdi_version: facts.cdi.clone(),
            nodes: facts.nodes,
            schedulable_nodes: facts.schedulable_nodes,
            node_kinds: facts.node_kinds.clone(),
            storage_classes: facts.storage_classes.clone(),
            rate_limits: facts.rate_limits.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::document;
    use crate::{Selection, fixtures};
    use bootstorm_model::observe::Outcome;
    use bootstorm_model::record::{NOT_IN_STORM, RunRecord};

    fn missed(record: &RunRecord) -> bool {
        Report::of(record, &Selection::default()).missed()
    }

    #[test]
    fn who_had_to_reach_the_goal_and_did_not_missed_it() {
        assert!(!missed(&fixtures::fresh()));
        assert!(!missed(&fixtures::small()));
        assert!(missed(&fixtures::interrupted(3)));
        assert!(missed(&fixtures::hopeless()));
        let with = |reason: &str| {
            let mut record = fixtures::small();
            let timeline = &mut record.phases[2].timelines[0];
            (timeline.outcome, timeline.reason) = (Outcome::Excluded, Some(reason.to_owned()));
            record
        };
        assert!(missed(&with("not stopped")));
        assert!(!missed(&with(NOT_IN_STORM)), "the storm was smaller");
        let selection = Selection::default();
        let text = Report::of(&with(NOT_IN_STORM), &selection).json().unwrap();
        let read = document(text.as_bytes()).unwrap();
        assert!(!read.report(&selection).unwrap().missed(), "saved and read again");
    }
}
