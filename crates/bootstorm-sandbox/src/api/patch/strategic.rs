//! Strategic merge: lists of the built-in kinds merge by a key.

use crate::value::{Map, Value};

/// The key that identifies the items of a list; `None` if the list is replaced as a whole.
fn key(list: &str) -> Option<&'static str> {
    match list {
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "volumes"
        | "env"
        | "imagePullSecrets"
        | "secrets" => Some("name"),
        "conditions" | "addresses" => Some("type"),
        "ownerReferences" => Some("uid"),
        "taints" => Some("key"),
        "ports" => Some("containerPort"),
        "volumeMounts" => Some("mountPath"),
        "volumeDevices" => Some("devicePath"),
        _ => None,
    }
}

/// Whether a list of plain values merges as a set.
fn is_set(list: &str) -> bool {
    matches!(list, "finalizers" | "podCIDRs")
}

/// Merges a patch into a value.
pub(in super::super) fn merge(target: &mut Value, patch: &Value) {
    let Some(changes) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if changes.get("$patch").and_then(Value::as_str) == Some("replace") {
        *target = plain(changes).into();
        return;
    }
    if !target.is_object() {
        *target = Map::new().into();
    }
    let Some(fields) = target.as_object_mut() else { return };
    for (name, change) in changes {
        if let Some(list) = name.strip_prefix("$deleteFromPrimitiveList/") {
            let gone = change.as_array().cloned().unwrap_or_default();
            if let Some(items) = fields.get_mut(list).and_then(Value::as_array_mut) {
                items.retain(|item| !gone.contains(item));
            }
        } else if name.starts_with('$') {
            // Order and retained keys make no difference to what is stored here.
        } else if change.is_null() || change.get("$patch").and_then(Value::as_str) == Some("delete") {
            fields.remove(name);
        } else {
            let field = fields.entry(name.clone()).or_insert(Value::Null);
            match (change.as_array(), key(name)) {
                (Some(items), Some(key)) => merge_list(field, items, key),
                (Some(items), None) if is_set(name) => unite(field, items),
                _ => merge(field, change),
            }
        }
    }
}

fn plain(changes: &Map) -> Map {
    changes
        .iter()
        .filter(|(name, _)| !name.starts_with('$'))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn merge_list(target: &mut Value, changes: &[Value], key: &str) {
    if !target.is_array() {
        *target = Value::list(Vec::new());
    }
    let Some(items) = target.as_array_mut() else { return };
    if changes.iter().any(|change| change["$patch"] == "replace" && change.get(key).is_none()) {
        items.clear();
    }
    for change in changes.iter().filter(|change| change.get(key).is_some()) {
        let place = items.iter().position(|item| item[key] == change[key]);
        match (place, change["$patch"] == "delete") {
            (Some(place), true) => {
                items.remove(place);
            }
            (Some(place), false) => merge(&mut items[place], change),
            (None, true) => {}
            (None, false) => {
                let mut item = Value::Null;
                merge(&mut item, change);
                items.push(item);
            }
        }
    }
}

fn unite(target: &mut Value, changes: &[Value]) {
    let mut items = target.as_array().cloned().unwrap_or_default();
    for change in changes {
        if !items.contains(change) {
            items.push(change.clone());
        }
    }
    *target = Value::list(items);
}

#[cfg(test)]
mod tests {
    use crate::value::json;

    use super::*;

    #[test]
    fn lists_merge_by_their_key() {
        let mut pod = json!({"spec": {"containers": [{"name": "a", "image": "1"}, {"name": "b"}]}});
        let patch = json!({"spec": {"containers": [{"name": "a", "image": "2"}, {"name": "b", "$patch": "delete"}, {"name": "c"}],
            "$setElementOrder/containers": [{"name": "a"}]}});
        merge(&mut pod, &patch);
        assert_eq!(pod, json!({"spec": {"containers": [{"name": "a", "image": "2"}, {"name": "c"}]}}));
    }

    #[test]
    fn finalizers_are_a_set() {
        let mut object = json!({"metadata": {"finalizers": ["a"]}});
        merge(&mut object, &json!({"metadata": {"finalizers": ["b", "a"]}}));
        assert_eq!(object, json!({"metadata": {"finalizers": ["a", "b"]}}));
        merge(&mut object, &json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}));
        assert_eq!(object, json!({"metadata": {"finalizers": ["b"]}}));
    }

    #[test]
    fn replacing_and_removing_work_as_in_a_merge_patch() {
        let mut object = json!({"data": {"a": "1", "b": "2"}, "other": 1});
        merge(&mut object, &json!({"data": {"a": null}, "other": null}));
        assert_eq!(object, json!({"data": {"b": "2"}}));
    }
}
