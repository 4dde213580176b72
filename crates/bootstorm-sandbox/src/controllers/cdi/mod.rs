//! CDI and the provisioner: data volumes and claims become storage.

pub mod bind;
pub mod claims;
pub mod class;
pub mod plan;
pub mod status;
pub mod transfer;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use self::plan::Plan;
use super::client::{Client, WriteError};
use super::cluster::Cluster;
use super::events::Source;
use super::key::Key;
use super::worker::{Outcome, Reconciler};
use crate::model::lock;
use crate::store::kind::{DATA_VOLUMES, PERSISTENT_VOLUME_CLAIMS};
use crate::store::{Object, StoreError};

/// The controller of data volumes
#[derive(Debug)]
pub struct DataVolumes {
    cluster: Arc<Cluster>,
    /// Data volumes being filled.
    filling: Arc<Mutex<HashSet<Box<str>>>>,
}

impl Reconciler for DataVolumes {
    type Key = Key;

    async fn reconcile(&self, client: &mut Client, key: &Key) -> Outcome {
        let Some(volume) = client.store().get(&DATA_VOLUMES, &key.namespace, &key.name) else {
            return Outcome::Done;
        };
        if volume.is_deleting() || lock(&self.filling).contains(volume.uid()) {
            return Outcome::Done;
        }
        match self.sync(client, key, &volume).await {
            Ok(outcome) => outcome,
            Err(WriteError::Gone) => Outcome::Done,
            Err(_) => Outcome::Retry,
        }
    }
}

impl DataVolumes {
    /// A controller on this cluster.
    pub fn new(cluster: Arc<Cluster>) -> Self {
        Self { cluster, filling: Arc::default() }
    }

    async fn sync(&self, client: &mut Client, key: &Key, volume: &Object) -> Result<Outcome, WriteError> {
        if matches!(volume.value()["status"]["phase"].as_str(), Some("Succeeded" | "Failed")) {
            return Ok(Outcome::Done);
        }
        let plan = Plan::of(client.store(), volume);
        let claim = match client.store().get(&PERSISTENT_VOLUME_CLAIMS, &key.namespace, &key.name) {
            Some(claim) => claim,
            None => match client
                .create(&PERSISTENT_VOLUME_CLAIMS, claims::of_volume(client.store(), volume, plan))
                .await
            {
                Ok(claim) => claim,
                Err(StoreError::AlreadyExists { .. }) => return Ok(Outcome::Again(0.0)),
                Err(error) => return Err(WriteError::Refused(error)),
            },
        };
        if claim.value()["status"]["phase"] == "Bound" && !claim.owners().any(|owner| owner == volume.uid()) {
            // The claim existed before: it is adopted as it is.
            self.tell(client, volume, plan, "Succeeded").await?;
            return Ok(Outcome::Done);
        }
        if claims::waits_for_consumer(client.store(), &claim) {
            self.tell(client, volume, plan, "PendingPopulation").await?;
            return Ok(Outcome::Done);
        }
        if plan == Plan::Upload {
            self.tell(client, volume, plan, "UploadReady").await?;
            return Ok(Outcome::Done);
        }
        if let Some(why) = plan.obstacle(client.store(), volume) {
            self.say(volume, "Warning", "CloneWithoutSource", &why);
            self.tell(client, volume, plan, "Pending").await?;
            return Ok(Outcome::Again(5.0));
        }
        lock(&self.filling).insert(volume.uid().into());
        let (cluster, filling, volume) = (self.cluster.clone(), self.filling.clone(), volume.clone());
        let client = cluster.client(&format!("cdi/{key}"), &cluster.cdi);
        cluster.clone().tasks.spawn(async move {
            transfer::run(&cluster, client, &volume, &claim, plan).await;
            lock(&filling).remove(volume.uid());
            cluster.queues.data_volumes.add(Key::of(&volume));
        });
        Ok(Outcome::Done)
    }

    async fn tell(
        &self,
        client: &mut Client,
        volume: &Object,
        plan: Plan,
        phase: &str,
    ) -> Result<(), WriteError> {
        let stamp = self.cluster.clock.stamp();
        client.patch(&DATA_VOLUMES, volume, |volume| status::enter(volume, plan, phase, &stamp)).await?;
        Ok(())
    }

    fn say(&self, volume: &Object, kind: &str, reason: &str, message: &str) {
        let source = Source { component: "datavolume-clone-controller", host: None };
        if kind == "Warning" {
            self.cluster.recorder.warning(source, volume, reason, message);
        } else {
            self.cluster.recorder.normal(source, volume, reason, message);
        }
    }
}
