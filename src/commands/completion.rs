//! `completion`: scripts for the shells.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Cli;
use super::session::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Print a completion script for a shell
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  # Completion of the binary in this bash
  source <(kubectl-bootstorm completion bash)")]
pub struct CompletionArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Runs the command.
pub fn command(context: &Context, args: &CompletionArgs) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    let mut cli = Cli::command().bin_name("kubectl-bootstorm");
    clap_complete::generate(args.shell, &mut cli, "kubectl-bootstorm", &mut script);
    context.console().data(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Good)
}
