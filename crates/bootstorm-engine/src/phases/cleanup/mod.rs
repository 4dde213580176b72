//! Cleanup: deletes the objects of a run, and verifies that none are left.

mod blocked;
mod deletion;
mod error;
mod leftovers;
mod list;
mod sort;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures::{FutureExt, Stream, StreamExt};

pub use blocked::{Blocked, Held};
pub use error::CleanupError;
pub use leftovers::{Choice, Found, Leftovers, run_ids, run_ids_anywhere};
pub use sort::{OTHERS, Resource, Sort};

use super::event::{Event, Listener};
use crate::cluster::ownership::Estate;
use crate::cluster::{Cluster, ClusterError};
use bootstorm_model::observe::clock::{elapsed_since, monotonic_now};
use bootstorm_model::plan::Small;
use deletion::{Deletion, SAY_EVERY};

/// How long verification waits for objects that the cluster deletes on its own, such as parts of a deleted record.
const SETTLING: Duration = Duration::from_secs(30);
/// How long cleanup waits for the garbage collector before it deletes dependents of VMs itself.
const COLLECTING: Duration = Duration::from_secs(60);
/// Interval between two checks of the verification.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Emptied namespaces are inspected together, this part of all at a time: an inspection lists many kinds, and all that
/// is left of them.
const PARTS: usize = 4;
/// Time after which fewer are inspected, so that a VM that is held does not hold namespaces that are empty.
const LONGEST_BETWEEN_LOOKS: Duration = Duration::from_secs(5);
/// Minimum pause between two inspections, in durations of the last one: at most a tenth of the time is spent on them.
const PAUSE_PER_LOOK: u32 = 9;
/// Maximum number of inspections of a namespace in which new objects keep appearing.
const LOOKS: u32 = 8;

/// Foreign objects in the run's namespaces, by namespace
type Foreign = BTreeMap<String, Vec<(Sort, Found)>>;

/// How to clean up
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// Objects of the run.
    pub estate: &'a Estate,
    /// Kinds of objects that the run may have created.
    pub sorts: &'a [Sort],
    /// Namespace that holds all VMs of the run, if it existed before.
    pub place: Option<&'a str>,
    /// What is kept.
    pub choice: Choice,
    /// UID of a lock that existed before cleanup acquired it.
    pub lock: Option<&'a str>,
    /// Requests in flight at once.
    pub concurrency: usize,
    /// Time limit.
    pub deadline: Instant,
}

/// Deletes migrations, then VMs, then objects outside the run's namespaces; each namespace as soon as its VMs are gone;
/// prober pods in parallel; the record last, unless it is to be kept. The caller holds the lock.
///
/// Anything not blocked continues while other objects are blocked. Every deletion carries the UID that was found. A
/// namespace is inspected once more before it is deleted: one with foreign objects stays, and the record with it.
/// Returns what was deleted, and what stays; fails if something still exists at the deadline.
pub async fn run(
    cluster: &Cluster,
    order: Order<'_>,
    events: Listener<'_>,
) -> Result<Leftovers, CleanupError> {
    let Order { estate, choice, concurrency, deadline, .. } = order;
    let mut all =
        Leftovers::list(cluster, estate, order.sorts, order.place).await?.without_lock(estate, order.lock);
    let deletion = Deletion { cluster, run_id: estate.run_id(), concurrency, deadline, events };
    let (sender, emptied) = unbounded();
    let mut pods = all.outside(Sort::Pods, choice);
    // Launcher pods end with their VMs.
    pods.retain(|pod| !pod.is_owned);
    // virt-controller ends a migration only while its VM exists; without an end the object would hold its namespace
    // (KubeVirt v1.0 to v1.9, pkg/virt-controller/watch/migration/migration.go, execute).
    Box::pin(deletion.delete(Sort::Migrations, all.of(Sort::Migrations))).await?;
    let (probers, machines, namespaces) = tokio::join!(
        deletion.delete(Sort::Pods, &pods),
        machines(&deletion, &order, &all, sender),
        namespaces(&deletion, &order, &all, emptied),
    );
    let (namespaces, foreign) = namespaces;
    together([machines, namespaces, probers])?;
    // Locks abandoned by shards; that of the run is the caller's.
    let lock = all.lock(estate).cloned();
    let locks: Vec<Found> =
        all.of(Sort::Leases).iter().filter(|lease| Some(*lease) != lock.as_ref()).cloned().collect();
    deletion.delete(Sort::Leases, &locks).await?;
    all.foreign = foreign;
    if !all.keeps_record(choice) {
        deletion.delete(Sort::Secrets, all.of(Sort::Secrets)).await?;
        // The head owns the parts: it goes first, and objects that the garbage collector takes count as gone.
        let mut maps = all.of(Sort::Maps).to_vec();
        maps.sort_by_key(|map| map.name.len());
        deletion.delete(Sort::Maps, &maps).await?;
    }
    Ok(all)
}

