//! The parts of a pod's status that the kubelet writes.

use crate::value::{Value, json};

use super::super::conditions;

/// Result of a container run
#[derive(Debug, Clone)]
pub(super) struct Ended {
    /// Exit code.
    pub(super) code: i32,
    /// `Completed`, `Error` and so on.
    pub(super) reason: &'static str,
    /// Message.
    pub(super) message: String,
}

/// State change of a container
#[derive(Debug, Clone)]
pub(super) enum Happened {
    /// Running, as this process if it is one.
    Started(Option<u32>),
    /// Ended.
    Ended(Ended),
    /// Waiting, for this reason.
    Waits(&'static str, String),
}

/// Names of all containers of a pod, in the order in which they are started.
pub fn names(pod: &Value) -> impl Iterator<Item = &str> {
    let lists = [&pod["spec"]["initContainers"], &pod["spec"]["containers"]];
    lists
        .into_iter()
        .filter_map(|list| list.as_array())
        .flatten()
        .filter_map(|container| container["name"].as_str())
}

/// Records that the kubelet has accepted the pod and waits for its volumes.
pub fn admitted(pod: &mut Value, stamp: &str) {
    let status = &mut pod["status"];
    status["phase"] = json!("Pending");
    status["hostIP"] = json!("192.168.0.1");
    status["hostIPs"] = json!([{"ip": "192.168.0.1"}]);
    status["startTime"] = json!(stamp);
    let has_init = pod["spec"]["initContainers"].as_array().is_some_and(|list| !list.is_empty());
    condition(pod, "PodReadyToStartContainers", "False", "", stamp);
    condition(
        pod,
        "Initialized",
        if has_init { "False" } else { "True" },
        if has_init { "ContainersNotInitialized" } else { "" },
        stamp,
    );
    condition(pod, "Ready", "False", "ContainersNotReady", stamp);
    condition(pod, "ContainersReady", "False", "ContainersNotReady", stamp);
    let waiting = |reason: &'static str| move |_: &Value| json!({"waiting": {"reason": reason}});
    statuses(pod, "initContainers", "initContainerStatuses", false, waiting("PodInitializing"));
    let reason = if has_init { "PodInitializing" } else { "ContainerCreating" };
    statuses(pod, "containers", "containerStatuses", false, waiting(reason));
}

/// Records that the kubelet rejects the pod.
pub fn refused(pod: &mut Value, reason: &str, why: &str, stamp: &str) {
    let status = &mut pod["status"];
    status["phase"] = json!("Failed");
    status["reason"] = json!(reason);
    status["message"] = json!(format!("Pod was rejected: {why}"));
    status["startTime"] = json!(stamp);
}

/// Records that the pod has its volumes, its sandbox and an address; its containers are being created.
pub fn sandboxed(pod: &mut Value, addresses: &[String], stamp: &str) {
    pod["status"]["podIP"] = json!(addresses.first());
    pod["status"]["podIPs"] = addresses.iter().map(|address| json!({"ip": address})).collect();
    condition(pod, "PodReadyToStartContainers", "True", "", stamp);
}

/// Records that the init containers are done, and the sidecars are up.
pub fn initialized(pod: &mut Value, stamp: &str) {
    condition(pod, "Initialized", "True", "", stamp);
    let stays = |container: &Value| container["restartPolicy"] == "Always";
    let running = json!({"running": {"startedAt": stamp}});
    let ended = json!({"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": stamp, "finishedAt": stamp}});
    statuses(pod, "initContainers", "initContainerStatuses", true, |container| {
        if stays(container) { running.clone() } else { ended.clone() }
    });
}

/// Records that an image cannot be pulled: its containers wait for it.
pub fn waiting(pod: &mut Value, image: &str, reason: &str, message: &str) {
    for list in ["initContainerStatuses", "containerStatuses"] {
        for status in pod["status"][list].as_array_mut().into_iter().flatten() {
            if status["image"] == image {
                status["state"] = json!({"waiting": {"reason": reason, "message": message}});
            }
        }
    }
}

