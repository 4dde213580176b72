//! Why a file of results cannot be read.

use thiserror::Error;

use crate::printable;

/// The most bytes that a file of results may have
///
/// A report of 50,000 VMs has about 180 MiB and takes two to three times its size in memory. The bounds on rows and
/// phases keep a hostile file, of timelines that say nothing, at about 2 GiB.
pub const MOST_BYTES: u64 = 512 * 1024 * 1024;

/// Why a file of results cannot be read
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unreadable {
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// It is larger than any report.
    #[error("it is larger than {} MiB", MOST_BYTES >> 20)]
    TooLarge,
    /// A newer program wrote it.
    #[error("it has {what} {found}, this program reads up to {known}; a newer kubectl-bootstorm wrote it")]
    Newer {
        /// What has a version: `schema_version` or `format`.
        what: &'static str,
        /// The version found.
        found: u64,
        /// The newest version that is understood.
        known: u32,
    },
    /// It ends in the middle.
    #[error("it is cut off: {0}")]
    CutOff(String),
    /// It is JSON or YAML of some other kind.
    #[error("it is not a result of kubectl-bootstorm: it has neither schema_version nor format at its top")]
    Foreign,
    /// kube-burner wrote it, and followed no VMs.
    #[error("kube-burner measured no VMs in it: its configuration has to name the measurement vmiLatency")]
    NoVms,
    /// It is no text that is understood.
    #[error("it is not a result of kubectl-bootstorm: {0}")]
    NotText(&'static str),
    /// It contradicts itself, or its form.
    #[error("it is damaged: {0}")]
    Damaged(String),
}

impl Unreadable {
    /// Damage, told safely: what is wrong with a file may be written by anyone.
    pub(super) fn damaged(why: &impl ToString) -> Self {
        Self::Damaged(told(why))
    }
}

pub(super) fn of_json_error(error: &serde_json::Error) -> Unreadable {
    if error.is_eof() { Unreadable::CutOff(told(error)) } else { Unreadable::damaged(error) }
}

/// The first line of a parser's message, safe and not too long.
pub(super) fn told(why: &impl ToString) -> String {
    let why = why.to_string();
    printable(why.lines().next().unwrap_or_default()).chars().take(300).collect()
}
