//! Lost nodes: the reactions of kube-controller-manager and virt-controller.
//!
//! After `pkg/controller/nodelifecycle`, `tainteviction` and `podgc` of Kubernetes 1.36, and
//! `pkg/virt-controller/watch/node/node.go` of `KubeVirt` 1.4 and later. Until power is back, or the taint
//! `node.kubernetes.io/out-of-service` is set, pods stay terminating, and their machines start nowhere else.

use std::collections::HashMap;
use std::sync::Arc;

use crate::value::{Value, json};

use super::cluster::Cluster;
use super::conditions;
use super::conditions::is_final;
use super::events::{MACHINE_CONTROLLER, Source};
use crate::store::kind::{NODES, PODS, VIRTUAL_MACHINE_INSTANCES};
use crate::store::{DeleteOptions, Object};

const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";
const SCHEDULABLE: &str = "kubevirt.io/schedulable";
const NODE_CONTROLLER: Source<'static> = Source { component: "node-controller", host: None };
const TAINT_CONTROLLER: Source<'static> = Source { component: "taint-eviction-controller", host: None };
/// Checks per grace period.
const LOOKS: f64 = 10.0;

/// State of one node
#[derive(Debug, Clone, Copy)]
struct Known {
    /// Time at which its kubelet was last heard.
    kubelet: f64,
    /// Time at which its virt-handler was last heard.
    handler: f64,
    /// Time since which it is not ready.
    lost: Option<f64>,
    /// Whether virt-controller has marked it unresponsive.
    is_unresponsive: bool,
}

/// Monitors all nodes, forever.
pub async fn run(cluster: Arc<Cluster>) {
    let period = cluster.profile.node_loss.grace / LOOKS;
    let mut known: HashMap<String, Known> = HashMap::new();
    loop {
        cluster.clock.sleep(period).await;
        let now = cluster.clock.now();
        for object in cluster.store.list(&NODES, None).0 {
            let fresh = Known { kubelet: now, handler: now, lost: None, is_unresponsive: false };
            let one = known.entry(object.name().to_owned()).or_insert(fresh);
            look(&cluster, &object, one, now);
        }
    }
}

fn look(cluster: &Cluster, object: &Object, known: &mut Known, now: f64) {
    let name = object.name();
    let is_up = cluster.nodes.get(name).is_none_or(|node| node.is_up());
    let figures = &cluster.profile.node_loss;
    if is_up {
        known.handler = now;
        if std::mem::take(&mut known.is_unresponsive) {
            schedulable(cluster, name, "true");
        }
    }
    if is_up && !cluster.is_down(&NODES, "", name, "kubelet") {
        known.kubelet = now;
        if known.lost.take().is_some() {
            ready(cluster, object);
        }
    }
    if known.lost.is_none() && now - known.kubelet >= figures.grace {
        known.lost = Some(now);
        unreachable(cluster, object);
    }
    if let Some(since) = known.lost {
        evict(cluster, object, now - since);
    }
    if now - known.handler >= figures.handler_silence {
        if !std::mem::replace(&mut known.is_unresponsive, true) {
            schedulable(cluster, name, "false");
        }
        give_up(cluster, name);
    }
}

/// Handles a kubelet that has been silent for too long.
fn unreachable(cluster: &Cluster, object: &Object) {
    let stamp = cluster.clock.stamp();
    cluster.store.modify(&NODES, "", object.name(), |node| {
        for kind in ["MemoryPressure", "DiskPressure", "PIDPressure", "Ready"] {
            let message = "Kubelet stopped posting node status.";
            conditions::mark(node, kind, "Unknown", "NodeStatusUnknown", message, &stamp);
        }
        let taint = |effect: &str| json!({"key": UNREACHABLE, "effect": effect, "timeAdded": stamp});
        match node["spec"]["taints"].as_array_mut() {
            Some(taints) => taints.extend(["NoSchedule", "NoExecute"].map(taint)),
            None => node["spec"]["taints"] = json!(["NoSchedule", "NoExecute"].map(taint)),
        }
    });
    let message = format!("Node {} status is now: NodeNotReady", object.name());
    cluster.recorder.normal(NODE_CONTROLLER, object, "NodeNotReady", &message);
    for pod in pods(cluster, object.name()) {
        cluster.store.modify(&PODS, pod.namespace(), pod.name(), |pod| {
            conditions::mark(pod, "Ready", "False", "", "", &stamp);
        });
        cluster.recorder.warning(NODE_CONTROLLER, &pod, "NodeNotReady", "Node is not ready");
    }
}

