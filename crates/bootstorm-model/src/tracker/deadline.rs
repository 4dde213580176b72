//! Deadlines of VMs, and the interval between list requests.

use std::time::Duration;

/// Pause before a failed or premature list is requested again.
pub(super) const LIST_EVERY: Duration = Duration::from_secs(1);

/// What a VM's deadline is for
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Limit {
    /// Running (or gone).
    State,
    /// An answer after Running.
    Answer,
    /// The reason for a failed migration.
    Told,
    /// The whole phase, with its limit in seconds.
    Phase(u64),
}
