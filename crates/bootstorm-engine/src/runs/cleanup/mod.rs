//! Cleanup of a run: find it, restore what it adopted, delete what it created, verify.

mod adopted;
mod cordons;
mod failures;
mod options;
mod ownership;

use std::time::Duration;

pub use failures::check_kept;
pub use options::CleanupOptions;

use super::{Caller, Runs, job};
use crate::cluster::jobs::Piece;
use crate::cluster::lease::Held;
use crate::cluster::ownership::Estate;
use crate::cluster::store::RunStore;
use crate::phases::cleanup::{self, Leftovers, Order, Sort};
use crate::phases::draining;
use bootstorm_model::failure::Failure;
use bootstorm_model::observe::clock::{monotonic_now, wall_now};
use bootstorm_model::record::{CleanupMark, Cordon, RunRecord};

/// How long to wait for the lock of a killed process.
const EXPIRING: Duration = Duration::from_secs(75);
/// Time limit for recording the progress of the cleanup.
const NOTING: Duration = Duration::from_secs(10);
/// Time limit of the verification beyond that of the deletion.
const VERIFYING: Duration = Duration::from_secs(30);

/// State of a run before the cleanup
pub struct Prepared {
    /// Existing objects of the run, and others beside them.
    pub leftovers: Leftovers,
    /// Its record, if its VMs belong to others.
    pub adopted: Option<RunRecord>,
    /// Nodes that a drain left cordoned.
    pub cordons: Vec<Cordon>,
    /// The Job of the run, and the objects that belong to it.
    pub gear: Vec<Piece>,
    /// Objects of the run.
    estate: Estate,
    /// Namespace of others that holds all of its VMs.
    place: Option<String>,
    /// Kinds of objects that it may have created.
    sorts: &'static [Sort],
    /// Its record and the store, if its VMs are its own.
    own: Option<Box<(RunRecord, RunStore)>>,
}

impl Prepared {
    /// Whether nothing of the run exists.
    pub fn is_empty(&self) -> bool {
        self.leftovers.is_empty() && self.cordons.is_empty() && self.gear.is_empty()
    }

    /// Warns about nodes that a run without a record may have left cordoned, unless the run is known.
    pub async fn name_strays(&self, runs: Runs<'_>, options: &CleanupOptions, caller: &dyn Caller) {
        if self.estate.run_id().is_empty() {
            cordons::name_strays(runs.cluster, &options.prefix, caller).await;
        }
    }
}

/// Determines the run and its existing objects, within the time limit.
pub async fn prepare(
    runs: Runs<'_>,
    options: &CleanupOptions,
    caller: &dyn Caller,
) -> Result<Prepared, Failure> {
    let mut interrupt = runs.interrupt.clone();
    tokio::select! {
        biased;
        () = interrupt.wait() => Err(Failure::interrupted("interrupted; nothing was deleted")),
        seen = tokio::time::timeout(options.timeout, Box::pin(look(runs, options, caller))) => {
            seen.unwrap_or_else(|_| Err(failures::out_of_time(options)))
        }
    }
}

async fn look(runs: Runs<'_>, options: &CleanupOptions, caller: &dyn Caller) -> Result<Prepared, Failure> {
    let cluster = runs.cluster;
    let record = adopted::find(cluster, options, caller).await?;
    let estate = ownership::whose(runs, options, caller, record.as_ref()).await?;
    let place = record.as_ref().and_then(|(record, _)| record.plan.layout.namespace.clone());
    let cordons = match (&record, &estate) {
        (Some((record, _)), _) => draining::open_cordons(record),
        (None, Some(estate)) => cordons::marked(cluster, estate.run_id(), caller).await?,
        (None, None) => Vec::new(),
    };
    let others = record.as_ref().is_some_and(|(record, _)| record.plan.lists_vms());
    let sorts: &[Sort] = if others { &Sort::BESIDE_OTHERS } else { &Sort::ALL };
    let may_have_job = record.as_ref().is_none_or(|(record, _)| record.made.job);
    let (adopted, own) = match record {
        Some((record, _)) if record.plan.is_adopted() => (Some(record), None),
        // From here on only the index of the phases is needed.
        Some((record, store)) => (None, Some(Box::new((RunRecord { phases: Vec::new(), ..record }, store)))),
        None => (None, None),
    };
    let leftovers = match &estate {
        Some(estate) => Leftovers::list(cluster, estate, sorts, place.as_deref()).await?,
        None => Leftovers::default(),
    };
    let gear = match &estate {
        Some(estate) if may_have_job => cluster.gear_of(&options.prefix, estate.run_id()).await?,
        _ => Vec::new(),
    };
    let estate = estate.unwrap_or_default();
    Ok(Prepared { leftovers, adopted, cordons, gear, estate, place, sorts, own })
}

