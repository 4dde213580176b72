//! `storm`: starts every stopped VM at once, timed.

use clap::Args;

use super::phase::{self, PhaseArgs};
use super::session::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::record::PhaseKind;

/// Start every stopped VM at once, and time each one: the boot storm
///
/// Connections are opened before the storm, so that the starts leave together. After another stop it can be run again:
/// storm-2, storm-3 and so on.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  # After stop: the storm, and its comparison with the baseline
  kubectl bootstorm storm --ns-prefix boot-storm-test

  # Every VM in the table, and all results as files
  kubectl bootstorm storm -o wide --save-results")]
pub struct StormArgs {
    #[command(flatten)]
    pub phase: PhaseArgs,
}

/// Runs the command.
pub async fn command(context: &Context, args: &StormArgs) -> Result<Exit, Failure> {
    phase::command(context, PhaseKind::Storm, &args.phase).await
}
