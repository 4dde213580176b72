//! Starts that failed before the guest ran, and the growing pause before the next attempt.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::value::{Value, json};

use super::super::cluster::Cluster;
use super::super::conditions::is_final;
use super::super::key::Key;
use super::strategy::Strategy;
use crate::model::clock::stamp;
use crate::model::lock;
use crate::store::Object;

/// Maximum pause, in units of the first one: 300 s for 10 s.
const LONGEST: f64 = 30.0;

/// Earliest next start of each machine
///
/// The exact instants are kept here: the status has whole seconds only, too coarse for a clock that runs faster.
#[derive(Debug)]
pub struct BackOffs {
    cluster: Arc<Cluster>,
    until: Mutex<HashMap<Box<str>, f64>>,
}

/// Update of `status.startFailure`
#[derive(Debug, Clone, PartialEq)]
pub enum StartFailure {
    /// Unchanged.
    Keep,
    /// Removed.
    Clear,
    /// Replaced by this.
    Set(Value),
}

impl BackOffs {
    /// An empty back-off table.
    pub fn new(cluster: Arc<Cluster>) -> Self {
        Self { cluster, until: Mutex::default() }
    }

    /// Remaining wait of a machine, in simulated seconds.
    pub fn wait(&self, uid: &str) -> Option<f64> {
        let until = *lock(&self.until).get(uid)?;
        let wait = until - self.cluster.clock.now();
        (wait > 0.0).then_some(wait)
    }

    /// Forgets a machine.
    pub fn forget(&self, uid: &str) {
        lock(&self.until).remove(uid);
    }

    /// Checks a machine's instance, and counts it if it ended without ever running.
    pub fn observe(&self, vm: &Object, instance: Option<&Value>) -> StartFailure {
        let strategy = Strategy::of(vm.value());
        let known = &vm.value()["status"]["startFailure"];
        let ran = instance.is_some_and(has_run);
        if !strategy.backs_off() || ran || instance.is_none() && known.is_null() {
            self.forget(vm.uid());
            return StartFailure::Clear;
        }
        let Some(instance) = instance.filter(|vmi| is_final(vmi)) else { return StartFailure::Keep };
        let uid = &instance["metadata"]["uid"];
        if known["lastFailedVMIUID"] == *uid {
            return StartFailure::Keep;
        }
        let count = known["consecutiveFailCount"].as_u64().unwrap_or(0) + 1;
        let delay = self.delay(&Key::of(vm), count);
        lock(&self.until).insert(vm.uid().into(), self.cluster.clock.now() + delay);
        let retry_at = self.cluster.clock.wall() + self.cluster.clock.real(delay);
        StartFailure::Set(json!({
            "consecutiveFailCount": count, "lastFailedVMIUID": uid, "retryAfterTimestamp": stamp(retry_at),
        }))
    }

    /// 10·n² seconds and up to half as much again, 300 at most.
    fn delay(&self, key: &Key, count: u64) -> f64 {
        let unit = self.cluster.profile.virt_controller.crash_back_off;
        let jitter = self.cluster.dice.roll(&key.to_string(), count, "back-off").between(1.0, 1.5);
        (unit * (count * count) as f64 * jitter).min(unit * LONGEST)
    }
}

/// Whether an instance has ever been Running.
fn has_run(vmi: &Value) -> bool {
    let stamps = vmi["status"]["phaseTransitionTimestamps"].as_array();
    stamps.is_some_and(|stamps| stamps.iter().any(|entry| entry["phase"] == "Running"))
}
