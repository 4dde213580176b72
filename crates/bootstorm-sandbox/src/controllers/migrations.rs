//! virt-controller's work on live migrations: queue, target pod, phases.
//!
//! After `pkg/virt-controller/watch/migration/migration.go` of `KubeVirt` 1.4 to 1.6: a migration waits in Pending
//! while the maximum number is running on the cluster or its node, and is rechecked every 5 s.

use std::sync::Arc;

use crate::value::{Value, json};

use super::client::{Client, WriteError};
use super::cluster::Cluster;
use super::conditions;
use super::conditions::is_final;
use super::events::MACHINE_CONTROLLER;
use super::instance::{launcher, progress};
use super::key::Key;
use super::limits::Limits;
use super::machine::LOOK_AGAIN;
use super::names;
use super::transfer::{self, Transfer};
use super::worker::{Outcome, Reconciler};
use crate::store::kind::{MIGRATIONS, PODS, VIRTUAL_MACHINE_INSTANCES};
use crate::store::{Object, Store};

/// Seconds that a target pod may wait for a node (KV).
const UNSCHEDULABLE: f64 = 300.0;

/// The controller of live migrations
#[derive(Debug)]
pub struct Migrations {
    cluster: Arc<Cluster>,
}

impl Reconciler for Migrations {
    type Key = Key;

    async fn reconcile(&self, client: &mut Client, key: &Key) -> Outcome {
        let Some(migration) = client.store().get(&MIGRATIONS, &key.namespace, &key.name) else {
            return Outcome::Done;
        };
        if self.cluster.controller_is_down() {
            return Outcome::Again(LOOK_AGAIN);
        }
        match self.sync(client, &migration).await {
            Ok(outcome) => outcome,
            Err(WriteError::Gone) => Outcome::Done,
            Err(_) => Outcome::Retry,
        }
    }
}

impl Migrations {
    /// A controller on this cluster.
    pub fn new(cluster: Arc<Cluster>) -> Self {
        Self { cluster }
    }

    async fn sync(&self, client: &mut Client, migration: &Object) -> Result<Outcome, WriteError> {
        let value = migration.value();
        let name = value["spec"]["vmiName"].as_str().unwrap_or_default();
        let vmi = client.store().get(&VIRTUAL_MACHINE_INSTANCES, migration.namespace(), name);
        if is_final(value) {
            return self.let_go(client, migration, vmi.as_ref()).await;
        }
        let Some(vmi) = vmi else {
            return self.fail(client, migration, "Migration failed because vmi does not exist.").await;
        };
        let pod = target(client.store(), &vmi, migration.uid());
        if is_final(vmi.value()) || vmi.is_deleting() {
            return self.fail(client, migration, "Migration failed vmi shutdown during migration.").await;
        }
        let state = &vmi.value()["status"]["migrationState"];
        let handed = state["migrationUid"] == migration.uid();
        if handed && state["failed"] == true {
            delete_pod(client, pod.as_ref()).await?;
            return self.fail(client, migration, "source node reported migration failed").await;
        }
        if migration.is_deleting() && !handed {
            delete_pod(client, pod.as_ref()).await?;
            return self.fail(client, migration, "Migration failed due to being canceled").await;
        }
        if migration.is_deleting() && state["completed"] != true && state["abortRequested"] != true {
            // The transfer notices this.
            let abort = |vmi: &mut Value| vmi["status"]["migrationState"]["abortRequested"] = json!(true);
            client.patch(&VIRTUAL_MACHINE_INSTANCES, &vmi, abort).await?;
        }
        if pod.as_ref().is_some_and(|pod| is_final(pod.value())) {
            let why = "Migration failed because target pod shutdown during migration";
            return self.fail(client, migration, why).await;
        }
        match value["status"]["phase"].as_str().unwrap_or_default() {
            "" => self.enter(client, migration, "Pending").await,
            "Pending" if pod.is_some() => self.enter(client, migration, "Scheduling").await,
            "Pending" => self.begin(client, migration, &vmi).await,
            "Scheduling" => self.schedule(client, migration, pod.as_ref()).await,
            "Scheduled" => self.hand_over(client, migration, &vmi, pod.as_ref()).await,
            "PreparingTarget" if state["targetNodeAddress"].is_string() => {
                self.enter(client, migration, "TargetReady").await
            }
            "TargetReady" if state["startTimestamp"].is_string() => {
                self.enter(client, migration, "Running").await
            }
            "Running" if state["completed"] == true => {
                let message = "Source node reported migration succeeded";
                self.cluster.recorder.normal(MACHINE_CONTROLLER, migration, "SuccessfulMigration", message);
                self.enter(client, migration, "Succeeded").await
            }
            _ => Ok(Outcome::Done),
        }
    }

