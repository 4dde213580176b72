//! The parts of an instance's status that virt-controller writes.

use crate::value::{Value, json};

use super::super::conditions;
use super::super::names;
use super::{Pods, phase};
use crate::store::Object;

/// Reason why the instance is not as desired; the condition Synchronized=False
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutOfSync {
    /// Reason, one word.
    pub reason: &'static str,
    /// Message.
    pub message: String,
}

/// Updates the status from the pods.
pub(super) fn fill(
    vmi: &mut Value,
    pods: &Pods,
    out_of_sync: Option<&OutOfSync>,
    volumes: Option<bool>,
    stamp: &str,
) {
    let now = vmi["status"]["phase"].as_str().unwrap_or_default().to_owned();
    if let Some(ready) = volumes {
        let (status, reason) = if ready { ("True", "AllDVsReady") } else { ("False", "NotAllDVsReady") };
        conditions::mark(vmi, "DataVolumesReady", status, reason, "", stamp);
    }
    match (&pods.current, now.as_str()) {
        (None, "Pending") if vmi["metadata"].get("deletionTimestamp").is_some() => {
            phase::enter(vmi, "Failed", stamp);
        }
        (None, "Scheduling") => phase::enter(vmi, "Failed", stamp),
        // Its pod has vanished under a live guest: Failed without an entry, as in the real controller.
        (None, "Scheduled" | "Running") => vmi["status"]["phase"] = json!("Failed"),
        (Some(pod), "Pending") => {
            phase::enter(vmi, "Scheduling", stamp);
            follow(vmi, pod);
        }
        (Some(pod), "Scheduling") => schedule(vmi, pod, stamp),
        (Some(pod), "Scheduled" | "Running") => follow(vmi, pod),
        _ => {}
    }
    let pulling = pods.current.as_ref().and_then(|pod| pull_failure(pod.value()));
    match out_of_sync.or(pulling.as_ref()) {
        Some(why) => conditions::mark(vmi, "Synchronized", "False", why.reason, &why.message, stamp),
        None => conditions::remove(vmi, "Synchronized"),
    }
    ready(vmi, pods.current.as_ref(), stamp);
}

