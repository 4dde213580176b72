//! Readiness probes of launcher pods, which query the guest.

use crate::value::Value;

use super::{PodWorker, status};
use crate::controllers::cluster::Cluster;
use crate::controllers::guests::Launcher;

/// Default seconds between two attempts.
const PERIOD: f64 = 10.0;

impl PodWorker {
    /// Tries the readiness probe of a launcher pod until the guest answers; then, and without a probe, waits forever.
    pub(super) async fn keep_ready(&mut self) {
        if let (Some(probe), Some(launcher)) =
            (status::readiness_probe(self.pod.value()).cloned(), self.launcher.clone())
        {
            let seconds = |field: &str, default| probe[field].as_f64().unwrap_or(default);
            self.cluster.clock.sleep(seconds("initialDelaySeconds", 0.0)).await;
            while !succeeds(&probe, &launcher, &self.cluster) {
                self.cluster.clock.sleep(seconds("periodSeconds", PERIOD).max(1.0)).await;
            }
            self.write(status::ready).await;
        }
        std::future::pending::<()>().await;
    }
}

/// Whether a probe succeeds now. A command is run in the guest through its agent, like virt-probe.
fn succeeds(probe: &Value, launcher: &Launcher, cluster: &Cluster) -> bool {
    let (state, now) = (launcher.state(), cluster.clock.now());
    let is_past = |at: Option<f64>| at.is_some_and(|at| at <= now);
    match probe.get("exec") {
        Some(exec) if exec["command"].to_string().contains("cloud-init") => {
            is_past(state.agent_at) && is_past(state.cloud_init_at)
        }
        Some(_) => is_past(state.agent_at),
        None if probe.get("guestAgentPing").is_some() => is_past(state.agent_at),
        None => is_past(state.services_at),
    }
}
