//! Common parts of repetitions and the search for the largest storm: next step, record, judgement.

use super::session::Session;
use super::threshold_args::FailIfArgs;
use bootstorm_engine::cluster::lease::Held;
use bootstorm_engine::phases::Interrupt;
use bootstorm_engine::runs::phase::refused;
use bootstorm_model::failure::Failure;
use bootstorm_model::record::{PhaseKind, PhaseName, PhaseState, RunRecord, Series, SeriesKind, lifecycle};
use bootstorm_report::thresholds::{self, Expected};
use bootstorm_report::{Graded, ThresholdBlock};

/// Maximum number of phases in the record of a run.
const MOST_PHASES: usize = 250;

/// Kind of the next phase if one storm follows another.
///
/// Fails if the run is not that far, with the command to run instead.
pub(super) fn next_kind(record: &RunRecord) -> Result<PhaseKind, Failure> {
    let kind = match record.last_phase() {
        Some(last) if last.state != PhaseState::Done && last.name.kind == PhaseKind::Storm => {
            PhaseKind::Storm
        }
        Some(last) if last.state == PhaseState::Done && last.name.kind == PhaseKind::Stop => PhaseKind::Storm,
        _ => PhaseKind::Stop,
    };
    lifecycle::next(record, kind).map(|_| kind).map_err(|refusal| refused(refusal, &record.plan.prefix))
}

/// Fails if the record has no room for this many further storms.
pub(super) fn check_room(record: &RunRecord, storms: u32) -> Result<(), Failure> {
    let more = storms as usize * 2;
    if record.phases.len() + more <= MOST_PHASES {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "run \"{}\" has {} phases, {storms} storms would add {more}, and the record of a run holds \
         {MOST_PHASES}",
        record.plan.prefix,
        record.phases.len()
    ))
    .hint("set up another run with another --ns-prefix"))
}

/// Stores a series in the record: a new one, or the last one with the current request.
pub(super) async fn put(
    session: &Session,
    prefix: &str,
    decide: impl Fn(&RunRecord) -> Result<Decision, Failure>,
) -> Result<(RunRecord, Series), Failure> {
    let (record, _) = session.load(prefix).await?;
    // Errors are reported before the lock is taken, and an unchanged series is not written again.
    if let (Decision::GoOn(kind), Some(last)) = (decide(&record)?, record.series.last())
        && last.kind == kind
    {
        let last = last.clone();
        return Ok((record, last));
    }
    let change = async |lock: &Held| {
        let (mut record, mut store) = session.load(prefix).await?;
        match decide(&record)? {
            Decision::Begin(kind) => record.begin_series(kind),
            Decision::GoOn(kind) => {
                if let Some(last) = record.series.last_mut() {
                    last.kind = kind;
                }
            }
        }
        store.set_holder(lock.holder());
        store.save(&record, None).await?;
        let last = record.series.last().cloned();
        last.map(|last| (record, last)).ok_or_else(|| Failure::new("the record has no series"))
    };
    session.runs().locked(prefix, &record.run_id, change).await
}

/// Decision about the series of a record
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    /// Begin a new one.
    Begin(SeriesKind),
    /// Continue the last one, with the current request.
    GoOn(SeriesKind),
}

/// Fails if the user has interrupted between two phases.
pub(super) fn check_interrupt(interrupt: &Interrupt, record: &RunRecord, again: &str) -> Result<(), Failure> {
    if interrupt.is_set() { Err(interrupted(record, again)) } else { Ok(()) }
}

/// The failure for an interrupt between two phases.
pub(super) fn interrupted(record: &RunRecord, again: &str) -> Failure {
    let last = record.last_phase().map_or_else(String::new, |last| format!(" after {}", last.name));
    Failure::interrupted(format!("interrupted{last}; everything is saved"))
        .hint(format!("to continue: kubectl bootstorm {again} --ns-prefix {}", record.plan.prefix))
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
