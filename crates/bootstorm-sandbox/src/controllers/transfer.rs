//! One live migration on its two nodes: the target is prepared, memory is copied, the guest moves.

use std::sync::Arc;

use crate::value::{Value, json};

use super::boot;
use super::client::Client;
use super::cluster::Cluster;
use super::guests::{Exit, Launcher, Stage};
use super::key::Key;
use super::limits::Limits;
use super::names;
use super::network::addresses;
use super::nodes::Node;
use crate::model::profile::copying;
use crate::model::{Misbehaviour, quantity};
use crate::store::Object;
use crate::store::kind::{MIGRATIONS, PODS, VIRTUAL_MACHINE_INSTANCES};

/// Seconds between two checks whether the guest has booted, and whether the migration is to be aborted (estimate).
const LOOK: f64 = 0.4;

/// A guest in transfer
#[derive(Debug)]
pub(super) struct Transfer {
    pub(super) vmi: Object,
    pub(super) migration: Object,
    pub(super) pod: Object,
    pub(super) limits: Limits,
}

/// Moves a guest to its target, or records the failure.
pub(super) async fn run(cluster: Arc<Cluster>, transfer: Transfer) {
    let Some(source) = cluster.guests.of(transfer.vmi.uid()) else { return };
    let mut client = cluster.client(&format!("migration/{}", transfer.migration.uid()), &source.node.handler);
    let figures = cluster.profile.migration.clone();
    let key = Key::of(&transfer.vmi);
    let seconds = |step, draw| cluster.seconds(&key, transfer.migration.uid(), step, draw);
    cluster.clock.sleep(seconds("prepare-target", figures.prepare)).await;
    let Some(target) = cluster.guests.target(transfer.pod.uid()) else {
        return transfer.fail(&cluster, &mut client, "target pod is gone").await;
    };
    let address = target.address.clone();
    transfer
        .note(&mut client, |state| {
            state["targetNodeAddress"] = json!(address);
            state["targetNodeDomainDetected"] = json!(true);
        })
        .await;
    let began = cluster.clock.stamp();
    transfer.note(&mut client, |state| state["startTimestamp"] = json!(began)).await;
    if let Err(why) = copy(&cluster, &transfer, &source).await {
        return transfer.fail(&cluster, &mut client, &why).await;
    }
    let node = source.node.clone();
    if !blackout(&cluster, &source, &target, seconds("blackout", figures.blackout)).await {
        return transfer.fail(&cluster, &mut client, "the guest ended during the migration").await;
    }
    settle(&cluster, &transfer, &mut client, &target, &node).await;
}

/// Copies memory until the rest fits into the blackout; fails with the message of libvirt's job.
async fn copy(cluster: &Cluster, transfer: &Transfer, source: &Launcher) -> Result<(), String> {
    let (figures, limits) = (&cluster.profile.migration, transfer.limits);
    let memory = quantity::of(&transfer.vmi.value()["spec"]["domain"]["memory"]["guest"]);
    let memory = memory
        .or_else(|| quantity::of(&transfer.vmi.value()["spec"]["domain"]["resources"]["requests"]["memory"]))
        .unwrap_or(0.0);
    let others = leaving(cluster, &source.node).max(1) as f64;
    let share = figures.link / others;
    let bandwidth = if limits.bandwidth > 0.0 { share.min(limits.bandwidth) } else { share };
    let key = Key::of(&transfer.vmi);
    let dirty = cluster.roll(&key, transfer.migration.uid(), "dirty").draw(figures.dirty);
    let never = source.misbehaviour == Some(Misbehaviour::NeverConverges);
    let takes = if never { f64::INFINITY } else { copying(memory * figures.touched / 1e6, dirty, bandwidth) };
    let limit = limits.timeout_per_gib * (memory / 1024.0_f64.powi(3)).max(1.0);
    let began = cluster.clock.now();
    loop {
        let spent = cluster.clock.now() - began;
        let vmi = cluster.store.get(&VIRTUAL_MACHINE_INSTANCES, &key.namespace, &key.name);
        let state = vmi.map_or(Value::Null, |vmi| vmi.value()["status"]["migrationState"].clone());
        if state["abortRequested"] == true {
            return Err("Live migration aborted".to_owned());
        }
        if spent >= limit && takes > spent {
            return Err(format!(
                "Live migration is not completed after {} seconds and has been aborted",
                limit as u64
            ));
        }
        // A guest that is not up yet has nothing to lose; the copying waits for its boot.
        let guest = source.state();
        let silent = source.misbehaviour == Some(Misbehaviour::NoNetwork) && guest.booted;
        let is_up = guest.stage == Stage::Agent || silent || matches!(guest.stage, Stage::Off(_));
        if spent >= takes && is_up {
            return Ok(());
        }
        let rest = if spent < takes { takes - spent } else { LOOK };
        cluster.clock.sleep(rest.min(LOOK).min((limit - spent).max(0.001))).await;
    }
}

