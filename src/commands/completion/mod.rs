//! `completion`: scripts for the shells and for kubectl, and the answers while the user types.

mod answer;
mod live;
pub mod scripts;
pub mod shim;

use clap::{Args, ValueEnum};
use clap_complete::Shell;

use super::session::Context;
pub use answer::answer;
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;

/// Shell or program to complete for
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum For {
    /// kubectl 1.26 and later, in any shell: kubectl bootstorm TAB
    Kubectl,
    /// The bare binary in bash
    Bash,
    /// The bare binary in zsh
    Zsh,
    /// The bare binary in fish
    Fish,
    /// The bare binary in `PowerShell`
    #[value(name = "powershell")]
    PowerShell,
    /// The bare binary in elvish
    Elvish,
}

/// Print a completion script, or enable completion through kubectl
///
/// kubectl runs `kubectl_complete-bootstorm` from the PATH, a script of two lines. "completion kubectl" prints it; with
/// --install, it is written next to the plugin. The other scripts complete `kubectl-bootstorm` itself.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  # kubectl bootstorm TAB, in every shell with kubectl completion
  kubectl bootstorm completion kubectl --install

  # Completion of the binary in the current bash
  source <(kubectl-bootstorm completion bash)

  # The same for all zsh sessions
  kubectl bootstorm completion zsh > ~/.zfunc/_kubectl-bootstorm")]
pub struct CompletionArgs {
    /// Shell or program to complete for
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: For,
    /// Write the script for kubectl next to the plugin on the PATH
    #[arg(long)]
    pub install: bool,
}

/// Runs the command.
pub fn command(context: &Context, args: &CompletionArgs) -> Result<Exit, Failure> {
    let console = context.console();
    let shell = match args.shell {
        For::Kubectl if args.install => {
            let path = shim::install(std::env::var_os("PATH").as_deref())?;
            console.say(&format!("{}: written; now try: kubectl bootstorm TAB", path.display()));
            return Ok(Exit::Good);
        }
        _ if args.install => {
            return Err(Failure::usage("only the script for kubectl can be installed")
                .hint("print the other ones to where your shell looks for them"));
        }
        For::Kubectl => {
            console.data(shim::TEXT)?;
            return Ok(Exit::Good);
        }
        For::Bash => Shell::Bash,
        For::Zsh => Shell::Zsh,
        For::Fish => Shell::Fish,
        For::PowerShell => Shell::PowerShell,
        For::Elvish => Shell::Elvish,
    };
    console.data(&scripts::script(shell))?;
    Ok(Exit::Good)
}
