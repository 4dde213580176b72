//! Taking a pod down: signals, grace period, network and volumes, and the removal of the object.

use tokio::sync::watch;

use super::super::guests::{Exit, Stage};
use super::{PodWorker, status};
use crate::model::Misbehaviour;
use crate::store::DeleteOptions;
use crate::store::kind::PODS;

impl PodWorker {
    /// Records that the guest ended by itself: its pod ends too, but stays until it is deleted.
    pub(super) async fn complete(&mut self) {
        let failed = self
            .launcher
            .as_ref()
            .is_some_and(|launcher| launcher.state().stage == Stage::Off(Exit::Crashed));
        self.cluster.clock.sleep(self.cluster.profile.virt_handler.launcher_exit).await;
        self.write(|pod, stamp| status::ended(pod, failed, stamp)).await;
    }

    /// Ends everything in the pod, and removes it.
    pub(super) async fn stop(&mut self, changes: &mut watch::Receiver<()>) {
        self.node_answers().await;
        if self.address.is_some() && !self.acts() {
            self.say(
                "Killing",
                &format!("Stopping container {}", status::names(self.pod.value()).last().unwrap_or_default()),
            );
        }
        self.end_guest(changes).await;
        let ended = |pod: &crate::value::Value| {
            matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
        };
        if self.current().is_some_and(|pod| !ended(pod.value())) {
            if self.acts() {
                self.write(|pod, stamp| status::over(pod, true, stamp)).await;
            } else if self.address.is_some() {
                self.write(|pod, stamp| status::ended(pod, false, stamp)).await;
            }
        }
        self.take_down().await;
    }

    async fn take_down(&mut self) {
        let figures = self.cluster.profile.kubelet.clone();
        if self.address.is_some() {
            let _place = self.node.teardowns.enter().await;
            tokio::join!(
                self.cluster.clock.sleep(self.seconds("teardown", figures.teardown)),
                self.node.cpu.serve(figures.teardown_cpu, 1.0),
            );
        }
        for image in self.images.drain(..) {
            self.node.release_image(&image, self.cluster.clock.now());
        }
        for claim in self.held.drain(..) {
            self.cluster.attachments.release(&claim);
        }
        if let Some(address) = self.address.take() {
            self.cluster.guests.release(&address);
            self.node.return_address(&address);
        }
        if let Some(launcher) = self.launcher.take() {
            self.cluster.guests.remove(&launcher);
        }
        // The kubelet's final deletion; a finalizer holds the object even then.
        let options = DeleteOptions {
            uid: Some(self.pod.uid().to_owned()),
            grace_period: Some(0),
            ..DeleteOptions::default()
        };
        let _ = self.cluster.store.delete(&PODS, self.pod.namespace(), self.pod.name(), &options);
        self.cluster.processes.logs.forget(self.pod.uid());
        self.cluster.pods.gone(self.pod.uid());
    }

    /// Lets the guest power off within the pod's grace period, or kills it.
    async fn end_guest(&mut self, changes: &mut watch::Receiver<()>) {
        let Some(launcher) = self.launcher.clone() else { return };
        // A launcher without a domain ends at once, and accepts none any more.
        launcher.guest.send_if_modified(|guest| {
            let idle = guest.stage == Stage::Idle;
            if idle {
                guest.stage = Stage::Off(Exit::Destroyed);
                guest.noted = true;
            }
            idle
        });
        launcher.change(|guest| guest.pod_ends = true);
        launcher.call_handler();
        let began = self.cluster.clock.now();
        let mut watched = launcher.guest.subscribe();
        loop {
            let over = watched.wait_for(|guest| matches!(guest.stage, Stage::Off(_)) && guest.noted);
            let deadline = self.grace().map(|grace| began + grace);
            let expired = async {
                // Without an object there is nothing to wait for.
                if let Some(at) = deadline {
                    self.cluster.clock.sleep_until(at).await;
                }
            };
            tokio::select! {
                _ = over => return,
                () = expired => break,
                changed = changes.changed() => if changed.is_err() { break },
            }
        }
        if launcher.misbehaviour == Some(Misbehaviour::NeverStops) && self.current().is_some() {
            std::future::pending::<()>().await;
        }
        launcher.end(Exit::Expired);
        launcher.call_handler();
    }

    /// Grace period of the pod in simulated seconds; `None` if the object is gone.
    fn grace(&self) -> Option<f64> {
        let pod = self.current()?;
        Some(pod.value()["metadata"]["deletionGracePeriodSeconds"].as_f64().unwrap_or(30.0))
    }
}
