//! JSON patch, in the API server's dialect.

use crate::value::Value;

use super::super::status::Failure;

/// Applies the operations in order, or none of them.
pub(super) fn change(object: &mut Value, patch: &Value) -> Result<(), Failure> {
    let Some(operations) = patch.as_array() else {
        return Err(Failure::bad_request(
            "json: cannot unmarshal object into Go value of type jsonpatch.Patch",
        ));
    };
    let mut changed = object.clone();
    for operation in operations {
        step(&mut changed, operation).ok_or_else(refused)?;
    }
    *object = changed;
    Ok(())
}

/// The API server's answer to any invalid operation.
fn refused() -> Failure {
    Failure::new(422, "Invalid", "the server rejected our request due to an error in our request")
}

fn step(object: &mut Value, operation: &Value) -> Option<()> {
    let path = operation["path"].as_str()?;
    match operation["op"].as_str()? {
        "add" => add(object, path, operation.get("value")?.clone()),
        "remove" => remove(object, path).map(drop),
        // The API server's library lets "replace" create a missing key.
        "replace" => replace(object, path, operation.get("value").cloned().unwrap_or(Value::Null)),
        "test" => {
            let wanted = operation.get("value").unwrap_or(&Value::Null);
            (object.pointer(path).unwrap_or(&Value::Null) == wanted).then_some(())
        }
        "move" => {
            let value = remove(object, operation["from"].as_str()?)?;
            add(object, path, value)
        }
        "copy" => {
            let value = object.pointer(operation["from"].as_str()?)?.clone();
            add(object, path, value)
        }
        _ => None,
    }
}

/// Parent of a path, and its last key.
fn place<'a>(object: &'a mut Value, path: &str) -> Option<(&'a mut Value, String)> {
    let (parent, key) = path.rsplit_once('/')?;
    Some((object.pointer_mut(parent)?, key.replace("~1", "/").replace("~0", "~")))
}

fn add(object: &mut Value, path: &str, value: Value) -> Option<()> {
    if path.is_empty() {
        *object = value;
        return Some(());
    }
    let (parent, key) = place(object, path)?;
    if let Some(fields) = parent.as_object_mut() {
        fields.insert(key, value);
        return Some(());
    }
    let list = parent.as_array_mut()?;
    let at = if key == "-" { list.len() } else { key.parse().ok().filter(|at| *at <= list.len())? };
    list.insert(at, value);
    Some(())
}

fn remove(object: &mut Value, path: &str) -> Option<Value> {
    let (parent, key) = place(object, path)?;
    if let Some(fields) = parent.as_object_mut() {
        return fields.remove(&key);
    }
    let list = parent.as_array_mut()?;
    let at = key.parse().ok().filter(|at| *at < list.len())?;
    Some(list.remove(at))
}

fn replace(object: &mut Value, path: &str, value: Value) -> Option<()> {
    if let Some(found) = object.pointer_mut(path) {
        *found = value;
        return Some(());
    }
    let (parent, key) = place(object, path)?;
    parent.as_object_mut()?.insert(key, value);
    Some(())
}

#[cfg(test)]
mod tests {
    use crate::value::json;

    use super::*;

    fn changed(patch: &Value) -> Option<Value> {
        let mut value = json!({"a": {"b/c": 1}, "list": [1, 2]});
        change(&mut value, patch).ok().map(|()| value)
    }

    #[test]
    fn every_operation_works() {
        let patch = json!([
            {"op": "test", "path": "/a/b~1c", "value": 1},
            {"op": "replace", "path": "/a/b~1c", "value": 2},
            {"op": "add", "path": "/list/-", "value": 3},
            {"op": "add", "path": "/list/0", "value": 0},
            {"op": "remove", "path": "/list/1"},
            {"op": "copy", "from": "/list/0", "path": "/copied"},
            {"op": "move", "from": "/a/b~1c", "path": "/moved"},
        ]);
        assert_eq!(changed(&patch), Some(json!({"a": {}, "list": [0, 2, 3], "copied": 0, "moved": 2})));
    }

    #[test]
    fn the_dialect_is_the_api_servers() {
        assert!(changed(&json!([{"op": "test", "path": "/none", "value": null}])).is_some());
        assert!(changed(&json!([{"op": "replace", "path": "/none", "value": 1}])).is_some());
    }

    #[test]
    fn a_failed_test_changes_nothing() {
        let mut value = json!({"a": 1});
        let patch =
            json!([{"op": "replace", "path": "/a", "value": 2}, {"op": "test", "path": "/a", "value": 1}]);
        let failure = change(&mut value, &patch).unwrap_err();
        assert_eq!((failure.code(), &value), (422, &json!({"a": 1})));
        assert!(changed(&json!([{"op": "remove", "path": "/none"}])).is_none());
    }
}
