//! The scripts that complete the bare binary.

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
    let mut command = definition().bin_name("kubectl-bootstorm");
    clap_complete::generate(shell, &mut command, "kubectl-bootstorm", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}
