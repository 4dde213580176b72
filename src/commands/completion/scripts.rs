//! The scripts that complete the bare binary.

use clap::Command;
use clap_complete::Shell;

use crate::commands::definition::definition;

/// Shells and their script file names.
pub const FILES: [(Shell, &str); 5] = [
    (Shell::Bash, "kubectl-bootstorm.bash"),
    (Shell::Zsh, "_kubectl-bootstorm"),
    (Shell::Fish, "kubectl-bootstorm.fish"),
    (Shell::PowerShell, "_kubectl-bootstorm.ps1"),
    (Shell::Elvish, "kubectl-bootstorm.elv"),
];

/// The script for a shell.
pub fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    let mut command = called(definition(), "kubectl-bootstorm");
    clap_complete::generate(shell, &mut command, "kubectl-bootstorm", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// A command and all below it, as the words by which they are called: the script for bash finds a subcommand by them.
fn called(command: Command, words: &str) -> Command {
    let below = |command: Command| {
        let words = format!("{words} {}", command.get_name());
        called(command, &words)
    };
    command.bin_name(words).mut_subcommands(below)
}
