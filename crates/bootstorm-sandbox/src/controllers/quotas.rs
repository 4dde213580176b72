//! The quota controller: keeps the status of quotas up to date.

use std::sync::Arc;

use crate::value::{Map, Name, json};

use super::client::Client;
use super::cluster::Cluster;
use super::key::Key;
use super::worker::{Outcome, Reconciler};
use crate::store::kind::{PODS, RESOURCE_QUOTAS};
use crate::store::{Action, Entry, quota};

/// The controller of quotas; its keys are namespaces
#[derive(Debug)]
pub struct Quotas;

impl Quotas {
    /// Recounts the quotas of a namespace when a pod is created, deleted, or ends.
    pub fn pod_changed(cluster: &Cluster, entry: &Entry) {
        let phase = |object: &crate::store::Object| object.value()["status"]["phase"].clone();
        let same = entry.previous.as_ref().is_some_and(|before| phase(before) == phase(&entry.object));
        let namespace = entry.object.namespace();
        if (entry.action != Action::Modified || !same) && !cluster.store.is_empty(&RESOURCE_QUOTAS, namespace)
        {
            cluster.queues.quotas.add(Key::new(namespace, ""));
        }
    }
}

impl Reconciler for Quotas {
    type Key = Key;

    async fn reconcile(&self, client: &mut Client, key: &Key) -> Outcome {
        let (quotas, _) = client.store().list(&RESOURCE_QUOTAS, Some(&key.namespace));
        for found in quotas.iter().filter(|quota| !quota.is_deleting()) {
            let (pods, _) = client.store().list(&PODS, Some(&key.namespace));
            let hard = found.value()["spec"]["hard"].clone();
            let amount = |resource: &Name| {
                let used = quota::used(resource, &pods).unwrap_or(0.0);
                (resource.clone(), json!(quota::shown(resource, used)))
            };
            let used: Map =
                hard.as_object().into_iter().flatten().map(|(resource, _)| amount(resource)).collect();
            let status = json!({"hard": hard, "used": used});
            if client.update(&RESOURCE_QUOTAS, found, |quota| quota["status"] = status).await.is_err() {
                return Outcome::Retry;
            }
        }
        Outcome::Done
    }
}

/// Starts the single worker of this controller.
pub fn start(cluster: &Arc<Cluster>, client: Client) {
    cluster.tasks.work(cluster.queues.quotas.clone(), Arc::new(Quotas), client);
}
