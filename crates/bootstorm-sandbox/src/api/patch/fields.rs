//! Ownership of fields: `metadata.managedFields`.

use std::collections::BTreeSet;

use crate::value::{Map, Value, json};

use crate::store::stamp;

/// A path to a field that can be owned; lists are owned as a whole.
pub(super) type Path = Vec<String>;

/// One entry of `managedFields`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manager {
    pub(super) name: String,
    pub(super) operation: String,
    pub(super) api_version: String,
    pub(super) subresource: String,
    pub(super) time: Value,
    pub(super) fields: BTreeSet<Path>,
}

/// Reads the managers of an object.
pub(super) fn read(object: &Value) -> Vec<Manager> {
    let entries = object["metadata"]["managedFields"].as_array();
    entries.into_iter().flatten().map(manager).collect()
}

/// Stores the managers in an object, omitting those that own nothing.
pub(super) fn write(object: &mut Value, managers: &[Manager]) {
    let entries: Vec<Value> =
        managers.iter().filter(|manager| !manager.fields.is_empty()).map(entry).collect();
    object["metadata"]["managedFields"] = entries.into();
}

/// Records that `name` made the difference between two versions of an object by an ordinary write.
pub(in super::super) fn own(before: &Value, after: &mut Value, name: &str, subresource: Option<&str>) {
    let mut managers = read(before);
    let then = owned_by_content(before);
    let now = owned_by_content(after);
    let changed: BTreeSet<Path> = now
        .iter()
        .filter(|path| !then.contains(*path) || value_at(before, path) != value_at(after, path))
        .cloned()
        .collect();
    let gone: BTreeSet<&Path> = then.difference(&now).collect();
    for manager in &mut managers {
        manager.fields.retain(|path| !changed.contains(path) && !gone.contains(path));
    }
    let api_version = after["apiVersion"].as_str().unwrap_or_default().to_owned();
    add(&mut managers, name, "Update", &api_version, subresource.unwrap_or_default(), changed);
    write(after, &managers);
}

/// Assigns fields to a manager, which is added if necessary.
pub(super) fn add(
    managers: &mut Vec<Manager>,
    name: &str,
    operation: &str,
    api_version: &str,
    subresource: &str,
    fields: BTreeSet<Path>,
) {
    if fields.is_empty() {
        return;
    }
    let time = json!(stamp());
    let known = |manager: &&mut Manager| {
        manager.name == name && manager.operation == operation && manager.subresource == subresource
    };
    if let Some(manager) = managers.iter_mut().find(known) {
        manager.fields.extend(fields);
        manager.time = time;
        return;
    }
    managers.push(Manager {
        name: name.to_owned(),
        operation: operation.to_owned(),
        api_version: api_version.to_owned(),
        subresource: subresource.to_owned(),
        time,
        fields,
    });
}

/// The fields of an object that can be owned.
pub(super) fn owned_by_content(object: &Value) -> BTreeSet<Path> {
    let mut paths = BTreeSet::new();
    collect(object, &mut Vec::new(), &mut paths);
    paths.retain(|path| match path.first().map(String::as_str) {
        Some("apiVersion" | "kind") => false,
        Some("metadata") => {
            matches!(
                path.get(1).map(String::as_str),
                Some("labels" | "annotations" | "finalizers" | "ownerReferences")
            )
        }
        _ => true,
    });
    paths
}

fn collect(value: &Value, path: &mut Path, paths: &mut BTreeSet<Path>) {
    match value.as_object() {
        Some(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                path.push(key.to_string());
                collect(value, path, paths);
                path.pop();
            }
        }
        _ if path.is_empty() => {}
        _ => {
            paths.insert(path.clone());
        }
    }
}

/// Value at a path.
pub(super) fn value_at<'a>(object: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(object, |value, key| value.get(key))
}

/// Removes the value at a path, and objects that become empty.
pub(super) fn remove_at(object: &mut Value, path: &[String]) {
    let Some((key, rest)) = path.split_first() else { return };
    let Some(fields) = object.as_object_mut() else { return };
    if rest.is_empty() {
        fields.remove(key);
    } else if let Some(child) = fields.get_mut(key) {
        remove_at(child, rest);
        if child.as_object().is_some_and(Map::is_empty) {
            fields.remove(key);
        }
    }
}

fn manager(entry: &Value) -> Manager {
    let text = |field: &str| entry[field].as_str().unwrap_or_default().to_owned();
    let mut fields = BTreeSet::new();
    decode(&entry["fieldsV1"], &mut Vec::new(), &mut fields);
    Manager {
        name: text("manager"),
        operation: text("operation"),
        api_version: text("apiVersion"),
        subresource: text("subresource"),
        time: entry["time"].clone(),
        fields,
    }
}

fn entry(manager: &Manager) -> Value {
    let mut tree = json!({});
    for path in &manager.fields {
        let mut place = &mut tree;
        for key in path {
            let field = format!("f:{key}");
            if place.get(&field).is_none() {
                place[&field] = json!({});
            }
            place = &mut place[&field];
        }
    }
    let mut entry = json!({
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": manager.api_version,
        "time": manager.time,
        "fieldsType": "FieldsV1",
        "fieldsV1": tree,
    });
    if !manager.subresource.is_empty() {
        entry["subresource"] = json!(manager.subresource);
    }
    entry
}

fn decode(tree: &Value, path: &mut Path, paths: &mut BTreeSet<Path>) {
    let fields = tree
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(key, below)| Some((key.strip_prefix("f:")?, below)));
    let mut is_leaf = true;
    for (key, below) in fields {
        is_leaf = false;
        path.push(key.to_owned());
        decode(below, path, paths);
        path.pop();
    }
    if is_leaf && !path.is_empty() {
        paths.insert(path.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_owns_what_it_changed() {
        let before = json!({"apiVersion": "v1", "metadata": {"name": "a"}, "spec": {"x": 1, "y": {"z": 1}}});
        let mut first = before.clone();
        own(&json!({}), &mut first, "creator", None);
        let mut second = first.clone();
        second["spec"]["x"] = json!(2);
        own(&first, &mut second, "editor", None);
        let managers = read(&second);
        let owned: Vec<(&str, Vec<String>)> = managers
            .iter()
            .map(|manager| {
                (manager.name.as_str(), manager.fields.iter().map(|path| path.join(".")).collect())
            })
            .collect();
        assert_eq!(owned, [("creator", vec!["spec.y.z".to_owned()]), ("editor", vec!["spec.x".to_owned()])]);
        let stored = &second["metadata"]["managedFields"][0];
        assert_eq!(stored["fieldsV1"], json!({"f:spec": {"f:y": {"f:z": {}}}}));
    }

    #[test]
    fn removing_leaves_no_empty_shells() {
        let mut object = json!({"a": {"b": {"c": 1}}, "d": 1});
        remove_at(&mut object, &["a".into(), "b".into(), "c".into()]);
        assert_eq!(object, json!({"d": 1}));
    }
}
