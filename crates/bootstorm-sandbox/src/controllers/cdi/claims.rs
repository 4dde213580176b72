//! Claims: created for data volumes, and provisioned if nothing else fills them.

use std::sync::Arc;

use crate::value::{Value, json};

use super::super::client::Client;
use super::super::cluster::Cluster;
use super::super::key::Key;
use super::super::names;
use super::super::worker::{Outcome, Reconciler};
use super::bind;
use super::class::{class_of, wanted};
use super::plan::Plan;
use crate::store::kind::{DATA_VOLUMES, PERSISTENT_VOLUME_CLAIMS, STORAGE_CLASSES};
use crate::store::{Object, Store};

/// Annotation that makes a claim filled although it is not used yet.
const IMMEDIATE: &str = "cdi.kubevirt.io/storage.bind.immediate.requested";
/// Annotation in which the scheduler names the node of the first consumer.
const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";

/// The claim of a data volume.
pub fn of_volume(store: &Store, volume: &Object, plan: Plan) -> Value {
    let mut spec = wanted(volume.value()).clone();
    if !spec.is_object() {
        spec = json!({});
    }
    if let Some(class) = class_of(store, &spec) {
        spec["storageClassName"] = json!(class);
    }
    // `storage` leaves these to the storage profile; migration needs shared block devices.
    let default = |place: &mut Value, value: Value| {
        if place.is_null() {
            *place = value;
        }
    };
    default(&mut spec["accessModes"], json!(["ReadWriteMany"]));
    default(&mut spec["volumeMode"], json!("Block"));
    default(&mut spec["resources"]["requests"]["storage"], json!("1Gi"));
    let mut annotations = volume.value()["metadata"]["annotations"].as_object().cloned().unwrap_or_default();
    annotations.insert("cdi.kubevirt.io/storage.usePopulator".to_owned(), json!("true"));
    if let Some(kind) = plan.clone_type() {
        annotations.insert("cdi.kubevirt.io/cloneType".to_owned(), json!(kind));
    }
    let mut labels = volume.value()["metadata"]["labels"].as_object().cloned().unwrap_or_default();
    labels.insert("app".to_owned(), json!("containerized-data-importer"));
    json!({
        "metadata": {
            "name": volume.name(), "namespace": volume.namespace(), "labels": labels, "annotations": annotations,
            "ownerReferences": [names::owner(volume.value(), volume.uid())],
        },
        "spec": spec,
        "status": {"phase": "Pending"},
    })
}

/// Whether a claim waits for a pod to be placed before it may be filled.
pub fn waits_for_consumer(store: &Store, claim: &Object) -> bool {
    let annotations = &claim.value()["metadata"]["annotations"];
    if annotations.get(IMMEDIATE).is_some() || annotations.get(SELECTED_NODE).is_some() {
        return false;
    }
    let class =
        class_of(store, &claim.value()["spec"]).and_then(|name| store.get(&STORAGE_CLASSES, "", &name));
    class.is_some_and(|class| class.value()["volumeBindingMode"] == "WaitForFirstConsumer")
}

/// The provisioner of claims that no data volume fills
#[derive(Debug)]
pub struct Claims {
    cluster: Arc<Cluster>,
}

impl Claims {
    /// A provisioner on this cluster.
    pub fn new(cluster: Arc<Cluster>) -> Self {
        Self { cluster }
    }
}

impl Reconciler for Claims {
    type Key = Key;

    async fn reconcile(&self, client: &mut Client, key: &Key) -> Outcome {
        let Some(claim) = client.store().get(&PERSISTENT_VOLUME_CLAIMS, &key.namespace, &key.name) else {
            return Outcome::Done;
        };
        let store = client.store();
        let filled = store.get(&DATA_VOLUMES, &key.namespace, &key.name);
        let filled = filled.is_some_and(|volume| claim.owners().any(|owner| owner == volume.uid()));
        let bound = claim.value()["status"]["phase"] == "Bound";
        if filled || bound || claim.is_deleting() || waits_for_consumer(store, &claim) {
            return Outcome::Done;
        }
        if class_of(store, &claim.value()["spec"]).is_none() {
            // A claim without a class is not provisioned.
            return Outcome::Done;
        }
        let provision = self.cluster.profile.cdi.provision;
        let seconds = self.cluster.dice.roll(&key.to_string(), 0, "provision").draw(provision);
        self.cluster.clock.sleep(seconds).await;
        match bind::bind(&self.cluster, client, &claim).await {
            Ok(()) => Outcome::Done,
            Err(_) => Outcome::Retry,
        }
    }
}
