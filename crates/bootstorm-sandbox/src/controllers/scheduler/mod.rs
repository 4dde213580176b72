//! The scheduler: finds a node for each pod, one after the other.

pub mod fit;
pub mod ledger;

use std::sync::{Arc, Mutex};

use crate::value::{Value, json};

use self::fit::Request;
use self::ledger::Ledger;
use super::client::Client;
use super::cluster::Cluster;
use super::conditions;
use super::key::Key;
use super::worker::{Outcome, Reconciler};
use crate::model::bucket::TokenBucket;
use crate::model::lock;
use crate::store::kind::{NODES, PERSISTENT_VOLUME_CLAIMS, PODS, STORAGE_CLASSES};
use crate::store::{Action, Entry, Object};

/// Maximum pause of a pod without a node, as a multiple of the first one (k8s: 1 s to 10 s).
const LONGEST_PAUSE: f64 = 10.0;

/// The scheduler
#[derive(Debug)]
pub struct Scheduler {
    cluster: Arc<Cluster>,
    bucket: Arc<TokenBucket>,
    ledger: Mutex<Ledger>,
}

impl Reconciler for Scheduler {
    type Key = Key;

    async fn reconcile(&self, client: &mut Client, key: &Key) -> Outcome {
        let Some(pod) = client.store().get(&PODS, &key.namespace, &key.name) else {
            return Outcome::Done;
        };
        if pod.is_deleting()
            || pod.value()["spec"]["nodeName"].is_string()
            || lock(&self.ledger).holds(pod.uid())
        {
            return Outcome::Done;
        }
        let decide =
            self.cluster.dice.roll(&key.to_string(), 0, "decide").draw(self.cluster.profile.scheduler.decide);
        client.spend(decide).await;
        let request = Request::of(pod.value());
        let found = match storage_obstacle(client, &pod) {
            Some(why) => Err(why),
            None => lock(&self.ledger).place(pod.uid(), &request),
        };
        match found {
            Ok(node) => {
                self.bind(&pod, node);
                Outcome::Done
            }
            Err(why) => {
                let tries = lock(&self.ledger).fail(pod.uid(), key);
                self.refuse(client, &pod, &why).await;
                // Retried when room appears, and periodically in any case.
                let pause = self.cluster.profile.scheduler.back_off;
                Outcome::Again(pause * 2.0_f64.powi(tries.min(4) as i32).min(LONGEST_PAUSE))
            }
        }
    }
}

impl Scheduler {
    /// A scheduler that knows no node yet; its calls are limited by `bucket`.
    pub fn new(cluster: Arc<Cluster>, bucket: Arc<TokenBucket>) -> Self {
        Self { cluster, bucket, ledger: Mutex::default() }
    }

    /// Handles a change of a node.
    pub fn node_changed(&self, entry: &Entry) {
        let mut ledger = lock(&self.ledger);
        match entry.action {
            Action::Deleted => ledger.drop_node(entry.object.name()),
            _ => ledger.know_node(entry.object.name(), entry.object.value()),
        }
        self.wake(&mut ledger);
    }

    /// Handles a change of a pod.
    pub fn pod_changed(&self, entry: &Entry) {
        let (pod, uid) = (entry.object.value(), entry.object.uid());
        let ended = matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
        let mut ledger = lock(&self.ledger);
        if entry.action == Action::Deleted || ended {
            ledger.forget(uid);
            if ledger.release(uid) {
                self.wake(&mut ledger);
            }
        } else if let Some(node) = pod["spec"]["nodeName"].as_str() {
            ledger.forget(uid);
            if !ledger.holds(uid) {
                ledger.hold(uid, node, &Request::of(pod));
            }
        } else if entry.action == Action::Added {
            drop(ledger);
            self.cluster.queues.unscheduled.add(Key::of(&entry.object));
        }
    }

    /// Retries all waiting pods.
    pub fn retry_all(&self) {
        self.wake(&mut lock(&self.ledger));
    }

    /// Requeues all waiting pods shortly; until then further room makes no difference.
    fn wake(&self, ledger: &mut Ledger) {
        let (now, pause) = (self.cluster.clock.now(), self.cluster.profile.scheduler.back_off);
        for key in ledger.wake(now, pause) {
            self.cluster.queues.unscheduled.add_after(key, pause);
        }
    }

