//! Defaults of the API server for the spec of a pod, including that of a template.

use crate::value::{Value, json};

/// Completes the spec.
pub(super) fn complete(spec: &mut Value) {
    let Some(spec) = spec.as_object_mut() else { return };
    for (field, value) in [
        ("dnsPolicy", json!("ClusterFirst")),
        ("restartPolicy", json!("Always")),
        ("schedulerName", json!("default-scheduler")),
        ("securityContext", json!({})),
        ("terminationGracePeriodSeconds", json!(30)),
    ] {
        spec.entry(field).or_insert(value);
    }
}
