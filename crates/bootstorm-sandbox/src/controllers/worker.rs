//! Workers: take a key, compare the actual state with the desired one, and close the gap.

use std::fmt::Debug;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex};

use tokio::task::JoinSet;

use super::client::Client;
use super::queue::WorkQueue;
use crate::model::lock;

/// Result of a reconciliation
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outcome {
    /// All is as desired, or a change will requeue the key.
    Done,
    /// Reconcile again after this many simulated seconds.
    Again(f64),
    /// Failed; reconcile again with back-off.
    Retry,
}

/// Reconciliation of a controller
pub trait Reconciler: Send + Sync + 'static {
    /// Key type.
    type Key: Clone + Eq + Hash + Debug + Send + Sync + 'static;

    /// Reconciles the key once.
    fn reconcile(&self, client: &mut Client, key: &Self::Key) -> impl Future<Output = Outcome> + Send;
}

/// All running tasks of the simulation, with a common stop
#[derive(Debug, Default)]
pub struct Tasks {
    running: Mutex<JoinSet<()>>,
    /// Keys on which a controller spun, as text.
    spinning: Arc<Mutex<Vec<String>>>,
}

impl Tasks {
    /// Runs a task until it ends or the simulation does.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut running = lock(&self.running);
        while let Some(ended) = running.try_join_next() {
            if let Err(error) = ended
                && error.is_panic()
            {
                tracing::error!("a task of the simulated cluster died: {error}");
            }
        }
        running.spawn(task);
    }

    /// Keys that a controller reconciled repeatedly without changing anything. There should be none.
    pub fn spinning(&self) -> Vec<String> {
        lock(&self.spinning).clone()
    }

    /// Ends all tasks.
    pub fn stop(&self) {
        lock(&self.running).abort_all();
    }

    /// Runs a worker of a controller.
    pub fn work<R: Reconciler>(&self, queue: Arc<WorkQueue<R::Key>>, reconciler: Arc<R>, mut client: Client) {
        let spinning = Arc::clone(&self.spinning);
        self.spawn(async move {
            loop {
                let key = queue.next().await;
                match reconciler.reconcile(&mut client, &key).await {
                    Outcome::Done => queue.forget(&key),
                    Outcome::Again(seconds) if WorkQueue::<R::Key>::is_at_once(seconds) => {
                        if queue.add_at_once(key.clone()) {
                            tracing::error!(?key, "a controller of the simulated cluster spins");
                            lock(&spinning).push(format!("{key:?}"));
                        }
                    }
                    Outcome::Again(seconds) => {
                        queue.forget(&key);
                        queue.add_after(key.clone(), seconds);
                    }
                    Outcome::Retry => queue.add_rate_limited(key.clone()),
                }
                queue.done(&key);
            }
        });
    }
}