/// Moves from Scheduling to Scheduled, or to Failed if the pod has failed.
fn schedule(vmi: &mut Value, pod: &Object, stamp: &str) {
    follow(vmi, pod);
    let value = pod.value();
    let ended = matches!(value["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    if pod.is_deleting() || ended {
        return phase::enter(vmi, "Failed", stamp);
    }
    if let Some(unscheduled) = conditions::find(value, "PodScheduled").filter(|it| it["status"] == "False") {
        conditions::set(vmi, unscheduled.clone());
    } else {
        conditions::remove(vmi, "PodScheduled");
    }
    if !up(value) {
        return;
    }
    let node = &value["spec"]["nodeName"];
    phase::enter(vmi, "Scheduled", stamp);
    conditions::remove(vmi, "PodScheduled");
    if !vmi["metadata"]["labels"].is_object() {
        vmi["metadata"]["labels"] = json!({});
    }
    vmi["metadata"]["labels"][names::NODE_NAME] = node.clone();
    vmi["status"]["nodeName"] = node.clone();
    vmi["status"]["migrationTransport"] = json!("Unix");
    let volumes = vmi["spec"]["volumes"].as_array().into_iter().flatten().zip('a'..='z');
    let statuses: Vec<Value> = volumes.map(|(volume, letter)| volume_status(volume, letter)).collect();
    if !statuses.is_empty() {
        vmi["status"]["volumeStatus"] = json!(statuses);
    }
    if let Some(network) = pod_network(vmi) {
        vmi["status"]["interfaces"] = json!([{"name": network, "podInterfaceName": "eth0"}]);
    }
}

/// Name of the interface on the pod network.
pub fn pod_network(vmi: &Value) -> Option<String> {
    let networks = vmi["spec"]["networks"].as_array()?;
    let network = networks.iter().find(|network| network.get("pod").is_some())?;
    network["name"].as_str().map(str::to_owned)
}

/// The interface on the pod network.
fn pod_interface(vmi: &Value) -> Option<&Value> {
    let network = pod_network(vmi)?;
    let interfaces = vmi["spec"]["domain"]["devices"]["interfaces"].as_array()?;
    interfaces.iter().find(|interface| interface["name"] == network)
}

/// Whether the guest's network accepts connections and answers pings itself, whatever the state of the guest.
pub fn is_proxied(vmi: &Value) -> bool {
    let Some(interface) = pod_interface(vmi) else { return false };
    let plugin = interface["binding"]["name"].as_str().unwrap_or_default();
    let is = |field: &str| interface.get(field).is_some();
    is("passt") || is("passtBinding") || is("slirp") || plugin.contains("passt") || plugin.contains("slirp")
}

/// Ports forwarded to the guest; `None` if all are.
pub fn forwarded(vmi: &Value) -> Option<Box<[u16]>> {
    let interface = pod_interface(vmi)?;
    let ports = interface["ports"].as_array().filter(|ports| !ports.is_empty())?;
    Some(ports.iter().filter_map(|port| u16::try_from(port["port"].as_u64()?).ok()).collect())
}

fn volume_status(volume: &Value, letter: char) -> Value {
    let mut status = json!({"name": volume["name"], "target": format!("vd{letter}")});
    if volume.get("containerDisk").is_some() {
        status["containerDiskVolume"] = json!({"checksum": 3_114_209_183_u32});
    }
    let claim = volume["persistentVolumeClaim"]["claimName"]
        .as_str()
        .or_else(|| volume["dataVolume"]["name"].as_str());
    if let Some(claim) = claim {
        status["persistentVolumeClaimInfo"] = json!({
            "claimName": claim, "accessModes": ["ReadWriteMany"], "volumeMode": "Block", "filesystemOverhead": "0",
        });
    }
    status
}

/// Copies the state of the pod into the instance.
fn follow(vmi: &mut Value, pod: &Object) {
    let node = pod.value()["spec"]["nodeName"].as_str().unwrap_or_default();
    let mut active = crate::value::Map::new();
    active.insert(pod.uid().to_owned(), json!(node));
    vmi["status"]["activePods"] = active.into();
    vmi["status"]["launcherContainerImageVersion"] = pod.value()["spec"]["containers"][0]["image"].clone();
    vmi["status"]["qosClass"] = json!("Burstable");
}

/// Whether a pod and its main container run, and its other containers are ready.
pub fn up(pod: &Value) -> bool {
    let running = pod["status"]["phase"] == "Running";
    let containers = pod["status"]["containerStatuses"].as_array();
    running && containers.is_some_and(|all| all.iter().all(|one| one["state"].get("running").is_some()))
}

/// An image that cannot be pulled.
fn pull_failure(pod: &Value) -> Option<OutOfSync> {
    let containers = ["initContainerStatuses", "containerStatuses"].into_iter();
    let statuses = containers.filter_map(|list| pod["status"][list].as_array()).flatten();
    for status in statuses {
        let waiting = &status["state"]["waiting"];
        let reason = match waiting["reason"].as_str() {
            Some("ErrImagePull") => "ErrImagePull",
            Some("ImagePullBackOff") => "ImagePullBackOff",
            _ => continue,
        };
        let message = waiting["message"].as_str().unwrap_or_default().to_owned();
        return Some(OutOfSync { reason, message });
    }
    None
}

/// The Ready condition.
fn ready(vmi: &mut Value, pod: Option<&Object>, stamp: &str) {
    let phase = vmi["status"]["phase"].as_str().unwrap_or_default();
    let ended = matches!(phase, "Succeeded" | "Failed");
    let Some(pod) = pod else {
        if ended {
            // About to be released; the rest is irrelevant.
            return;
        }
        return conditions::mark(
            vmi,
            "Ready",
            "False",
            "PodNotExists",
            "virt-launcher pod has not yet been scheduled",
            stamp,
        );
    };
    if pod.is_deleting() {
        return conditions::mark(
            vmi,
            "Ready",
            "False",
            "PodTerminating",
            "virt-launcher pod is terminating",
            stamp,
        );
    }
    if phase != "Running" {
        let message = "Guest VM is not reported as running";
        return conditions::mark(vmi, "Ready", "False", "GuestNotRunning", message, stamp);
    }
    match conditions::find(pod.value(), "Ready") {
        None => {
            let message = "virt-launcher pod is missing the Ready condition";
            conditions::mark(vmi, "Ready", "False", "PodConditionMissing", message, stamp);
        }
        Some(ready) => {
            let mut copy = ready.clone();
            copy["lastProbeTime"] = Value::Null;
            if let Some(fields) = copy.as_object_mut() {
                fields.remove("observedGeneration");
            }
            conditions::set(vmi, copy);
        }
    }
}
