//! Saves the record while a phase goes on, without ever making the phase wait.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::prober::MadeAnew;
use crate::cluster::guard::Guard;
use crate::cluster::store::RunStore;
use crate::cluster::{Kind, Trouble};
use bootstorm_model::record::RunRecord;
use bootstorm_model::tracker::Changed;

/// Where a run is saved, and what was saved last
struct Place {
    store: RunStore,
    /// The record, as far as it was handed over.
    record: RunRecord,
}

/// The record's store, either at rest or saving in the background
pub(crate) struct Saver {
    /// Stays usable whatever becomes of the task that saves.
    place: Arc<Mutex<Place>>,
    guard: Guard,
    /// How long the lock may be impossible to renew.
    limit: Duration,
    /// Prober pods that were made meanwhile: cleanup has to know them.
    made: MadeAnew,
    saving: Option<JoinHandle<Result<(), Trouble>>>,
}

impl Saver {
    /// A saver of a record, which holds the phase at hand.
    pub(crate) fn new(store: RunStore, record: &RunRecord, guard: Guard) -> Self {
        let limit = store.longest_wait();
        let place = Place { store, record: record.clone() };
        Self { place: Arc::new(Mutex::new(place)), guard, limit, made: MadeAnew::default(), saving: None }
    }

    /// Where it is noted which prober pods are made meanwhile.
    pub(crate) fn made(&self) -> &MadeAnew {
        &self.made
    }

    /// Whether the last save is over.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.saving.is_none()
    }

    /// Begins to save what changed in a phase; only that is copied.
    pub(crate) fn begin(&mut self, changed: Changed) {
        let (place, mut guard, limit) = (Arc::clone(&self.place), self.guard.clone(), self.limit);
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.saving = Some(tokio::spawn(async move {
            let Place { store, record } = &mut *place.lock().await;
            let name = changed.phase.name;
            record.made.probers.extend(made);
            if let Some(known) = record.phases.iter().position(|phase| phase.name == name) {
                let mut phase = record.phases.swap_remove(known);
                changed.apply(&mut phase);
                record.phases.push(phase);
                let last = record.phases.len() - 1;
                record.phases.swap(known, last);
                record.note_format(name);
            }
            locked(&mut guard, limit).await?;
            store.save(record, Some(name)).await
        }));
    }

    /// Waits for a save to end; for ever when there is none. Safe to cancel.
    pub(crate) async fn ended(&mut self) -> Result<(), Trouble> {
        let Some(saving) = self.saving.as_mut() else { return std::future::pending().await };
        let outcome = saving.await;
        self.saving = None;
        outcome.unwrap_or_else(|error| Err(Trouble::new("save the record", Kind::Other, error.to_string())))
    }

    /// Saves now, after whatever is being saved.
    pub(crate) async fn finish(&mut self, record: &RunRecord) -> Result<(), Trouble> {
        let began = tokio::time::Instant::now();
        if self.saving.is_some() {
            // Its outcome does not matter: everything is saved again below.
            let _ = self.ended().await;
        }
        // A cluster that has been silent all that time is not waited for once more.
        locked(&mut self.guard, self.limit.saturating_sub(began.elapsed())).await?;
        self.place.lock().await.store.save(record, record.last_phase().map(|phase| phase.name)).await
    }
}

/// Waits until the lock is certainly ours.
///
/// Fails when it is lost, or when it cannot be renewed for so long.
async fn locked(guard: &mut Guard, limit: Duration) -> Result<(), Trouble> {
    let (kind, message) = match tokio::time::timeout(limit, guard.is_ours()).await {
        Ok(true) => return Ok(()),
        Ok(false) => (Kind::Conflict, "the lock on the run was lost".to_owned()),
        Err(_) => (Kind::TimedOut, "the lock on the run could not be renewed in time".to_owned()),
    };
    Err(Trouble::new("save the record", kind, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_lock_that_cannot_be_renewed_is_waited_for_with_a_limit() {
        let limit = Duration::from_secs(150);
        let (_renewer, mut guard) = Guard::stale();
        let began = tokio::time::Instant::now();
        let trouble = locked(&mut guard, limit).await.unwrap_err();
        assert_eq!((trouble.kind, began.elapsed().as_secs()), (Kind::TimedOut, 150));
        assert!(trouble.message.contains("could not be renewed in time"), "{trouble}");
    }
}
