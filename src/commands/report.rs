//! `report`: shows or exports a run.

use clap::Args;

use super::phase::exit_of;
use super::plan_args::RunArgs;
use super::save_args::SaveArgs;
use super::session::Context;
use super::show;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::record::{PhaseName, lifecycle};
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
  kubectl bootstorm report -o json | jq .comparison.verdict")]
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
    show::report(&session, &Report::of(&record, &selection))?;
    args.save.save(session.console, &record)?;
    Ok(record.last_phase().map_or(Exit::Good, exit_of))
}
