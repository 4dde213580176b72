//! virt-controller's work on instances: the launcher pod, the phases up to Scheduled, readiness, the end.

pub mod launcher;
pub mod phase;
pub mod progress;
pub mod storage;

use std::sync::Arc;

use super::client::{Client, WriteError};
use super::cluster::Cluster;
use super::conditions::is_final;
use super::events::MACHINE_CONTROLLER;
use super::key::Key;
use super::machine::{LOOK_AGAIN, instance_spec};
use super::names;
use super::worker::{Outcome, Reconciler};
use crate::model::Misbehaviour;
use crate::store::kind::{PODS, RESOURCE_QUOTAS, VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES};
use crate::store::{Object, StoreError};
use crate::value::Name;

/// The controller of virtual machine instances
#[derive(Debug)]
pub struct Instances {
    cluster: Arc<Cluster>,
}

/// Pods of an instance.
pub(super) struct Pods {
    /// Pod that runs the instance, if any.
    pub(super) current: Option<Object>,
    /// All pods, including terminating ones.
    pub(super) all: Vec<Object>,
}

impl Reconciler for Instances {
    type Key = Key;

    async fn reconcile(&self, client: &mut Client, key: &Key) -> Outcome {
        let Some(vmi) = client.store().get(&VIRTUAL_MACHINE_INSTANCES, &key.namespace, &key.name) else {
            return Outcome::Done;
        };
        if self.cluster.controller_is_down() {
            return Outcome::Again(LOOK_AGAIN);
        }
        let think =
            self.cluster.roll(key, vmi.uid(), "think").draw(self.cluster.profile.virt_controller.think);
        client.spend(think).await;
        match self.sync(client, key, vmi).await {
            Ok(outcome) => outcome,
            Err(WriteError::Gone) => Outcome::Done,
            Err(_) => Outcome::Retry,
        }
    }
}

impl Instances {
    /// A controller on this cluster.
    pub fn new(cluster: Arc<Cluster>) -> Self {
        Self { cluster }
    }

    async fn sync(&self, client: &mut Client, key: &Key, vmi: Object) -> Result<Outcome, WriteError> {
        let vmi = self.admit(client, vmi).await?;
        let pods = pods(client, &vmi);
        let over = vmi.is_deleting() || is_final(vmi.value());
        if over {
            self.delete_pods(client, &vmi, &pods).await?;
        }
        let mut outcome = Outcome::Done;
        let mut out_of_sync = None;
        if !over && pods.all.is_empty() && vmi.value()["status"]["phase"] == "Pending" {
            match storage::readiness(client.store(), &vmi) {
                storage::Readiness::Ready => out_of_sync = self.create_pod(client, key, &vmi).await?,
                storage::Readiness::Waiting => {}
                storage::Readiness::Missing(claim) => out_of_sync = Some(self.miss(&vmi, &claim)),
            }
            if out_of_sync.is_some() {
                outcome = Outcome::Again(1.0);
            }
        }
        // The pod that was just created is included, as for a controller that expects it.
        let pods = self::pods(client, &vmi);
        self.tell(client, &vmi, &pods, out_of_sync).await?;
        if let Some(pod) = pods.current.as_ref() {
            label_pod(client, &vmi, pod).await?;
        }
        if vmi.is_deleting() {
            self.finish(client, &vmi).await?;
        }
        Ok(outcome)
    }

    /// Writes what the webhook and the first reconciliation add: a hand-made instance has no status yet.
    async fn admit(&self, client: &mut Client, vmi: Object) -> Result<Object, WriteError> {
        let stamp = self.cluster.clock.stamp();
        let new = vmi.value()["status"]["phase"].is_null();
        let noted = vmi.value()["metadata"]["annotations"].get(names::LATEST_VERSION).is_some();
        if noted && !new || vmi.is_deleting() {
            return Ok(vmi);
        }
        let eviction = instance_spec::eviction_strategy(client.store());
        let write = client.update(&VIRTUAL_MACHINE_INSTANCES, &vmi, |vmi| {
            names::note_versions(vmi);
            if new {
                instance_spec::fill_spec(&mut vmi["spec"], &eviction);
                vmi["status"] = instance_spec::first_status(&vmi["spec"], &stamp);
                vmi["metadata"]["finalizers"] = crate::value::json!([names::INSTANCE_FINALIZER]);
            }
        });
        write.await
    }

