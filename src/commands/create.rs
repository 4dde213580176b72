//! `create`: creates and starts every VM, timed: the baseline.

use clap::Args;

use super::phase;
use super::phase_args::PhaseArgs;
use super::session::Context;
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;
use bootstorm_model::record::PhaseKind;

/// Create and start all VMs, and time each one: the baseline
///
/// Sends all requests at once and observes the VMs by one watch that is open before the first request is sent. A VM
/// that does not reach the goal in time is reported with a reason; it never blocks the phase.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  # After setup: create the VMs and time them
  kubectl bootstorm create

  # Create the VMs and fill their disks, then time only their first boot
  kubectl bootstorm create --halted
  kubectl bootstorm storm

  # Show the manifests that would be sent
  kubectl bootstorm create --dry-run=client -o yaml")]
pub struct CreateArgs {
    #[command(flatten)]
    pub phase: PhaseArgs,
    /// Create VMs and disks without starting them; the first storm then measures the first boot
    #[arg(long)]
    pub halted: bool,
}

/// Runs the command.
pub async fn command(context: &Context, args: &CreateArgs) -> Result<Exit, Failure> {
    let phase = PhaseArgs { halted: args.halted, ..args.phase.clone() };
    phase::command(context, PhaseKind::Create, &phase).await
}
