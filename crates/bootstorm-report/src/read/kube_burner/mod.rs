//! Reports from documents of kube-burner's local indexer; field names are of v2.7.3.
//!
//! A job is a phase. All jobs that create are taken together as the creation; each job of type `kubevirt` in which
//! instances were created is a storm. Whether such a job started, restarted or migrated VMs is not recorded.
//!
//! kube-burner matches launcher pods to instances by name alone, so that VMs of one name in several namespaces get each
//! other's pods and nodes (`handleUpdateVMIPod`, seen with v2.7.3); these are omitted here.
//!
//! What kube-burner does not record stays unknown: VMs that never ran, requests, nodes' clocks, reasons for failures.
//! Its times are timestamps of the API server in whole seconds; its latencies of a start count from the creation of the
//! VM object, however long ago that was, so those of a storm are counted from the creation of the instance instead.

mod documents;
mod jobs;
pub(super) mod tarball;

use std::collections::BTreeMap;

use super::Unreadable;
use super::foreign::Foreign;
use crate::compared::Side;
use crate::kube_burner::{LATENCY, QUANTILES, SUMMARY};
use crate::phase::{PhaseBlock, Recovery, Shown, Spans};
use crate::view::{ClusterBlock, Report};
use crate::{Compared, ValidityBlock};
use bootstorm_model::observe::Offset;
use bootstorm_model::probe::Probe;
use bootstorm_model::record::{ClusterFacts, PhaseKind, PhaseRecord};
use bootstorm_model::stats::Breakdown;
use documents::Documents;
use jobs::{Job, Phase};

pub use crate::kube_burner::FOLDER;

/// Whether a file of this name is read: summaries of jobs, or latencies of VMs.
pub fn is_read(name: &str) -> bool {
    stem(name).is_some_and(|stem| stem == SUMMARY || job_of(stem, LATENCY).is_some())
}

/// Whether kube-burner's local indexer uses this file name for documents about jobs or VMs.
pub fn is_known(name: &str) -> bool {
    is_read(name) || stem(name).is_some_and(|stem| job_of(stem, QUANTILES).is_some())
}

/// Whether a file of this name shows that kube-burner measured VMs.
pub fn is_detail(name: &str) -> bool {
    stem(name).is_some_and(|stem| job_of(stem, LATENCY).is_some())
}

fn stem(name: &str) -> Option<&str> {
    name.strip_suffix(".json")
}

fn job_of<'a>(stem: &'a str, metric: &str) -> Option<&'a str> {
    stem.strip_prefix(metric)?.strip_prefix('-')
}

/// Makes a report from the files of one folder, given by name.
///
/// Fails if no job measured VMs, if the documents are from several runs, and if one is damaged.
pub fn report(files: &BTreeMap<String, Vec<u8>>) -> Result<Report, Unreadable> {
    let mut documents = Documents::default();
    for (name, bytes) in files.iter().filter(|(name, _)| is_read(name)) {
        let damaged = |error: &dyn std::fmt::Display| Unreadable::damaged(&format!("{name}: {error}"));
        let job = stem(name).and_then(|stem| job_of(stem, LATENCY));
        documents.add(bytes, job).map_err(|error| damaged(&error))?;
    }
    of(&documents)
}

/// Makes a report from one array of documents of any kind, each with its `metricName`.
pub(super) fn array(bytes: &[u8]) -> Result<Report, Unreadable> {
    let mut documents = Documents::default();
    let is_ours = |name: &str| bytes.windows(name.len()).any(|window| window == name.as_bytes());
    documents.add(bytes, None).map_err(|error| {
        if is_ours("\"metricName\"") { super::of_json_error(&error) } else { Unreadable::Foreign }
    })?;
    if documents.is_empty() { Err(Unreadable::Foreign) } else { of(&documents) }
}

fn of(documents: &Documents) -> Result<Report, Unreadable> {
    let id = documents.run().map_err(|why| Unreadable::damaged(&why))?;
    let jobs = Job::all(documents)?;
    let phases = Phase::all(&jobs)?;
    let (Some(first), Some(job)) = (phases.first(), jobs.first()) else { return Err(Unreadable::NoVms) };
    let targets = jobs::targets(&phases);
    let deciding = phases.iter().any(Phase::is_probed).then_some(Probe::Ping);
    let told: Vec<(PhaseRecord, ValidityBlock, &Phase<'_>)> = phases
        .iter()
        .map(|phase| {
            let record = phase.record(&targets);
            let validity = phase.validity(&record);
            (record, validity, phase)
        })
        .collect();
    let blocks = told.iter().map(|(record, validity, phase)| {
        let mut block = PhaseBlock::of(record, &targets, deciding, Shown::Full);
        if !phase.is_ours() {
            forget_requests(&mut block, record);
        }
        block.validity = Some(validity.clone());
        block
    });
    let blocks: Vec<PhaseBlock> = blocks.collect();
    let last = |kind| told.iter().rev().find(|(record, ..)| record.name.kind == kind);
    let side = |phase, validity, first_boot| Side { phase, validity, first_boot };
    let comparison = last(PhaseKind::Storm).map(|(storm, validity, phase)| {
        let baseline = last(PhaseKind::Create);
        let baseline = baseline.map(|(create, validity, _)| side(create, validity, true));
        let compared = Compared::of(baseline, side(storm, validity, false), None, &ClusterFacts::default());
        if phase.is_complete() { compared } else { unjudged(compared) }
    });
    let cluster = ClusterBlock {
        kubernetes_version: documents.kubernetes(),
        kubevirt_version: documents.kubevirt(),
        nodes: documents.nodes(),
        ..ClusterBlock::default()
    };
    let run = Foreign {
        name: documents.name().unwrap_or_else(|| job.name.clone()),
        id: id.to_owned(),
        created: first.began,
        tool: documents.tool(),
        vms: targets.len(),
        span: (0, 0),
        deciding,
        cluster,
        phases: blocks,
        comparison,
    };
    Ok(run.report())
}

/// Withdraws conclusions about failed VMs if their number is unknown.
fn unjudged(compared: Compared) -> Compared {
    let why = compared.unjudged.clone().unwrap_or_else(|| {
        "kube-burner has no document of a VM that did not run, so the number of failures is unknown"
            .to_owned()
    });
    let breakdown = compared.breakdown.clone().map(|breakdown| Breakdown {
        bottleneck: None,
        unnamed: Some(format!("Bottleneck: not judged: {why}")),
        ..breakdown
    });
    Compared { verdict: None, unjudged: Some(why), breakdown, advice: Vec::new(), ..compared }
}

/// Drops values that seem known only because every VM is assumed to have been requested at once.
fn forget_requests(block: &mut PhaseBlock, record: &PhaseRecord) {
    let total = record.ended.map(Offset::seconds);
    block.spans = Spans { monitoring: total, total, ..Spans::default() };
    block.recovery = Recovery::default();
    for row in &mut block.rows {
        row.requested_at = None;
    }
}

#[cfg(test)]
mod tests;