    /// Writes the binding in the background: the decision is already made.
    fn bind(&self, pod: &Object, node: String) {
        let cluster = self.cluster.clone();
        let pod = pod.clone();
        let mut client = cluster.client(&format!("binding/{}", pod.uid()), &self.bucket);
        self.cluster.tasks.spawn(async move {
            select_node_for_claims(&mut client, &pod, &node).await;
            let stamp = cluster.clock.stamp();
            let bound = client.patch(&PODS, &pod, |pod| {
                pod["spec"]["nodeName"] = json!(node);
                let condition = json!({"type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": stamp});
                conditions::set(pod, condition);
            });
            if bound.await.is_ok() {
                let message =
                    format!("Successfully assigned {}/{} to {node}", pod.namespace(), pod.name());
                cluster.recorder.scheduler(&pod, "Normal", "Scheduled", &message);
            }
        });
    }

    async fn refuse(&self, client: &mut Client, pod: &Object, why: &str) {
        let stamp = self.cluster.clock.stamp();
        let unschedulable = |pod: &mut Value| {
            let known = conditions::find(pod, "PodScheduled");
            if known.is_some_and(|known| known["message"] == why && known["status"] == "False") {
                return;
            }
            let condition = json!({
                "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": why,
                "lastProbeTime": null, "lastTransitionTime": stamp,
            });
            conditions::set(pod, condition);
        };
        // A pod that is gone meanwhile needs no node.
        let _ = client.patch(&PODS, pod, unschedulable).await;
        self.cluster.recorder.scheduler(pod, "Warning", "FailedScheduling", why);
    }
}

/// A claim that is missing, or that must be bound before the pod can be placed.
fn storage_obstacle(client: &Client, pod: &Object) -> Option<String> {
    let store = client.store();
    for volume in pod.value()["spec"]["volumes"].as_array().into_iter().flatten() {
        let Some(name) = volume["persistentVolumeClaim"]["claimName"].as_str() else { continue };
        let Some(claim) = store.get(&PERSISTENT_VOLUME_CLAIMS, pod.namespace(), name) else {
            return Some(format!("persistentvolumeclaim \"{name}\" not found"));
        };
        let is_of_one_pod = claim.value()["spec"]["accessModes"]
            .as_array()
            .is_some_and(|modes| modes.iter().any(|mode| mode == "ReadWriteOncePod"));
        if is_of_one_pod && is_used(client, pod, name) {
            let nodes = store.list(&NODES, None).0.len();
            return Some(format!(
                "0/{nodes} nodes are available: {nodes} node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode."
            ));
        }
        if claim.value()["status"]["phase"] == "Bound" {
            continue;
        }
        let class = claim.value()["spec"]["storageClassName"].as_str().unwrap_or_default();
        let class = store.get(&STORAGE_CLASSES, "", class);
        if class.is_none_or(|class| class.value()["volumeBindingMode"] != "WaitForFirstConsumer") {
            return Some("pod has unbound immediate PersistentVolumeClaims".to_owned());
        }
    }
    None
}

/// Whether another pod that has a node and has not ended uses a claim.
fn is_used(client: &Client, pod: &Object, claim: &str) -> bool {
    let (pods, _) = client.store().list(&PODS, Some(pod.namespace()));
    let uses = |other: &Object| {
        let mut volumes = other.value()["spec"]["volumes"].as_array().into_iter().flatten();
        volumes.any(|volume| volume["persistentVolumeClaim"]["claimName"] == claim)
    };
    let is_there = |other: &Object| {
        other.value()["spec"]["nodeName"].is_string()
            && !matches!(other.value()["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
    };
    pods.iter().any(|other| other.uid() != pod.uid() && is_there(other) && uses(other))
}

/// Announces the node to the provisioner of claims that wait for their first consumer.
async fn select_node_for_claims(client: &mut Client, pod: &Object, node: &str) {
    let volumes = pod.value()["spec"]["volumes"].as_array().into_iter().flatten();
    let names: Vec<&str> =
        volumes.filter_map(|volume| volume["persistentVolumeClaim"]["claimName"].as_str()).collect();
    for name in names {
        let Some(claim) = client.store().get(&PERSISTENT_VOLUME_CLAIMS, pod.namespace(), name) else {
            continue;
        };
        if claim.value()["status"]["phase"] == "Bound" {
            continue;
        }
        let select = |claim: &mut Value| {
            if !claim["metadata"]["annotations"].is_object() {
                claim["metadata"]["annotations"] = json!({});
            }
            claim["metadata"]["annotations"]["volume.kubernetes.io/selected-node"] = json!(node);
        };
        let _ = client.patch(&PERSISTENT_VOLUME_CLAIMS, &claim, select).await;
    }
}
