//! virt-controller's work on machines: adopt, create and delete instances, write the status.

pub mod crash;
pub mod decision;
pub mod instance_spec;
pub mod printable;
pub mod requests;
pub mod revision;
mod sizes;
pub mod status;
pub mod strategy;
pub mod volumes;

use std::sync::Arc;

use crate::value::Value;

use self::crash::BackOffs;
use self::decision::{Decision, Situation};
use super::client::{Client, WriteError};
use super::cluster::Cluster;
use super::events::MACHINE_CONTROLLER;
use super::key::Key;
use super::names;
use super::worker::{Outcome, Reconciler};
use crate::model::Misbehaviour;
use crate::store::kind::{VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES};
use crate::store::{Object, StoreError};

/// The controller of virtual machines
#[derive(Debug)]
pub struct Machines {
    cluster: Arc<Cluster>,
    back_offs: BackOffs,
}

/// Seconds after which a controller that is down rechecks whether it is up.
pub(super) const LOOK_AGAIN: f64 = 1.0;

/// A failed write: the machine is reconciled again.
pub(super) struct Failed;

impl From<WriteError> for Failed {
    fn from(_: WriteError) -> Self {
        Self
    }
}

impl Reconciler for Machines {
    type Key = Key;

    async fn reconcile(&self, client: &mut Client, key: &Key) -> Outcome {
        let Some(vm) = client.store().get(&VIRTUAL_MACHINES, &key.namespace, &key.name) else {
            return Outcome::Done;
        };
        if self.cluster.controller_is_down() {
            return Outcome::Again(LOOK_AGAIN);
        }
        let think = self
            .cluster
            .dice
            .roll(&key.to_string(), vm.revision(), "think")
            .draw(self.cluster.profile.virt_controller.think);
        client.spend(think).await;
        let result = if vm.is_deleting() {
            self.terminate(client, vm).await
        } else {
            self.sync(client, key, vm).await
        };
        result.unwrap_or(Outcome::Retry)
    }
}

impl Machines {
    /// A controller on this cluster.
    pub fn new(cluster: Arc<Cluster>) -> Self {
        let back_offs = BackOffs::new(cluster.clone());
        Self { cluster, back_offs }
    }

    async fn sync(&self, client: &mut Client, key: &Key, vm: Object) -> Result<Outcome, Failed> {
        let vm = adopt_versions(client, vm).await?;
        let known = vm.finalizers().any(|held| held == names::MACHINE_FINALIZER);
        let vm = if known { vm } else { self.hold(client, vm).await? };
        let mut failure = None;
        if let Err(why) = volumes::make(&self.cluster, client, &vm).await {
            failure = Some(why);
        }
        // A machine seen for the first time gets its status first; that change requeues it.
        let mut outcome = Outcome::Done;
        if known {
            let instance = instance_of(client, &vm);
            if let Some(instance) = &instance {
                release_final(client, instance).await?;
            }
            outcome = self.act(client, key, &vm, instance.as_ref(), &mut failure).await?;
        }
        self.tell(client, &vm, failure).await?;
        Ok(outcome)
    }

    /// Adds the controller's finalizer to a machine, and a foreign one if it misbehaves that way.
    async fn hold(&self, client: &mut Client, vm: Object) -> Result<Object, Failed> {
        let held = self.cluster.misbehaviour(&vm) == Some(Misbehaviour::BlocksDeletion);
        let add = |vm: &mut Value| {
            names::add_finalizer(vm, names::MACHINE_FINALIZER);
            if held {
                names::add_finalizer(vm, names::FOREIGN_FINALIZER);
            }
        };
        Ok(client.update(&VIRTUAL_MACHINES, &vm, add).await?)
    }

    /// Does what the run strategy requires.
    async fn act(
        &self,
        client: &mut Client,
        key: &Key,
        vm: &Object,
        instance: Option<&Object>,
        failure: &mut Option<String>,
    ) -> Result<Outcome, Failed> {
        match decision::decide(&Situation::of(vm.value(), instance.map(|instance| instance.value()))) {
            Decision::Nothing if instance.is_none() => revision::forget(client, vm).await,
            Decision::Nothing => {}
            Decision::TurnOn => {
                client.update(&VIRTUAL_MACHINES, vm, strategy::turn_on).await?;
                return Err(Failed);
            }
            Decision::Delete { restart } => {
                if let Some(instance) = instance {
                    if restart && !requests::has_start(vm.value()) {
                        client.update(&VIRTUAL_MACHINES, vm, requests::queue_start).await?;
                    }
                    self.delete_instance(client, vm, instance).await?;
                }
            }
            Decision::Create => {
                if let Some(wait) = self.back_offs.wait(vm.uid()) {
                    return Ok(Outcome::Again(wait));
                }
                if volumes::ready(client.store(), vm) {
                    self.create_instance(client, key, vm, failure).await?;
                }
            }
        }
        Ok(Outcome::Done)
    }

