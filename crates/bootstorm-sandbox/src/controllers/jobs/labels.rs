//! Labels and annotations of a Job's pods.

use crate::store::Object;

/// Label with the Job of a pod.
pub const NAME: &str = "batch.kubernetes.io/job-name";
/// Label and annotation with the completion index of a pod.
pub const INDEX: &str = "batch.kubernetes.io/job-completion-index";
/// Annotation with the number of earlier failures of this index.
pub const INDEX_FAILURES: &str = "batch.kubernetes.io/job-index-failure-count";
/// Finalizer that keeps a pod until it has been counted.
pub const TRACKING: &str = "batch.kubernetes.io/job-tracking";

/// Whether the Job controller has not released a pod yet.
pub(super) fn is_tracked(pod: &Object) -> bool {
    pod.finalizers().any(|held| held == TRACKING)
}