    /// Creates the target pod, once it is the migration's turn.
    async fn begin(
        &self,
        client: &mut Client,
        migration: &Object,
        vmi: &Object,
    ) -> Result<Outcome, WriteError> {
        let limits = Limits::of(client.store());
        let (all, _) = client.store().list(&MIGRATIONS, None);
        let running: Vec<&Object> = all.iter().filter(|one| is_running(client.store(), one)).collect();
        let node = &vmi.value()["status"]["nodeName"];
        let leaves = |one: &&&Object| {
            let name = one.value()["spec"]["vmiName"].as_str().unwrap_or_default();
            let instance = client.store().get(&VIRTUAL_MACHINE_INSTANCES, one.namespace(), name);
            instance.is_some_and(|instance| instance.value()["status"]["nodeName"] == *node)
        };
        let outbound = running.iter().filter(leaves).count();
        if running.len() >= limits.per_cluster || outbound >= limits.per_node {
            return Ok(Outcome::Again(self.cluster.profile.migration.look_again));
        }
        if vmi.value()["status"]["phase"] != "Running" {
            return Ok(Outcome::Again(LOOK_AGAIN));
        }
        let pod = target_pod(vmi, migration, &self.cluster.clock.stamp());
        match client.create(&PODS, pod).await {
            Ok(pod) => {
                let message = format!("Created migration target pod {}", pod.name());
                self.cluster.recorder.normal(MACHINE_CONTROLLER, migration, "SuccessfulCreate", &message);
                self.enter(client, migration, "Scheduling").await
            }
            Err(error) => {
                let message = format!("Error creating pod: {error}");
                self.cluster.recorder.warning(MACHINE_CONTROLLER, migration, "FailedCreate", &message);
                Ok(Outcome::Again(self.cluster.profile.migration.look_again))
            }
        }
    }

    async fn schedule(
        &self,
        client: &mut Client,
        migration: &Object,
        pod: Option<&Object>,
    ) -> Result<Outcome, WriteError> {
        let Some(pod) = pod else {
            let why = "Migration target pod was removed during active migration.";
            return self.fail(client, migration, why).await;
        };
        // Probes of its guest do not count: the guest is not there yet (KV).
        if progress::up(pod.value()) {
            return self.enter(client, migration, "Scheduled").await;
        }
        if !conditions::is(pod.value(), "PodScheduled", "False") {
            return Ok(Outcome::Done);
        }
        let now = self.cluster.clock.now();
        let since =
            *crate::model::lock(&self.cluster.unscheduled_targets).entry(pod.uid().into()).or_insert(now);
        if now - since < UNSCHEDULABLE {
            return Ok(Outcome::Again(UNSCHEDULABLE - (now - since)));
        }
        delete_pod(client, Some(pod)).await?;
        self.fail(client, migration, "Migration target pod unschedulable").await
    }

    /// Hands over to virt-handler of the target node, which prepares it; then the source copies.
    async fn hand_over(
        &self,
        client: &mut Client,
        migration: &Object,
        vmi: &Object,
        pod: Option<&Object>,
    ) -> Result<Outcome, WriteError> {
        let Some(pod) = pod else { return Ok(Outcome::Retry) };
        let node = pod.value()["spec"]["nodeName"].clone();
        let sources = client.store().owned_by(&PODS, vmi.uid());
        let source = sources.iter().find(|one| one.uid() != pod.uid() && !is_final(one.value()));
        let state = json!({
            "migrationUid": migration.uid(), "targetNode": node, "targetPod": pod.name(),
            "sourceNode": vmi.value()["status"]["nodeName"], "sourcePod": source.map(|source| source.name()),
        });
        let vmi = client
            .patch(&VIRTUAL_MACHINE_INSTANCES, vmi, |vmi| {
                vmi["status"]["migrationState"] = state.clone();
                vmi["metadata"]["labels"][names::MIGRATION_TARGET] = node.clone();
            })
            .await?;
        let outcome = self.enter(client, migration, "PreparingTarget").await?;
        let transfer = Transfer {
            vmi: vmi.clone(),
            migration: migration.clone(),
            pod: pod.clone(),
            limits: Limits::of(client.store()),
        };
        self.cluster.tasks.spawn(transfer::run(self.cluster.clone(), transfer));
        Ok(outcome)
    }

