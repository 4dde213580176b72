//! What the pods of a Job are marked with.

use crate::store::Object;

/// The Job of a pod, as its label.
pub const NAME: &str = "batch.kubernetes.io/job-name";
/// The completion index of a pod, as a label and an annotation.
pub const INDEX: &str = "batch.kubernetes.io/job-completion-index";
/// How often pods of this index had failed before this one, as an annotation.
pub const INDEX_FAILURES: &str = "batch.kubernetes.io/job-index-failure-count";
/// Finalizer that keeps a pod until it has been counted.
pub const TRACKING: &str = "batch.kubernetes.io/job-tracking";

/// Whether the Job controller has not let a pod go yet.
pub(super) fn is_tracked(pod: &Object) -> bool {
    pod.finalizers().any(|held| held == TRACKING)
}
