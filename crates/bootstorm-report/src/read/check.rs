//! Whether a document can be shown: related numbers agree, and none is beyond reason.

use super::Unreadable;
use crate::Report;
use crate::phase::PhaseBlock;
use bootstorm_model::observe::Offset;
use bootstorm_model::outage::Observation;
use bootstorm_model::record::{Line, Metrics, PhaseRecord, RunRecord, codec};
use bootstorm_model::stats::Summary;

/// Maximum offset: 31 years, in microseconds.
const MOST_MICROS: i64 = 1_000_000_000_000_000;

/// Maximum value of a cluster figure: an exabyte.
const MOST_VALUE: f64 = 1e18;

/// Checks a run.
pub(super) fn run(run: &RunRecord) -> Result<(), Unreadable> {
    codec::check_plan(&run.plan, &run.run_id).map_err(|error| Unreadable::damaged(&error))?;
    within("setup", [run.setup.took])?;
    for phase in &run.phases {
        codec::check_phase(run, phase).map_err(|error| Unreadable::damaged(&error))?;
        offsets(phase)?;
        metrics(phase.metrics.as_ref())?;
    }
    run.observation.as_deref().map_or(Ok(()), |observation| observed(run, observation))
}

/// Checks that the VMs of an observation are those of the plan.
fn observed(run: &RunRecord, observation: &Observation) -> Result<(), Unreadable> {
    if observation.vms.len() != run.plan.size() as usize {
        return Err(Unreadable::damaged(&"its observation is not of the VMs of the plan"));
    }
    within("a gap", observation.gaps.iter().flat_map(|gap| [gap.from, gap.to]))?;
    within("the end", observation.ended.into_iter().chain([observation.watched_until]))?;
    for timeline in observation.all() {
        within("a time", timeline.moments.values().map(|moment| moment.at))?;
        within("an outage", timeline.outage.iter().flat_map(|outage| outage.instants()))?;
    }
    Ok(())
}

fn offsets(phase: &PhaseRecord) -> Result<(), Unreadable> {
    let probing = phase.probing.iter();
    within("a round trip", probing.map(|probing| Offset(probing.round_trip_micros)))?;
    within("a gap", phase.gaps().flat_map(|gap| [gap.from, gap.to]))?;
    within("the end", phase.ended.into_iter().chain(phase.watched_until))?;
    within("the server's clock", phase.server_ahead_micros.map(Offset))?;
    for timeline in &phase.timelines {
        let moments = timeline.moments.values().chain(timeline.probes.values());
        within("a time", moments.map(|moment| moment.at).chain([timeline.throttled_for]))?;
        within("an outage", timeline.outage.iter().flat_map(|outage| outage.instants()))?;
    }
    Ok(())
}

/// Checks that figures can be drawn.
fn metrics(metrics: Option<&Metrics>) -> Result<(), Unreadable> {
    let Some(metrics) = metrics else { return Ok(()) };
    let lines = metrics.gauges.iter().flat_map(|gauge| &gauge.lines);
    let is_drawn = |value: f64| value.is_finite() && value.abs() < MOST_VALUE;
    let has_axis =
        metrics.step_seconds > 0.0 && is_drawn(metrics.step_seconds) && is_drawn(metrics.first_seconds);
    if has_axis && lines.flat_map(Line::known).all(is_drawn) {
        return Ok(());
    }
    Err(Unreadable::damaged(&"cluster metrics are impossible"))
}

fn within(what: &str, offsets: impl IntoIterator<Item = Offset>) -> Result<(), Unreadable> {
    match offsets.into_iter().find(|offset| !(-MOST_MICROS..=MOST_MICROS).contains(&offset.0)) {
        Some(offset) => Err(Unreadable::damaged(&format!("{what} lies at {} microseconds", offset.0))),
        None => Ok(()),
    }
}

/// Checks a report.
pub(super) fn report(report: &Report) -> Result<(), Unreadable> {
    report.phases.iter().try_for_each(phase)
}

fn phase(phase: &PhaseBlock) -> Result<(), Unreadable> {
    let counts = &phase.counts;
    let decided = [counts.reached, counts.failed, counts.timed_out, counts.unknown, counts.pending];
    let participants = decided.iter().try_fold(0usize, |sum, count| sum.checked_add(*count));
    let vms = participants.and_then(|participants| participants.checked_add(counts.excluded));
    if participants != Some(counts.participants) || vms != Some(counts.vms) || counts.vms != phase.rows.len()
    {
        return Err(Unreadable::damaged(&format!("the counts of {} do not fit its rows", phase.name)));
    }
    if phase.kind != phase.name.kind {
        return Err(Unreadable::damaged(&format!("{} is not a {}", phase.name, phase.kind.word())));
    }
    metrics(phase.metrics.as_ref())?;
    let nodes = phase.nodes.iter().map(|node| &node.summary);
    let stages = phase.stages.iter().map(|stage| &stage.summary);
    let possible = |summary: &Summary| summary.arrived <= summary.n;
    if !phase.statistics.values().chain(nodes).chain(stages).all(possible) {
        return Err(Unreadable::damaged(&format!(
            "in {} more VMs reached a milestone than there are",
            phase.name
        )));
    }
    Ok(())
}
