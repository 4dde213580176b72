//! Protection of running machines, which belong to `KubeVirt`: users may label them, but little else.

use crate::value::Value;

use super::super::status::{Cause, Failure};

/// Labels that only `KubeVirt` may change.
const RESERVED: [&str; 6] = [
    "kubevirt.io/created-by",
    "kubevirt.io/install-strategy",
    "kubevirt.io/migrationJobUID",
    "kubevirt.io/migrationTargetNodeName",
    "kubevirt.io/nodeName",
    "kubevirt.io/schedulable",
];

/// Rejects changes of the spec, and silently reverts changes of the status.
pub(super) fn protect(before: Option<&Value>, after: &mut Value) -> Result<(), Failure> {
    let Some(before) = before else {
        if let Some(object) = after.as_object_mut() {
            object.remove("status");
        }
        return Ok(());
    };
    let webhook = "virtualmachineinstances-update-validator.kubevirt.io";
    if before["spec"] != after["spec"] {
        return Err(Failure::denied(webhook, &[Cause::invalid("", "update of VMI object is restricted")]));
    }
    let label = |object: &Value, key: &str| object["metadata"]["labels"].get(key).cloned();
    if RESERVED.iter().any(|key| label(before, key) != label(after, key)) {
        let message =
            "modification of the following reserved kubevirt.io/ labels on a VMI object is prohibited";
        return Err(Failure::denied(webhook, &[Cause::invalid("metadata.labels", message)]));
    }
    match before.get("status") {
        Some(status) => after["status"] = status.clone(),
        None => {
            if let Some(object) = after.as_object_mut() {
                object.remove("status");
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::value::json;

    use super::*;

    #[test]
    fn only_labels_can_be_changed() {
        let before = json!({"metadata": {}, "spec": {"a": 1}, "status": {"phase": "Running"}});
        let mut after = before.clone();
        after["status"]["phase"] = json!("Failed");
        after["metadata"]["labels"] = json!({"mine": "yes"});
        protect(Some(&before), &mut after).unwrap();
        assert_eq!(
            (&after["status"]["phase"], &after["metadata"]["labels"]["mine"]),
            (&json!("Running"), &json!("yes"))
        );
        after["spec"]["a"] = json!(2);
        let failure = protect(Some(&before), &mut after).unwrap_err();
        assert!(
            failure.status()["message"].as_str().unwrap().ends_with("update of VMI object is restricted")
        );
    }

    #[test]
    fn reserved_labels_stay() {
        let before = json!({"metadata": {"labels": {"kubevirt.io/nodeName": "a"}}});
        let mut after = json!({"metadata": {"labels": {}}});
        assert!(protect(Some(&before), &mut after).is_err());
    }
}