/// Cleans up a run; returns what was deleted, what stays, and what could not be checked.
pub async fn run(
    runs: Runs<'_>,
    options: &CleanupOptions,
    prepared: Prepared,
    caller: &dyn Caller,
) -> Result<Leftovers, Failure> {
    let Prepared { leftovers, adopted, cordons, gear, estate, place, sorts, mut own } = prepared;
    let (cluster, choice) = (runs.cluster, options.choice);
    let order = Order {
        estate: &estate,
        sorts,
        place: place.as_deref(),
        choice,
        lock: leftovers.lock(&estate).map(|lease| lease.uid.as_str()),
        concurrency: options.concurrency,
        deadline: monotonic_now() + options.timeout,
    };
    if !gear.is_empty() {
        Box::pin(job::remove(runs, &options.prefix, estate.run_id())).await?;
        caller.say("deleted the job of the run");
    }
    let taking = lock_after(runs, &options.prefix, &estate, !gear.is_empty());
    let lock = tokio::time::timeout_at(order.deadline.into(), taking)
        .await
        .unwrap_or_else(|_| Err(failures::out_of_time(options)))?;
    let outcome = async {
        cordons::lift(cluster, &cordons, estate.run_id(), caller).await?;
        if adopted.is_some() {
            adopted::restore(runs, options, order.deadline, &lock, caller).await?;
        }
        let mut mark = CleanupMark { began: wall_now(), done: None };
        note(runs, &mut own, &lock, mark).await;
        let deleted = delete(runs, options, order, &lock, caller).await?;
        if leftovers.keeps_record(choice) && leftovers.kept(choice).is_empty() {
            mark.done = Some(wall_now());
            note(runs, &mut own, &lock, mark).await;
        }
        Ok(deleted)
    };
    let outcome: Result<Leftovers, Failure> = outcome.await;
    lock.release().await;
    let mut deleted = outcome?;
    let mut interrupt = runs.interrupt.clone();
    deleted.skipped = tokio::select! {
        biased;
        () = interrupt.wait() => return Err(failures::interrupted(options)),
        left = verify(runs, options, order) => left?.skipped,
    };
    Ok(deleted)
}

/// Acquires the lock of the run. After its Job was deleted, a killed pod may seem to hold it for a while.
async fn lock_after(runs: Runs<'_>, prefix: &str, estate: &Estate, had_job: bool) -> Result<Held, Failure> {
    let until = monotonic_now() + if had_job { EXPIRING } else { Duration::ZERO };
    loop {
        match runs.lock(prefix, estate.run_id()).await {
            Err(failure) if monotonic_now() >= until => return Err(failure),
            Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
            held => return held,
        }
    }
}

/// Records the progress of the cleanup, so that no phase follows. Best effort: a failure must not prevent the cleanup.
async fn note(runs: Runs<'_>, own: &mut Option<Box<(RunRecord, RunStore)>>, lock: &Held, mark: CleanupMark) {
    let Some((record, store)) = own.as_deref_mut().filter(|(_, store)| store.original().is_none()) else {
        return;
    };
    record.cleanup = Some(mark);
    store.set_holder(lock.holder());
    let mut interrupt = runs.interrupt.clone();
    let noted = tokio::select! {
        biased;
        () = interrupt.wait() => return,
        noted = tokio::time::timeout(NOTING, Box::pin(store.save(record, None))) => noted,
    };
    match noted {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "the cleanup could not be recorded"),
        Err(_) => tracing::debug!("the cleanup could not be recorded: no answer"),
    }
}

/// Deletes while the lock is held, the user does not interrupt, and time is left.
async fn delete(
    runs: Runs<'_>,
    options: &CleanupOptions,
    order: Order<'_>,
    lock: &Held,
    caller: &dyn Caller,
) -> Result<Leftovers, Failure> {
    let events = |event: &_| caller.hear(event);
    let (mut interrupt, mut guard) = (runs.interrupt.clone(), lock.guard());
    let deleting = cleanup::run(runs.cluster, order, &events);
    let outcome = tokio::select! {
        biased;
        () = interrupt.wait() => Err(failures::interrupted(options)),
        () = guard.lost() => {
            Err(Failure::new("the lock on the run was lost; nothing has been deleted since")
                .hint(options.again()))
        }
        outcome = tokio::time::timeout_at((order.deadline + failures::GRACE).into(), deleting) => match outcome {
            Ok(outcome) => outcome.map_err(|error| failures::failed(error, options)),
            Err(_) => Err(failures::out_of_time(options)),
        },
    };
    caller.finish();
    outcome
}

/// Lists every kind again: whatever still exists was not deleted.
async fn verify(runs: Runs<'_>, options: &CleanupOptions, order: Order<'_>) -> Result<Leftovers, Failure> {
    let looking = cleanup::verify(runs.cluster, order);
    let limit = order.deadline.max(monotonic_now()) + VERIFYING;
    let left = tokio::time::timeout_at(limit.into(), looking)
        .await
        .map_err(|_| failures::out_of_time(options))??;
    if left.is_empty() { Ok(left) } else { Err(failures::left(&left, options)) }
}
