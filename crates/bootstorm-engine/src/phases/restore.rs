//! Restores adopted VMs: their setting, then their power. Never deletes anything.

mod step;

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use futures::StreamExt;

use super::event::{Event, Listener};
use super::existing::existing;
use super::timed;
use crate::cluster::changes::ChangeEvent;
use crate::cluster::guard::Guard;
use crate::cluster::pace::Timed;
use crate::cluster::watch::Needs;
use crate::cluster::{Cluster, ClusterError, Kind};
use bootstorm_model::observe::clock::{elapsed_since, monotonic_now};
use bootstorm_model::observe::{Change, Instance, InstancePhase};
use bootstorm_model::plan::Target;
use bootstorm_model::record::RunRecord;
use step::{Life, Step};

/// Interval at which the VMs themselves are checked while waiting for their guests.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// Time for a request to take effect before the VM is read again.
const PATIENCE: Duration = Duration::from_secs(10);

/// How VMs are restored
#[derive(Debug, Clone, Copy)]
pub struct Order {
    /// Requests in flight at once.
    pub concurrency: usize,
    /// Time limit.
    pub deadline: Instant,
}

/// Result for the VMs
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restored {
    /// VMs that are as they were.
    pub as_before: usize,
    /// VMs left as others changed them, with the reason.
    pub left: Vec<(Target, String)>,
}

/// Reason why VMs could not be restored
#[derive(Debug)]
pub enum RestoreError {
    /// The time limit expired before these were restored.
    Late(Vec<(Target, String)>),
    /// Unexpected answer of the cluster.
    Cluster(ClusterError),
}

impl From<ClusterError> for RestoreError {
    fn from(error: ClusterError) -> Self {
        Self::Cluster(error)
    }
}

/// Restores every VM that the run may have touched, and waits until each is as it was.
///
/// The next step is derived from the state of the VM each time, so that it can be interrupted anywhere and repeated.
pub async fn run(
    cluster: &Cluster,
    record: &RunRecord,
    order: Order,
    guard: &Guard,
    events: Listener<'_>,
) -> Result<Restored, RestoreError> {
    let mut changes = timed::watch(cluster, record, Needs::Objects).await?;
    let mut lives: HashMap<Target, Life> = HashMap::new();
    for change in timed::first_list(&mut changes).await {
        note(&mut lives, change);
    }
    let mut machines = existing(cluster, record).await?.ours;
    let adopted = &record.plan.adopted;
    let positions: HashMap<&Target, usize> =
        adopted.iter().enumerate().map(|(position, adoptee)| (&adoptee.target, position)).collect();
    let wishes = record.wishes();
    let wish = |position: usize| wishes.get(position).copied().unwrap_or_default();
    let touched = wishes.iter().enumerate().filter(|(_, wish)| wish.touched);
    let mut open: BTreeSet<usize> = touched.map(|(position, _)| position).collect();
    let mut restored = Restored { as_before: adopted.len() - open.len(), ..Restored::default() };
    let mut asked: HashMap<usize, Instant> = HashMap::new();
    let mut waits: HashMap<usize, String> = HashMap::new();
    let mut to_look_at: BTreeSet<usize> = open.clone();
    events(&Event::Restoring { count: open.len() });
    loop {
        let mut requests: Vec<(usize, Timed)> = Vec::new();
        for position in std::mem::take(&mut to_look_at) {
            if !open.contains(&position) {
                continue;
            }
            let adoptee = &adopted[position];
            let (machine, life) = (machines.get(&adoptee.target), lives.get(&adoptee.target));
            match step::next(adoptee, wish(position), machine, life.copied()) {
                Step::Done => restored.as_before += 1,
                Step::Left(why) => restored.left.push((adoptee.target.clone(), why)),
                Step::Wait(why) => {
                    waits.insert(position, why);
                    continue;
                }
                Step::Send(what, why) => {
                    waits.insert(position, why);
                    if asked.get(&position).is_none_or(|at| elapsed_since(*at) > PATIENCE) {
                        requests.push((position, what.request(adoptee)?));
                    }
                    continue;
                }
            }
            open.remove(&position);
            events(&Event::Restored);
        }
        if open.is_empty() {
            return Ok(restored);
        }
        if !requests.is_empty() {
            let now = monotonic_now();
            asked.extend(requests.iter().map(|(position, _)| (*position, now)));
            send(cluster, requests, order, guard).await?;
            machines = existing(cluster, record).await?.ours;
            to_look_at.clone_from(&open);
            continue;
        }
        tokio::select! {
            biased;
            () = tokio::time::sleep_until(order.deadline.into()) => {
                return Err(RestoreError::Late(late(&open, adopted, &waits)));
            }
            Some(received) = changes.next() => match received.event {
                ChangeEvent::Changes(news) => for change in news {
                    let target = match &change {
                        Change::Present(instance) => &instance.target,
                        Change::Absent { target, .. } => target,
                    };
                    to_look_at.extend(positions.get(target));
                    note(&mut lives, change);
                },
                ChangeEvent::Interrupted { .. } | ChangeEvent::Restored | ChangeEvent::Unreadable(_) => {}
                ChangeEvent::Complaint(error) => events(&Event::Warning(error.to_string())),
            },
            () = tokio::time::sleep(LOOK_AGAIN) => {
                machines = existing(cluster, record).await?.ours;
                to_look_at.clone_from(&open);
            }
        }
    }
}