/// Number of migrations that currently leave a node.
fn leaving(cluster: &Cluster, node: &Node) -> usize {
    let (all, _) = cluster.store.list(&MIGRATIONS, None);
    let leaves = |migration: &&Object| {
        let value = migration.value();
        let is_under_way =
            matches!(value["status"]["phase"].as_str(), Some("PreparingTarget" | "TargetReady" | "Running"));
        let name = value["spec"]["vmiName"].as_str().unwrap_or_default();
        let vmi = cluster.store.get(&VIRTUAL_MACHINE_INSTANCES, migration.namespace(), name);
        is_under_way && vmi.is_some_and(|vmi| vmi.value()["status"]["nodeName"] == *node.name)
    };
    all.iter().filter(leaves).count()
}

/// Moves the guest from its source to its target; false if it ended meanwhile.
async fn blackout(
    cluster: &Arc<Cluster>,
    source: &Arc<Launcher>,
    target: &Arc<Launcher>,
    seconds: f64,
) -> bool {
    let before = source.state();
    if !source.change(|guest| guest.network_at = None) {
        return false;
    }
    let say = |launcher: &Launcher, what: &str| {
        cluster.store.note_guest(
            &launcher.key.namespace,
            &launcher.key.name,
            &launcher.uid,
            what,
            &launcher.address,
        );
    };
    say(source, "paused");
    cluster.clock.sleep(seconds).await;
    let now = cluster.clock.now();
    let arrived = target.change(|guest| {
        *guest = before;
        guest.network_at = before.network_at.map(|_| now);
    });
    if !arrived {
        source.change(|guest| guest.network_at = before.network_at);
        return false;
    }
    cluster.guests.hand_over(target);
    say(target, "moved");
    cluster.tasks.spawn(boot::until_power_off(cluster.clone(), target.clone()));
    source.end(Exit::PoweredOff);
    source.note_end();
    true
}

/// Writes the new location of the guest.
async fn settle(
    cluster: &Cluster,
    transfer: &Transfer,
    client: &mut Client,
    target: &Launcher,
    source: &Node,
) {
    let stamp = cluster.clock.stamp();
    let known = addresses(&target.address, cluster.profile.node.dual_stack);
    let active = json!({(transfer.pod.uid()): &*target.node.name});
    let write = client.patch(&VIRTUAL_MACHINE_INSTANCES, &transfer.vmi, |vmi| {
        if vmi["status"]["evacuationNodeName"] == *source.name
            && let Some(status) = vmi["status"].as_object_mut()
        {
            status.remove("evacuationNodeName");
        }
        vmi["status"]["nodeName"] = json!(&*target.node.name);
        vmi["status"]["activePods"] = active.clone();
        vmi["metadata"]["labels"][names::NODE_NAME] = json!(&*target.node.name);
        if let Some(labels) = vmi["metadata"]["labels"].as_object_mut() {
            labels.remove(names::MIGRATION_TARGET);
        }
        if let Some(interface) =
            vmi["status"]["interfaces"].get_mut(0).filter(|it| it["ipAddress"].is_string())
        {
            interface["ipAddress"] = json!(known.first());
            interface["ipAddresses"] = json!(known);
        }
        let state = &mut vmi["status"]["migrationState"];
        state["targetNodeDomainReadyTimestamp"] = json!(stamp);
        state["completed"] = json!(true);
        state["endTimestamp"] = json!(stamp);
    });
    // An instance that is gone needs no status.
    let _ = write.await;
    source.instances.add(target.key.clone());
    target.call_handler();
}

impl Transfer {
    /// Writes into the state of the migration, as long as it is this one.
    async fn note(&self, client: &mut Client, change: impl Fn(&mut Value)) {
        let uid = self.migration.uid();
        let write = client.patch(&VIRTUAL_MACHINE_INSTANCES, &self.vmi, |vmi| {
            let state = &mut vmi["status"]["migrationState"];
            if state["migrationUid"] == uid {
                change(state);
            }
        });
        let _ = write.await;
    }

    async fn fail(&self, cluster: &Cluster, client: &mut Client, why: &str) {
        let stamp = cluster.clock.stamp();
        self.note(client, |state| {
            state["failed"] = json!(true);
            state["completed"] = json!(true);
            state["failureReason"] = json!(why);
            state["endTimestamp"] = json!(stamp);
        })
        .await;
        let _ = client.delete(&PODS, &self.pod, None).await;
    }
}
