//! A common start for several phases: each arrives at its gate when it is ready to send, and all begin at the same
//! instant.
//!
//! The barrier decides once. Whoever comes later finds its gate closed, so that no phase is late by an accident of
//! scheduling.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::timeout_at;

use crate::cluster::Cluster;
use crate::cluster::store::RunStore;
use bootstorm_model::observe::clock::{elapsed_since, monotonic_now};
use bootstorm_model::observe::{Clock, Offset};
use bootstorm_model::shards::Shard;

/// Time from the decision to the start: every gate learns of it, connections are reopened, and a phase finishes its
/// last preparations.
pub(super) const LEAD: Duration = Duration::from_secs(3);
/// Connections are reopened after a wait of this length: servers and proxies close idle ones.
pub(super) const LONG_WAIT: Duration = Duration::from_secs(2);
/// Opening connections ends this long before the start; continuously probed guests have to answer meanwhile.
pub(super) const QUIET: Duration = Duration::from_secs(2);

/// Reaction if a member does not arrive at its gate
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// The others wait for it, unless it has left.
    Wait,
    /// The others start without it after a time limit.
    LeaveOut,
    /// No member starts.
    Abort,
}

/// State of a member
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// May still arrive.
    Coming,
    /// Waits at its gate.
    Arrived,
    /// Will not arrive: it failed, or has nothing to start.
    Left,
}

/// Decision of the barrier
#[derive(Debug, Clone, PartialEq, Eq)]
enum Decision {
    /// Every arrived member starts at this instant.
    Open(Instant),
    /// No member starts, for this reason.
    Closed(String),
}

/// State shared by members and barrier
#[derive(Debug, Clone, Default)]
struct State {
    standings: Vec<Standing>,
    /// Members that may start, once decided.
    chosen: Vec<usize>,
    decision: Option<Decision>,
}

/// A member's passage through its gate
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passed {
    /// Common instant on the time axis of its phase.
    pub zero: Offset,
    /// Whether its phase had sent nothing before.
    pub fresh: bool,
}

/// Result of a barrier
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening {
    /// These members start at this instant; the others do not.
    Start {
        /// Common instant of the monotonic clock.
        at: Instant,
        /// Members that start, by number.
        members: Vec<usize>,
    },
    /// No member starts, because none arrived.
    Nobody,
    /// No member starts: this one did not arrive, and the policy is to abort.
    Aborted(usize),
}

/// A common start for several phases
#[derive(Debug)]
pub struct Barrier {
    state: watch::Sender<State>,
    passed: Mutex<BTreeMap<usize, Passed>>,
}

/// A member's place at the barrier; dropping it before passing means that the member will not arrive
#[derive(Debug)]
pub struct Gate {
    barrier: Arc<Barrier>,
    member: usize,
}

/// Reason why a gate is closed, as a sentence
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed(pub String);

impl Barrier {
    /// A barrier for this many members, all of which may still arrive.
    pub fn new(members: usize) -> Arc<Self> {
        let state = State { standings: vec![Standing::Coming; members], ..State::default() };
        Arc::new(Self { state: watch::Sender::new(state), passed: Mutex::default() })
    }

    /// The gate of a member, which has one at a time.
    pub fn gate(self: &Arc<Self>, member: usize) -> Gate {
        Gate { barrier: Arc::clone(self), member }
    }

    /// Current state of each member.
    pub fn standings(&self) -> Vec<Standing> {
        self.state.borrow().standings.clone()
    }

    /// Waits until a member has arrived or left. Cancel-safe.
    pub async fn changed(&self, seen: &[Standing]) {
        let mut state = self.state.subscribe();
        // The sender lives as long as this value.
        let _ = state.wait_for(|state| state.standings != seen).await;
    }