    async fn create_pod(
        &self,
        client: &mut Client,
        key: &Key,
        vmi: &Object,
    ) -> Result<Option<progress::OutOfSync>, WriteError> {
        if let Some(network) = storage::missing_network(client.store(), vmi) {
            let message = format!(
                "failed to render launch manifest: failed to locate network attachment definition {network}"
            );
            self.cluster.recorder.warning(MACHINE_CONTROLLER, vmi, "FailedCreate", &message);
            return Ok(Some(progress::OutOfSync { reason: "FailedCreate", message }));
        }
        let hidden = self.cluster.misbehaviour(vmi) == Some(Misbehaviour::NeverSchedules);
        let mut pod = launcher::pod(vmi, hidden, &self.cluster.clock.stamp());
        let (quotas, _) = client.store().list(&RESOURCE_QUOTAS, Some(vmi.namespace()));
        let demanded = quotas.iter().filter_map(|quota| quota.value()["spec"]["hard"].as_object());
        let demanded: Vec<&str> = demanded.flat_map(|hard| hard.keys().map(Name::as_str)).collect();
        launcher::limit(&mut pod, vmi.value(), &demanded);
        match client.create(&PODS, pod).await {
            Ok(pod) => {
                self.cluster.incarnation(key, vmi.uid());
                let message = format!("Created virtual machine pod {}", pod.name());
                self.cluster.recorder.normal(MACHINE_CONTROLLER, vmi, "SuccessfulCreate", &message);
                Ok(None)
            }
            Err(
                error @ (StoreError::NamespaceTerminating { .. }
                | StoreError::NoNamespace { .. }
                | StoreError::OverQuota { .. }),
            ) => {
                let message = format!("Error creating pod: {error}");
                self.cluster.recorder.warning(MACHINE_CONTROLLER, vmi, "FailedCreate", &message);
                Ok(Some(progress::OutOfSync { reason: "FailedCreate", message }))
            }
            Err(error) => Err(WriteError::Refused(error)),
        }
    }

    fn miss(&self, vmi: &Object, claim: &str) -> progress::OutOfSync {
        let message = format!("PVC {}/{claim} does not exist, waiting for it to appear", vmi.namespace());
        self.cluster.recorder.warning(MACHINE_CONTROLLER, vmi, "FailedPvcNotFound", &message);
        progress::OutOfSync { reason: "FailedPvcNotFound", message }
    }

    async fn delete_pods(&self, client: &mut Client, vmi: &Object, pods: &Pods) -> Result<(), WriteError> {
        for pod in pods.all.iter().filter(|pod| !pod.is_deleting()) {
            match client.delete(&PODS, pod, None).await {
                Ok(()) => {
                    let message = format!("Deleted virtual machine pod {}", pod.name());
                    self.cluster.recorder.normal(MACHINE_CONTROLLER, vmi, "SuccessfulDelete", &message);
                }
                Err(WriteError::Gone) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }

    async fn tell(
        &self,
        client: &mut Client,
        vmi: &Object,
        pods: &Pods,
        out_of_sync: Option<progress::OutOfSync>,
    ) -> Result<(), WriteError> {
        let volumes = storage::volumes_ready(client.store(), vmi);
        let stamp = self.cluster.clock.stamp();
        let fill = |vmi: &mut crate::value::Value| {
            progress::fill(vmi, pods, out_of_sync.as_ref(), volumes, &stamp);
        };
        client.update(&VIRTUAL_MACHINE_INSTANCES, vmi, fill).await?;
        Ok(())
    }

    /// Releases an instance whose pods are gone.
    async fn finish(&self, client: &mut Client, vmi: &Object) -> Result<(), WriteError> {
        let store = client.store();
        let Some(vmi) = store.get(&VIRTUAL_MACHINE_INSTANCES, vmi.namespace(), vmi.name()) else {
            return Ok(());
        };
        if !is_final(vmi.value()) || !store.owned_by(&PODS, vmi.uid()).is_empty() {
            return Ok(());
        }
        // The machine's controller releases its own instances; an orphan has none.
        let machine = store.get(&VIRTUAL_MACHINES, vmi.namespace(), vmi.name());
        let orphan = !machine.is_some_and(|vm| vmi.owners().any(|owner| owner == vm.uid()));
        client
            .patch(&VIRTUAL_MACHINE_INSTANCES, &vmi, |vmi| {
                if let Some(status) = vmi["status"].as_object_mut() {
                    status.remove("launcherContainerImageVersion");
                }
                names::drop_finalizer(vmi, names::INSTANCE_FINALIZER);
                if orphan {
                    names::drop_finalizer(vmi, names::MACHINE_FINALIZER);
                }
            })
            .await?;
        Ok(())
    }
}

/// The launcher pods of an instance.
fn pods(client: &Client, vmi: &Object) -> Pods {
    let all = client.store().owned_by(&PODS, vmi.uid());
    let node = vmi.value()["status"]["nodeName"].as_str().unwrap_or_default();
    let is_here = |pod: &&Object| pod.value()["spec"]["nodeName"].as_str() == Some(node);
    // The target of a migration counts once the guest is there, its source only until then.
    let is_current = |pod: &&Object| pod.label(names::MIGRATION_JOB).is_none() || is_here(pod);
    let mut candidates: Vec<&Object> = all.iter().filter(is_current).collect();
    if candidates.iter().any(is_here) {
        candidates.retain(is_here);
    }
    // A terminating one counts only if there is no other.
    let current = candidates.iter().find(|pod| !pod.is_deleting()).or(candidates.first()).copied().cloned();
    Pods { current, all }
}

/// Copies the node label of the instance to its pod.
async fn label_pod(client: &mut Client, vmi: &Object, pod: &Object) -> Result<(), WriteError> {
    let node = pod.value()["spec"]["nodeName"].as_str().unwrap_or_default();
    if vmi.label(names::NODE_NAME).is_none_or(|label| label != node) || pod.label(names::NODE_NAME).is_some()
    {
        return Ok(());
    }
    let label = |pod: &mut crate::value::Value| {
        pod["metadata"]["labels"][names::NODE_NAME] = crate::value::json!(node);
    };
    match client.patch(&PODS, pod, label).await {
        Err(WriteError::Gone) | Ok(_) => Ok(()),
        Err(other) => Err(other),
    }
}
