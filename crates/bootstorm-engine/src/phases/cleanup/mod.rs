//! Cleanup: deletes what the run made, found by label, and verifies that nothing is left.

mod blocked;
mod deletion;
mod leftovers;
mod sort;

use std::time::{Duration, Instant};

pub use blocked::{Blocked, Held};
pub use leftovers::{Found, Leftovers, run_ids};
pub use sort::Sort;

use super::event::Listener;
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
    /// Selects everything of the run.
    pub selector: &'a str,
    /// The kinds of objects that the run may have made.
    pub sorts: &'a [Sort],
    /// The namespace in which all VMs of the run are, where that was there before.
    pub place: Option<&'a str>,
    /// Leave the record and its Secret.
    pub keep_record: bool,
    /// Requests in flight at once.
    pub concurrency: usize,
    /// When to give up.
    pub deadline: Instant,
}

/// Deletes VMs and waits, then what is outside of the run's namespaces, then these, then the record, unless it is to
/// be kept. The lock is the caller's.
///
/// Every deletion carries the UID that was found. Fails when something is still there at the deadline.
pub async fn run(
    cluster: &Cluster,
    order: Order<'_>,
    events: Listener<'_>,
) -> Result<Leftovers, CleanupError> {
    let all = Leftovers::list(cluster, order.selector, order.sorts, order.place).await?;
    let Order { selector, concurrency, deadline, .. } = order;
    let deletion = Deletion { cluster, selector, concurrency, deadline, events };
    deletion.delete(Sort::Machines, all.of(Sort::Machines)).await?;
    for sort in [Sort::Instances, Sort::Volumes, Sort::Claims, Sort::Pods] {
        deletion.delete(sort, &all.outside(sort)).await?;
    }
    deletion.delete(Sort::Namespaces, all.of(Sort::Namespaces)).await?;
    if !order.keep_record {
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
        let left = Leftovers::list(cluster, order.selector, order.sorts, order.place).await?;
        let left = if order.keep_record { left.without_record() } else { left };
        if left.is_empty() || monotonic_now() >= until {
            return Ok(left);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