/// Records that all containers run; the pod is ready if its gates are open.
pub fn running(pod: &mut Value, stamp: &str) {
    let first = pod["status"]["phase"] != "Running";
    pod["status"]["phase"] = json!("Running");
    if first {
        condition(pod, "Initialized", "True", "", stamp);
        // With a readiness probe, its first success makes them ready.
        let are_ready = readiness_probe(pod).is_none();
        let (word, reason) = if are_ready { ("True", "") } else { ("False", "ContainersNotReady") };
        condition(pod, "ContainersReady", word, reason, stamp);
        statuses(
            pod,
            "containers",
            "containerStatuses",
            are_ready,
            |_| json!({"running": {"startedAt": stamp}}),
        );
    }
    if !conditions::is(pod, "ContainersReady", "True") {
        condition(pod, "Ready", "False", "ContainersNotReady", stamp);
    } else if gates_open(pod) {
        condition(pod, "Ready", "True", "", stamp);
    } else {
        condition(pod, "Ready", "False", "ReadinessGatesNotReady", stamp);
    }
}

/// Records that the readiness probe has succeeded.
pub fn ready(pod: &mut Value, stamp: &str) {
    condition(pod, "ContainersReady", "True", "", stamp);
    for container in pod["status"]["containerStatuses"].as_array_mut().into_iter().flatten() {
        container["ready"] = json!(true);
    }
    running(pod, stamp);
}

/// The readiness probe of a pod's first container.
pub fn readiness_probe(pod: &Value) -> Option<&Value> {
    pod["spec"]["containers"][0].get("readinessProbe")
}

/// Records that all containers have ended.
pub fn ended(pod: &mut Value, failed: bool, stamp: &str) {
    finish(pod, failed, stamp);
    let code = i32::from(failed);
    let word = if failed { "Error" } else { "Completed" };
    let state = json!({"terminated": {"exitCode": code, "reason": word, "finishedAt": stamp}});
    statuses(pod, "containers", "containerStatuses", false, |_| state.clone());
}

/// Whether a container of this name runs before the others.
pub fn is_init(pod: &Value, name: &str) -> bool {
    pod["spec"]["initContainers"].as_array().is_some_and(|list| list.iter().any(|one| one["name"] == name))
}

/// Records a state change of a container.
pub(super) fn happened(pod: &mut Value, name: &str, happened: &Happened, stamp: &str) {
    let field = if is_init(pod, name) { "initContainerStatuses" } else { "containerStatuses" };
    for status in pod["status"][field].as_array_mut().into_iter().flatten() {
        if status["name"] == name {
            container_happened(status, happened, stamp);
        }
    }
    if matches!(happened, Happened::Started(_)) && field == "containerStatuses" {
        pod["status"]["phase"] = json!("Running");
    }
    let all = pod["status"]["containerStatuses"].as_array();
    let (word, reason) = if all.is_some_and(|all| all.iter().all(|one| one["ready"] == true)) {
        ("True", "")
    } else {
        ("False", "ContainersNotReady")
    };
    condition(pod, "ContainersReady", word, reason, stamp);
    condition(pod, "Ready", word, reason, stamp);
}

fn container_happened(status: &mut Value, happened: &Happened, stamp: &str) {
    let before = status["state"].take();
    let again = before.get("terminated").is_some();
    if again {
        status["lastState"] = before.clone();
    }
    let (is_up, state) = match happened {
        Happened::Started(process) => {
            // A wait between two runs had replaced the state of the last one.
            if status["lastState"]["terminated"].is_object() {
                status["restartCount"] = json!(status["restartCount"].as_i64().unwrap_or(0) + 1);
            }
            if let Some(process) = process {
                status["containerID"] = json!(format!("process://{process}"));
            }
            (true, json!({"running": {"startedAt": stamp}}))
        }
        Happened::Ended(ended) => {
            let mut state = json!({
                "exitCode": ended.code, "reason": ended.reason, "finishedAt": stamp,
                "startedAt": before["running"]["startedAt"].as_str().unwrap_or(stamp),
            });
            if let Some(id) = status.get("containerID") {
                state["containerID"] = id.clone();
            }
            if !ended.message.is_empty() {
                state["message"] = json!(ended.message);
            }
            (false, json!({"terminated": state}))
        }
        Happened::Waits(reason, message) => {
            (false, json!({"waiting": {"reason": reason, "message": message}}))
        }
    };
    status["ready"] = json!(is_up);
    status["started"] = json!(is_up);
    status["state"] = state;
}

