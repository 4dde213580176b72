//! Streams of pods that simulated ones lack: attach, port-forward.

use super::path::Resource;
use super::status::Failure;

/// Whether a subresource is a stream of a pod.
pub(super) fn is_stream(target: &Resource) -> bool {
    target.kind.plural == "pods" && matches!(target.subresource.as_deref(), Some("attach" | "portforward"))
}

/// Refusal of a stream: simulated pods run nothing to connect to.
pub(super) fn refuse(target: &Resource) -> Failure {
    let subresource = target.subresource.as_deref().unwrap_or_default();
    let message = format!("the sandbox has no {subresource} of pods");
    Failure::new(501, "NotImplemented", message)
        .about(target.kind, target.name.as_deref().unwrap_or_default())
}
