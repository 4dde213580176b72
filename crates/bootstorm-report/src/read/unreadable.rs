//! Reasons why a results file cannot be read.

use thiserror::Error;

use crate::printable;

/// Maximum size of a results file in bytes
///
/// A report of 50,000 VMs has about 180 MiB and takes two to three times its size in memory. The bounds on rows and
/// phases limit a hostile file, of empty timelines, to about 2 GiB.
pub const MOST_BYTES: u64 = 512 * 1024 * 1024;

/// Reason why a results file cannot be read
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unreadable {
    /// Empty.
    #[error("it is empty")]
    Empty,
    /// Larger than any report.
    #[error("it is larger than {} MiB", MOST_BYTES >> 20)]
    TooLarge,
    /// Written by a newer program.
    #[error("it has {what} {found}, this program reads up to {known}; a newer kubectl-bootstorm wrote it")]
    Newer {
        /// Versioned key: `schema_version` or `format`.
        what: &'static str,
        /// Version found.
        found: u64,
        /// Newest version supported.
        known: u32,
    },
    /// Truncated.
    #[error("it is cut off: {0}")]
    CutOff(String),
    /// JSON or YAML of another kind.
    #[error(
        "it is not a result of kubectl-bootstorm: it has neither schema_version nor format at its top level"
    )]
    Foreign,
    /// Our own exchange document.
    #[error(
        "it is a document of -o benchmark, which lacks most of a run; a run.json and the output of -o json or yaml \
         can be read"
    )]
    Benchmark,
    /// Written by kube-burner without following VMs.
    #[error("kube-burner measured no VMs in it: its configuration has to name the measurement vmiLatency")]
    NoVms,
    /// Not a readable text.
    #[error("it is not a result of kubectl-bootstorm: {0}")]
    NotText(&'static str),
    /// Inconsistent or malformed.
    #[error("it is damaged: {0}")]
    Damaged(String),
}

impl Unreadable {
    /// Damage, described safely: a parser message may contain text written by anyone.
    pub(super) fn damaged(why: &impl ToString) -> Self {
        Self::Damaged(told(why))
    }
}

pub(super) fn of_json_error(error: &serde_json::Error) -> Unreadable {
    if error.is_eof() { Unreadable::CutOff(told(error)) } else { Unreadable::damaged(error) }
}

/// The first line of a parser's message, made safe and shortened.
pub(super) fn told(why: &impl ToString) -> String {
    let why = why.to_string();
    printable(why.lines().next().unwrap_or_default()).chars().take(300).collect()
}
