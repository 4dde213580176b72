//! Sends one request per VM, all together, under a limit of requests in flight.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use super::Interrupt;
use crate::cluster::guard::Guard;
use crate::cluster::pace::{Effort, Timed};
use crate::cluster::{Cluster, Trouble};
use crate::observe::clock::monotonic_now;

/// What the launch tells about one VM
#[derive(Debug)]
pub(super) enum Launched {
    /// The request is about to be written.
    Sent { target: u32, at: Instant },
    /// It was accepted at that instant, or refused for good.
    Answered { target: u32, effort: Effort, outcome: Result<Instant, Trouble> },
    /// It was not sent, because the user interrupted, the phase was stopped, or the lock was lost.
    Skipped,
}

/// Requests on their way; dropping it sends no more, and gives up those that got no answer
pub(super) struct Launching {
    news: mpsc::UnboundedReceiver<Launched>,
    stop: watch::Sender<bool>,
    _tasks: JoinSet<()>,
}

impl Launching {
    /// The next fate of a request; nothing after the last. Safe to cancel.
    pub(super) async fn next(&mut self) -> Option<Launched> {
        self.news.recv().await
    }

    /// Sends no request that has not been sent yet.
    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
    }
}

/// Releases all requests. Each VM gives exactly one `Answered` or `Skipped`.
///
/// `concurrency` limits requests in flight, never what is observed. A request is repeated, where that is safe,
/// until `patience` after it was first sent.
pub(super) fn launch(
    cluster: &Cluster,
    requests: Vec<(u32, Timed)>,
    concurrency: usize,
    patience: Duration,
    interrupt: &Interrupt,
    guard: &Guard,
) -> Launching {
    let (sender, news) = mpsc::unbounded_channel();
    let (stop, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();
    let seats = Arc::new(Semaphore::new(concurrency.max(1)));
    for (target, timed) in requests {
        let (cluster, seats, interrupt, stopped) =
            (cluster.clone(), Arc::clone(&seats), interrupt.clone(), stopped.clone());
        let (sender, mut guard) = (sender.clone(), guard.clone());
        tasks.spawn(async move {
            // The semaphore is never closed; waiting for it is fair, so VMs go in the order of the plan.
            let Ok(_seat) = seats.acquire().await else { return };
            if !guard.is_ours().await || interrupt.is_set() || *stopped.borrow() {
                let _ = sender.send(Launched::Skipped);
                return;
            }
            let at = monotonic_now();
            let _ = sender.send(Launched::Sent { target, at });
            let (effort, outcome) = cluster.send_timed(&timed, at + patience, &mut guard).await;
            let _ = sender.send(Launched::Answered { target, effort, outcome });
        });
    }
    Launching { news, stop, _tasks: tasks }
}
