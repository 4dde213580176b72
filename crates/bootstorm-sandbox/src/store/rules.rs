//! Metadata written by the API machinery: identity, times, generations, deletion marks.

use crate::value::{Map, Value, json};
use jiff::Timestamp;
use rand::RngExt;

use super::kind::{self, Kind};
use bootstorm_model::observe::clock::wall_now;

/// Letters of generated names: no vowels, so no words; no digits that look like letters.
const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// Handling of dependents when their owner is deleted
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Propagation {
    /// The owner is removed at once, dependents are collected afterwards.
    #[default]
    Background,
    /// The owner stays until its dependents are gone, held by the finalizer `foregroundDeletion`.
    Foreground,
    /// Dependents stay and lose their owner; the finalizer `orphan` holds the owner until the collector has done that.
    Orphan,
}

/// Now, in whole seconds, as Kubernetes writes it.
pub fn stamp() -> String {
    seconds(wall_now())
}

/// A time in whole seconds, as Kubernetes writes it.
pub fn seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Prepares a client's object for creation: everything but the resource version.
pub(super) fn prepare(kind: &Kind, object: &mut Value, now: Timestamp) {
    if !object.is_object() {
        *object = json!({});
    }
    object["apiVersion"] = kind.api_version().into();
    object["kind"] = kind.kind.into();
    if !object["metadata"].is_object() {
        object["metadata"] = json!({});
    }
    if kind.is(&kind::NAMESPACES) {
        object["spec"] = json!({"finalizers": ["kubernetes"]});
        object["status"] = json!({"phase": "Active"});
        if !object["metadata"]["labels"].is_object() {
            object["metadata"]["labels"] = json!({});
        }
        object["metadata"]["labels"]["kubernetes.io/metadata.name"] = object["metadata"]["name"].clone();
    }
    let Some(metadata) = object["metadata"].as_object_mut() else { return };
    for server_owned in
        ["resourceVersion", "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"]
    {
        metadata.remove(server_owned);
    }
    if !kind.namespaced {
        metadata.remove("namespace");
    }
    metadata.insert("uid".to_owned(), uuid::Uuid::new_v4().to_string().into());
    metadata.insert("creationTimestamp".to_owned(), seconds(now).into());
    if kind.counts_generations() {
        metadata.insert("generation".to_owned(), json!(1));
    }
    if kind.is(&kind::JOBS) {
        super::job::select_own_pods(object);
    }
}

/// Name requested by `generateName`.
pub(super) fn generated_name(object: &Value) -> Option<String> {
    let prefix = object["metadata"]["generateName"].as_str().filter(|prefix| !prefix.is_empty())?;
    let mut random = rand::rng();
    let suffix = (0..5).map(|_| char::from(ALPHABET[random.random_range(0..ALPHABET.len())]));
    Some(prefix.chars().chain(suffix).collect())
}

/// Restores fields that no update may change, and counts the generation; false if nothing has changed.
pub(super) fn settle(kind: &Kind, before: &Value, after: &mut Value) -> bool {
    for fixed in ["apiVersion", "kind"] {
        if let Some(value) = before.get(fixed) {
            after[fixed] = value.clone();
        }
    }
    let then = &before["metadata"];
    if !after["metadata"].is_object() {
        after["metadata"] = json!({});
    }
    let Some(now) = after["metadata"].as_object_mut() else { return false };
    for fixed in [
        "uid",
        "name",
        "namespace",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
        "resourceVersion",
        "generateName",
        "selfLink",
    ] {
        match then.get(fixed) {
            Some(value) => now.insert(fixed.to_owned(), value.clone()),
            None => now.remove(fixed),
        };
    }
    drop_empty(now);
    if after == before {
        return false;
    }
    if kind.counts_generations() && content_differs(kind, before, after) {
        count_generation(after);
    }
    true
}

/// Empty collections in metadata are not stored.
fn drop_empty(metadata: &mut Map) {
    for collection in ["labels", "annotations", "finalizers", "ownerReferences", "managedFields"] {
        let empty = match metadata.get(collection) {
            Some(Value::Array(list)) => list.is_empty(),
            Some(Value::Object(map)) => map.is_empty(),
            Some(Value::Null) => true,
            _ => false,
        };
        if empty {
            metadata.remove(collection);
        }
    }
}

fn content_differs(kind: &Kind, before: &Value, after: &Value) -> bool {
    let counts = |key: &str| key != "metadata" && !(kind.has_status && key == "status");
    let content = |value| Value::as_object(value).into_iter().flatten().filter(|(key, _)| counts(key));
    content(before).ne(content(after))
}

