//! Saves the record during a phase, without ever making the phase wait.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::event::{Event, Listener};
use super::prober::MadeAnew;
use crate::cluster::guard::Guard;
use crate::cluster::store::RunStore;
use crate::cluster::{ClusterError, Kind};
use bootstorm_model::record::codec::{self, CodecError, StoredPhase, Tally};
use bootstorm_model::record::{PhaseName, PhaseRecord, RunRecord};
use bootstorm_model::tracker::Changed;

/// A save that takes longer than this is reported.
const SILENT: Duration = Duration::from_secs(5);

/// Store of a run, and the data to save
struct Place {
    store: RunStore,
    /// Record without timelines, as far as passed on.
    record: RunRecord,
    /// Current phase, as far as passed on.
    stored: StoredPhase,
}

/// The record's store, either idle or saving in the background
pub(crate) struct Saver {
    /// Stays usable whatever happens to the saving task.
    place: Arc<Mutex<Place>>,
    guard: Guard,
    /// How long the lock may be unrenewable.
    limit: Duration,
    /// Prober pods created meanwhile, which cleanup has to know.
    made: MadeAnew,
    saving: Option<JoinHandle<Result<(), ClusterError>>>,
}

impl Saver {
    /// Saves a phase that begins or continues; besides `phase`, the record holds it packed from then on.
    pub(crate) async fn begin_phase(
        store: RunStore,
        record: &mut RunRecord,
        phase: &PhaseRecord,
        guard: Guard,
    ) -> Result<Self, ClusterError> {
        let stored = StoredPhase::new(phase).map_err(|error| unsaved(error.to_string()))?;
        record.put_phase(PhaseRecord { timelines: stored.timelines(phase), ..phase.header() });
        let limit = store.longest_wait();
        let place = Arc::new(Mutex::new(Place { store, record: record.header(), stored }));
        let mut saver = Self { place, guard, limit, made: MadeAnew::default(), saving: None };
        saver.put(record, Tally::of(phase), None).await?;
        Ok(saver)
    }

    /// Record of prober pods created meanwhile.
    pub(crate) fn made(&self) -> &MadeAnew {
        &self.made
    }

    /// Whether the last save has ended.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.saving.is_none()
    }

    /// Begins to save the changes in the phase; only these are packed and sent.
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

    /// Waits for a save to end; never completes if there is none. Cancel-safe.
    pub(crate) async fn ended(&mut self) -> Result<(), ClusterError> {
        let Some(saving) = self.saving.as_mut() else { return std::future::pending().await };
        let outcome = saving.await;
        self.saving = None;
        outcome.unwrap_or_else(|error| Err(unsaved(error.to_string())))
    }

    /// Saves the current phase as it is in the record, after any save in progress; `changed` are the VMs that have
    /// changed since that.
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

    /// Saves now, after any save in progress.
    async fn put(
        &mut self,
        whole: &RunRecord,
        tally: Tally,
        later: Option<PhaseRecord>,
    ) -> Result<(), ClusterError> {
        let began = tokio::time::Instant::now();
        if self.saving.is_some() {
            // Its outcome does not matter: whatever it did not save is saved below.
            let _ = self.ended().await;
        }
        let mut place = self.place.lock().await;
        if let Some(later) = later {
            place.add(later, true).await?;
            debug_assert!(place.holds(whole), "every change of a timeline is noted");
        }
        place.record = whole.header();
        // A cluster that has been silent all that time is not awaited again.
        locked(&mut self.guard, self.limit.saturating_sub(began.elapsed())).await?;
        let Place { store, record, stored } = &mut *place;
        store.save_phase(record, tally, stored).await
    }
}

impl Place {
    /// Whether the packed data is the phase as in the record.
    fn holds(&self, record: &RunRecord) -> bool {
        let packed = codec::decode_phase(self.stored.name(), &self.stored.packed());
        packed.is_ok_and(|packed| record.phase(packed.name) == Some(&packed))
    }

    /// Packs changes where that delays nothing; `last` marks those at the end.
    async fn add(&mut self, changed: PhaseRecord, last: bool) -> Result<(), ClusterError> {
        let mut stored = self.stored.clone();
        let packing = tokio::task::spawn_blocking(move || {
            stored.add(&changed)?;
            if last {
                stored.settle()?;
            }
            Ok::<_, CodecError>(stored)
        });
        let packed = packing.await.map_err(|error| unsaved(error.to_string()))?;
        self.stored = packed.map_err(|error| unsaved(error.to_string()))?;
        Ok(())
    }
}

/// Waits for the end of a phase to be saved, and tells why nothing else happens if that takes long.
pub(crate) async fn telling(
    saved: impl Future<Output = Result<(), ClusterError>>,
    events: Listener<'_>,
    phase: PhaseName,
    limit: Duration,
) -> Result<(), ClusterError> {
    let mut saved = std::pin::pin!(saved);
    if let Ok(outcome) = tokio::time::timeout(SILENT, &mut saved).await {
        return outcome;
    }
    events(&Event::Warning(format!(
        "{phase} has ended and is not saved yet, because the cluster has not answered; this is retried for at most {}s",
        limit.as_secs()
    )));
    saved.await
}

fn unsaved(why: String) -> ClusterError {
    ClusterError::new("save the record", Kind::Other, why)
}

/// Waits until the lock is certainly held.
///
/// Fails if it is lost, or cannot be renewed within the limit.
async fn locked(guard: &mut Guard, limit: Duration) -> Result<(), ClusterError> {
    let (kind, message) = match tokio::time::timeout(limit, guard.is_ours()).await {
        Ok(true) => return Ok(()),
        Ok(false) => (Kind::Conflict, "the lock on the run was lost".to_owned()),
        Err(_) => {
            let in_time = "the lock on the run could not be renewed in time";
            match guard.refused() {
                // Its hint tells what to do.
                Some(why) => (why.kind, format!("{in_time}: {}", why.message)),
                None => (Kind::TimedOut, in_time.to_owned()),
            }
        }
    };
    Err(ClusterError::new("save the record", kind, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_long_save_is_reported_once_and_a_short_one_is_not() {
        let told = std::sync::Mutex::new(Vec::new());
        let events = |event: &Event| told.lock().unwrap().push(event.clone());
        let saved = |seconds| async move {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            Err(unsaved("gone".into()))
        };
        for seconds in [1, 90] {
            let outcome = telling(saved(seconds), &events, PhaseName::CREATE, Duration::from_secs(150)).await;
            assert!(outcome.is_err());
        }
        let told = told.into_inner().unwrap();
        assert!(
            matches!(&told[..], [Event::Warning(text)] if text.starts_with("create has ended and is not saved yet")),
            "{told:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_lock_that_cannot_be_renewed_is_waited_for_with_a_limit() {
        let limit = Duration::from_secs(150);
        let (_renewer, mut guard) = Guard::stale();
        let began = tokio::time::Instant::now();
        let error = locked(&mut guard, limit).await.unwrap_err();
        assert_eq!((error.kind, began.elapsed().as_secs()), (Kind::TimedOut, 150));
        assert!(error.message.contains("could not be renewed in time"), "{error}");
        guard.refuse(ClusterError::new("renew the lock of the run", Kind::Credentials, "Unauthorized"));
        let error = locked(&mut guard, limit).await.unwrap_err();
        assert_eq!(error.kind, Kind::Credentials);
        assert!(error.message.ends_with("could not be renewed in time: Unauthorized"), "{error}");
    }
}
