//! Reports from the result files of the origin tool.
//!
//! Per VM they hold the seconds to Running and to Ping and whether it succeeded; nothing about requests, nodes, reasons
//! or versions. What they lack stays unknown: there is no recovery curve and no skew, and times are taken unchanged,
//! each from the VM's own start.

mod folder;
mod rows;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::Unreadable;
use super::foreign::{Foreign, UNKNOWN};
use crate::compared::Side;
use crate::phase::{PhaseBlock, Recovery, Shown, Spans};
use crate::view::{ClusterBlock, Report};
use crate::{Compared, ValidityBlock, natural};
use bootstorm_model::observe::{Milestone, Offset, Outcome};
use bootstorm_model::plan::Target;
use bootstorm_model::probe::Probe;
use bootstorm_model::record::{ClusterFacts, PhaseKind, PhaseName, PhaseRecord, PhaseSettings, PhaseState};
use bootstorm_model::stats::Validity;
use folder::Named;
use rows::VmRow;

/// Files that are read, without their extensions `.json` and `.csv`.
const DETAILS: [&str; 2] = ["vm_creation_results", "boot_storm_results"];

/// Whether a file of this name is one of the origin tool's detail files.
pub fn is_detail(name: &str) -> bool {
    DETAILS
        .iter()
        .any(|detail| name.strip_prefix(detail).is_some_and(|ending| matches!(ending, ".json" | ".csv")))
}

/// Names of all relevant files, to be read if they exist.
pub fn names() -> Vec<String> {
    let files =
        |detail: &&str| [format!("{detail}.json"), format!("{detail}.csv"), format!("summary_{detail}.json")];
    DETAILS.iter().flat_map(files).collect()
}

/// The part of a summary that the details lack
#[derive(Deserialize)]
struct Summary {
    total_test_duration_sec: Option<f64>,
}

/// Makes a report from the files of one folder, given by name.
///
/// `folder` is the folder's name, which has the time, the prefix and the range; `modified` replaces a missing time.
/// Fails if there is no detail file, or if one is damaged.
pub fn report(
    folder: &str,
    files: &BTreeMap<String, Vec<u8>>,
    modified: Timestamp,
) -> Result<Report, Unreadable> {
    let [create, storm] = DETAILS.map(|name| rows::of(name, files));
    let (create, storm) = (create?, storm?);
    if create.is_none() && storm.is_none() {
        return Err(Unreadable::Foreign);
    }
    let named = Named::of(folder);
    let created = named.as_ref().map_or(modified, |named| named.time);
    let targets = targets(create.iter().chain(&storm).flatten());
    let probed = create.iter().chain(&storm).flatten().any(|row| row.ping.is_some());
    let deciding = probed.then_some(Probe::Ping);
    let phase = |kind, rows: &Option<Vec<VmRow>>, file| {
        let Some(rows) = rows else { return Ok(None) };
        let name = PhaseName { kind, number: 1 };
        let total = total(file, files)?;
        Ok(Some(phase(name, rows, &targets, created, probed, total)))
    };
    let create = phase(PhaseKind::Create, &create, DETAILS[0])?;
    let storm = phase(PhaseKind::Storm, &storm, DETAILS[1])?;
    let blocks = create.iter().chain(&storm).map(|phase| block(phase, &targets, deciding));
    let (first, last) = (targets.first(), targets.last());
    let index =
        |target: Option<&Target>| target.and_then(|target| folder::index(&target.namespace)).unwrap_or(0);
    let comparison = storm.as_ref().map(|storm| {
        let side = |phase, first_boot| Side { phase, validity: &UNGRADED, first_boot };
        let baseline = create.as_ref().map(|create| side(create, true));
        Compared::of(baseline, side(storm, false), None, &ClusterFacts::default())
    });
    let run = Foreign {
        name: named.as_ref().map_or_else(|| folder.to_owned(), |named| named.prefix.clone()),
        id: String::new(),
        created,
        tool: None,
        vms: targets.len(),
        span: (
            named.as_ref().map_or_else(|| index(first), |named| named.start),
            named.as_ref().map_or_else(|| index(last), |named| named.end),
        ),
        deciding,
        cluster: ClusterBlock::default(),
        phases: blocks.collect(),
        comparison,
    };
    Ok(run.report())
}

