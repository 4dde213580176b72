//! Saves the record while a phase goes on, without ever making the phase wait.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::prober::MadeAnew;
use crate::cluster::guard::Guard;
use crate::cluster::store::RunStore;
use crate::cluster::{ClusterError, Kind};
use bootstorm_model::record::codec::{self, CodecError, StoredPhase, Tally};
use bootstorm_model::record::{PhaseRecord, RunRecord};
use bootstorm_model::tracker::Changed;

/// Where a run is saved, and what of it
struct Place {
    store: RunStore,
    /// The record without timelines, as far as it was handed over.
    record: RunRecord,
    /// The phase at hand, as far as it was handed over.
    stored: StoredPhase,
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
    saving: Option<JoinHandle<Result<(), ClusterError>>>,
}

impl Saver {
    /// Saves a phase that begins or goes on; the record holds it packed from then on, besides `phase`.
    pub(crate) async fn begin_phase(
        store: RunStore,
        record: &mut RunRecord,
        phase: &PhaseRecord,
        guard: Guard,
    ) -> Result<Self, ClusterError> {
        let stored = StoredPhase::new(phase);
        record.put_phase(PhaseRecord { timelines: stored.timelines(phase), ..phase.header() });
        let limit = store.longest_wait();
        let place = Arc::new(Mutex::new(Place { store, record: record.header(), stored }));
        let mut saver = Self { place, guard, limit, made: MadeAnew::default(), saving: None };
        saver.put(record, Tally::of(phase), None).await?;
        Ok(saver)
    }

    /// Where it is noted which prober pods are made meanwhile.
    pub(crate) fn made(&self) -> &MadeAnew {
        &self.made
    }

    /// Whether the last save is over.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.saving.is_none()
    }

    /// Begins to save what changed in the phase; only that is packed and sent.
    pub(crate) fn begin(&mut self, changed: Changed) {
        let (place, mut guard, limit) = (Arc::clone(&self.place), self.guard.clone(), self.limit);
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.saving = Some(tokio::spawn(async move {
            let mut place = place.lock().await;
            let Changed { phase, tally } = changed;
            place.record.made.probers.extend(made);
            place.record.put_phase(phase.header());
            place.add(phase, false).await?;
            locked(&mut guard, limit).await?;
            let Place { store, record, stored } = &mut *place;
            store.save_phase(record, tally, stored).await
        }));
    }

    /// Waits for a save to end; for ever when there is none. Safe to cancel.
    pub(crate) async fn ended(&mut self) -> Result<(), ClusterError> {
        let Some(saving) = self.saving.as_mut() else { return std::future::pending().await };
        let outcome = saving.await;
        self.saving = None;
        outcome
            .unwrap_or_else(|error| Err(ClusterError::new("save the record", Kind::Other, error.to_string())))
    }

    /// Saves the phase at hand as it is in the record, after whatever is being saved; `changed` are the VMs that are
    /// different since that.
    pub(crate) async fn finish(
        &mut self,
        record: &RunRecord,
        changed: &BTreeSet<u32>,
    ) -> Result<(), ClusterError> {
        let Some(phase) = record.last_phase() else { return Ok(()) };
        let later = changed.iter().filter_map(|target| phase.timelines.get(*target as usize)).cloned();
        let later = PhaseRecord { timelines: later.collect(), ..phase.header() };
        self.put(record, Tally::of(phase), Some(later)).await
    }

    /// Saves now, after whatever is being saved.
    async fn put(
        &mut self,
        whole: &RunRecord,
        tally: Tally,
        later: Option<PhaseRecord>,
    ) -> Result<(), ClusterError> {
        let began = tokio::time::Instant::now();
        if self.saving.is_some() {
            // Its outcome does not matter: what it did not save is saved below.
            let _ = self.ended().await;
        }
        let mut place = self.place.lock().await;
        if let Some(later) = later {
            place.add(later, true).await?;
            debug_assert!(place.holds(whole), "every change of a timeline is noted");
        }
        place.record = whole.header();
        // A cluster that has been silent all that time is not waited for once more.
        locked(&mut self.guard, self.limit.saturating_sub(began.elapsed())).await?;
        let Place { store, record, stored } = &mut *place;
        store.save_phase(record, tally, stored).await
    }
}

impl Place {
    /// Whether what was packed is the phase as it is in the record.
    fn holds(&self, record: &RunRecord) -> bool {
        let packed = codec::decode_phase(self.stored.name(), &self.stored.packed());
        packed.is_ok_and(|packed| record.phase(packed.name) == Some(&packed))
    }

    /// Packs what changed, where that delays nothing; `last` is what changed until the end.
    async fn add(&mut self, changed: PhaseRecord, last: bool) -> Result<(), ClusterError> {
        let failed = |error: String| ClusterError::new("save the record", Kind::Other, error);
        let mut stored = self.stored.clone();
        let packing = tokio::task::spawn_blocking(move || {
            stored.add(&changed)?;
            if last {
                stored.settle()?;
            }
            Ok::<_, CodecError>(stored)
        });
        let packed = packing.await.map_err(|error| failed(error.to_string()))?;
        self.stored = packed.map_err(|error| failed(error.to_string()))?;
        Ok(())
    }
}

/// Waits until the lock is certainly ours.
///
/// Fails when it is lost, or when it cannot be renewed for so long.
async fn locked(guard: &mut Guard, limit: Duration) -> Result<(), ClusterError> {
    let (kind, message) = match tokio::time::timeout(limit, guard.is_ours()).await {
        Ok(true) => return Ok(()),
        Ok(false) => (Kind::Conflict, "the lock on the run was lost".to_owned()),
        Err(_) => (Kind::TimedOut, "the lock on the run could not be renewed in time".to_owned()),
    };
    Err(ClusterError::new("save the record", kind, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_lock_that_cannot_be_renewed_is_waited_for_with_a_limit() {
        let limit = Duration::from_secs(150);
        let (_renewer, mut guard) = Guard::stale();
        let began = tokio::time::Instant::now();
        let error = locked(&mut guard, limit).await.unwrap_err();
        assert_eq!((error.kind, began.elapsed().as_secs()), (Kind::TimedOut, 150));
        assert!(error.message.contains("could not be renewed in time"), "{error}");
    }
}
