//! A cleanup and its options.

use std::time::Duration;

use crate::phases::cleanup::Choice;
use crate::runs::{Caller, Runs};

/// What to clean up, and how
#[derive(Debug, Clone)]
pub struct CleanupOptions {
    /// Name of the run.
    pub prefix: String,
    /// What is kept.
    pub choice: Choice,
    /// UUID of the run, if its record is lost.
    pub run_id: Option<String>,
    /// Whether adopted VMs stay in their current state.
    pub leave_adopted: bool,
    /// Time limit for the deletion and for restoring adopted VMs.
    pub timeout: Duration,
    /// Limit on requests in flight.
    pub concurrency: usize,
}

impl CleanupOptions {
    /// Default time limit.
    pub const TIMEOUT: Duration = Duration::from_secs(15 * 60);
    /// Default limit on requests in flight.
    pub const CONCURRENCY: usize = 50;

    /// The default cleanup of a run.
    pub fn of(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
            choice: Choice { keep_record: false, delete_foreign: false },
            run_id: None,
            leave_adopted: false,
            timeout: Self::TIMEOUT,
            concurrency: Self::CONCURRENCY,
        }
    }

    /// The command that continues.
    pub(super) fn again(&self) -> String {
        let keep = if self.choice.keep_record { " --keep-record" } else { "" };
        let foreign = if self.choice.delete_foreign { " --delete-foreign" } else { "" };
        format!("to continue: kubectl bootstorm cleanup --ns-prefix {}{keep}{foreign}", self.prefix)
    }
}

/// A cleanup of a run
#[derive(Clone, Copy)]
pub struct Cleanup<'a> {
    /// The runs of the cluster.
    pub runs: Runs<'a>,
    /// What to clean up, and how.
    pub options: &'a CleanupOptions,
    /// Shows what is reported.
    pub caller: &'a dyn Caller,
}
