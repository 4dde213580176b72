//! Cleanup of a run: find it, restore what it adopted, delete what it created, verify.

mod adopted;
mod cordons;
mod failures;
mod options;
mod ownership;

use std::time::Duration;

use failures::GRACE;
pub use options::{Cleanup, CleanupOptions};

use super::job;
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
/// Pause between two attempts to get that lock.
const AGAIN: Duration = Duration::from_secs(1);
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
    /// Whether the run is unknown.
    pub fn is_unknown(&self) -> bool {
        self.estate.run_id().is_empty()
    }

    /// Whether nothing of the run exists.
    pub fn is_empty(&self) -> bool {
        self.leftovers.is_empty() && self.cordons.is_empty() && self.gear.is_empty()
    }
}

/// State of a run whose lock is held
struct Again {
    cordons: Vec<Cordon>,
    estate: Estate,
    /// Its record, without phases.
    own: Box<(RunRecord, RunStore)>,
}

impl Cleanup<'_> {
    /// Determines the run and its existing objects, within the time limit.
    pub async fn prepare(&self) -> Result<Prepared, Failure> {
        let mut interrupt = self.runs.interrupt.clone();
        tokio::select! {
            biased;
            () = interrupt.wait() => Err(Failure::interrupted("interrupted; nothing was deleted")),
            seen = tokio::time::timeout(self.options.timeout, Box::pin(self.look())) => {
                seen.unwrap_or_else(|_| Err(self.options.out_of_time()))
            }
        }
    }

    async fn look(&self) -> Result<Prepared, Failure> {
        let cluster = self.runs.cluster;
        let record = self.find_record().await?;
        let estate = self.whose(record.as_ref()).await?;
        let place = record.as_ref().and_then(|(record, _)| record.plan.layout.namespace.clone());
        let cordons = match (&record, &estate) {
            (Some((record, _)), _) => draining::open_cordons(record),
            (None, Some(estate)) => self.marked_cordons(estate.run_id()).await?,
            (None, None) => Vec::new(),
        };
        let others = record.as_ref().is_some_and(|(record, _)| record.plan.lists_vms());
        let sorts: &[Sort] = if others { &Sort::BESIDE_OTHERS } else { &Sort::ALL };
        let may_have_job = record.as_ref().is_none_or(|(record, _)| record.made.job);
        let (adopted, own) = match record {
            Some((record, _)) if record.plan.is_adopted() => (Some(record), None),
            // From here on only the index of the phases is needed.
            Some((record, store)) => {
                (None, Some(Box::new((RunRecord { phases: Vec::new(), ..record }, store))))
            }
            None => (None, None),
        };
        let leftovers = match &estate {
            Some(estate) => Leftovers::list(cluster, estate, sorts, place.as_deref()).await?,
            None => Leftovers::default(),
        };
        let gear = match &estate {
            Some(estate) if may_have_job => cluster.gear_of(&self.options.prefix, estate.run_id()).await?,
            _ => Vec::new(),
        };
        let estate = estate.unwrap_or_default();
        Ok(Prepared { leftovers, adopted, cordons, gear, estate, place, sorts, own })
    }

    /// Cleans up a run; returns what was deleted, what stays, and what could not be checked.
    pub async fn run(&self, prepared: Prepared) -> Result<Leftovers, Failure> {
        let Prepared { leftovers, adopted, mut cordons, gear, mut estate, place, sorts, mut own } = prepared;
        let choice = self.options.choice;
        let lock_before = leftovers.lock(&estate).map(|lease| lease.uid.clone());
        let only_record_stays = leftovers.keeps_record(choice) && leftovers.kept(choice).is_empty();
        // With the lock, everything is listed once more.
        drop(leftovers);
        let deadline = monotonic_now() + self.options.timeout;
        if !gear.is_empty() {
            Box::pin(job::remove(self.runs, &self.options.prefix, estate.run_id())).await?;
            self.caller.say("deleted the job of the run");
        }
        let taking = self.lock_after(&estate, !gear.is_empty());
        let lock = tokio::time::timeout_at(deadline.into(), taking)
            .await
            .unwrap_or_else(|_| Err(self.options.out_of_time()))?;
        if adopted.is_some() || own.is_some() {
            let again = tokio::time::timeout_at(deadline.into(), self.look_again(&estate));
            match again.await.unwrap_or_else(|_| Err(self.options.out_of_time())) {
                Ok(Some(again)) => {
                    (cordons, estate) = (again.cordons, again.estate);
                    own = own.and(Some(again.own));
                }
                Ok(None) => {}
                Err(failure) => {
                    lock.release().await;
                    return Err(failure);
                }
            }
        }
        let order = Order {
            estate: &estate,
            sorts,
            place: place.as_deref(),
            choice,
            lock: lock_before.as_deref(),
            concurrency: self.options.concurrency,
            deadline,
        };
        let outcome = async {
            self.lift_cordons(&cordons, estate.run_id()).await?;
            if adopted.is_some() {
                self.restore(order.deadline, &lock).await?;
            }
            let mut mark = CleanupMark { began: wall_now(), done: None };
            self.note(&mut own, &lock, mark).await;
            let deleted = self.delete(order, &lock).await?;
            if only_record_stays {
                mark.done = Some(wall_now());
                self.note(&mut own, &lock, mark).await;
            }
            Ok(deleted)
        };
        let outcome: Result<Leftovers, Failure> = outcome.await;
        lock.release().await;
        let mut deleted = outcome?;
        let mut interrupt = self.runs.interrupt.clone();
        deleted.skipped = tokio::select! {
            biased;
            () = interrupt.wait() => return Err(self.options.interrupted()),
            left = self.verify(order) => left?.skipped,
        };
        Ok(deleted)
    }

    /// What the record says now that nobody else changes it: a phase may have cordoned nodes or created migrations while
    /// the user was asked. `None` if it is gone, or that of another run.
    async fn look_again(&self, before: &Estate) -> Result<Option<Again>, Failure> {
        let Some((record, store)) = self.find_record().await? else { return Ok(None) };
        if record.run_id != before.run_id() {
            return Ok(None);
        }
        let cordons = draining::open_cordons(&record);
        let estate = self.of_record(&record, &store).await?;
        let own = Box::new((RunRecord { phases: Vec::new(), ..record }, store));
        Ok(Some(Again { cordons, estate, own }))
    }

    /// Acquires the lock of the run. After its Job was deleted, a killed pod may seem to hold it for a while.
    async fn lock_after(&self, estate: &Estate, had_job: bool) -> Result<Held, Failure> {
        let until = monotonic_now() + if had_job { EXPIRING } else { Duration::ZERO };
        let mut interrupt = self.runs.interrupt.clone();
        loop {
            match self.runs.lock(&self.options.prefix, estate.run_id()).await {
                Err(failure) if monotonic_now() >= until => return Err(failure),
                Err(_) => tokio::select! {
                    biased;
                    () = interrupt.wait() => return Err(self.options.interrupted()),
                    () = tokio::time::sleep(AGAIN) => {}
                },
                held => return held,
            }
        }
    }

    /// Records the progress of the cleanup, so that no phase follows. Best effort: a failure must not prevent the cleanup.
    async fn note(&self, own: &mut Option<Box<(RunRecord, RunStore)>>, lock: &Held, mark: CleanupMark) {
        let Some((record, store)) = own.as_deref_mut().filter(|(_, store)| store.original().is_none()) else {
            return;
        };
        record.cleanup = Some(mark);
        store.set_holder(lock.holder());
        let mut interrupt = self.runs.interrupt.clone();
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
    async fn delete(&self, order: Order<'_>, lock: &Held) -> Result<Leftovers, Failure> {
        let events = |event: &_| self.caller.hear(event);
        let (mut interrupt, mut guard) = (self.runs.interrupt.clone(), lock.guard());
        let deleting = cleanup::run(self.runs.cluster, order, &events);
        let outcome = tokio::select! {
            biased;
            () = interrupt.wait() => Err(self.options.interrupted()),
            () = guard.lost() => {
                Err(Failure::new("the lock on the run was lost; nothing has been deleted since")
                    .hint(self.options.again()))
            }
            outcome = tokio::time::timeout_at((order.deadline + GRACE).into(), deleting) => match outcome {
                Ok(outcome) => outcome.map_err(|error| self.options.failed(error)),
                Err(_) => Err(self.options.out_of_time()),
            },
        };
        self.caller.finish();
        outcome
    }

    /// Lists every kind again: whatever still exists was not deleted.
    async fn verify(&self, order: Order<'_>) -> Result<Leftovers, Failure> {
        let looking = cleanup::verify(self.runs.cluster, order);
        let limit = order.deadline.max(monotonic_now()) + VERIFYING;
        let left = tokio::time::timeout_at(limit.into(), looking)
            .await
            .map_err(|_| self.options.out_of_time())??;
        if left.is_empty() { Ok(left) } else { Err(self.options.left(&left)) }
    }
}
