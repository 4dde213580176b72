//! Builds the view model from a run's record.

use std::borrow::Cow;

use bootstorm_model::plan::Target;
use bootstorm_model::record::{PhaseKind, PhaseName, PhaseRecord, RunRecord};
use bootstorm_model::stats::Validity;

use super::compared::Side;
use super::phase::{PhaseBlock, Shown};
use super::validity::ValidityBlock;
use super::view::{PlanBlock, Report, Run, SCHEMA_VERSION, SetupBlock};
use super::{Capacity, Compared, ObservationBlock, Placed, Repetitions, Selection};

impl Report {
    /// View model of this run.
    pub fn of(record: &RunRecord, selection: &Selection) -> Self {
        report(record, selection, true)
    }

    /// View model of this run for people: phases that are one line in a table have no row per VM, so that a long series
    /// needs no more memory than a short one.
    pub fn for_tables(record: &RunRecord, selection: &Selection) -> Self {
        report(record, selection, false)
    }
}

/// Builds the view model.
///
/// Without `all_rows`, phases that are one line in tables have no rows.
fn report(record: &RunRecord, selection: &Selection, all_rows: bool) -> Report {
    report_on(record, &record.plan.targets(), selection, all_rows)
}

/// Builds the view model for VMs that the record's plan does not name.
pub(super) fn report_on(
    record: &RunRecord,
    targets: &[Target],
    selection: &Selection,
    all_rows: bool,
) -> Report {
    let plan = &record.plan;
    let storm = selection.storm(record).filter(|storm| selection.only.is_none_or(|only| only == storm.name));
    let full = shown_in_full(record, selection);
    let mut placement = Vec::new();
    let pair = [storm, storm.and_then(|storm| baseline(record, selection, storm))];
    // The pair is compared before there are rows: unpacking a phase twice takes less memory than keeping it.
    let mut kept = Vec::new();
    let graded = record.phases.iter().map(|phase| {
        let phase = phase.look();
        let validity = ValidityBlock::of(record, &phase);
        if pair.iter().flatten().any(|one| one.name == phase.name) {
            kept.push(phase);
        }
        validity
    });
    let grades: Vec<ValidityBlock> = graded.collect();
    let comparison = storm.and_then(|storm| comparison(record, selection, storm, &grades, kept));
    let invalid: Vec<PhaseName> = record
        .phases
        .iter()
        .zip(&grades)
        .filter(|(_, block)| block.grade == Validity::Invalid)
        .map(|(phase, _)| phase.name)
        .collect();
    let phases = record.phases.iter().zip(grades).map(|(phase, validity)| {
        let shown = if full.contains(&phase.name) { Shown::Full } else { Shown::Brief };
        let mut block = PhaseBlock::of(&phase.look(), targets, plan.probe.deciding(), shown);
        block.validity = Some(validity);
        placement.extend(Placed::of(&plan.pinning, &block));
        if shown == Shown::Brief && !all_rows {
            block.rows = Vec::new();
        }
        block
    });
    let phases: Vec<PhaseBlock> = phases.collect();
    Report {
        schema_version: SCHEMA_VERSION,
        run: Run {
            name: plan.prefix.clone(),
            id: record.run_id.clone(),
            created: record.created,
            tool_version: record.facts.tool.clone(),
        },
        plan: PlanBlock {
            vms: targets.len(),
            start: plan.start,
            end: plan.end,
            vm_name: plan.vm_name.clone(),
            layout: plan.layout.clone(),
            pinning: plan.pinning.clone(),
            template: plan.template.clone(),
            overrides: plan.overrides.clone(),
            template_sha256: Some(plan.template.digest()),
            disks: record.facts.disks.clone(),
            probes: plan.probe.probes.clone(),
            probe_image: Some(plan.probe.image.clone()).filter(|image| !image.is_empty()),
            probers: plan.probe.probers,
            probe_pod: plan.probe.pod.as_ref().map(|(namespace, name)| format!("{namespace}/{name}")),
        },
        cluster: (&record.facts).into(),
        setup: SetupBlock {
            done: record.setup.done,
            namespaces: record.setup.namespaces,
            batch_size: record.setup.batch_size,
            took: record.setup.took.seconds(),
        },
        observation: ObservationBlock::of(record),
        placement,
        phases,
        comparison,
        repetitions: Repetitions::of(record, |name| invalid.contains(&name)),
        capacity: Capacity::of(record),
        thresholds: Vec::new(),
    }
}

/// Comparison of the selected storm with its baseline, without the rest of a report.
pub(super) fn compared(record: &RunRecord, selection: &Selection) -> Option<Compared> {
    let grades: Vec<ValidityBlock> =
        record.phases.iter().map(|phase| ValidityBlock::of(record, &phase.look())).collect();
    comparison(record, selection, selection.storm(record)?, &grades, Vec::new())
}

/// Baseline of a storm.
fn baseline<'a>(
    record: &'a RunRecord,
    selection: &Selection,
    storm: &PhaseRecord,
) -> Option<&'a PhaseRecord> {
    // A creation without a start is not a boot to compare with.
    let is_boot = |baseline: &&PhaseRecord| baseline.name != storm.name && !baseline.settings.halted;
    selection.baseline(record).filter(is_boot)
}

/// `grades` are those of the phases, in order; `kept` are phases that are unpacked already.
fn comparison<'a>(
    record: &'a RunRecord,
    selection: &Selection,
    storm: &'a PhaseRecord,
    grades: &[ValidityBlock],
    mut kept: Vec<Cow<'a, PhaseRecord>>,
) -> Option<Compared> {
    let stop = Selection::stop_before(record, storm.name).map(|stop| stop.name);
    let mut look = |phase: &'a PhaseRecord| match kept.iter().position(|one| one.name == phase.name) {
        Some(place) => kept.swap_remove(place),
        None => phase.look(),
    };
    let baseline = baseline(record, selection, storm).map(&mut look);
    let storm = look(storm);
    let baseline = baseline.as_deref().and_then(|baseline| side(record, baseline, grades));
    Some(Compared::of(baseline, side(record, &storm, grades)?, stop, &record.facts))
}

/// A phase of a comparison, with its grade.
fn side<'a>(record: &RunRecord, phase: &'a PhaseRecord, grades: &'a [ValidityBlock]) -> Option<Side<'a>> {
    let index = record.phases.iter().position(|one| one.name == phase.name)?;
    Some(Side { phase, validity: grades.get(index)?, first_boot: record.is_baseline(phase.name) })
}

/// The baseline, the storm with the stop before it, and a stop that no storm has followed yet.
fn shown_in_full(record: &RunRecord, selection: &Selection) -> Vec<PhaseName> {
    if let Some(only) = selection.only {
        let stop = Selection::stop_before(record, only).filter(|_| only.kind == PhaseKind::Storm);
        return [Some(only), stop.map(|phase| phase.name)].into_iter().flatten().collect();
    }
    let storm = selection.storm(record).map(|phase| phase.name);
    let stop = match storm {
        Some(storm) => Selection::stop_before(record, storm).map(|phase| phase.name),
        None => record.last_of(PhaseKind::Stop).map(|phase| phase.name),
    };
    let baseline = selection.baseline(record).map(|phase| phase.name);
    // VMs that were only created have a block of their own beside their first boot.
    let made = record.last_of(PhaseKind::Create).filter(|create| create.settings.halted);
    [made.map(|phase| phase.name), baseline, stop, storm].into_iter().flatten().collect()
}