/// Records that all containers have ended, each with its own status; the state of one that never ran is unknown.
pub fn over(pod: &mut Value, failed: bool, stamp: &str) {
    finish(pod, failed, stamp);
    for status in pod["status"]["containerStatuses"].as_array_mut().into_iter().flatten() {
        if status["state"].get("terminated").is_none() {
            status["state"] = json!({"terminated": {
                "exitCode": 137, "reason": "ContainerStatusUnknown", "startedAt": null, "finishedAt": null,
                "message": "The container could not be located when the pod was terminated",
            }});
        }
        status["ready"] = json!(false);
        status["started"] = json!(false);
    }
}

fn finish(pod: &mut Value, failed: bool, stamp: &str) {
    let (phase, reason) = if failed { ("Failed", "PodFailed") } else { ("Succeeded", "PodCompleted") };
    pod["status"]["phase"] = json!(phase);
    condition(pod, "Ready", "False", reason, stamp);
    condition(pod, "ContainersReady", "False", reason, stamp);
}

/// Whether every readiness gate is open.
pub fn gates_open(pod: &Value) -> bool {
    let gates = pod["spec"]["readinessGates"].as_array();
    gates
        .into_iter()
        .flatten()
        .all(|gate| gate["conditionType"].as_str().is_some_and(|kind| conditions::is(pod, kind, "True")))
}

/// Whether the pod is ready.
pub fn is_ready(pod: &Value) -> bool {
    conditions::is(pod, "Ready", "True")
}

fn condition(pod: &mut Value, kind: &str, status: &str, reason: &str, stamp: &str) {
    let mut condition =
        json!({"type": kind, "status": status, "lastProbeTime": null, "lastTransitionTime": stamp});
    if !reason.is_empty() {
        condition["reason"] = json!(reason);
    }
    let known = conditions::find(pod, kind);
    if known.is_none_or(|known| known["status"] != status || known.get("reason") != condition.get("reason")) {
        conditions::set(pod, condition);
    }
}

fn statuses(pod: &mut Value, containers: &str, field: &str, ready: bool, state: impl Fn(&Value) -> Value) {
    let Some(list) = pod["spec"][containers].as_array().filter(|list| !list.is_empty()) else { return };
    let statuses: Vec<Value> = list
        .iter()
        .map(|container| {
            let state = state(container);
            let started = ready || state.get("running").is_some();
            json!({
                "name": container["name"], "image": container["image"], "imageID": container["image"],
                "ready": ready, "started": started, "restartCount": 0, "lastState": {}, "state": state,
            })
        })
        .collect();
    pod["status"][field] = json!(statuses);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_ready_when_its_gates_are_open() {
        let mut pod = json!({"spec": {"containers": [{"name": "a", "image": "b"}], "readinessGates": [{"conditionType": "x/y"}]}});
        admitted(&mut pod, "t0");
        assert!(conditions::is(&pod, "PodReadyToStartContainers", "False"));
        sandboxed(&mut pod, &["10.0.0.1".to_owned()], "t0");
        assert!(conditions::is(&pod, "PodReadyToStartContainers", "True"));
        running(&mut pod, "t1");
        assert!(!is_ready(&pod));
        conditions::mark(&mut pod, "x/y", "True", "", "", "t2");
        running(&mut pod, "t3");
        assert!(is_ready(&pod));
        assert_eq!(pod["status"]["containerStatuses"][0]["state"]["running"]["startedAt"], "t1");
    }
}
