//! Folders of kube-burner's local indexer, read through the report made from them.

use std::collections::{BTreeMap, BTreeSet};

use super::ours::Judged;
use super::place::Place;
use super::saved::{Part, Rows, Saved, Setting, Times, Tool, millis};
use crate::natural;
use crate::people::html::texts::Texts;
use crate::read::kube_burner;
use crate::row::Row;
use crate::{PhaseBlock, Report};
use bootstorm_model::observe::{Milestone, Outcome};
use bootstorm_model::record::PhaseKind;
use bootstorm_model::stats::Sample;

/// Reads the files of one folder: one entry per storm, or one for a creation without storms.
pub(super) fn read(path: &str, files: &BTreeMap<&str, &[u8]>) -> Result<Vec<Saved>, String> {
    let files = files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect();
    let report = kube_burner::report(&files).map_err(|error| error.to_string())?;
    let of = |kind| report.phases.iter().filter(move |phase| phase.kind == kind);
    let create = of(PhaseKind::Create).next();
    let storms: Vec<&PhaseBlock> = of(PhaseKind::Storm).collect();
    if storms.is_empty() {
        return Ok(create.map(|create| entry(path, &report, Some(create), None)).into_iter().collect());
    }
    Ok(storms.into_iter().map(|storm| entry(path, &report, create, Some(storm))).collect())
}

fn entry(path: &str, report: &Report, create: Option<&PhaseBlock>, storm: Option<&PhaseBlock>) -> Saved {
    let place = Place::of(path);
    let compared =
        report.comparison.as_ref().filter(|compared| storm.is_some_and(|it| it.name == compared.storm));
    let judged = compared.map_or_else(Judged::default, Judged::from);
    let main = storm.or(create);
    let nodes: BTreeSet<&str> =
        main.into_iter().flat_map(|phase| &phase.rows).filter_map(|row| row.node.as_deref()).collect();
    let version =
        |name: &str, version: &Option<String>| version.as_ref().map(|version| format!("{name} {version}"));
    let versions = [
        version("Kubernetes", &report.cluster.kubernetes_version),
        version("KubeVirt", &report.cluster.kubevirt_version),
        report.run.tool_version.clone(),
    ];
    let missed = create.into_iter().chain(storm).flat_map(|phase| &phase.rows);
    let missed = missed.filter(|row| matches!(row.outcome, Outcome::Failed | Outcome::TimedOut));
    Saved {
        path: path.to_owned(),
        tool: Tool::KubeBurner,
        name: report.run.name.clone(),
        storm_number: storm.map(|storm| storm.name.number),
        run_id: Some(report.run.id.clone()).filter(|id| !id.is_empty()),
        driver: place.driver,
        disks: place.disks,
        run: 0,
        began: main.map_or(report.run.created, |phase| phase.began),
        vms: report.plan.vms,
        nodes: Some(nodes.len()).filter(|nodes| *nodes > 0),
        setting: Setting::default(),
        configuration: 0,
        verdict: judged.verdict,
        reason: judged.reason,
        means: judged.means,
        missed: missed.map(key).collect::<BTreeSet<_>>().len(),
        versions: versions.into_iter().flatten().collect(),
        create: create.map(part),
        storm: storm.map(part),
        rows: Some(rows(create, storm)),
        has_page: false,
    }
}

fn key(row: &Row) -> (&str, &str) {
    (&row.namespace, &row.name)
}

fn part(phase: &PhaseBlock) -> Part {
    let times =
        |milestone| Times::of(&Sample::of(phase.rows.iter().map(|row| row.seconds(milestone).into())));
    Part {
        vms: phase.counts.participants,
        arrived: phase.counts.reached,
        running: times(Milestone::Running),
        reachable: times(Milestone::Reachable),
        total: phase.spans.took(),
    }
}

/// Both phases, VM by VM.
fn rows(create: Option<&PhaseBlock>, storm: Option<&PhaseBlock>) -> Rows {
    fn by_name(phase: Option<&PhaseBlock>) -> BTreeMap<(&str, &str), &Row> {
        phase.into_iter().flat_map(|phase| &phase.rows).map(|row| (key(row), row)).collect()
    }
    let (created, booted) = (by_name(create), by_name(storm));
    let mut names: Vec<(&str, &str)> =
        created.keys().chain(booted.keys()).copied().collect::<BTreeSet<_>>().into_iter().collect();
    names.sort_by(|a, b| natural::compare(a.0, b.0).then_with(|| natural::compare(a.1, b.1)));
    let last = |name: &(&str, &str)| booted.get(name).or(created.get(name)).copied();
    let labels: Vec<String> = names.iter().map(|(namespace, name)| format!("{namespace}/{name}")).collect();
    let at = |rows: &BTreeMap<(&str, &str), &Row>, milestone| -> Vec<Option<i64>> {
        names.iter().map(|name| millis(rows.get(name).and_then(|row| row.seconds(milestone)))).collect()
    };
    let node = |name| last(name).and_then(|row| row.node.as_deref()).unwrap_or_default();
    let outcome = |name| last(name).map_or("unknown", |row| row.outcome.word());
    Rows {
        namespaces: Texts::of(labels.iter().map(String::as_str)),
        nodes: Texts::of(names.iter().map(node)),
        outcomes: Texts::of(names.iter().map(outcome)),
        create_running: at(&created, Milestone::Running),
        create_reachable: at(&created, Milestone::Reachable),
        storm_running: at(&booted, Milestone::Running),
        storm_reachable: at(&booted, Milestone::Reachable),
    }
}