    /// Waits for the members and decides which start, and when; `patience` counts from the first arrival.
    ///
    /// Returns before the start, once every starting member has recorded the instant on its own time axis.
    pub async fn run(&self, policy: Policy, patience: Duration) -> Opening {
        let mut state = self.state.subscribe();
        let mut first_arrival = None;
        loop {
            let standings = state.borrow_and_update().standings.clone();
            let has = |standing| standings.contains(&standing);
            if let Some(member) = standings.iter().position(|one| *one == Standing::Left)
                && policy == Policy::Abort
            {
                return self.abort(member);
            }
            if !has(Standing::Coming) {
                return self.open().await;
            }
            if has(Standing::Arrived) {
                first_arrival.get_or_insert_with(monotonic_now);
            }
            let limit = first_arrival.filter(|_| policy != Policy::Wait).map(|first| first + patience);
            let changed = async { state.changed().await.is_ok() };
            match limit {
                None => drop(changed.await),
                Some(limit) if timeout_at(limit.into(), changed).await.is_ok() => {}
                Some(_) => match standings.iter().position(|one| *one == Standing::Coming) {
                    Some(member) if policy == Policy::Abort => return self.abort(member),
                    _ => return self.open().await,
                },
            }
        }
    }

    async fn open(&self) -> Opening {
        let mut members = Vec::new();
        let mut at = monotonic_now();
        self.state.send_modify(|state| {
            let arrived =
                |(member, standing): (usize, &Standing)| (*standing == Standing::Arrived).then_some(member);
            members = state.standings.iter().enumerate().filter_map(arrived).collect();
            at = monotonic_now() + LEAD;
            state.chosen.clone_from(&members);
            state.decision = Some(Decision::Open(at));
        });
        if members.is_empty() {
            return Opening::Nobody;
        }
        let mut state = self.state.subscribe();
        let noted = state.wait_for(|_| self.passed().len() >= members.len());
        // A member that was interrupted meanwhile records nothing.
        let _ = timeout_at(at.into(), noted).await;
        Opening::Start { at, members }
    }

    fn abort(&self, member: usize) -> Opening {
        let why = "the fleet starts together or not at all, and a member was not ready".to_owned();
        self.state.send_modify(|state| state.decision = Some(Decision::Closed(why)));
        Opening::Aborted(member)
    }

    /// Records of the starting members, by number.
    pub fn passed(&self) -> MutexGuard<'_, BTreeMap<usize, Passed>> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stand(&self, member: usize, standing: Standing) {
        self.state.send_if_modified(|state| match state.standings.get_mut(member) {
            Some(known) => std::mem::replace(known, standing) != standing,
            None => false,
        });
    }
}

impl Gate {
    /// Waits for the decision and returns the instant of the start, which is a moment ahead: the member prepares and
    /// sends nothing before it. `fresh` states whether the phase has sent nothing before; connections are reopened
    /// after a long wait.
    ///
    /// Fails if the others start without this member, or no member starts.
    pub async fn pass(
        &self,
        cluster: &Cluster,
        connections: usize,
        clock: Clock,
        fresh: bool,
    ) -> Result<Instant, Closed> {
        let arrived = monotonic_now();
        self.barrier.stand(self.member, Standing::Arrived);
        let mut state = self.barrier.state.subscribe();
        let decided = state.wait_for(|state| state.decision.is_some()).await;
        let decided = decided.map(|state| (state.decision.clone(), state.chosen.contains(&self.member)));
        let at = match decided {
            Ok((Some(Decision::Open(at)), true)) => at,
            Ok((Some(Decision::Closed(why)), _)) => return Err(Closed(why)),
            _ => return Err(Closed("the others have started without it: it was ready too late".to_owned())),
        };
        self.barrier.passed().insert(self.member, Passed { zero: clock.at(at), fresh });
        // Wakes the barrier, which waits for the records.
        self.barrier.state.send_modify(|_| {});
        if elapsed_since(arrived) >= LONG_WAIT {
            let quiet = at.checked_sub(QUIET).unwrap_or(at);
            let _ = timeout_at(quiet.into(), cluster.warm(connections)).await;
        }
        Ok(at)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.barrier.state.send_if_modified(|state| {
            let standing = state.standings.get_mut(self.member);
            // Afterwards it is known which members started.
            match standing.filter(|_| state.decision.is_none()) {
                Some(known) => std::mem::replace(known, Standing::Left) != Standing::Left,
                None => false,
            }
        });
    }
}

/// The gate of a shard: all shards start at one instant of the phase's time axis
///
/// The coordinator decides the instant once, in an immutable object. Each shard reaches it on its own monotonic clock,
/// by the time axis that every process of a phase has: by its own wall clock, unless that differs from the
/// coordinator's according to the server's clock.
#[derive(Debug, Clone, Copy)]
pub struct ShardGate<'a> {
    /// Record of the run.
    pub run: &'a RunStore,
    /// Shard.
    pub shard: Shard,
}
