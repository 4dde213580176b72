//! Lists of conditions in a status.

use crate::value::{Value, json};

/// Condition of a pod that ends for reasons outside itself.
pub const DISRUPTION: &str = "DisruptionTarget";

/// Whether an instance or a pod has ended.
pub fn is_final(object: &Value) -> bool {
    matches!(object["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

/// The condition of a type in `object.status.conditions`.
pub fn find<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == kind)
}

/// Whether a condition exists with this status.
pub fn is(object: &Value, kind: &str, status: &str) -> bool {
    find(object, kind).is_some_and(|condition| condition["status"] == status)
}

/// The reason of a condition, or an empty text.
pub fn reason<'a>(object: &'a Value, kind: &str) -> &'a str {
    find(object, kind).and_then(|condition| condition["reason"].as_str()).unwrap_or_default()
}

/// Stores a condition in `object.status.conditions`, in its old place if it has one.
pub fn set(object: &mut Value, condition: Value) {
    let conditions = &mut object["status"]["conditions"];
    if !conditions.is_array() {
        *conditions = json!([]);
    }
    let Some(list) = conditions.as_array_mut() else { return };
    match list.iter_mut().find(|known| known["type"] == condition["type"]) {
        Some(known) => *known = condition,
        None => list.push(condition),
    }
}

/// Sets status, reason and message; times are renewed only if the status or the reason changes.
pub fn mark(object: &mut Value, kind: &str, status: &str, reason: &str, message: &str, stamp: &str) {
    let mut condition =
        json!({"type": kind, "status": status, "lastProbeTime": stamp, "lastTransitionTime": stamp});
    if !reason.is_empty() {
        condition["reason"] = json!(reason);
    }
    if !message.is_empty() {
        condition["message"] = json!(message);
    }
    if let Some(known) = find(object, kind) {
        let same = |field: &str| known.get(field) == condition.get(field);
        if same("status") && same("reason") && same("message") {
            return;
        }
        if same("status") && same("reason") {
            condition["lastTransitionTime"] = known["lastTransitionTime"].clone();
        }
    }
    set(object, condition);
}

/// Removes a condition.
pub fn remove(object: &mut Value, kind: &str) {
    if let Some(list) = object["status"]["conditions"].as_array_mut() {
        list.retain(|condition| condition["type"] != kind);
        if list.is_empty()
            && let Some(status) = object["status"].as_object_mut()
        {
            status.remove("conditions");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marking_the_same_again_changes_nothing() {
        let mut object = json!({});
        mark(&mut object, "Ready", "False", "PodNotExists", "no pod", "2026-08-22T10:00:00Z");
        let before = object.clone();
        mark(&mut object, "Ready", "False", "PodNotExists", "no pod", "2026-08-22T10:00:09Z");
        assert_eq!(object, before);
        mark(&mut object, "Ready", "True", "", "", "2026-08-22T10:00:09Z");
        assert!(is(&object, "Ready", "True") && reason(&object, "Ready").is_empty());
        remove(&mut object, "Ready");
        assert!(object["status"].get("conditions").is_none());
    }
}
