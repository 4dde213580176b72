//! `--repeat`: repeats stop and storm up to the requested number of storms.

use super::around::Around;
use super::repeat_args::RepeatArgs;
use super::series;
use super::threshold_args::{FailIfArgs, will_be};
use bootstorm_engine::runs::Judge;
use bootstorm_engine::runs::phase::exit_of;
use bootstorm_engine::runs::settings::PhaseOptions;
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;
use bootstorm_model::record::{PhaseKind, PhaseName, RunRecord, StormKind};
use bootstorm_report::ThresholdBlock;

/// Result of repeated storms
#[derive(Debug)]
pub struct Repeated {
    /// Record at the end.
    pub record: RunRecord,
    /// Thresholds over them.
    pub thresholds: Vec<ThresholdBlock>,
    /// Worst of their exit codes.
    pub exit: Exit,
}

/// Runs the missing storms; `again` is the command that continues.
pub(super) async fn run(
    around: Around<'_>,
    storm: PhaseOptions,
    repeat: &RepeatArgs,
    again: String,
    fail_if: &FailIfArgs,
) -> Result<Repeated, Failure> {
    let purpose = repeat.purpose().ok_or_else(|| Failure::usage("--repeat is missing"))?;
    let judge = Repetition { storms: repeat.repeat.unwrap_or(1), fail_if };
    let (record, series) = series::run(around, storm, purpose, again, repeat.fresh, &judge).await?;
    let thresholds = series::judge(fail_if, &record, &series);
    let exit = series.done(&record).map(|storm| exit_of(&storm.look())).max().unwrap_or(Exit::Good);
    Ok(Repeated { record, thresholds, exit })
}

/// Thresholds over this number of storms
struct Repetition<'a> {
    storms: u32,
    fail_if: &'a FailIfArgs,
}

impl Judge for Repetition<'_> {
    fn check(&self, record: &RunRecord, first: u32) -> Result<(), Failure> {
        let will_be = |name| will_be(&record.plan, name, StormKind::Start);
        let expected = series::expected(Some(record), first, self.storms, will_be);
        self.fail_if.check(&expected, Some(PhaseName { kind: PhaseKind::Storm, number: first }))
    }
}
