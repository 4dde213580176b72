//! A shared resource at which tasks wait: storage throughput, a node's CPU cores.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::{Notify, oneshot};

use super::clock::SimClock;
use super::fluid::{Capacity, Fluid};
use super::lock;

/// A capacity that all current users share like a fluid
///
/// One driver task wakes for the next job that ends; users wait for their own signal. So a change in the number of
/// users costs the same whether ten or ten thousand wait.
#[derive(Debug, Clone)]
pub struct Bandwidth {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    clock: SimClock,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    fluid: Fluid,
    waiting: HashMap<u64, oneshot::Sender<()>>,
}

impl Bandwidth {
    /// An idle server; its [`Bandwidth::drive`] must be running for users to be served.
    pub fn new(clock: SimClock, capacity: Capacity) -> Self {
        let state = State { fluid: Fluid::new(capacity), waiting: HashMap::new() };
        Self { inner: Arc::new(Inner { clock, state: Mutex::new(state), changed: Notify::new() }) }
    }

    /// Waits until `work` units have been served at a share of `weight`.
    pub async fn serve(&self, work: f64, weight: f64) {
        if work <= 0.0 {
            return;
        }
        let (done, wait) = oneshot::channel();
        {
            let mut state = lock(&self.inner.state);
            let job = state.fluid.add(self.inner.clock.now(), work, weight);
            state.waiting.insert(job, done);
        }
        self.inner.changed.notify_one();
        // An abandoned wait leaves its work behind, as an aborted guest leaves its reads in flight.
        let _ = wait.await;
    }

    /// Serves forever; to be run as a separate task.
    pub async fn drive(self) {
        loop {
            let next = {
                let mut state = lock(&self.inner.state);
                for job in state.fluid.ended(self.inner.clock.now()) {
                    if let Some(done) = state.waiting.remove(&job) {
                        let _ = done.send(());
                    }
                }
                state.fluid.next_end()
            };
            let changed = self.inner.changed.notified();
            match next {
                Some(at) => {
                    tokio::select! { () = changed => {}, () = tokio::time::sleep_until(self.inner.clock.instant(at)) => {} }
                }
                None => changed.await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn readers_share_the_throughput() {
        let clock = SimClock::start(10.0);
        let disk = Bandwidth::new(clock, Capacity { total: 100.0, each: 100.0, interference: 0.0 });
        let driver = tokio::spawn(disk.clone().drive());
        let mut readers = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let disk = disk.clone();
            readers.spawn(async move { disk.serve(50.0, 1.0).await });
        }
        readers.join_all().await;
        assert!((clock.now() - 10.0).abs() < 0.05, "{}", clock.now());
        driver.abort();
    }
}
