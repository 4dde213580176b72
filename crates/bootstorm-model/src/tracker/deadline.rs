//! What the time of a VM is up for, and how often lists are requested.

use std::time::Duration;

/// Pause before a failed or premature list is requested again.
pub(super) const LIST_EVERY: Duration = Duration::from_secs(1);

/// What a VM's time is up for
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Limit {
    /// It is not Running (or gone).
    State,
    /// It runs, but does not answer.
    Answer,
    /// Its migration failed, and nobody has said why.
    Told,
    /// The phase may take that many seconds.
    Phase(u64),
}
