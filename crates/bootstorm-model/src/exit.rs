//! The exit codes, named.

use std::process::ExitCode;

/// How the program ended
///
/// The codes distinguish a failed command from a bad result; `--help` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// Everything succeeded, and every VM reached its goal.
    Good = 0,
    /// The command failed: cluster, permission, state, input or output.
    Failed = 1,
    /// The command line was wrong.
    Usage = 2,
    /// The phase completed, but some VMs did not reach the goal.
    Missed = 3,
    /// A `--fail-if` threshold was crossed.
    Threshold = 4,
    /// The preflight checks refused the run.
    Preflight = 5,
    /// Interrupted; measurements are saved, and the run can be continued.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