fn count_generation(object: &mut Value) {
    let generation = object["metadata"]["generation"].as_i64().unwrap_or(0);
    object["metadata"]["generation"] = json!(generation + 1);
}

/// Grace period of a deletion: only pods on a node wait for their kubelet.
pub(super) fn grace(kind: &Kind, object: &Value, asked: Option<i64>) -> i64 {
    let idle = !kind.is(&kind::PODS)
        || object["spec"]["nodeName"].as_str().is_none_or(str::is_empty)
        || matches!(object["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    if idle {
        return 0;
    }
    asked.or_else(|| object["spec"]["terminationGracePeriodSeconds"].as_i64()).unwrap_or(30).max(0)
}

/// Adds the finalizer for the mode of propagation.
pub(super) fn add_propagation(object: &mut Value, propagation: Propagation) {
    let finalizer = match propagation {
        Propagation::Background => return,
        Propagation::Foreground => "foregroundDeletion",
        Propagation::Orphan => "orphan",
    };
    let finalizers = &mut object["metadata"]["finalizers"];
    match finalizers.as_array_mut() {
        Some(list) if list.iter().any(|held| held == finalizer) => {}
        Some(list) => list.push(json!(finalizer)),
        None => *finalizers = json!([finalizer]),
    }
}

/// Whether something holds an object before it may be removed.
pub(super) fn is_held(kind: &Kind, object: &Value) -> bool {
    kind.is(&kind::NAMESPACES)
        || object["metadata"]["finalizers"].as_array().is_some_and(|list| !list.is_empty())
}

/// Marks an object for deletion, or shortens the grace period of a marked one; false if nothing has changed.
pub(super) fn mark(kind: &Kind, object: &mut Value, grace: i64, now: Timestamp) -> bool {
    let metadata = &object["metadata"];
    let known = metadata["deletionGracePeriodSeconds"].as_i64();
    if metadata["deletionTimestamp"].is_string() && known.is_none_or(|known| known <= grace) {
        return false;
    }
    let end = now.checked_add(jiff::SignedDuration::from_secs(grace)).unwrap_or(Timestamp::MAX);
    object["metadata"]["deletionTimestamp"] = seconds(end).into();
    if kind.is(&kind::NAMESPACES) {
        object["status"]["phase"] = json!("Terminating");
    } else {
        object["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
    }
    if kind.counts_generations() {
        count_generation(object);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::kind::{PODS, VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES};
    use super::*;

    fn after(kind: &Kind, change: impl FnOnce(&mut Value)) -> (bool, i64) {
        let before =
            json!({"metadata": {"name": "a", "generation": 1}, "spec": {"x": 1}, "status": {"y": 1}});
        let mut object = before.clone();
        change(&mut object);
        let changed = settle(kind, &before, &mut object);
        (changed, object["metadata"]["generation"].as_i64().unwrap_or_default())
    }

    #[test]
    fn generation_counts_what_the_kind_says() {
        assert_eq!(after(&VIRTUAL_MACHINES, |vm| vm["status"]["y"] = json!(2)), (true, 1));
        assert_eq!(after(&VIRTUAL_MACHINES, |vm| vm["spec"]["x"] = json!(2)), (true, 2));
        assert_eq!(after(&VIRTUAL_MACHINE_INSTANCES, |vmi| vmi["status"]["y"] = json!(2)), (true, 2));
        assert_eq!(after(&VIRTUAL_MACHINES, |vm| vm["metadata"]["labels"] = json!({"a": "b"})), (true, 1));
        assert_eq!(after(&VIRTUAL_MACHINES, |vm| vm["metadata"]["labels"] = json!({})), (false, 1));
    }

    #[test]
    fn identity_survives_an_update() {
        assert_eq!(after(&PODS, |pod| pod["metadata"]["name"] = json!("b")), (false, 1));
        assert_eq!(after(&PODS, |pod| pod["metadata"]["deletionTimestamp"] = json!("x")), (false, 1));
    }

    #[test]
    fn only_pods_on_a_node_are_given_time() {
        let bound = json!({"spec": {"nodeName": "n", "terminationGracePeriodSeconds": 60}});
        assert_eq!(grace(&PODS, &bound, None), 60);
        assert_eq!(grace(&PODS, &bound, Some(5)), 5);
        assert_eq!(grace(&PODS, &json!({"spec": {}}), None), 0);
        assert_eq!(grace(&VIRTUAL_MACHINES, &bound, Some(5)), 0);
    }

    #[test]
    fn generated_names_have_five_more_letters() {
        let name = generated_name(&json!({"metadata": {"generateName": "virt-launcher-a-"}})).unwrap();
        assert_eq!(name.len(), "virt-launcher-a-".len() + 5);
    }
}
