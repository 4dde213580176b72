//! Result files of the Python tool behind the guide, and our files in that format.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::ours::Judged;
use super::place::Place;
use super::saved::{Part, Rows, Saved, Setting, Times, Tool, millis};
use crate::people::html::texts::Texts;
use bootstorm_model::stats::Sample;

/// Files that are read; each has a table of VMs and a summary.
pub(super) const FILES: [&str; 4] = [
    "vm_creation_results.json",
    "summary_vm_creation_results.json",
    "boot_storm_results.json",
    "summary_boot_storm_results.json",
];

/// One VM
#[derive(Debug, Clone, Deserialize)]
struct Detail {
    namespace: String,
    #[serde(default)]
    running_time_sec: Option<f64>,
    #[serde(default)]
    ping_time_sec: Option<f64>,
    #[serde(default)]
    success: bool,
}

/// The summary of a phase
#[derive(Debug, Clone, Deserialize)]
struct Summary {
    total_vms: usize,
    #[serde(default)]
    successful: usize,
    #[serde(default)]
    total_test_duration_sec: Option<f64>,
    #[serde(default)]
    metrics: Vec<Metric>,
}

#[derive(Debug, Clone, Deserialize)]
struct Metric {
    #[serde(rename = "metric")]
    name: String,
    #[serde(default)]
    avg: Option<f64>,
    #[serde(default)]
    max: Option<f64>,
    #[serde(default)]
    min: Option<f64>,
    #[serde(default)]
    count: usize,
}

/// Result of reading a folder, with unreadable files
pub(super) struct Found {
    /// The run, unless nothing of it could be read.
    pub(super) saved: Option<Saved>,
    /// File and reason.
    pub(super) skipped: Vec<(String, String)>,
}

/// Reads the files of one folder, given by name.
pub(super) fn read(path: &str, files: &BTreeMap<&str, &[u8]>) -> Found {
    let mut skipped = Vec::new();
    let [details, summary, storm_details, storm_summary] = FILES;
    let created: Option<Vec<Detail>> = parse(files, details, &mut skipped);
    let created_summary: Option<Summary> = parse(files, summary, &mut skipped);
    let booted: Option<Vec<Detail>> = parse(files, storm_details, &mut skipped);
    let booted_summary: Option<Summary> = parse(files, storm_summary, &mut skipped);
    let create = part(created.as_deref(), created_summary.as_ref());
    let storm = part(booted.as_deref(), booted_summary.as_ref());
    if create.is_none() && storm.is_none() {
        return Found { saved: None, skipped };
    }
    let place = Place::of(path);
    let Some(began) = place.began else {
        let reason = "the name of its folder does not begin with a time (YYYYMMDD-HHMMSS)";
        skipped.push((path.to_owned(), reason.to_owned()));
        return Found { saved: None, skipped };
    };
    let missed = missed(created.as_deref(), booted.as_deref()).unwrap_or_else(|| {
        create.iter().chain(&storm).map(|part| part.vms.saturating_sub(part.arrived)).max().unwrap_or(0)
    });
    let judged = judged(path, files, began);
    let vms = create.iter().chain(&storm).map(|part| part.vms).max().unwrap_or(0);
    let saved = Saved {
        path: path.to_owned(),
        tool: Tool::Virtbench,
        name: place.prefix.unwrap_or_else(|| path.to_owned()),
        storm_number: None,
        run_id: None,
        run: 0,
        driver: place.driver,
        disks: place.disks,
        began,
        vms,
        nodes: None,
        versions: Vec::new(),
        create,
        storm,
        rows: Some(rows(created.as_deref().unwrap_or(&[]), booted.as_deref().unwrap_or(&[]))),
        has_page: false,
        setting: Setting::default(),
        configuration: 0,
        verdict: judged.verdict,
        reason: judged.reason,
        means: judged.means,
        missed,
    };
    Found { saved: Some(saved), skipped }
}

/// The verdict that a report on these files has; none without a storm, or if the report cannot be made.
fn judged(path: &str, files: &BTreeMap<&str, &[u8]>, began: Timestamp) -> Judged {
    let files = files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect();
    let folder = path.rsplit('/').next().unwrap_or(path);
    let report = crate::read::legacy::report(folder, &files, began).ok();
    report.and_then(|report| report.comparison).as_ref().map_or_else(Judged::default, Judged::from)
}

/// VMs without success in either table, each once; `None` without tables.
fn missed(created: Option<&[Detail]>, booted: Option<&[Detail]>) -> Option<usize> {
    if created.is_none() && booted.is_none() {
        return None;
    }
    let all = created.into_iter().chain(booted).flatten().filter(|detail| !detail.success);
    Some(all.map(|detail| detail.namespace.as_str()).collect::<BTreeSet<&str>>().len())
}

fn parse<T: DeserializeOwned>(
    files: &BTreeMap<&str, &[u8]>,
    name: &str,
    skipped: &mut Vec<(String, String)>,
) -> Option<T> {
    match serde_json::from_slice(files.get(name)?) {
        Ok(value) => Some(value),
        Err(error) => {
            skipped.push((name.to_owned(), format!("not a result of a boot storm: {error}")));
            None
        }
    }
}

