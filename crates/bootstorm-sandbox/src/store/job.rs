//! The selector of a Job, which contains a UID that it has only once it is stored.

use crate::value::{Value, json};

/// Label with the UID of a pod's Job.
const OWNER: &str = "batch.kubernetes.io/controller-uid";
/// Label with its name.
const NAME: &str = "batch.kubernetes.io/job-name";
/// Earlier names of these labels; pods carry both.
const OLD: [&str; 2] = ["controller-uid", "job-name"];

/// Makes a new Job select the pods of its template and no others, unless it has a selector of its own.
pub(super) fn select_own_pods(job: &mut Value) {
    let (uid, name) = (job["metadata"]["uid"].clone(), job["metadata"]["name"].clone());
    if !job["spec"].is_object() || job["spec"]["manualSelector"] == true {
        return;
    }
    job["spec"]["selector"] = json!({"matchLabels": {OWNER: uid}});
    let metadata = &mut job["spec"]["template"]["metadata"];
    if !metadata.is_object() {
        *metadata = json!({});
    }
    if !metadata["labels"].is_object() {
        metadata["labels"] = json!({});
    }
    for (label, value) in [(OWNER, &uid), (NAME, &name), (OLD[0], &uid), (OLD[1], &name)] {
        metadata["labels"][label] = value.clone();
    }
    let labels = metadata["labels"].clone();
    let own = &mut job["metadata"]["labels"];
    if own.as_object().is_none_or(crate::value::Map::is_empty) {
        *own = labels;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_selects_its_pods_by_its_identity() {
        let mut job = json!({"metadata": {"uid": "u", "name": "j"}, "spec": {"template": {"metadata": {"labels": {"a": "b"}}}}});
        select_own_pods(&mut job);
        assert_eq!(job["spec"]["selector"], json!({"matchLabels": {OWNER: "u"}}));
        let labels = &job["spec"]["template"]["metadata"]["labels"];
        assert_eq!(*labels, json!({"a": "b", OWNER: "u", NAME: "j", (OLD[0]): "u", (OLD[1]): "j"}));
        assert_eq!(job["metadata"]["labels"], *labels);
        let mut manual = json!({"metadata": {"uid": "u", "name": "j"}, "spec": {"manualSelector": true}});
        select_own_pods(&mut manual);
        assert!(manual["spec"].get("selector").is_none());
    }
}
