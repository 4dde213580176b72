//! virt-handler of each node: defines domains, starts them, shuts them down, reports their state.

pub mod report;

use std::sync::Arc;

use super::boot;
use super::client::{Client, WriteError};
use super::cluster::Cluster;
use super::conditions::is_final;
use super::events::Source;
use super::guests::{Exit, Launcher, Stage};
use super::instance::{phase, storage};
use super::key::Key;
use super::network::addresses;
use super::nodes::Node;
use super::worker::{Outcome, Reconciler};
use crate::model::Misbehaviour;
use crate::store::Object;
use crate::store::kind::VIRTUAL_MACHINE_INSTANCES;

/// virt-handler on one node
#[derive(Debug)]
pub struct Handler {
    cluster: Arc<Cluster>,
    node: Arc<Node>,
}

impl Reconciler for Handler {
    type Key = Key;

    async fn reconcile(&self, client: &mut Client, key: &Key) -> Outcome {
        if !self.node.is_up() {
            // It reconciles all of them once the node is back.
            return Outcome::Done;
        }
        let Some(vmi) = client.store().get(&VIRTUAL_MACHINE_INSTANCES, &key.namespace, &key.name) else {
            return Outcome::Done;
        };
        if vmi.value()["status"]["nodeName"] != *self.node.name || is_final(vmi.value()) {
            return Outcome::Done;
        }
        let Some(launcher) = self.cluster.guests.of(vmi.uid()) else {
            // Its pod is gone, or not there yet: virt-controller or the kubelet acts first.
            return Outcome::Done;
        };
        match self.sync(client, &vmi, &launcher).await {
            Ok(outcome) => outcome,
            Err(WriteError::Gone) => Outcome::Done,
            Err(_) => Outcome::Retry,
        }
    }
}

impl Handler {
    /// virt-handler of a node.
    pub fn new(cluster: Arc<Cluster>, node: Arc<Node>) -> Self {
        Self { cluster, node }
    }

    async fn sync(
        &self,
        client: &mut Client,
        vmi: &Object,
        launcher: &Arc<Launcher>,
    ) -> Result<Outcome, WriteError> {
        let state = launcher.state();
        let must_end = vmi.is_deleting() || state.pod_ends;
        match state.stage {
            Stage::Off(exit) => self.report_end(client, vmi, launcher, exit).await,
            _ if must_end => Ok(self.shut_down(vmi, launcher)),
            Stage::Idle => self.start(client, vmi, launcher).await,
            Stage::Agent => report::agent(&self.cluster, client, vmi, launcher).await,
            _ => Ok(Outcome::Done),
        }
    }

    /// Defines and starts the domain, once its launcher listens.
    async fn start(
        &self,
        client: &mut Client,
        vmi: &Object,
        launcher: &Arc<Launcher>,
    ) -> Result<Outcome, WriteError> {
        let figures = &self.cluster.profile.virt_handler;
        let stuck = launcher.misbehaviour == Some(Misbehaviour::NeverBoots);
        if stuck || self.cluster.clock.now() < launcher.socket_at {
            return Ok(Outcome::Again(figures.recheck));
        }
        if !launcher.change(|guest| guest.stage = Stage::Starting) {
            return Ok(Outcome::Done);
        }
        let slow = launcher.slowness();
        let seconds = |step, draw| slow * self.cluster.seconds(&launcher.key, &launcher.uid, step, draw);
        client.spend(seconds("define", figures.define)).await;
        self.say(vmi, "Created", "VirtualMachineInstance defined.");
        let unshared = storage::unshared(client.store(), vmi);
        let migratable = |vmi: &mut crate::value::Value| report::migratable(vmi, unshared.as_deref());
        let vmi = match client.patch(&VIRTUAL_MACHINE_INSTANCES, vmi, migratable).await {
            Ok(vmi) => vmi,
            Err(error) => {
                launcher.end(Exit::Destroyed);
                launcher.note_end();
                return Err(error);
            }
        };
        // The worker is held while libvirt starts qemu: ten concurrent starts per node, as on a real one.
        tokio::join!(
            client.spend(seconds("qemu", figures.qemu_start)),
            self.node.cpu.serve(figures.start_cpu, 1.0)
        );
        if self.crashes(launcher) {
            launcher.end(Exit::Crashed);
            return self.report_end(client, &vmi, launcher, Exit::Crashed).await;
        }
        if !launcher.change(|guest| guest.stage = Stage::Running) {
            return Ok(Outcome::Again(0.0));
        }
        // The CPUs of a guest that is created paused do not run until it is unpaused.
        let is_paused = vmi.value()["spec"]["startStrategy"] == "Paused";
        if !is_paused {
            self.cluster.tasks.spawn(boot::live(self.cluster.clone(), launcher.clone()));
        }
        let stamp = self.cluster.clock.stamp();
        let mac = report::mac(&self.cluster, &launcher.key);
        let addresses = addresses(&launcher.address, self.cluster.profile.node.dual_stack);
        client
            .patch(&VIRTUAL_MACHINE_INSTANCES, &vmi, |vmi| {
                report::running(vmi, &addresses, &mac, &stamp);
                if is_paused {
                    report::paused(vmi, &stamp);
                }
            })
            .await?;
        self.say(&vmi, "Started", "VirtualMachineInstance started.");
        Ok(Outcome::Again(0.0))
    }

