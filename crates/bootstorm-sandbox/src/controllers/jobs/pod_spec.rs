//! Pods of a Job.

use crate::value::{Value, json};

use super::super::names;
use super::labels::{INDEX, INDEX_FAILURES, TRACKING};
use crate::store::Object;

/// Variable with the completion index of a container.
const VARIABLE: &str = "JOB_COMPLETION_INDEX";

/// A new pod of a Job, for a completion index if the Job is indexed.
pub(super) fn pod(job: &Object, index: Option<u32>, failures: Option<u32>) -> Value {
    let template = &job.value()["spec"]["template"];
    let mut metadata = template["metadata"].clone();
    if !metadata.is_object() {
        metadata = json!({});
    }
    metadata["namespace"] = json!(job.namespace());
    metadata["ownerReferences"] = json!([names::owner(job.value(), job.uid())]);
    let finalizers = metadata["finalizers"].as_array().cloned().unwrap_or_default();
    metadata["finalizers"] = finalizers.into_iter().chain([json!(TRACKING)]).collect();
    let mut spec = template["spec"].clone();
    if let Some(index) = index {
        metadata["generateName"] = json!(format!("{}-{index}-", job.name()));
        for field in ["labels", "annotations"] {
            if !metadata[field].is_object() {
                metadata[field] = json!({});
            }
            metadata[field][INDEX] = json!(index.to_string());
        }
        spec["hostname"] = json!(format!("{}-{index}", job.name()));
        for list in ["containers", "initContainers"] {
            spec[list].as_array_mut().into_iter().flatten().for_each(announce);
        }
        if let Some(failures) = failures {
            metadata["annotations"][INDEX_FAILURES] = json!(failures.to_string());
        }
    } else {
        metadata["generateName"] = json!(format!("{}-", job.name()));
    }
    if spec["initContainers"].is_null()
        && let Some(spec) = spec.as_object_mut()
    {
        spec.remove("initContainers");
    }
    json!({"metadata": metadata, "spec": spec, "status": {"phase": "Pending", "qosClass": "BestEffort"}})
}

/// Sets the index variable of a container, unless it sets that itself.
fn announce(container: &mut Value) {
    let field = format!("metadata.labels['{INDEX}']");
    let variable =
        json!({"name": VARIABLE, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": field}}});
    match container["env"].as_array_mut() {
        Some(list) if list.iter().any(|one| one["name"] == VARIABLE) => {}
        Some(list) => list.push(variable),
        None => container["env"] = json!([variable]),
    }
}
