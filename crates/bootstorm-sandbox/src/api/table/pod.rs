//! Columns of `kubectl get pods`.

use crate::value::{Value, json};

fn containers(pod: &Value, list: &str) -> Vec<Value> {
    pod["status"][list].as_array().cloned().unwrap_or_default()
}

/// Init containers that keep running beside the others count as containers.
fn sidecars(pod: &Value) -> Vec<&str> {
    let all = pod["spec"]["initContainers"].as_array();
    let restart = all.into_iter().flatten().filter(|container| container["restartPolicy"] == "Always");
    restart.filter_map(|container| container["name"].as_str()).collect()
}

pub(super) fn ready(pod: &Value) -> Value {
    let sidecars = sidecars(pod);
    let total = pod["spec"]["containers"].as_array().map_or(0, Vec::len) + sidecars.len();
    let is_ready = |container: &&Value| container["ready"] == true;
    let main = containers(pod, "containerStatuses");
    let beside = containers(pod, "initContainerStatuses");
    let ready = main.iter().filter(is_ready).count()
        + beside
            .iter()
            .filter(|one| one["name"].as_str().is_some_and(|name| sidecars.contains(&name)))
            .filter(is_ready)
            .count();
    json!(format!("{ready}/{total}"))
}

pub(super) fn status(pod: &Value) -> Value {
    if pod["metadata"]["deletionTimestamp"].is_string() {
        return json!("Terminating");
    }
    if let Some(reason) = pod["status"]["reason"].as_str().filter(|reason| !reason.is_empty()) {
        return json!(reason);
    }
    let init = containers(pod, "initContainerStatuses");
    let sidecars = sidecars(pod);
    for (place, container) in init.iter().enumerate() {
        let beside = container["name"].as_str().is_some_and(|name| sidecars.contains(&name));
        let done =
            container["state"]["terminated"]["exitCode"] == 0 || (beside && container["started"] == true);
        if done {
            continue;
        }
        let waiting = &container["state"]["waiting"]["reason"];
        return match waiting.as_str() {
            Some(reason) if reason != "PodInitializing" => json!(format!("Init:{reason}")),
            _ => json!(format!("Init:{place}/{}", init.len())),
        };
    }
    for container in &containers(pod, "containerStatuses") {
        let state = &container["state"];
        if let Some(reason) =
            state["waiting"]["reason"].as_str().or_else(|| state["terminated"]["reason"].as_str())
        {
            return json!(reason);
        }
    }
    pod["status"].get("phase").cloned().unwrap_or(json!("Unknown"))
}

pub(super) fn restarts(pod: &Value) -> Value {
    let count: i64 =
        containers(pod, "containerStatuses").iter().filter_map(|one| one["restartCount"].as_i64()).sum();
    json!(count.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sidecars_count_as_containers() {
        let pod = json!({
            "spec": {"containers": [{"name": "compute"}], "initContainers": [{"name": "log", "restartPolicy": "Always"}, {"name": "disk"}]},
            "status": {"phase": "Pending", "containerStatuses": [{"name": "compute", "ready": true}],
                "initContainerStatuses": [{"name": "log", "ready": true, "started": true}, {"name": "disk", "state": {"running": {}}}]},
        });
        assert_eq!(ready(&pod), "2/2");
        assert_eq!(status(&pod), "Init:1/2");
    }

    #[test]
    fn a_pod_says_why_it_waits() {
        let pod = json!({"status": {"phase": "Pending", "containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff"}}}]}});
        assert_eq!(status(&pod), "ImagePullBackOff");
        assert_eq!(status(&json!({"metadata": {"deletionTimestamp": "x"}})), "Terminating");
    }
}
