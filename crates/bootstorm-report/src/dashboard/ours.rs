//! `run.json`, read tolerantly: only what the dashboard needs, and nothing else has to be understood.
//!
//! A record of a newer version with more phases, milestones or fields is read as far as possible.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::place::Place;
use super::saved::{Means, Part, Rows, Saved, Setting, Times, Tool, millis};
use crate::people::html::texts::Texts;
use crate::{Compared, Selection};
use bootstorm_model::plan::layout::Layout;
use bootstorm_model::plan::{Disk, Pinning, Target, TemplateSource};
use bootstorm_model::probe::ProbePlan;
use bootstorm_model::record::{NodeKind, RunRecord, StorageClassFacts, StormKind};
use bootstorm_model::stats::{Arrival, Sample};

/// Name of the file.
pub(super) const FILE: &str = "run.json";
/// Text in place of a missing verdict.
pub(super) const NOT_JUDGED: &str = "not judged";

#[derive(Debug, Deserialize)]
struct Record {
    #[serde(default)]
    run_id: Option<String>,
    created: Timestamp,
    plan: Plan,
    #[serde(default)]
    facts: Facts,
    #[serde(default)]
    phases: Vec<Phase>,
}

#[derive(Debug, Deserialize)]
struct Plan {
    prefix: String,
    start: u32,
    end: u32,
    #[serde(default)]
    vm_name: String,
    #[serde(default)]
    layout: Value,
    /// Adopted or observed VMs.
    #[serde(default)]
    adopted: Value,
    #[serde(default)]
    template: Value,
    #[serde(default)]
    overrides: Value,
    #[serde(default)]
    pinning: Value,
    #[serde(default)]
    probe: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Facts {
    kubernetes: Option<String>,
    kubevirt: Option<String>,
    disks: Value,
    node_kinds: Value,
    storage_classes: Value,
}

#[derive(Debug, Deserialize)]
struct Phase {
    name: String,
    began: Timestamp,
    #[serde(default)]
    ended: Option<i64>,
    #[serde(default)]
    settings: Value,
    #[serde(default)]
    timelines: Vec<Timeline>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Timeline {
    target: u32,
    moments: Moments,
    node: Option<String>,
    outcome: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Moments {
    requested: Option<Moment>,
    running: Option<Moment>,
    reachable: Option<Moment>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Moment {
    at: i64,
}

/// Reads the record of a folder: one entry per storm that is no warm-up, or one for a creation without storms.
///
/// Fails with the problem of the file.
pub(super) fn read(path: &str, bytes: &[u8]) -> Result<Vec<Saved>, String> {
    let record: Record =
        serde_json::from_slice(bytes).map_err(|error| format!("not the record of a run: {error}"))?;
    // The evidence for the verdict must be understood in full; a record of a newer version has no verdict.
    let full: Option<RunRecord> = serde_json::from_slice(bytes).ok();
    let first_boot = full.as_ref().and_then(|full| full.baseline()).map(|baseline| baseline.name.to_string());
    let first_boot = first_boot.unwrap_or_else(|| "create".to_owned());
    let create = record.phases.iter().find(|phase| phase.name == first_boot);
    let storms: Vec<&Phase> = record
        .phases
        .iter()
        .filter(|phase| phase.name.starts_with("storm-") && phase.name != first_boot)
        .filter(|phase| phase.settings.get("warm_up") != Some(&Value::Bool(true)))
        .collect();
    if storms.is_empty() {
        return Ok(create.map(|create| entry(path, &record, Some(create), None)).into_iter().collect());
    }
    let first = storms[0].name.clone();
    let entries = storms.into_iter().map(|storm| {
        let judged = full.as_ref().map_or_else(Judged::default, |full| Judged::of(full, &storm.name));
        let missed = missed(create.filter(|_| storm.name == first), Some(storm));
        Saved {
            missed,
            verdict: judged.verdict,
            reason: judged.reason,
            means: judged.means,
            ..entry(path, &record, create, Some(storm))
        }
    });
    Ok(entries.collect())
}

/// Judgement of a storm from its report
#[derive(Debug, Default)]
pub(super) struct Judged {
    pub(super) verdict: Option<&'static str>,
    pub(super) reason: Option<String>,
    pub(super) means: Option<Means>,
}

impl Judged {
    fn of(record: &RunRecord, storm: &str) -> Self {
        let selection = Selection { storm: storm.parse().ok(), ..Selection::default() };
        crate::build::compared(record, &selection).as_ref().map_or_else(Self::default, Self::from)
    }
}

impl From<&Compared> for Judged {
    fn from(compared: &Compared) -> Self {
        let judged = compared.milestones.iter().find(|comparison| comparison.milestone == compared.judged);
        Self {
            verdict: Some(compared.verdict.as_ref().map_or(NOT_JUDGED, |verdict| verdict.grade.word())),
            reason: compared
                .verdict
                .as_ref()
                .map(|verdict| verdict.reason.clone())
                .or(compared.unjudged.clone()),
            means: judged.and_then(|comparison| {
                let (create, storm) = (comparison.mean.baseline?, comparison.mean.storm?);
                Some(Means { to: comparison.milestone, create, storm })
            }),
        }
    }
}

/// VMs that did not reach the goal of either phase, each once.
fn missed(create: Option<&Phase>, storm: Option<&Phase>) -> usize {
    let has_missed = |vm: &&Timeline| !matches!(vm.outcome.as_str(), "reached" | "excluded" | "unknown");
    let vms = create.into_iter().chain(storm).flat_map(|phase| &phase.timelines).filter(has_missed);
    vms.map(|vm| vm.target).collect::<BTreeSet<u32>>().len()
}

/// Overrides of the manifest: `cpu 2`, `memory 4Gi`. The storage class has a field of its own.
fn changes(overrides: &Value) -> Vec<String> {
    let all = overrides.as_object().into_iter().flatten().filter(|(name, _)| *name != "storage_class");
    let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    all.map(|(name, value)| format!("{} {}", name.replace('_', " "), word(value))).collect()
}

/// A part of the record, if it is understood.
fn understood<T: serde::de::DeserializeOwned>(value: &Value) -> Option<T> {
    T::deserialize(value).ok()
}

/// Names of VMs by their index in the plan
///
/// [`bootstorm_model::plan::Plan::targets`] one by one, since a damaged file may have any number of them.
struct Names<'a> {
    plan: &'a Plan,
    layout: Layout,
    listed: Vec<Target>,
}

impl<'a> Names<'a> {
    fn of(plan: &'a Plan) -> Self {
        let layout: Option<Layout> = understood(&plan.layout);
        // An invalid layout would give names of any length.
        let layout = layout.filter(|layout| layout.check(&plan.prefix, &plan.vm_name, plan.end).is_ok());
        let listed = understood(&plan.adopted).unwrap_or_default();
        Self { plan, layout: layout.unwrap_or_default(), listed }
    }

    /// The namespace of a VM, with the name of the VM if it may share the namespace with others.
    fn label(&self, target: u32) -> String {
        if !self.listed.is_empty() {
            let listed = self.listed.get(target as usize);
            return listed.map_or_else(|| format!("(target {target})"), ToString::to_string);
        }
        let index = self.plan.start.saturating_add(target);
        let named = self.layout.target(&self.plan.prefix, &self.plan.vm_name, index);
        if self.layout.is_shared() { named.to_string() } else { named.namespace }
    }
}

/// Setup of the VMs, as far as it is understood.
fn setting(record: &Record) -> Setting {
    let (plan, facts) = (&record.plan, &record.facts);
    let disks: Vec<Disk> = understood(&facts.disks).unwrap_or_default();
    let classes: Vec<StorageClassFacts> = understood(&facts.storage_classes).unwrap_or_default();
    let nodes: Vec<NodeKind> = understood(&facts.node_kinds).unwrap_or_default();
    let used = classes.into_iter().filter(|class| class.used).map(|class| class.name);
    let classes: BTreeSet<String> =
        disks.iter().filter_map(|disk| disk.storage_class.clone()).chain(used).collect();
    let probe: Option<ProbePlan> = understood(&plan.probe);
    let pinning: Pinning = understood(&plan.pinning).unwrap_or_default();
    let joined = |words: Vec<String>| words.join(", ");
    Setting {
        source: understood::<TemplateSource>(&plan.template)
            .map_or_else(String::new, |template| template.to_string()),
        class: joined(classes.into_iter().collect()),
        cluster: joined(nodes.iter().map(ToString::to_string).collect()),
        probe: probe
            .and_then(|probe| probe.deciding())
            .map_or_else(String::new, |probe| format!("probe {probe}")),
        pinning: if pinning.is_default() { String::new() } else { pinning.to_string() },
        size: joined(changes(&plan.overrides)),
        kind: String::new(),
    }
}

fn entry(path: &str, record: &Record, create: Option<&Phase>, storm: Option<&Phase>) -> Saved {
    let place = Place::of(path);
    let main = storm.or(create);
    let nodes: BTreeSet<&str> =
        main.into_iter().flat_map(|phase| &phase.timelines).filter_map(|vm| vm.node.as_deref()).collect();
    let version =
        |name: &str, version: &Option<String>| version.as_ref().map(|version| format!("{name} {version}"));
    let facts = &record.facts;
    Saved {
        path: path.to_owned(),
        tool: Tool::Bootstorm,
        name: record.plan.prefix.clone(),
        storm_number: storm.and_then(|storm| storm.name.trim_start_matches("storm-").parse().ok()),
        run_id: record.run_id.clone(),
        driver: place.driver,
        disks: place.disks,
        run: 0,
        began: main.map_or(record.created, |phase| phase.began),
        vms: (u64::from(record.plan.end) + 1).saturating_sub(u64::from(record.plan.start)) as usize,
        nodes: Some(nodes.len()).filter(|nodes| *nodes > 0),
        versions: [version("Kubernetes", &facts.kubernetes), version("KubeVirt", &facts.kubevirt)]
            .into_iter()
            .flatten()
            .collect(),
        create: create.map(Phase::part),
        storm: storm.map(Phase::part),
        rows: Some(rows(&record.plan, create, storm)),
        has_page: false,
        setting: Setting { kind: storm.map_or_else(String::new, Phase::kind), ..setting(record) },
        configuration: 0,
        verdict: None,
        reason: None,
        means: None,
        missed: missed(create, storm),
    }
}

impl Phase {
    /// Kind of a storm, unless it starts stopped VMs.
    fn kind(&self) -> String {
        let kind = self.settings.get("kind").and_then(Value::as_str).unwrap_or_default();
        if kind == StormKind::Start.word() { String::new() } else { kind.to_owned() }
    }

    fn part(&self) -> Part {
        let vms: Vec<&Timeline> = self.timelines.iter().filter(|vm| vm.outcome != "excluded").collect();
        let requested = vms.iter().filter_map(|vm| vm.moments.requested).map(|moment| moment.at);
        // A request of unknown time may have been the first.
        let is_lost = vms.iter().any(|vm| vm.outcome == "reached" && vm.moments.requested.is_none());
        let first = requested.min().filter(|_| !is_lost);
        let has_answers = vms.iter().any(|vm| vm.moments.reachable.is_some());
        Part {
            vms: vms.len(),
            arrived: vms.iter().filter(|vm| vm.outcome == "reached").count(),
            running: Times::of(&Sample::of(vms.iter().map(|vm| vm.arrival(vm.running())))),
            reachable: Times::of(&Sample::of(vms.iter().map(|vm| vm.arrival(vm.reachable()))))
                .filter(|_| has_answers),
            total: first
                .zip(self.ended)
                .map(|(first, ended)| (ended.saturating_sub(first) as f64 / 1e3).round() / 1e3),
        }
    }
}

impl Timeline {
    fn seconds(&self, to: Option<Moment>) -> Option<f64> {
        Some((to?.at.saturating_sub(self.moments.requested?.at) as f64 / 1e6).max(0.0))
    }

    fn running(&self) -> Option<f64> {
        self.seconds(self.moments.running)
    }

    /// A success with an unknown request time took an unknown time.
    fn arrival(&self, seconds: Option<f64>) -> Arrival {
        if seconds.is_none() && self.outcome == "reached" && self.moments.requested.is_none() {
            return Arrival::Unknown;
        }
        seconds.into()
    }

    /// Only VMs that arrived answered in time.
    fn reachable(&self) -> Option<f64> {
        self.seconds(self.moments.reachable).filter(|_| self.outcome == "reached")
    }
}

/// Timelines of a phase by their index in the plan; a damaged file may have any index.
fn by_target(phase: Option<&Phase>) -> BTreeMap<u32, &Timeline> {
    phase.into_iter().flat_map(|phase| &phase.timelines).map(|vm| (vm.target, vm)).collect()
}

/// Both phases, VM by VM.
fn rows(plan: &Plan, create: Option<&Phase>, storm: Option<&Phase>) -> Rows {
    let (first, second) = (by_target(create), by_target(storm));
    let targets: BTreeSet<u32> = first.keys().chain(second.keys()).copied().collect();
    let names = Names::of(plan);
    let vms: Vec<(String, Option<&Timeline>, Option<&Timeline>)> = targets
        .into_iter()
        .map(|target| (names.label(target), first.get(&target).copied(), second.get(&target).copied()))
        .collect();
    let last = |vm: &(String, Option<&Timeline>, Option<&Timeline>)| {
        vm.2.or(vm.1).map(|vm| (vm.node.clone(), vm.outcome.clone()))
    };
    let ends: Vec<(String, String)> = vms
        .iter()
        .map(|vm| {
            last(vm).map_or_else(Default::default, |(node, outcome)| (node.unwrap_or_default(), outcome))
        })
        .collect();
    Rows {
        namespaces: Texts::of(vms.iter().map(|vm| vm.0.as_str())),
        nodes: Texts::of(ends.iter().map(|end| end.0.as_str())),
        outcomes: Texts::of(ends.iter().map(|end| end.1.as_str())),
        create_running: vms.iter().map(|vm| millis(vm.1.and_then(Timeline::running))).collect(),
        create_reachable: vms.iter().map(|vm| millis(vm.1.and_then(Timeline::reachable))).collect(),
        storm_running: vms.iter().map(|vm| millis(vm.2.and_then(Timeline::running))).collect(),
        storm_reachable: vms.iter().map(|vm| millis(vm.2.and_then(Timeline::reachable))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Report, Selection, fixtures};
    use bootstorm_model::observe::Milestone;

    const PATH: &str = "px/1-disk/20260304-100000_boot-storm-test_1-100";

    #[test]
    fn agrees_with_the_report_of_the_same_run() {
        for record in [fixtures::guide(), fixtures::probed()] {
            let saved = read(PATH, &serde_json::to_vec(&record).unwrap()).unwrap();
            let report = Report::of(&record, &Selection::default());
            let storm = &report.phases[2];
            let part = saved[0].storm.as_ref().unwrap();
            assert_eq!((part.vms, part.arrived), (storm.counts.participants, storm.counts.reached));
            for (milestone, times) in
                [(Milestone::Running, part.running), (Milestone::Reachable, part.reachable)]
            {
                let expected = storm.statistics.get(&milestone);
                assert_eq!(times.is_some(), expected.is_some());
                if let (Some(times), Some(expected)) = (times, expected) {
                    let close = |a: Option<f64>, b: Option<f64>| (a.unwrap() - b.unwrap()).abs() < 6e-4;
                    assert!(close(times.mean, expected.mean) && close(times.max, expected.max));
                    assert!(close(times.p95, expected.p95.seconds()));
                }
            }
        }
    }

    #[test]
    fn what_a_newer_version_adds_is_no_trouble() {
        let mut value = serde_json::to_value(fixtures::small()).unwrap();
        value["format"] = 9.into();
        value["plan"]["template"] = "something else".into();
        value["phases"][2]["goal"] = "logged-in".into();
        value["phases"][2]["timelines"][0]["moments"]["logged-in"] =
            serde_json::json!({"at": 1, "source": "x"});
        value["phases"][2]["timelines"][0]["outcome"] = "lost".into();
        let saved = read(PATH, value.to_string().as_bytes()).unwrap();
        assert_eq!(saved[0].storm.as_ref().unwrap().arrived, 11);
        assert_eq!((saved[0].driver.as_deref(), saved[0].nodes), (Some("px"), Some(3)));
    }

    /// The first three labels of a saved record.
    fn labels(value: &Value) -> Vec<String> {
        let saved = read(PATH, value.to_string().as_bytes()).unwrap();
        let texts = serde_json::to_value(&saved[0].rows.as_ref().unwrap().namespaces).unwrap();
        let words = texts["words"].as_array().unwrap().iter().take(3);
        let prefix = texts["prefix"].as_str().unwrap();
        words.map(|word| format!("{prefix}{}", word.as_str().unwrap())).collect()
    }

    #[test]
    fn vms_have_the_names_of_the_plan() {
        let mut record = fixtures::small();
        let first = |record: &RunRecord| -> Vec<String> {
            record.plan.targets().iter().take(3).map(ToString::to_string).collect()
        };
        let value = |record: &RunRecord| serde_json::to_value(record).unwrap();
        let namespaces: Vec<String> = record.plan.namespaces().into_iter().take(3).collect();
        assert_eq!(labels(&value(&record)), namespaces, "one VM in each");
        record.plan.layout = Layout { index_width: 4, ..Layout::default() };
        assert_eq!(labels(&value(&record)), &record.plan.namespaces()[..3]);
        record.plan.layout = Layout { vms_per_namespace: 5, ..Layout::default() };
        assert_eq!(labels(&value(&record)), first(&record));
        record.plan.layout = Layout { namespace: Some("team".into()), ..Layout::default() };
        assert_eq!(labels(&value(&record)), first(&record));
        let mut damaged = value(&record);
        damaged["plan"]["layout"]["index_width"] = u32::MAX.into();
        assert_eq!(labels(&damaged), namespaces);
        let mut adopted = value(&fixtures::small());
        adopted["plan"]["adopted"] = serde_json::json!([{"namespace": "erp", "name": "db", "new": 1}, {"namespace": "erp", "name": "app"}]);
        assert_eq!(labels(&adopted), ["erp/db", "erp/app", "(target 2)"]);
    }

    #[test]
    fn a_file_with_absurd_numbers_is_read_in_no_time() {
        let mut value = serde_json::to_value(fixtures::small()).unwrap();
        value["plan"]["end"] = u32::MAX.into();
        value["phases"][2]["ended"] = i64::MAX.into();
        value["phases"][2]["timelines"][3]["target"] = u32::MAX.into();
        value["phases"][2]["timelines"][3]["moments"]["requested"]["at"] = i64::MIN.into();
        let saved = read(PATH, value.to_string().as_bytes()).unwrap();
        assert_eq!(saved[0].rows.as_ref().unwrap().len(), 13);
    }

    #[test]
    fn every_storm_is_an_entry_and_a_foreign_file_is_refused() {
        let mut record = fixtures::small();
        let mut again = record.phases[2].clone();
        again.name.number = 2;
        record.phases.push(again);
        let saved = read(PATH, &serde_json::to_vec(&record).unwrap()).unwrap();
        assert_eq!(saved.iter().map(|saved| saved.storm_number).collect::<Vec<_>>(), [Some(1), Some(2)]);
        assert_eq!(read(PATH, &serde_json::to_vec(&fixtures::fresh()).unwrap()).unwrap().len(), 0);
        assert!(read(PATH, b"[1, 2]").is_err() && read(PATH, b"{\"a\":").is_err());
    }
}
