//! How cleanup ended before its end.

use super::Blocked;
use crate::cluster::ClusterError;

/// How cleanup ended before its end
#[derive(Debug)]
pub enum CleanupError {
    /// Something does not go away.
    Blocked(Blocked),
    /// The cluster did not answer before the time was over.
    Unanswered,
    /// The cluster did not answer as needed.
    Cluster(ClusterError),
}

impl From<Blocked> for CleanupError {
    fn from(blocked: Blocked) -> Self {
        Self::Blocked(blocked)
    }
}

impl From<ClusterError> for CleanupError {
    fn from(error: ClusterError) -> Self {
        Self::Cluster(error)
    }
}
