//! Saves the record while a phase goes on, without ever making the phase wait.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::cluster::guard::Guard;
use crate::cluster::store::RunStore;
use crate::cluster::{Kind, Trouble};
use bootstorm_model::record::{PhaseRecord, RunRecord};

/// The record's store, either at rest or saving in the background
pub(crate) struct Saver {
    /// Stays usable whatever becomes of the task that saves.
    store: Arc<Mutex<RunStore>>,
    guard: Guard,
    /// How long the lock may be impossible to renew.
    limit: Duration,
    saving: Option<JoinHandle<Result<(), Trouble>>>,
}

impl Saver {
    pub(crate) fn new(store: RunStore, guard: Guard) -> Self {
        let limit = store.longest_wait();
        Self { store: Arc::new(Mutex::new(store)), guard, limit, saving: None }
    }

    /// Begins to save, unless the last save is still going on. Says whether it began.
    pub(crate) fn begin(&mut self, record: &RunRecord, phase: &PhaseRecord) -> bool {
        if self.saving.is_some() {
            return false;
        }
        let record = with_phase(record, phase);
        let name = phase.name;
        let (store, mut guard, limit) = (Arc::clone(&self.store), self.guard.clone(), self.limit);
        self.saving = Some(tokio::spawn(async move {
            locked(&mut guard, limit).await?;
            store.lock().await.save(&record, Some(name)).await
        }));
        true
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
        self.store.lock().await.save(record, record.last_phase().map(|phase| phase.name)).await
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

/// The record with the current state of one phase.
pub(super) fn with_phase(record: &RunRecord, phase: &PhaseRecord) -> RunRecord {
    let mut record = record.clone();
    put_phase(&mut record, phase.clone());
    record
}

/// Puts the current state of one phase into the record.
pub(super) fn put_phase(record: &mut RunRecord, phase: PhaseRecord) {
    match record.phase_mut(phase.name) {
        Some(known) => *known = phase,
        None => record.phases.push(phase),
    }
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