/// Handles a kubelet that is back.
fn ready(cluster: &Cluster, object: &Object) {
    let stamp = cluster.clock.stamp();
    cluster.store.modify(&NODES, "", object.name(), |node| {
        let pressures = [
            ("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
            ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
            ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ];
        for (kind, reason, message) in pressures {
            conditions::mark(node, kind, "False", reason, message, &stamp);
        }
        conditions::mark(node, "Ready", "True", "KubeletReady", "kubelet is posting ready status", &stamp);
        if let Some(taints) = node["spec"]["taints"].as_array_mut() {
            taints.retain(|taint| taint["key"] != UNREACHABLE);
        }
    });
    let message = format!("Node {} status is now: NodeReady", object.name());
    cluster.recorder.normal(NODE_CONTROLLER, object, "NodeReady", &message);
}

/// Deletes pods that no longer tolerate the loss of their node; an out-of-service node loses all of them.
fn evict(cluster: &Cluster, object: &Object, lost_for: f64) {
    let Some(node) = cluster.store.get(&NODES, "", object.name()) else { return };
    let taints = node.value()["spec"]["taints"].as_array();
    let is_out = taints.is_some_and(|taints| taints.iter().any(|taint| taint["key"] == OUT_OF_SERVICE));
    for pod in pods(cluster, object.name()) {
        let tolerates = toleration(cluster, pod.value());
        if !pod.is_deleting() && (is_out || tolerates.is_some_and(|seconds| lost_for >= seconds)) {
            let message = format!("Marking for deletion Pod {}/{}", pod.namespace(), pod.name());
            cluster.recorder.normal(TAINT_CONTROLLER, &pod, "TaintManagerEviction", &message);
            disrupt(
                cluster,
                &pod,
                "DeletionByTaintManager",
                "Taint manager: deleting due to NoExecute taint",
            );
            let options = DeleteOptions { uid: Some(pod.uid().to_owned()), ..DeleteOptions::default() };
            // It may be gone already.
            let _ = cluster.store.delete(&PODS, pod.namespace(), pod.name(), &options);
        }
        if is_out {
            collect(cluster, &pod);
        }
    }
}

/// Records on a pod that it ends for reasons outside itself.
fn disrupt(cluster: &Cluster, pod: &Object, reason: &str, message: &str) {
    let stamp = cluster.clock.stamp();
    cluster.store.modify(&PODS, pod.namespace(), pod.name(), |pod| {
        conditions::mark(pod, conditions::DISRUPTION, "True", reason, message, &stamp);
    });
}

/// Removes a pod of an out-of-service node, whose kubelet never will. A pod that a controller has yet to count stays
/// for it, as failed.
fn collect(cluster: &Cluster, pod: &Object) {
    if pod.finalizers().next().is_none() {
        cluster.store.remove(&PODS, pod.namespace(), pod.name(), pod.uid());
        return;
    }
    disrupt(cluster, pod, "DeletionByPodGC", "PodGC: node no longer exists");
    cluster.store.modify(&PODS, pod.namespace(), pod.name(), |pod| pod["status"]["phase"] = json!("Failed"));
    let options =
        DeleteOptions { uid: Some(pod.uid().to_owned()), grace_period: Some(0), ..DeleteOptions::default() };
    // It may be gone already.
    let _ = cluster.store.delete(&PODS, pod.namespace(), pod.name(), &options);
}

/// How long a pod tolerates the loss, in seconds; `None` means forever.
fn toleration(cluster: &Cluster, pod: &Value) -> Option<f64> {
    let tolerations = pod["spec"]["tolerations"].as_array();
    let fits =
        |one: &&Value| one["key"] == UNREACHABLE || one["key"].is_null() && one["operator"] == "Exists";
    match tolerations.and_then(|list| list.iter().find(fits)) {
        Some(one) => one["tolerationSeconds"].as_f64(),
        None => Some(cluster.profile.node_loss.toleration),
    }
}

/// Marks a node schedulable or not, as virt-controller and virt-handler do.
fn schedulable(cluster: &Cluster, node: &str, word: &str) {
    let changed = cluster.store.modify(&NODES, "", node, |node| {
        node["metadata"]["labels"][SCHEDULABLE] = json!(word);
    });
    if let Some(node) = changed.filter(|_| word == "false") {
        let message = "virt-handler is not responsive, marking node as unresponsive";
        cluster.recorder.normal(MACHINE_CONTROLLER, &node, "NodeUnresponsive", message);
    }
}

/// Ends instances without a pod on a node without virt-handler.
fn give_up(cluster: &Cluster, node: &str) {
    if cluster.controller_is_down() {
        return;
    }
    let (instances, _) = cluster.store.list(&VIRTUAL_MACHINE_INSTANCES, None);
    let is_here = |vmi: &&Object| vmi.value()["status"]["nodeName"] == *node && !is_final(vmi.value());
    for vmi in instances.iter().filter(is_here) {
        let pods = cluster.store.owned_by(&PODS, vmi.uid());
        if pods.iter().any(|pod| !is_final(pod.value())) {
            continue;
        }
        let message = format!("virt-handler on node {node} is not responsive, marking VMI as failed");
        cluster.recorder.normal(MACHINE_CONTROLLER, vmi, "NodeUnresponsive", &message);
        cluster.store.modify(&VIRTUAL_MACHINE_INSTANCES, vmi.namespace(), vmi.name(), |vmi| {
            vmi["status"]["phase"] = json!("Failed");
            vmi["status"]["reason"] = json!("NodeUnresponsive");
        });
    }
}

fn pods(cluster: &Cluster, node: &str) -> Vec<Object> {
    let (pods, _) = cluster.store.list(&PODS, None);
    let is_here = |pod: &Object| pod.value()["spec"]["nodeName"] == *node && !is_final(pod.value());
    pods.into_iter().filter(is_here).collect()
}