/// The files have no information about the quality of the measurement.
static UNGRADED: ValidityBlock = ValidityBlock { grade: Validity::Valid, findings: Vec::new(), client: None };

/// Every VM of either file once, in natural order.
fn targets<'a>(rows: impl Iterator<Item = &'a VmRow>) -> Vec<Target> {
    let mut namespaces: Vec<&str> = rows.map(|row| row.namespace.as_str()).collect();
    namespaces.sort_by(|a, b| natural::compare(a, b));
    namespaces.dedup();
    let target = |namespace: &str| Target { namespace: namespace.to_owned(), name: UNKNOWN.to_owned() };
    namespaces.into_iter().map(target).collect()
}

fn phase(
    name: PhaseName,
    rows: &[VmRow],
    targets: &[Target],
    began: Timestamp,
    probed: bool,
    total: Option<f64>,
) -> PhaseRecord {
    let settings = PhaseSettings {
        concurrency: 0,
        timeout_seconds: 0,
        ping_timeout_seconds: 0,
        ..PhaseSettings::default()
    };
    let mut phase = PhaseRecord::new(name, began, settings, 0);
    phase.goal = if probed { Milestone::Reachable } else { Milestone::Running };
    phase.state = PhaseState::Done;
    phase.ended = total.map(Offset::from_seconds);
    phase.timelines = rows.iter().filter_map(|row| timeline(row, targets)).collect();
    phase
}

fn timeline(row: &VmRow, targets: &[Target]) -> Option<bootstorm_model::observe::Timeline> {
    let found = targets.binary_search_by(|target| natural::compare(&target.namespace, &row.namespace));
    let mut timeline = bootstorm_model::observe::Timeline::new(u32::try_from(found.ok()?).ok()?);
    timeline.see(Milestone::Requested, Offset::ZERO);
    if let Some(seconds) = row.clone {
        timeline.see(Milestone::Volume, Offset::from_seconds(seconds));
    }
    let times = [(Milestone::Running, row.running), (Milestone::Reachable, row.ping)];
    for (milestone, seconds) in times {
        if let Some(seconds) = seconds {
            timeline.see(milestone, Offset::from_seconds(seconds));
        }
    }
    timeline.outcome = if row.success { Outcome::Reached } else { Outcome::Failed };
    timeline.reason = (!row.success).then(|| "the result files give no reason".to_owned());
    Some(timeline)
}

/// The block of a phase, without values that seem known only because every request is assumed to be at zero.
fn block(phase: &PhaseRecord, targets: &[Target], deciding: Option<Probe>) -> PhaseBlock {
    let total = phase.ended.map(Offset::seconds);
    let mut block = PhaseBlock::of(phase, targets, deciding, Shown::Full);
    block.spans = Spans { monitoring: total, total, ..Spans::default() };
    block.recovery = Recovery::default();
    for row in &mut block.rows {
        row.requested_at = None;
    }
    block
}

/// Duration of the phase, if its summary has it.
fn total(detail: &str, files: &BTreeMap<String, Vec<u8>>) -> Result<Option<f64>, Unreadable> {
    let Some(bytes) = files.get(&format!("summary_{detail}.json")) else { return Ok(None) };
    let summary: Summary = serde_json::from_slice(bytes)
        .map_err(|error| Unreadable::damaged(&format!("summary_{detail}.json: {error}")))?;
    summary.total_test_duration_sec.map(|seconds| rows::reasonable(seconds, detail)).transpose()
}

#[cfg(test)]
mod tests;