    fn crashes(&self, launcher: &Launcher) -> bool {
        match launcher.misbehaviour {
            Some(Misbehaviour::Crashes) => true,
            Some(Misbehaviour::CrashesOnce) => self.cluster.incarnation(&launcher.key, &launcher.uid) == 1,
            _ => false,
        }
    }

    /// Presses the power button, and pulls the plug when the grace period is over.
    fn shut_down(&self, vmi: &Object, launcher: &Arc<Launcher>) -> Outcome {
        let grace = vmi.value()["spec"]["terminationGracePeriodSeconds"].as_f64().unwrap_or(30.0);
        let now = self.cluster.clock.now();
        let state = launcher.state();
        if state.stage == Stage::Idle {
            // No domain yet; the kubelet ends the launcher.
            return Outcome::Done;
        }
        if grace <= 0.0 {
            return self.kill(vmi, launcher, Exit::Destroyed);
        }
        let Some(pressed) = state.shutdown_at else {
            launcher.change(|guest| guest.shutdown_at = Some(now));
            self.say(vmi, "ShuttingDown", "Signaled Graceful Shutdown");
            return Outcome::Again(grace);
        };
        if now + 1e-6 < pressed + grace {
            return Outcome::Again(pressed + grace - now);
        }
        self.kill(vmi, launcher, Exit::Expired)
    }

    fn kill(&self, vmi: &Object, launcher: &Launcher, exit: Exit) -> Outcome {
        self.say(vmi, "Deleted", "VirtualMachineInstance stopping");
        if launcher.misbehaviour == Some(Misbehaviour::NeverStops) {
            return Outcome::Again(5.0);
        }
        launcher.end(exit);
        Outcome::Again(0.0)
    }

    /// Writes the final phase.
    async fn report_end(
        &self,
        client: &mut Client,
        vmi: &Object,
        launcher: &Launcher,
        exit: Exit,
    ) -> Result<Outcome, WriteError> {
        let good = matches!(exit, Exit::PoweredOff | Exit::Destroyed);
        let stamp = self.cluster.clock.stamp();
        if vmi.is_deleting() {
            self.say(vmi, "Deleted", "Signaled Deletion");
        }
        let phase = if good { "Succeeded" } else { "Failed" };
        let written =
            client.patch(&VIRTUAL_MACHINE_INSTANCES, vmi, |vmi| phase::enter(vmi, phase, &stamp)).await;
        launcher.note_end();
        written?;
        let source = self.source();
        if good {
            self.cluster.recorder.normal(source, vmi, "Stopped", "The VirtualMachineInstance was shut down.");
        } else {
            self.cluster.recorder.warning(source, vmi, "Stopped", "The VirtualMachineInstance crashed.");
        }
        Ok(Outcome::Done)
    }

    fn say(&self, vmi: &Object, reason: &str, message: &str) {
        self.cluster.recorder.normal(self.source(), vmi, reason, message);
    }

    fn source(&self) -> Source<'_> {
        Source { component: "virt-handler", host: Some(&self.node.name) }
    }
}
