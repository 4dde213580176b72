//! Saves the record while a phase goes on, without ever making the phase wait.

use std::sync::Arc;

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
    saving: Option<JoinHandle<Result<(), Trouble>>>,
}

impl Saver {
    pub(crate) fn new(store: RunStore, guard: Guard) -> Self {
        Self { store: Arc::new(Mutex::new(store)), guard, saving: None }
    }

    /// Begins to save, unless the last save is still going on. Says whether it began.
    pub(crate) fn begin(&mut self, record: &RunRecord, phase: &PhaseRecord) -> bool {
        if self.saving.is_some() {
            return false;
        }
        let record = with_phase(record, phase);
        let name = phase.name;
        let (store, mut guard) = (Arc::clone(&self.store), self.guard.clone());
        self.saving = Some(tokio::spawn(async move {
            if !guard.is_ours().await {
                return Err(lost_lock());
            }
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
        if self.saving.is_some() {
            // Its outcome does not matter: everything is saved again below.
            let _ = self.ended().await;
        }
        if !self.guard.is_ours().await {
            return Err(lost_lock());
        }
        self.store.lock().await.save(record, record.last_phase().map(|phase| phase.name)).await
    }
}

fn lost_lock() -> Trouble {
    Trouble::new("save the record", Kind::Conflict, "the lock on the run was lost")
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