/// A phase from its table of VMs, completed from the summary, or from the summary alone if there is no table.
fn part(details: Option<&[Detail]>, summary: Option<&Summary>) -> Option<Part> {
    let total = summary.and_then(|summary| summary.total_test_duration_sec);
    let Some(details) = details else {
        let summary = summary?;
        return Some(Part {
            vms: summary.total_vms,
            arrived: summary.successful,
            running: summary.times("running_time_sec"),
            reachable: summary.times("ping_time_sec"),
            total,
        });
    };
    let running = Sample::of(details.iter().map(|detail| detail.running_time_sec.into()));
    let reachable =
        Sample::of(details.iter().map(|detail| detail.ping_time_sec.filter(|_| detail.success).into()));
    Some(Part {
        vms: details.len(),
        arrived: details.iter().filter(|detail| detail.success).count(),
        running: Times::of(&running),
        reachable: Times::of(&reachable),
        total,
    })
}

impl Summary {
    fn times(&self, name: &str) -> Option<Times> {
        let metric = self.metrics.iter().find(|metric| metric.name == name)?;
        metric.avg?;
        Some(Times {
            count: metric.count,
            min: metric.min,
            mean: metric.avg,
            p50: None,
            p95: None,
            max: metric.max,
        })
    }
}

/// Both tables, VM by VM.
fn rows(created: &[Detail], booted: &[Detail]) -> Rows {
    let mut vms: Vec<(&str, Option<&Detail>, Option<&Detail>)> = Vec::new();
    let storms: BTreeMap<&str, &Detail> =
        booted.iter().map(|detail| (detail.namespace.as_str(), detail)).collect();
    let mut known = std::collections::BTreeSet::new();
    for detail in created {
        known.insert(detail.namespace.as_str());
        vms.push((&detail.namespace, Some(detail), storms.get(detail.namespace.as_str()).copied()));
    }
    let new = booted.iter().filter(|detail| !known.contains(detail.namespace.as_str()));
    vms.extend(new.map(|detail| (detail.namespace.as_str(), None, Some(detail))));
    vms.sort_by(|a, b| crate::natural::compare(a.0, b.0));
    let outcome = |(_, create, storm): &(&str, Option<&Detail>, Option<&Detail>)| {
        if storm.or(*create).is_some_and(|detail| detail.success) { "reached" } else { "failed" }
    };
    let running = |detail: Option<&Detail>| millis(detail?.running_time_sec);
    let ping = |detail: Option<&Detail>| millis(detail?.ping_time_sec);
    Rows {
        namespaces: Texts::of(vms.iter().map(|vm| vm.0)),
        nodes: Texts::of(vms.iter().map(|_| "")),
        outcomes: Texts::of(vms.iter().map(outcome)),
        create_running: vms.iter().map(|vm| running(vm.1)).collect(),
        create_reachable: vms.iter().map(|vm| ping(vm.1)).collect(),
        storm_running: vms.iter().map(|vm| running(vm.2)).collect(),
        storm_reachable: vms.iter().map(|vm| ping(vm.2)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "1-disk/20260304-100000_t_1-2";

    fn read_texts(texts: &[(&str, &str)]) -> Found {
        let files = texts.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
        read(PATH, &files)
    }

    #[test]
    fn a_storm_alone_is_read_and_a_damaged_file_is_named() {
        let found = read_texts(&[
            (FILES[0], "[{\"namespace\": \"t-1\", "),
            (
                FILES[2],
                r#"[{"namespace": "t-2", "running_time_sec": 12.5, "ping_time_sec": 14.0, "success": true},
                    {"namespace": "t-1", "running_time_sec": 9.5, "ping_time_sec": null, "success": false}]"#,
            ),
            (
                FILES[3],
                r#"{"total_vms": 2, "successful": 1, "failed": 1, "total_test_duration_sec": 20.5, "metrics": []}"#,
            ),
        ]);
        let saved = found.saved.unwrap();
        assert!(saved.create.is_none());
        let storm = saved.storm.unwrap();
        assert_eq!((storm.vms, storm.arrived, storm.total), (2, 1, Some(20.5)));
        assert_eq!(storm.running.unwrap().mean, Some(11.0));
        assert_eq!((storm.reachable.unwrap().count, storm.reachable.unwrap().p95), (1, None));
        assert_eq!(saved.rows.unwrap().storm_running, [Some(9_500), Some(12_500)]);
        assert_eq!(found.skipped[0].0, FILES[0]);
    }

    #[test]
    fn a_summary_alone_gives_what_it_has() {
        let found = read_texts(&[(
            FILES[1],
            r#"{"total_vms": 50, "successful": 49, "total_test_duration_sec": 61.2,
                "metrics": [{"metric": "running_time_sec", "avg": 9.23, "max": 15.67, "min": 6.1, "count": 49}]}"#,
        )]);
        let create = found.saved.unwrap().create.unwrap();
        assert_eq!((create.vms, create.running.unwrap().max, create.reachable), (50, Some(15.67), None));
    }
}
