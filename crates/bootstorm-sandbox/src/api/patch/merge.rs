//! JSON merge patch: objects merge, null removes, everything else replaces.

use crate::value::{Map, Value};

/// Merges a patch into a value.
pub(in super::super) fn merge(target: &mut Value, patch: &Value) {
    let Some(changes) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Map::new().into();
    }
    let Some(fields) = target.as_object_mut() else { return };
    for (key, change) in changes {
        if change.is_null() {
            fields.remove(key);
        } else {
            merge(fields.entry(key.clone()).or_insert(Value::Null), change);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::value::json;

    use super::*;

    #[test]
    fn null_removes_and_lists_replace() {
        let mut value = json!({"a": {"b": 1, "c": 2}, "d": [1, 2]});
        merge(&mut value, &json!({"a": {"b": null, "x": {"y": null}}, "d": [3]}));
        assert_eq!(value, json!({"a": {"c": 2, "x": {}}, "d": [3]}));
    }
}
