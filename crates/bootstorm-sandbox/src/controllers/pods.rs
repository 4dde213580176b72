//! Signals to the workers that run pods: changes of the pod, and bound claims.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::{Notify, watch};

use super::key::Key;
use crate::model::lock;

/// All pods on nodes, by UID
#[derive(Debug, Default)]
pub struct PodSignals {
    pods: Mutex<HashMap<Box<str>, watch::Sender<()>>>,
    claims: Mutex<HashMap<Key, Arc<Notify>>>,
}

impl PodSignals {
    /// Signals a change to the worker of a pod; if it has none yet, the caller must start one.
    pub fn touch(&self, uid: &str) -> Option<watch::Receiver<()>> {
        let mut pods = lock(&self.pods);
        if let Some(signal) = pods.get(uid) {
            signal.send_replace(());
            return None;
        }
        let (signal, changes) = watch::channel(());
        pods.insert(uid.into(), signal);
        Some(changes)
    }

    /// Signals the end of its pod to a worker; there are no further signals.
    pub fn gone(&self, uid: &str) {
        // The worker notices by the end of its channel.
        lock(&self.pods).remove(uid);
    }

    /// Signal for the next change of a claim.
    pub fn claim(&self, key: &Key) -> Arc<Notify> {
        lock(&self.claims).entry(key.clone()).or_default().clone()
    }

    /// Signals all workers that wait for a claim.
    pub fn claim_changed(&self, key: &Key) {
        if let Some(waiting) = lock(&self.claims).remove(key) {
            waiting.notify_waiters();
        }
    }
}
