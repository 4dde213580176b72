//! Metadata of the objects created for a run.

use serde_json::{Map, Value, json};

use super::gitops::is_of_keeper;

/// Fields of `metadata` that belong to one object and not to its copies.
const OF_THE_ORIGINAL: [&str; 11] = [
    "generateName",
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "finalizers",
    "ownerReferences",
    "generation",
    "selfLink",
];

/// Annotations that a controller or kubectl wrote about one object; the first contains the whole object, passwords
/// included.
const OBSERVED: [&str; 5] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "kubevirt.io/latest-observed-api-version",
    "kubevirt.io/storage-observed-api-version",
    "kubemacpool.io/transaction-timestamp",
    "restore.kubevirt.io/lastRestoreUID",
];

/// Labels for everything created for a run, as key and value.
pub type Labels = Vec<(String, String)>;

/// Removes what belongs only to the object that a manifest was exported from: identity, owners, finalizers, and what
/// controllers observed.
pub(super) fn forget_original(metadata: &mut Map<String, Value>) {
    for key in OF_THE_ORIGINAL {
        metadata.remove(key);
    }
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        for key in OBSERVED {
            annotations.remove(key);
        }
    }
    // A tool that owns the original would adopt and prune the copies.
    for key in ["labels", "annotations"] {
        if let Some(map) = metadata.get_mut(key).and_then(Value::as_object_mut) {
            map.retain(|key, _| !is_of_keeper(key));
        }
    }
}

/// The map under `key`, created if missing or null.
pub(super) fn child<'a>(value: &'a mut Value, key: &str) -> &'a mut Map<String, Value> {
    if !value.is_object() {
        *value = json!({});
    }
    match value {
        Value::Object(map) => child_map(map, key),
        _ => unreachable!("made an object above"),
    }
}

/// The map under `key` of a map, created if missing or null.
pub(super) fn child_map<'a>(map: &'a mut Map<String, Value>, key: &str) -> &'a mut Map<String, Value> {
    let entry = map.entry(key).or_insert_with(|| json!({}));
    if !entry.is_object() {
        *entry = json!({});
    }
    match entry {
        Value::Object(map) => map,
        _ => unreachable!("made an object above"),
    }
}

/// Labels that many programs give their objects, and that Services, affinity and policies select by.
const COMMON: &str = "app.kubernetes.io/";

/// Adds labels to a metadata map, replacing existing values; but common ones of the manifest stay.
pub(super) fn add_labels(metadata: &mut Map<String, Value>, labels: &Labels) {
    let map = child_map(metadata, "labels");
    for (key, value) in labels {
        if !key.starts_with(COMMON) || !map.contains_key(key) {
            map.insert(key.clone(), json!(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_by_which_others_select_the_vms_stay() {
        let metadata = json!({"labels": {"app.kubernetes.io/name": "postgres", "bootstorm.dev/run": "old"}});
        let mut metadata = metadata.as_object().unwrap().clone();
        let labels = ["app.kubernetes.io/name", "app.kubernetes.io/instance", "bootstorm.dev/run"];
        add_labels(&mut metadata, &labels.map(|key| (key.to_owned(), "ours".to_owned())).to_vec());
        let kept = json!({
            "app.kubernetes.io/name": "postgres", "app.kubernetes.io/instance": "ours", "bootstorm.dev/run": "ours",
        });
        assert_eq!(metadata["labels"], kept);
    }
}