fn late(
    open: &BTreeSet<usize>,
    adopted: &[bootstorm_model::plan::Adoptee],
    waits: &HashMap<usize, String>,
) -> Vec<(Target, String)> {
    let why = |position| waits.get(position).cloned().unwrap_or_default();
    open.iter().map(|position| (adopted[*position].target.clone(), why(position))).collect()
}

/// Sends requests. Concurrent changes by others show at the next check.
async fn send(
    cluster: &Cluster,
    requests: Vec<(usize, Timed)>,
    order: Order,
    guard: &Guard,
) -> Result<(), ClusterError> {
    let one = |(_, timed): (usize, Timed)| {
        let mut guard = guard.clone();
        async move {
            if !guard.is_ours().await {
                return Err(ClusterError::new(timed.doing, Kind::Conflict, "the lock on the run was lost"));
            }
            if let Err(error) = cluster.check_before(&timed).await {
                tracing::debug!(%error, "checking again");
                return Ok(());
            }
            match cluster.send_timed(&timed, order.deadline, &mut guard, |_| {}).await.outcome {
                Err(error) if matches!(error.kind, Kind::Invalid | Kind::Conflict | Kind::NotFound) => {
                    tracing::debug!(%error, "checking again");
                    Ok(())
                }
                outcome => outcome.map(|_| ()),
            }
        }
    };
    let sending = futures::stream::iter(requests).map(one).buffer_unordered(order.concurrency.max(1));
    sending.collect::<Vec<Result<(), ClusterError>>>().await.into_iter().collect()
}

/// Tracks instances by the watch.
fn note(lives: &mut HashMap<Target, Life>, change: Change) {
    match change {
        Change::Present(instance) => {
            let life = life(&instance);
            lives.insert(instance.target, life);
        }
        Change::Absent { target, .. } => {
            lives.remove(&target);
        }
    }
}

fn life(instance: &Instance) -> Life {
    match instance.phase {
        InstancePhase::Succeeded | InstancePhase::Failed => Life::Final,
        _ if instance.deleting => Life::Going,
        InstancePhase::Running => Life::Running,
        _ => Life::Coming,
    }
}

/// VMs that would be checked, for a dry run.
pub fn touched(record: &RunRecord) -> Vec<Target> {
    let adopted = record.plan.adopted.iter().zip(record.wishes());
    adopted.filter(|(_, wish)| wish.touched).map(|(adoptee, _)| adoptee.target.clone()).collect()
}
