//! How cleanup ended early.

use super::Blocked;
use crate::cluster::ClusterError;

/// How cleanup ended early
#[derive(Debug)]
pub enum CleanupError {
    /// Something is not deleted.
    Blocked(Blocked),
    /// The cluster did not answer within the time limit.
    Unanswered,
    /// Unexpected answer of the cluster.
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