/// Deletes namespaces, each when it has no VM any more and no foreign objects; returns the foreign objects in the rest.
async fn namespaces(
    deletion: &Deletion<'_>,
    order: &Order<'_>,
    all: &Leftovers,
    emptied: UnboundedReceiver<Found>,
) -> (Result<(), CleanupError>, Foreign) {
    let (foreign, unseen) = (Mutex::new(Foreign::new()), Mutex::new(None));
    let enough = all.of(Sort::Namespaces).len().div_ceil(PARTS);
    let checked = batches(emptied, enough).then(|batch| async {
        let mut all_going = Vec::new();
        let mut open = batch;
        for look in 1..=LOOKS {
            let meant: BTreeSet<&str> = open.iter().map(|namespace| namespace.name.as_str()).collect();
            let now = Leftovers::list_inside(deletion.cluster, order.estate, all, &meant).await;
            let mut now = match now {
                Ok(now) => now,
                Err(error) => {
                    lock(&unseen).get_or_insert(error);
                    break;
                }
            };
            let going: BTreeSet<String> =
                now.namespaces(order.choice).into_iter().map(|found| found.uid).collect();
            let (going, kept): (Vec<Found>, Vec<Found>) =
                open.into_iter().partition(|namespace| going.contains(&namespace.uid));
            // With --delete-foreign a namespace is deleted with foreign objects in it, which are listed.
            let along = going.iter().filter_map(|namespace| now.foreign.remove_entry(&namespace.name));
            lock(&foreign).extend(along);
            all_going.extend(going);
            // Dependents of a VM are without an owner for a moment, until the garbage collector takes them.
            let known = |namespace: &Found| all.foreign.contains_key(&namespace.name);
            let kept = kept.into_iter().filter(|namespace| now.foreign.contains_key(&namespace.name));
            let (known, new): (Vec<Found>, Vec<Found>) =
                kept.partition(|namespace| look == LOOKS || known(namespace));
            let known = known.iter().filter_map(|namespace| now.foreign.remove_entry(&namespace.name));
            lock(&foreign).extend(known);
            open = new;
            if open.is_empty() {
                break;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        futures::stream::iter(all_going)
    });
    let deleting =
        deletion.delete_when(Sort::Namespaces, all.of(Sort::Namespaces), checked.flatten().boxed());
    let outcome = deleting.await;
    let unseen = lock(&unseen).take();
    (unseen.map_or(outcome, |error| Err(error.into())), std::mem::take(&mut *lock(&foreign)))
}

/// Groups of this many, or what has come when the time between two inspections is over; a group is inspected before the
/// next one is requested.
fn batches(emptied: UnboundedReceiver<Found>, enough: usize) -> impl Stream<Item = Vec<Found>> {
    futures::stream::unfold((emptied, None), move |(mut emptied, handed_over)| async move {
        let looked = handed_over.map_or(Duration::ZERO, elapsed_since);
        let mut batch = vec![emptied.next().await?];
        let until = monotonic_now() + LONGEST_BETWEEN_LOOKS.max(looked * PAUSE_PER_LOOK);
        while batch.len() < enough
            && let Ok(Some(namespace)) = tokio::time::timeout_at(until.into(), emptied.next()).await
        {
            batch.push(namespace);
        }
        while let Some(Some(namespace)) = emptied.next().now_or_never() {
            batch.push(namespace);
        }
        Some((batch, (emptied, Some(monotonic_now()))))
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Deletes the VMs, then their leftovers outside the run's namespaces; reports each namespace without VMs.
async fn machines(
    deletion: &Deletion<'_>,
    order: &Order<'_>,
    all: &Leftovers,
    emptied: UnboundedSender<Found>,
) -> Result<(), CleanupError> {
    let mut vms: BTreeMap<&str, usize> = BTreeMap::new();
    for vm in all.of(Sort::Machines) {
        *vms.entry(&vm.namespace).or_default() += 1;
    }
    let namespaces: BTreeMap<&str, &Found> =
        all.of(Sort::Namespaces).iter().map(|namespace| (namespace.name.as_str(), namespace)).collect();
    // The receiver may have failed, which it reports itself.
    let empty = |namespace: &&Found| {
        let _ = emptied.unbounded_send((*namespace).clone());
    };
    namespaces.values().filter(|namespace| !vms.contains_key(namespace.name.as_str())).for_each(empty);
    let gone = |vm: &Found| {
        let Some(left) = vms.get_mut(vm.namespace.as_str()) else { return };
        *left -= 1;
        if *left == 0 {
            namespaces.get(vm.namespace.as_str()).iter().for_each(|namespace| empty(namespace));
        }
    };
    let outcome = deletion.delete_telling(Sort::Machines, all.of(Sort::Machines), gone).await;
    drop(emptied);
    outcome?;
    left_behind(deletion, order, all).await?;
    for sort in Small::ALL.map(Sort::Extras) {
        deletion.delete(sort, &all.outside(sort, order.choice)).await?;
    }
    Ok(())
}

/// Deletes leftovers of VMs outside the run's namespaces.
///
/// Dependents are deleted with their owner, without permissions of ours; they are deleted explicitly only if they still
/// exist after [`COLLECTING`].
async fn left_behind(
    deletion: &Deletion<'_>,
    order: &Order<'_>,
    all: &Leftovers,
) -> Result<(), CleanupError> {
    let Order { estate, sorts, place, choice, deadline, .. } = *order;
    let kinds = [Sort::Instances, Sort::Pods, Sort::Volumes, Sort::Claims];
    let kinds: Vec<Sort> = kinds.into_iter().filter(|sort| !all.outside(*sort, choice).is_empty()).collect();
    let began = monotonic_now();
    let until = deadline.min(began + COLLECTING);
    let mut say_at = began + SAY_EVERY;
    while !kinds.is_empty() {
        let now = Leftovers::list(deletion.cluster, estate, sorts, place).await?;
        let is_over = monotonic_now() >= until;
        let mut waits = false;
        for sort in &kinds {
            let (goes_along, left): (Vec<Found>, Vec<Found>) =
                now.outside(*sort, choice).into_iter().partition(|found| found.is_owned && !is_over);
            waits |= !goes_along.is_empty();
            if let Some(first) = goes_along.first()
                && monotonic_now() >= say_at
            {
                say_at += SAY_EVERY;
                (deletion.events)(&Event::StillThere {
                    what: sort.words(),
                    count: goes_along.len(),
                    since: began.elapsed(),
                    first: Some(format!("{} {}/{}", sort.word(), first.namespace, first.name)),
                    why: None,
                    look: None,
                });
            }
            // Prober pods are being deleted concurrently.
            let left: Vec<Found> =
                left.into_iter().filter(|found| *sort != Sort::Pods || found.is_owned).collect();
            deletion.delete(*sort, &left).await?;
        }
        if !waits {
            break;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Ok(())
}

/// Combines the results of concurrent deletions: all remaining objects are reported together.
fn together(outcomes: [Result<(), CleanupError>; 3]) -> Result<(), CleanupError> {
    let (mut blocked, mut other): (Option<Blocked>, _) = (None, None);
    for error in outcomes.into_iter().filter_map(Result::err) {
        match (error, &mut blocked) {
            (CleanupError::Blocked(more), Some(known)) => known.held.extend(more.held),
            (CleanupError::Blocked(first), None) => blocked = Some(first),
            (error, _) => other = other.or(Some(error)),
        }
    }
    match (blocked, other) {
        (Some(blocked), None) => Err(CleanupError::Blocked(blocked)),
        (Some(blocked), _) if !blocked.held.is_empty() => Err(CleanupError::Blocked(blocked)),
        (_, other) => other.map_or(Ok(()), Err),
    }
}

/// Lists again, the lock included, until nothing is left; returns what exists at the end.
pub async fn verify(cluster: &Cluster, order: Order<'_>) -> Result<Leftovers, ClusterError> {
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
