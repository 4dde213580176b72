//! `report`: shows or exports a run.

use std::path::{Path, PathBuf};

use clap::Args;

use super::export_args::ExportArgs;
use super::plan_args::RunArgs;
use super::save_args::SaveArgs;
use super::session::Context;
use super::threshold_args::FailIfArgs;
use super::{results, show};
use bootstorm_engine::runs::phase::exit_of;
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;
use bootstorm_model::record::{PhaseKind, PhaseName, RunRecord, lifecycle};
use bootstorm_report::read::Document;
use bootstorm_report::thresholds::Expected;
use bootstorm_report::{Graded, Report, Selection, ThresholdBlock};

/// Show a run: every VM, statistics, storm against baseline, verdict
///
/// Reads the run's record and changes nothing. It works while another process runs a phase and after an interrupted
/// one. Saved results are shown in the same way, without a cluster.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  # The run boot-storm-test
  kubectl bootstorm report

  # Every VM with every milestone
  kubectl bootstorm report --ns-prefix friday -o wide

  # Failures, their causes, and commands to investigate them
  kubectl bootstorm report --failures

  # For programs
  kubectl bootstorm report -o json | jq .comparison.verdict

  # In a pipeline: exit code 4 if the storm was too slow
  kubectl bootstorm report --fail-if 'storm.reachable.p95>90s' --fail-if 'storm/create.reachable.mean>2'

  # Saved results, without a cluster
  kubectl bootstorm report --from results/1-disk/20260304-100000_friday_1-100 -o markdown")]
pub struct ReportArgs {
    #[command(flatten)]
    pub run: RunArgs,
    /// Phase to use as the baseline; default is create
    #[arg(long, value_name = "PHASE")]
    pub baseline: Option<PhaseName>,
    /// Storm to judge; default is the last one
    #[arg(long, value_name = "PHASE")]
    pub storm: Option<PhaseName>,
    /// Show failures only: VMs by cause, each with an example message and diagnostic commands
    ///
    /// Affects tables only; the other formats always include it.
    #[arg(long)]
    pub failures: bool,
    /// Show saved results: run.json, a JSON or YAML report, or a folder of results; - reads standard input
    ///
    /// Also reads the result files of virtbench, and folders and tarballs of kube-burner's local indexer. The limit is
    /// 512 MiB per file.
    #[arg(long, value_name = "FILE|FOLDER|-")]
    pub from: Option<PathBuf>,
    #[command(flatten)]
    pub save: SaveArgs,
    #[command(flatten)]
    pub fail_if: FailIfArgs,
    #[command(flatten)]
    pub exports: ExportArgs,
}

impl ReportArgs {
    fn selection(&self) -> Selection {
        Selection { baseline: self.baseline, storm: self.storm, ..Selection::default() }
    }
}

/// Shows saved results; needs no cluster.
async fn saved(context: &Context, args: &ReportArgs, from: &Path) -> Result<Exit, Failure> {
    let document = results::read(from)?;
    let report = document.report(&args.selection()).map_err(Failure::usage)?;
    if report.phases.is_empty() && report.observation.is_none() {
        context.console().say("nothing was measured in this run");
    }
    let thresholds = if args.fail_if.fail_if.is_empty() {
        report.thresholds.clone()
    } else {
        args.fail_if.check_spread(&document)?;
        judge(args, &document.run(), &document.graded())?
    };
    let report = report.into_owned().with_thresholds(thresholds);
    show::report_or_failures(context, &report, args.failures, &[])?;
    args.save.write(context.console(), &report)?;
    args.exports.report(&report).await?;
    args.save.index.send(context.console(), &context.interrupt, &report).await?;
    if args.save.save_results {
        let Document::Run(record) = &document else {
            return Err(Failure::usage("--save-results needs the whole run, which only a run.json holds"));
        };
        args.save.save(context.console(), record)?;
    }
    let exit = if report.missed() { Exit::Missed } else { Exit::Good };
    Ok(args.fail_if.exit(context, &report.thresholds, exit))
}

/// Thresholds with their values.
fn judge(args: &ReportArgs, record: &RunRecord, grades: &[Graded]) -> Result<Vec<ThresholdBlock>, Failure> {
    let last = || record.last_of(PhaseKind::Storm).or(record.last_phase()).map(|phase| phase.name);
    let judged = args.storm.or_else(last);
    let phases: Vec<Expected> = record.phases.iter().map(Expected::from).collect();
    args.fail_if.check(&phases, judged)?;
    Ok(args.fail_if.judge_graded(record, judged, grades))
}

/// Runs the command.
pub async fn command(context: &Context, args: &ReportArgs) -> Result<Exit, Failure> {
    args.save.check()?;
    args.exports.check()?;
    if let Some(from) = &args.from {
        return Box::pin(saved(context, args, from)).await;
    }
    let session = context.connect().await?;
    let record = session.read(&args.run.prefix).await?;
    let selection = args.selection();
    selection.check(&record).map_err(Failure::usage)?;
    if record.phases.is_empty() {
        session.console.say(&format!(
            "nothing was measured yet; next: kubectl bootstorm {} --ns-prefix {}",
            lifecycle::suggestion(&record),
            args.run.prefix
        ));
    }
    let thresholds = judge(args, &record, &Graded::of_run(&record))?;
    let report = show::of(session.output, &record, &selection).with_thresholds(thresholds.clone());
    show::report_or_failures(&session, &report, args.failures, &show::next(&record))?;
    args.save.save(session.console, &record)?;
    // Tables have no rows of phases that they show in one line.
    let wants_rows = args.exports.wants_rows() || args.save.wants_rows();
    let whole = wants_rows.then(|| Report::of(&record, &selection).with_thresholds(thresholds.clone()));
    let whole = whole.as_ref().unwrap_or(&report);
    args.save.write(session.console, whole)?;
    args.exports.report(whole).await?;
    args.save.index.send(session.console, &session.interrupt, whole).await?;
    Ok(args.fail_if.exit(&session, &thresholds, record.last_phase().map_or(Exit::Good, exit_of)))
}
