//! Common parts of repetitions and the search for the largest storm: progress, judgement.

use super::around::Around;
use super::threshold_args::FailIfArgs;
use bootstorm_engine::runs::Judge;
use bootstorm_engine::runs::series::{self, Purpose, SeriesOptions};
use bootstorm_engine::runs::settings::{PhaseOptions, Role};
use bootstorm_model::failure::Failure;
use bootstorm_model::observe::Outcome;
use bootstorm_model::record::{PhaseKind, PhaseName, PhaseRecord, RunRecord, Series, SeriesKind};
use bootstorm_model::stats::Quantile;
use bootstorm_report::thresholds::{self, Expected};
use bootstorm_report::{Capacity, Graded, Repetition, ThresholdBlock};

/// Runs the missing storms of a series, with a line about each; `again` is the command that continues it.
pub(super) async fn run(
    around: Around<'_>,
    storm: PhaseOptions,
    purpose: Purpose,
    again: String,
    fresh: bool,
    judge: &dyn Judge,
) -> Result<(RunRecord, Series), Failure> {
    let session = around.session;
    let role = Role { again: Some(again), ..storm.role };
    let options = SeriesOptions { storm: PhaseOptions { role, ..storm }, purpose, fresh };
    let told = |record: &RunRecord| {
        if let Some(line) = told(record) {
            session.console.say(&line);
        }
        Ok(())
    };
    // Thresholds are judged over all storms, at their end.
    let around = Around { judged: None, then: &told, ..around };
    Box::pin(series::run(session.runs(), &options, &around.front(), &around, judge)).await
}

/// One line about a storm of a series that has just ended.
fn told(record: &RunRecord) -> Option<String> {
    let storm = record.last_phase().filter(|phase| phase.name.kind == PhaseKind::Storm)?;
    let series = record.series.last()?;
    match series.kind {
        SeriesKind::Repeat { storms, .. } => {
            Some(result(storm, &format!("{} of {storms}", series.done(record).count())))
        }
        SeriesKind::FindMax { .. } => Capacity::of(record).map(|capacity| capacity.told()),
    }
}

/// The result of a repetition, in one line.
fn result(storm: &PhaseRecord, place: &str) -> String {
    let one = Repetition::of(storm);
    let seconds = |figure: Quantile| match figure {
        Quantile::At(seconds) => format!("{seconds:.2}s"),
        Quantile::NotReached => "not reached".to_owned(),
        Quantile::Unknown => "unknown".to_owned(),
    };
    let warm_up = if storm.settings.warm_up { ", warm-up" } else { "" };
    format!(
        "{} ({place}{warm_up}): {} of {} VMs {}, p95 {}, all after {}",
        storm.name,
        storm.count(Outcome::Reached),
        one.vms,
        storm.goal.state(),
        seconds(one.figures.p95),
        seconds(one.figures.t100)
    )
}

/// Phases that a series of this many storms will have, beside existing ones.
pub(super) fn expected(
    record: Option<&RunRecord>,
    first: u32,
    storms: u32,
    will_be: impl Fn(PhaseName) -> Expected,
) -> Vec<Expected> {
    let mut phases: Vec<Expected> =
        record.map_or_else(Vec::new, |record| record.phases.iter().map(Expected::from).collect());
    for number in first..first.saturating_add(storms) {
        for kind in [PhaseKind::Stop, PhaseKind::Storm] {
            let name = PhaseName { kind, number };
            if !phases.iter().any(|phase| phase.name == name) {
                phases.push(will_be(name));
            }
        }
    }
    phases
}

/// Judges thresholds over a series: those that name no phase apply to each of its counted storms.
pub(super) fn judge(fail_if: &FailIfArgs, record: &RunRecord, series: &Series) -> Vec<ThresholdBlock> {
    let counted = series.done(record).filter(|storm| !storm.settings.warm_up);
    let storms: Vec<PhaseName> = counted.map(|storm| storm.name).collect();
    let grades = Graded::of_run(record);
    let mut blocks = Vec::new();
    for threshold in &fail_if.fail_if {
        let one = std::slice::from_ref(threshold);
        if threshold.place.is_some() || storms.is_empty() {
            blocks.extend(thresholds::judge(one, record, storms.last().copied(), &grades));
        } else {
            blocks.extend(
                storms.iter().flat_map(|storm| thresholds::judge(one, record, Some(*storm), &grades)),
            );
        }
    }
    blocks
}