    async fn create_instance(
        &self,
        client: &mut Client,
        key: &Key,
        vm: &Object,
        failure: &mut Option<String>,
    ) -> Result<(), Failed> {
        let size = match sizes::of(client.store(), vm) {
            Ok(size) => size,
            Err((reason, why)) => {
                self.cluster.recorder.warning(MACHINE_CONTROLLER, vm, reason, &why);
                *failure = Some(why);
                return Ok(());
            }
        };
        revision::record(client, vm).await;
        let instance = instance_spec::instance(
            vm,
            size.as_ref(),
            &instance_spec::eviction_strategy(client.store()),
            &self.cluster.clock.stamp(),
        );
        match client.create(&VIRTUAL_MACHINE_INSTANCES, instance).await {
            Ok(instance) => {
                self.cluster.incarnation(key, instance.uid());
                let message = format!(
                    "Started the virtual machine by creating the new virtual machine instance {}",
                    vm.name()
                );
                self.cluster.recorder.normal(MACHINE_CONTROLLER, vm, "SuccessfulCreate", &message);
                Ok(())
            }
            // An instance of that name that is not ours, or is still terminating: its change requeues the machine.
            Err(StoreError::AlreadyExists { .. }) => Err(Failed),
            Err(error) => {
                let message = format!("Error creating virtual machine instance: {error}");
                self.cluster.recorder.warning(MACHINE_CONTROLLER, vm, "FailedCreate", &message);
                *failure = Some(message);
                Ok(())
            }
        }
    }

    async fn delete_instance(
        &self,
        client: &mut Client,
        vm: &Object,
        instance: &Object,
    ) -> Result<(), Failed> {
        client.delete(&VIRTUAL_MACHINE_INSTANCES, instance, None).await?;
        let message = format!(
            "Stopped the virtual machine by deleting the virtual machine instance {}",
            instance.uid()
        );
        self.cluster.recorder.normal(MACHINE_CONTROLLER, vm, "SuccessfulDelete", &message);
        Ok(())
    }

    /// Handles a machine that is being deleted: its instance goes first.
    async fn terminate(&self, client: &mut Client, vm: Object) -> Result<Outcome, Failed> {
        let orphans = vm.finalizers().any(|held| held == "orphan");
        match instance_of(client, &vm) {
            Some(instance) if !orphans => {
                if !instance.is_deleting() {
                    self.delete_instance(client, &vm, &instance).await?;
                }
                release_final(client, &instance).await?;
                self.tell(client, &vm, None).await?;
            }
            _ => {
                client
                    .update(&VIRTUAL_MACHINES, &vm, |vm| names::drop_finalizer(vm, names::MACHINE_FINALIZER))
                    .await?;
                self.back_offs.forget(vm.uid());
            }
        }
        Ok(Outcome::Done)
    }

    /// Writes the status if it has changed.
    async fn tell(&self, client: &mut Client, vm: &Object, failure: Option<String>) -> Result<(), Failed> {
        let Some(vm) = client.store().get(&VIRTUAL_MACHINES, vm.namespace(), vm.name()) else {
            return Ok(());
        };
        let instance = instance_of(client, &vm);
        let instance = instance.as_ref().map(|instance| instance.value());
        let outdated = instance.is_some_and(|instance| revision::is_outdated(client.store(), &vm, instance));
        let stamp = self.cluster.clock.stamp();
        let disks = volumes::view(client.store(), &vm);
        let start_failure = self.back_offs.observe(&vm, instance);
        client
            .update(&VIRTUAL_MACHINES, &vm, |vm| {
                requests::pop(vm, instance);
                status::require_restart(vm, outdated, &stamp);
                status::fill(vm, instance, &disks, start_failure, failure.as_deref(), &stamp);
            })
            .await?;
        Ok(())
    }
}

/// The machine's own instance.
fn instance_of(client: &Client, vm: &Object) -> Option<Object> {
    client
        .store()
        .get(&VIRTUAL_MACHINE_INSTANCES, vm.namespace(), vm.name())
        .filter(|instance| instance.owners().any(|owner| owner == vm.uid()))
}

/// Records the API versions in which the machine was seen, as the first write to it.
async fn adopt_versions(client: &mut Client, vm: Object) -> Result<Object, Failed> {
    if vm.value()["metadata"]["annotations"].get(names::LATEST_VERSION).is_some() {
        return Ok(vm);
    }
    Ok(client.update(&VIRTUAL_MACHINES, &vm, names::note_versions).await?)
}

/// Releases an instance that has ended.
async fn release_final(client: &mut Client, instance: &Object) -> Result<(), Failed> {
    let ended = matches!(instance.value()["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    if ended && instance.is_deleting() && instance.finalizers().any(|held| held == names::MACHINE_FINALIZER) {
        client
            .patch(&VIRTUAL_MACHINE_INSTANCES, instance, |vmi| {
                names::drop_finalizer(vmi, names::MACHINE_FINALIZER);
            })
            .await
            .or_else(|error| if error == WriteError::Gone { Ok(instance.clone()) } else { Err(error) })?;
    }
    Ok(())
}
