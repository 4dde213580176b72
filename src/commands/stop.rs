//! `stop`: stops every VM and waits until each instance is gone.

use clap::Args;

use super::phase;
use super::phase_args::PhaseArgs;
use super::session::Context;
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;
use bootstorm_model::record::PhaseKind;

/// Stop all VMs, and wait until each instance is gone
///
/// A VM counts as stopped only when its VirtualMachineInstance was deleted; an API error never counts as a stop. VMs
/// that do not stop in time are listed, cause exit code 3, and are excluded from the storm.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  # After create: stop all VMs
  kubectl bootstorm stop

  # Give slow guests more time
  kubectl bootstorm stop --timeout 20m")]
pub struct StopArgs {
    #[command(flatten)]
    pub phase: PhaseArgs,
}

/// Runs the command.
pub async fn command(context: &Context, args: &StopArgs) -> Result<Exit, Failure> {
    phase::command(context, PhaseKind::Stop, &args.phase).await
}
