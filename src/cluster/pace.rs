//! Timed requests: connections opened before the burst, attempts counted, waiting told apart from working.

use std::time::{Duration, Instant};

use http::Request;

use super::call::wait;
use super::{Cluster, Kind, Trouble};
use crate::observe::clock::monotonic_now;
use crate::plan::Target;

/// A request whose time is measured
#[derive(Debug, Clone)]
pub struct Timed {
    /// Completes "failed to …".
    pub doing: &'static str,
    /// Ready to be sent.
    pub request: Request<Vec<u8>>,
    /// What the request means, for the case that its answer is lost.
    pub meaning: Meaning,
}

/// What a timed request does
#[derive(Debug, Clone)]
pub enum Meaning {
    /// Creates a VM. If the VM exists and carries this run's UUID, an earlier attempt succeeded.
    Create {
        /// The VM.
        target: Target,
        /// UUID of the run.
        run_id: String,
    },
    /// Switches the power of a VM. If it is switched already and an answer was lost, an earlier attempt succeeded.
    Switch,
}

/// What it took to get a timed request accepted or refused
#[derive(Debug, Clone, Default)]
pub struct Effort {
    /// Requests sent.
    pub attempts: u32,
    /// Answers 429 among them.
    pub throttled: u32,
    /// Time spent waiting because of them.
    pub throttled_for: Duration,
}

impl Cluster {
    /// Opens connections, so that a burst of that many requests does not wait for handshakes.
    ///
    /// Best effort: a server that refuses shows that at the real requests.
    pub async fn warm(&self, connections: usize) {
        let one = || async {
            if let Ok(request) = Request::get("/version").body(Vec::new()) {
                let _ = self.call("open a connection", request).await;
            }
        };
        futures::future::join_all((0..connections).map(|_| one())).await;
    }

    /// Sends a timed request until it is accepted, refused for good, or `deadline` is over.
    ///
    /// Gives the instant of acceptance, and what it took in either case.
    pub async fn send_timed(&self, timed: &Timed, deadline: Instant) -> (Effort, Result<Instant, Trouble>) {
        let mut effort = Effort::default();
        let mut answer_lost = false;
        loop {
            effort.attempts += 1;
            let outcome = self.call(timed.doing, timed.request.clone()).await;
            let now = monotonic_now();
            let Err(trouble) = outcome else { return (effort, Ok(now)) };
            if self.was_done_before(timed, &trouble, answer_lost).await {
                return (effort, Ok(now));
            }
            if !trouble.is_transient() || now >= deadline {
                return (effort, Err(trouble));
            }
            answer_lost |= trouble.is_ambiguous();
            let pause = wait(effort.attempts, trouble.retry_after).min(deadline - now);
            tokio::time::sleep(pause).await;
            if trouble.kind == Kind::Throttled {
                effort.throttled += 1;
                effort.throttled_for += pause;
            }
        }
    }

    /// Whether a refusal only says that an earlier attempt, whose answer was lost, had succeeded.
    async fn was_done_before(&self, timed: &Timed, trouble: &Trouble, answer_lost: bool) -> bool {
        match &timed.meaning {
            Meaning::Create { target, run_id } if trouble.kind == Kind::AlreadyExists => {
                matches!(self.machine(target).await, Ok(Some(vm)) if vm.run_id() == Some(run_id))
            }
            Meaning::Switch => answer_lost && trouble.kind == Kind::Conflict,
            Meaning::Create { .. } => false,
        }
    }
}
