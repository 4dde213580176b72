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
    // clap_complete 4.6 separates the words of a hyphenated name in two ways, so that nothing behind a subcommand would
    // be completed: findings/clap-complete-hyphen.sh.
    String::from_utf8_lossy(&script).replace("kubectl__subcmd__bootstorm", "kubectl__bootstorm")
}
