//! Timed requests: connections opened before the burst, attempts counted, waiting told apart from working.

use std::time::{Duration, Instant};

use http::Request;

use super::call::wait;
use super::guard::Guard;
use super::{Cluster, Kind, Trouble, echo};
use bootstorm_model::observe::clock::monotonic_now;
use bootstorm_model::plan::{Setting, Target};

/// How long opening connections before a burst may take.
const WARMING: Duration = Duration::from_secs(10);

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
    /// Switches the power of a VM by a patch that tests its UID, and which may be repeated at will: it lost a race if
    /// there is a conflict.
    Patch {
        /// The VM.
        target: Target,
        /// Its UID.
        uid: String,
    },
    /// Sets the run strategy of a VM, provided that it is still that VM with that setting. If it has the new one
    /// already, an earlier attempt succeeded.
    Guarded {
        /// The VM.
        target: Target,
        /// Its UID.
        uid: String,
        /// The new setting.
        wanted: Setting,
    },
    /// Switches the power of a VM by a subresource. If it is switched already and an answer was lost, an earlier
    /// attempt succeeded. Needs a look at the VM before, since it cannot name a UID.
    Switch {
        /// The VM.
        target: Target,
        /// Its UID.
        uid: String,
    },
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
    /// UID of the VM that a create made.
    pub uid: Option<Box<str>>,
}

/// The reason for not switching a VM that somebody else made under a name of ours.
const MADE_ANEW: &str = "it is another VM of the same name: somebody made it anew, and it is left alone";

impl Cluster {
    /// Opens connections, so that a burst of that many requests does not wait for handshakes.
    ///
    /// Best effort: a server that refuses shows that at the real requests.
    pub async fn warm(&self, connections: usize) {
        let one = || async {
            if let Ok(request) = Request::get("/version").body(Vec::new()) {
                let _ = tokio::time::timeout(WARMING, self.call("open a connection", request)).await;
            }
        };
        futures::future::join_all((0..connections).map(|_| one())).await;
    }

    /// Sends a timed request until it is accepted, refused for good, or `deadline` is over.
    ///
    /// Gives the instant of acceptance, and what it took in either case. Nothing is sent again unless the lock is
    /// ours.
    pub async fn send_timed(
        &self,
        timed: &Timed,
        deadline: Instant,
        guard: &mut Guard,
    ) -> (Effort, Result<Instant, Trouble>) {
        let mut effort = Effort::default();
        let mut answer_lost = false;
        let late = || Trouble::new(timed.doing, Kind::TimedOut, "no answer within the time limit");
        loop {
            if effort.attempts > 0 {
                match tokio::time::timeout_at(deadline.into(), guard.is_ours()).await {
                    Ok(true) => {}
                    Ok(false) => {
                        let lost = Trouble::new(timed.doing, Kind::Conflict, "the lock on the run was lost");
                        return (effort, Err(lost));
                    }
                    Err(_) => return (effort, Err(late())),
                }
            }
            if effort.attempts > 0
                && let Err(trouble) = self.check_before(timed).await
            {
                return (effort, Err(trouble));
            }
            effort.attempts += 1;
            let call = self.call(timed.doing, timed.request.clone());
            let outcome =
                tokio::time::timeout_at(deadline.into(), call).await.unwrap_or_else(|_| Err(late()));
            let now = monotonic_now();
            let trouble = match outcome {
                Ok(answer) => {
                    if let Some(written) = echo::written(&answer) {
                        if let Some(version) = written.version() {
                            self.echo().wrote(version, now);
                        }
                        if matches!(timed.meaning, Meaning::Create { .. }) {
                            effort.uid = Some(written.uid());
                        }
                    }
                    return (effort, Ok(now));
                }
                Err(trouble) => trouble,
            };
            match self.was_done_before(timed, &trouble, answer_lost).await {
                Earlier::Done(uid) => {
                    effort.uid = uid;
                    return (effort, Ok(now));
                }
                Earlier::Strange => {
                    return (effort, Err(Trouble::new(timed.doing, Kind::Conflict, MADE_ANEW)));
                }
                Earlier::Unknown => {}
            }
            let repeatable = matches!(timed.meaning, Meaning::Patch { .. } | Meaning::Guarded { .. });
            let race = trouble.kind == Kind::Conflict && repeatable;
            if !trouble.is_transient() && !race || now >= deadline {
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

    /// Fails where a request that cannot name a UID would reach another VM than the one that is meant.
    pub async fn check_before(&self, timed: &Timed) -> Result<(), Trouble> {
        let Meaning::Switch { target, uid } = &timed.meaning else { return Ok(()) };
        match self.machine(target).await? {
            Some(vm) if vm.uid() != uid => Err(Trouble::new(timed.doing, Kind::Conflict, MADE_ANEW)),
            _ => Ok(()),
        }
    }

    /// What a refusal says: perhaps only that an earlier attempt, whose answer was lost, had succeeded.
    async fn was_done_before(&self, timed: &Timed, trouble: &Trouble, answer_lost: bool) -> Earlier {
        match &timed.meaning {
            Meaning::Create { target, run_id } if trouble.kind == Kind::AlreadyExists => {
                match self.machine(target).await {
                    Ok(Some(vm)) if vm.run_id() == Some(run_id) && vm.metadata().is_labelled_by_us() => {
                        Earlier::Done(Some(vm.uid().into()))
                    }
                    _ => Earlier::Unknown,
                }
            }
            Meaning::Guarded { target, uid, .. } | Meaning::Patch { target, uid }
                if trouble.kind == Kind::Invalid =>
            {
                match (self.machine(target).await, &timed.meaning) {
                    (Ok(Some(vm)), _) if vm.uid() != uid => Earlier::Strange,
                    (Ok(Some(vm)), Meaning::Guarded { wanted, .. }) if vm.setting() == *wanted => {
                        Earlier::Done(None)
                    }
                    _ => Earlier::Unknown,
                }
            }
            Meaning::Switch { .. } if answer_lost && trouble.kind == Kind::Conflict => Earlier::Done(None),
            _ => Earlier::Unknown,
        }
    }
}

/// What a refusal of a request says
enum Earlier {
    /// It was carried out by an earlier attempt, whose answer was lost; a create made the VM with this UID.
    Done(Option<Box<str>>),
    /// Another VM has the name.
    Strange,
    /// Nothing else than it says.
    Unknown,
}
