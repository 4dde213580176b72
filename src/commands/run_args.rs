//! Flags of `run`.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::beside_args::BesideArgs;
use super::pace_args::{DryRunArgs, PaceArgs};
use super::phase_args::requested;
use super::plan_args::{PlanArgs, RunArgs};
use super::preflight::PreflightArgs;
use super::repeat_args::RepeatArgs;
use super::sandbox_args::SandboxArgs;
use super::shape_args::ShapeArgs;
use super::values;
use bootstorm_engine::runs::settings::PhaseOptions;
use bootstorm_engine::runs::setup::SetupOptions;
use bootstorm_engine::runs::whole::RunOptions;

/// What storms are compared with
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BaselineKind {
    /// The creation, each VM from the instant at which its disks are filled.
    Create,
    /// A first start of all VMs, after a creation that does not start them.
    Boot,
}

/// Run the whole test: setup, create, stop, storm, report
///
/// Each phase is the command of the same name. To continue an interrupted run, repeat the command with the same flags.
/// A finished run is refused, so that old figures never pass for new ones: --fresh deletes it and measures again. With
/// --sandbox it runs on a simulated cluster, so it can be tried without a real one.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  # Try it without a cluster
  kubectl bootstorm run --sandbox --end 20

  # The guide's test in the current context; saves results, then cleans up
  kubectl bootstorm run --end 50 --save-results --cleanup --yes

  # The same storm on slow storage
  kubectl bootstorm run --sandbox --profile slow-storage --end 50")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct RunCommand {
    #[command(flatten)]
    pub run: RunArgs,
    #[command(flatten)]
    pub plan: PlanArgs,
    /// Namespaces created in parallel; auto follows the number of nodes
    #[arg(long, value_name = "N|auto", default_value = "auto", value_parser = values::batch_size)]
    pub namespace_batch_size: values::BatchSize,
    #[command(flatten)]
    pub preflight: PreflightArgs,
    #[command(flatten)]
    pub pace: PaceArgs,
    /// Shape of the storm; create and stop send all requests at once.
    #[command(flatten)]
    pub launch: ShapeArgs,
    #[command(flatten)]
    pub repeat: RepeatArgs,
    /// Time limit for the whole run; it then ends as after Ctrl-C and can be continued
    #[arg(long, value_name = "DURATION", value_parser = values::limit)]
    pub run_timeout: Option<Duration>,
    /// Baseline of the storms: create counts from filled disks, boot is a first start of VMs created halted
    #[arg(long, value_name = "HOW")]
    pub baseline: Option<BaselineKind>,
    /// End after the baseline
    #[arg(long, conflicts_with_all = ["repeat", "wave", "ramp", "rate", "order"])]
    pub no_storm: bool,
    /// Clean up at the end
    #[arg(long)]
    pub cleanup: bool,
    /// Clean up without confirmation
    #[arg(short, long)]
    pub yes: bool,
    #[command(flatten)]
    pub beside: BesideArgs,
    #[command(flatten)]
    pub dry_run: DryRunArgs,
    /// Run on a simulated cluster instead of a real one
    #[arg(long)]
    pub sandbox: bool,
    #[command(flatten)]
    pub shape: SandboxArgs,
}

impl RunCommand {
    /// What the run measures.
    pub(super) fn options(&self) -> RunOptions {
        RunOptions {
            boots_first: self.baseline.map(|baseline| baseline == BaselineKind::Boot),
            no_storm: self.no_storm,
            repeat: self.repeat.repeat,
            fresh: self.repeat.fresh,
        }
    }

    /// The setup of the run.
    pub(super) fn setup(&self) -> SetupOptions {
        SetupOptions {
            batch_size: self.namespace_batch_size.0,
            skip_preflight: self.preflight.skip_preflight,
            via: Some(self.pace.settings().via),
        }
    }

    /// Its storms.
    pub(super) fn storm(&self) -> PhaseOptions {
        requested(&self.run, &self.pace, &self.launch, self.preflight)
    }
}