    async fn enter(
        &self,
        client: &mut Client,
        migration: &Object,
        phase: &str,
    ) -> Result<Outcome, WriteError> {
        let stamp = self.cluster.clock.stamp();
        client.patch(&MIGRATIONS, migration, |migration| enter(migration, phase, &stamp)).await?;
        Ok(Outcome::Done)
    }

    async fn fail(&self, client: &mut Client, migration: &Object, why: &str) -> Result<Outcome, WriteError> {
        self.cluster.recorder.warning(MACHINE_CONTROLLER, migration, "FailedMigration", why);
        self.enter(client, migration, "Failed").await
    }

    /// Releases an ended migration, which keeps its result and may be deleted.
    async fn let_go(
        &self,
        client: &mut Client,
        migration: &Object,
        vmi: Option<&Object>,
    ) -> Result<Outcome, WriteError> {
        let state = vmi.map(|vmi| vmi.value()["status"]["migrationState"].clone());
        let state = state.filter(|state| state["migrationUid"] == migration.uid());
        let write = client.patch(&MIGRATIONS, migration, |migration| {
            if let Some(state) = &state {
                migration["status"]["migrationState"] = state.clone();
            }
            names::drop_finalizer(migration, names::MIGRATION_FINALIZER);
        });
        write.await?;
        Ok(Outcome::Done)
    }
}

/// Whether a migration counts against the limits: it has a target pod and has not ended.
fn is_running(store: &Store, migration: &Object) -> bool {
    let value = migration.value();
    match value["status"]["phase"].as_str().unwrap_or_default() {
        "Succeeded" | "Failed" => false,
        "" | "Pending" => {
            let name = value["spec"]["vmiName"].as_str().unwrap_or_default();
            let vmi = store.get(&VIRTUAL_MACHINE_INSTANCES, migration.namespace(), name);
            vmi.is_some_and(|vmi| target(store, &vmi, migration.uid()).is_some())
        }
        _ => true,
    }
}

/// The target pod of a migration.
fn target(store: &Store, vmi: &Object, migration: &str) -> Option<Object> {
    let pods = store.owned_by(&PODS, vmi.uid());
    pods.into_iter().find(|pod| pod.label(names::MIGRATION_JOB).is_some_and(|uid| uid == migration))
}

/// A launcher pod that avoids the instance's node.
fn target_pod(vmi: &Object, migration: &Object, stamp: &str) -> Value {
    let mut pod = launcher::pod(vmi, false, stamp);
    pod["metadata"]["labels"][names::MIGRATION_JOB] = json!(migration.uid());
    pod["metadata"]["annotations"][names::MIGRATION_NAME] = json!(migration.name());
    let own = json!({"matchExpressions": [{
        "key": "kubernetes.io/hostname", "operator": "NotIn", "values": [vmi.value()["status"]["nodeName"]],
    }]});
    let terms = &mut pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        ["nodeSelectorTerms"];
    match terms.as_array_mut() {
        Some(terms) => {
            for term in terms {
                match term["matchExpressions"].as_array_mut() {
                    Some(list) => list.push(own["matchExpressions"][0].clone()),
                    None => term["matchExpressions"] = own["matchExpressions"].clone(),
                }
            }
        }
        None => *terms = json!([own]),
    }
    pod
}

async fn delete_pod(client: &mut Client, pod: Option<&Object>) -> Result<(), WriteError> {
    match pod.filter(|pod| !pod.is_deleting()) {
        Some(pod) => match client.delete(&PODS, pod, None).await {
            Ok(()) | Err(WriteError::Gone) => Ok(()),
            Err(other) => Err(other),
        },
        None => Ok(()),
    }
}

/// Sets the phase and records the time.
fn enter(migration: &mut Value, phase: &str, stamp: &str) {
    if is_final(migration) {
        return;
    }
    super::instance::phase::enter(migration, phase, stamp);
}
