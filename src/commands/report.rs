//! `report`: shows or exports a run.

use clap::Args;

use super::phase::exit_of;
use super::plan_args::RunArgs;
use super::save_args::SaveArgs;
use super::session::Context;
use super::show;
use super::threshold_args::FailIfArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::record::{PhaseKind, PhaseName, lifecycle};
use crate::report::thresholds::Expected;
use crate::report::{Report, Selection};

/// Show a run: every VM, statistics, storm against baseline, verdict
///
/// Reads the run's record and changes nothing; it works while another process runs a phase, and after one was
/// interrupted.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  # The run boot-storm-test
  kubectl bootstorm report

  # Every VM with every milestone
  kubectl bootstorm report --ns-prefix friday -o wide

  # For programs
  kubectl bootstorm report -o json | jq .comparison.verdict

  # For a pipeline: exit code 4 where the storm was too slow
  kubectl bootstorm report --fail-if 'storm.reachable.p95>90s' --fail-if 'storm/create.reachable.mean>2'")]
pub struct ReportArgs {
    #[command(flatten)]
    pub run: RunArgs,
    /// Phase that counts as the baseline; default is create
    #[arg(long, value_name = "PHASE")]
    pub baseline: Option<PhaseName>,
    /// Storm to be judged; default is the last one
    #[arg(long, value_name = "PHASE")]
    pub storm: Option<PhaseName>,
    #[command(flatten)]
    pub save: SaveArgs,
    #[command(flatten)]
    pub fail_if: FailIfArgs,
}

/// Runs the command.
pub async fn command(context: &Context, args: &ReportArgs) -> Result<Exit, Failure> {
    let session = context.connect().await?;
    let (record, _) = session.load(&args.run.prefix).await?;
    let selection = Selection { baseline: args.baseline, storm: args.storm, ..Selection::default() };
    selection.check(&record).map_err(Failure::usage)?;
    if record.phases.is_empty() {
        session.console.say(&format!(
            "nothing was measured yet; next: kubectl bootstorm {} --ns-prefix {}",
            lifecycle::suggestion(&record),
            args.run.prefix
        ));
    }
    let judged = args
        .storm
        .or_else(|| record.last_of(PhaseKind::Storm).or(record.last_phase()).map(|phase| phase.name));
    let phases: Vec<Expected> = record.phases.iter().map(Expected::from).collect();
    args.fail_if.check(&phases, judged)?;
    let thresholds = args.fail_if.judge(&record, judged);
    show::report(&session, &Report::of(&record, &selection).with_thresholds(thresholds.clone()))?;
    args.save.save(&session, &record)?;
    Ok(args.fail_if.exit(&session, &thresholds, record.last_phase().map_or(Exit::Good, exit_of)))
}
