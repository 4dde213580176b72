//! virt-controller's reaction to evictions: marked instances get a migration each, a few at a time.
//!
//! After `pkg/virt-controller/watch/drain/evacuation/evacuation.go` of `KubeVirt` 1.4 and later.

use std::collections::HashSet;
use std::sync::Arc;

use crate::value::{Value, json};

use super::client::Client;
use super::cluster::Cluster;
use super::conditions;
use super::conditions::is_final;
use super::events::MACHINE_CONTROLLER;
use super::key::Key;
use super::limits::Limits;
use super::machine::LOOK_AGAIN;
use super::names;
use super::worker::{Outcome, Reconciler};
use crate::store::Object;
use crate::store::kind::{MIGRATIONS, VIRTUAL_MACHINE_INSTANCES};

/// Seconds until nodes are rechecked on which more instances wait than may migrate (KV).
const LATER: f64 = 5.0;

/// The evacuation controller; its keys are nodes
#[derive(Debug)]
pub struct Evacuations {
    cluster: Arc<Cluster>,
}

impl Evacuations {
    /// A controller on this cluster.
    pub fn new(cluster: Arc<Cluster>) -> Self {
        Self { cluster }
    }

    async fn begin(&self, client: &mut Client, vmi: &Object, node: &str) -> bool {
        let mut migration = json!({
            "apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineInstanceMigration",
            "metadata": {
                "generateName": "kubevirt-evacuation-", "namespace": vmi.namespace(),
                "annotations": {names::EVACUATION: node}, "labels": {names::MIGRATED: vmi.name()},
            },
            "spec": {"vmiName": vmi.name()},
        });
        names::add_finalizer(&mut migration, names::MIGRATION_FINALIZER);
        let recorder = &self.cluster.recorder;
        match client.create(&MIGRATIONS, migration).await {
            Ok(made) => {
                let message = format!("Created Migration {}", made.name());
                recorder.normal(MACHINE_CONTROLLER, vmi, "SuccessfulCreate", &message);
                true
            }
            Err(error) => {
                let message = format!("Error creating a Migration: {error}");
                recorder.warning(MACHINE_CONTROLLER, vmi, "FailedCreate", &message);
                false
            }
        }
    }
}

impl Reconciler for Evacuations {
    type Key = Key;

    async fn reconcile(&self, client: &mut Client, key: &Key) -> Outcome {
        if self.cluster.controller_is_down() {
            return Outcome::Again(LOOK_AGAIN);
        }
        let node = &*key.name;
        let (instances, _) = client.store().list(&VIRTUAL_MACHINE_INSTANCES, None);
        let (migrations, _) = client.store().list(&MIGRATIONS, None);
        let unfinished: Vec<&Object> = migrations.iter().filter(|one| !is_final(one.value())).collect();
        let target = |one: &&Object| Key::new(one.namespace(), text(&one.value()["spec"]["vmiName"]));
        let moving: HashSet<Key> = unfinished.iter().map(target).collect();
        let waits = |vmi: &&Object| {
            let status = &vmi.value()["status"];
            status["evacuationNodeName"] == *node
                && status["nodeName"] == *node
                && !is_final(vmi.value())
                && !vmi.is_deleting()
                && conditions::is(vmi.value(), "LiveMigratable", "True")
                && !moving.contains(&Key::of(vmi))
        };
        let waiting: Vec<&Object> = instances.iter().filter(waits).collect();
        let leaves =
            |vmi: &&Object| vmi.value()["status"]["nodeName"] == *node && moving.contains(&Key::of(vmi));
        let limits = Limits::of(client.store());
        let outbound = limits.per_node.saturating_sub(instances.iter().filter(leaves).count());
        let free = limits.per_cluster.saturating_sub(unfinished.len()).min(outbound);
        for vmi in waiting.iter().take(free) {
            if !self.begin(client, vmi, node).await {
                return Outcome::Retry;
            }
        }
        if waiting.len() > free { Outcome::Again(LATER) } else { Outcome::Done }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
