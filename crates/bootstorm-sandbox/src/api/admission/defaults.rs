//! Defaults of the API server for pods and claims that users create.

use crate::value::{Value, json};

use crate::store::Kind;
use crate::store::kind::{JOBS, PERSISTENT_VOLUME_CLAIMS, PODS};

/// Completes a new object.
pub(super) fn complete(kind: &Kind, object: &mut Value) {
    if kind.is(&PODS) {
        object["status"] = json!({"phase": "Pending", "qosClass": "BestEffort"});
        super::pod::complete(&mut object["spec"]);
        let Some(spec) = object["spec"].as_object_mut() else { return };
        for (field, value) in [("enableServiceLinks", json!(true)), ("serviceAccountName", json!("default"))]
        {
            spec.entry(field).or_insert(value);
        }
    } else if kind.is(&JOBS) {
        super::job::complete(object);
    } else if kind.is(&PERSISTENT_VOLUME_CLAIMS) {
        object["status"] = json!({"phase": "Pending"});
        let Some(spec) = object["spec"].as_object_mut() else { return };
        spec.entry("volumeMode").or_insert(json!("Filesystem"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_pod_is_pending_and_has_half_a_minute_to_end() {
        let mut pod = json!({"spec": {"restartPolicy": "Never"}});
        complete(&PODS, &mut pod);
        assert_eq!(
            (&pod["status"]["phase"], &pod["spec"]["restartPolicy"]),
            (&json!("Pending"), &json!("Never"))
        );
        assert_eq!(pod["spec"]["terminationGracePeriodSeconds"], 30);
    }
}
