//! Cleanup: deletes what the run made, and verifies that nothing of it is left.

mod blocked;
mod deletion;
mod leftovers;
mod list;
mod sort;

use std::time::{Duration, Instant};

pub use blocked::{Blocked, Held};
pub use leftovers::{Choice, Found, Leftovers, run_ids, run_ids_anywhere};
pub use sort::Sort;

use super::event::Listener;
use crate::cluster::ownership::Estate;
use crate::cluster::{Cluster, Trouble};
use bootstorm_model::observe::clock::monotonic_now;
use deletion::Deletion;

/// How long verification waits for what the cluster deletes on its own, such as parts of a deleted record.
const SETTLING: Duration = Duration::from_secs(30);
/// Time between two looks of the verification.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// How cleanup ended before its end
#[derive(Debug)]
pub enum CleanupError {
    /// Something does not go away.
    Blocked(Blocked),
    /// The cluster did not answer as needed.
    Trouble(Trouble),
}

impl From<Trouble> for CleanupError {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

/// How to clean up
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// What is the run's.
    pub estate: &'a Estate,
    /// The kinds of objects that the run may have made.
    pub sorts: &'a [Sort],
    /// The namespace in which all VMs of the run are, where that was there before.
    pub place: Option<&'a str>,
    /// What stays.
    pub choice: Choice,
    /// UID of a lock that was there before cleanup took it.
    pub lock: Option<&'a str>,
    /// Requests in flight at once.
    pub concurrency: usize,
    /// When to give up.
    pub deadline: Instant,
}

/// Deletes VMs and waits, then what is outside of the run's namespaces, then these, then the record, unless it is to
/// be kept. The lock is the caller's.
///
/// Every deletion carries the UID that was found. Namespaces are looked into once more before they are deleted: those in
/// which others keep something stay, and the record with them. Gives what was deleted, and what stays; fails when
/// something is still there at the deadline.
pub async fn run(
    cluster: &Cluster,
    order: Order<'_>,
    events: Listener<'_>,
) -> Result<Leftovers, CleanupError> {
    let Order { estate, choice, concurrency, deadline, .. } = order;
    let mut all = Leftovers::list(cluster, estate, order.sorts, order.place).await?.without_lock(order.lock);
    let deletion = Deletion { cluster, run_id: estate.run_id(), concurrency, deadline, events };
    deletion.delete(Sort::Machines, all.of(Sort::Machines)).await?;
    for sort in [Sort::Instances, Sort::Volumes, Sort::Claims, Sort::Pods] {
        deletion.delete(sort, &all.outside(sort, choice)).await?;
    }
    if !all.of(Sort::Namespaces).is_empty() {
        let now = Leftovers::list(cluster, estate, order.sorts, order.place).await?;
        all.foreign = now.foreign;
    }
    deletion.delete(Sort::Namespaces, &all.namespaces(choice)).await?;
    if !all.keeps_record(choice) {
        deletion.delete(Sort::Secrets, all.of(Sort::Secrets)).await?;
        // The head owns the parts: it goes first, and whatever the garbage collector takes is gone already.
        let mut maps = all.of(Sort::Maps).to_vec();
        maps.sort_by_key(|map| map.name.len());
        deletion.delete(Sort::Maps, &maps).await?;
    }
    Ok(all)
}

/// Lists again, the lock included, until nothing is left; gives what is there at the end.
pub async fn verify(cluster: &Cluster, order: Order<'_>) -> Result<Leftovers, Trouble> {
    let until = order.deadline.min(monotonic_now() + SETTLING);
    loop {
        let left = Leftovers::list(cluster, order.estate, order.sorts, order.place).await?;
        let left = left.left(order.choice);
        if left.is_empty() || monotonic_now() >= until {
            return Ok(left);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
