//! The result document of the proposed `KubeVirt` benchmark specification (kubevirt/enhancements 411).
//!
//! One scenario per document: `boot-storm` if there is a storm, otherwise `vm-creation`. The proposal is not accepted
//! yet; the fields follow its draft, and `schema_version` names it. Fields of the draft that a run does not know are
//! `null`, never invented.

mod aggregate;
mod records;

use serde::Serialize;

use super::{Report, ThresholdBlock, Unwritable, document};
use aggregate::Aggregate;
use bootstorm_model::plan::{Disk, TemplateSource};
use bootstorm_model::record::PhaseKind;
use records::Record;

/// Version of the draft.
pub(super) const SCHEMA: &str = "v1alpha1";

/// The whole document
#[derive(Serialize)]
struct Document<'a> {
    schema_version: &'static str,
    tool: Tool,
    scenario: Scenario,
    timestamp: jiff::Timestamp,
    cluster: Cluster<'a>,
    workload: Workload<'a>,
    parameters: Parameters<'a>,
    aggregate: Option<Aggregate>,
    records: Vec<Record<'a>>,
    cleanup: Cleanup,
    /// Our own field; the draft has none.
    #[serde(skip_serializing_if = "<[ThresholdBlock]>::is_empty")]
    thresholds: &'a [ThresholdBlock],
}

#[derive(Serialize)]
struct Tool {
    name: &'static str,
    version: Option<String>,
    git_commit: Option<&'static str>,
}

#[derive(Serialize)]
struct Scenario {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct Cluster<'a> {
    kubernetes_version: Option<&'a str>,
    kubevirt_version: Option<&'a str>,
    cdi_version: Option<&'a str>,
    node_count: Option<usize>,
}

#[derive(Serialize)]
struct Workload<'a> {
    vm_template: &'a str,
    vm_image: Option<&'a str>,
    storage_class: Option<&'a str>,
    access_mode: Option<&'a str>,
    volume_mode: Option<&'a str>,
    disk_count: Option<usize>,
    disk_size: Option<&'a str>,
}

#[derive(Serialize)]
struct Parameters<'a> {
    run: &'a str,
    run_id: &'a str,
    start: u32,
    end: u32,
    vm_name: &'a str,
    template_sha256: Option<&'a str>,
    namespace_batch_size: usize,
    probes: Vec<String>,
    goal: Option<&'static str>,
    #[serde(flatten)]
    settings: Option<&'a bootstorm_model::record::PhaseSettings>,
}

/// The document is written before any cleanup.
#[derive(Serialize)]
struct Cleanup {
    requested: bool,
    status: &'static str,
}

impl Report {
    /// The report as a document of the proposed benchmark specification.
    pub fn benchmark(&self) -> Result<String, Unwritable> {
        let judged = self.comparison.as_ref().and_then(|compared| self.phase(compared.storm));
        let created = || self.phases.iter().rev().find(|phase| phase.kind == PhaseKind::Create);
        let phase = judged.or_else(created);
        let plan = &self.plan;
        let disks = || plan.disks.iter().filter(|disk| !disk.is_settings());
        let stored = disks().find(|disk| disk.is_on_storage());
        let of_disk = |pick: fn(&Disk) -> Option<&String>| stored.and_then(pick).map(String::as_str);
        let (template, image) = match &plan.template {
            TemplateSource::ContainerDisk { image } => ("built-in", Some(image.as_str())),
            TemplateSource::File { name, .. } => {
                (name.as_str(), disks().find_map(|disk| disk.source.as_deref()))
            }
            TemplateSource::Adopted { selection } | TemplateSource::Observed { selection } => {
                (selection.as_str(), None)
            }
            TemplateSource::Registry { url } | TemplateSource::Http { url } => {
                ("built-in", Some(url.as_str()))
            }
            _ => ("built-in", disks().find_map(|disk| disk.source.as_deref())),
        };
        let used = self.cluster.storage_classes.iter().find(|class| class.used);
        let document = Document {
            schema_version: SCHEMA,
            tool: Tool {
                name: "kubectl-bootstorm",
                version: self.run.tool_version.clone(),
                git_commit: option_env!("BOOTSTORM_GIT_COMMIT"),
            },
            scenario: Scenario {
                name: if judged.is_some() { "boot-storm" } else { "vm-creation" },
                version: SCHEMA,
            },
            timestamp: phase.map_or(self.run.created, |phase| phase.began),
            cluster: Cluster {
                kubernetes_version: self.cluster.kubernetes_version.as_deref(),
                kubevirt_version: self.cluster.kubevirt_version.as_deref(),
                cdi_version: self.cluster.cdi_version.as_deref(),
                node_count: self.cluster.nodes,
            },
            workload: Workload {
                vm_template: template,
                vm_image: image,
                storage_class: of_disk(|disk| disk.storage_class.as_ref())
                    .or_else(|| used.map(|class| class.name.as_str())),
                access_mode: of_disk(|disk| disk.access_mode.as_ref()),
                volume_mode: of_disk(|disk| disk.volume_mode.as_ref()),
                disk_count: (!plan.disks.is_empty()).then(|| disks().count()),
                disk_size: of_disk(|disk| disk.size.as_ref()),
            },
            parameters: Parameters {
                run: &self.run.name,
                run_id: &self.run.id,
                start: plan.start,
                end: plan.end,
                vm_name: &plan.vm_name,
                template_sha256: plan.template_sha256.as_deref(),
                namespace_batch_size: self.setup.batch_size,
                probes: plan.probes.iter().map(ToString::to_string).collect(),
                goal: phase.map(|phase| phase.goal.word()),
                settings: phase.map(|phase| &phase.settings),
            },
            aggregate: phase.map(Aggregate::of),
            records: phase.map(|phase| phase.rows.iter().map(Record::of).collect()).unwrap_or_default(),
            cleanup: Cleanup { requested: false, status: "not-run" },
            thresholds: &self.thresholds,
        };
        document::json(&document)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::{Report, Selection, fixtures};
    use bootstorm_model::record::RunRecord;

    fn document(record: &RunRecord) -> Value {
        serde_json::from_str(&Report::of(record, &Selection::default()).benchmark().unwrap()).unwrap()
    }

    #[test]
    fn a_storm_of_two_reads_in_order() {
        let mut record = fixtures::probed();
        record.plan.end = 2;
        record.phases.iter_mut().for_each(|phase| phase.timelines.truncate(2));
        record.phases[2].timelines[1].outcome = bootstorm_model::observe::Outcome::TimedOut;
        record.phases[2].timelines[1].reason = Some("too slow".into());
        insta::assert_snapshot!(Report::of(&record, &Selection::default()).benchmark().unwrap());
    }

    #[test]
    fn the_scenario_follows_the_phases() {
        assert_eq!(document(&fixtures::guide())["scenario"]["name"], "boot-storm");
        assert_eq!(document(&fixtures::interrupted(1))["scenario"]["name"], "vm-creation");
        let fresh = document(&fixtures::fresh());
        assert_eq!((&fresh["aggregate"], &fresh["records"]), (&Value::Null, &serde_json::json!([])));
    }

    #[test]
    fn excluded_vms_are_neither_successes_nor_failures() {
        let guide = document(&fixtures::guide());
        let counts = ["total_vms", "successful_vms", "failed_vms", "excluded_vms"];
        assert_eq!(counts.map(|count| guide["aggregate"][count].as_u64().unwrap()), [98, 96, 2, 2]);
        assert_eq!(guide["records"].as_array().unwrap().len(), 100);
    }
}
