//! Saves the record while a phase goes on, without ever making the phase wait.

use tokio::task::JoinHandle;

use crate::cluster::guard::Guard;
use crate::cluster::store::RunStore;
use crate::cluster::{Kind, Trouble};
use bootstorm_model::record::{PhaseRecord, RunRecord};

/// The record's store, either at rest or saving in the background
pub(super) struct Saver {
    at_rest: Option<RunStore>,
    guard: Guard,
    saving: Option<JoinHandle<(RunStore, Result<(), Trouble>)>>,
}

impl Saver {
    pub(super) fn new(store: RunStore, guard: Guard) -> Self {
        Self { at_rest: Some(store), guard, saving: None }
    }

    /// Begins to save, unless the last save is still going on. Says whether it began.
    pub(super) fn begin(&mut self, record: &RunRecord, phase: &PhaseRecord) -> bool {
        let Some(mut store) = self.at_rest.take() else { return false };
        let record = with_phase(record, phase);
        let name = phase.name;
        let mut guard = self.guard.clone();
        self.saving = Some(tokio::spawn(async move {
            let outcome =
                if guard.is_ours().await { store.save(&record, Some(name)).await } else { Err(lost_lock()) };
            (store, outcome)
        }));
        true
    }

    /// Waits for a save to end; for ever when there is none. Safe to cancel.
    pub(super) async fn ended(&mut self) -> Result<(), Trouble> {
        let Some(saving) = self.saving.as_mut() else { return std::future::pending().await };
        match saving.await {
            Ok((store, outcome)) => {
                self.saving = None;
                self.at_rest = Some(store);
                outcome
            }
            Err(error) => {
                self.saving = None;
                Err(Trouble::new("save the record", Kind::Other, error.to_string()))
            }
        }
    }

    /// Saves now, after whatever is being saved.
    pub(super) async fn finish(&mut self, record: &RunRecord) -> Result<(), Trouble> {
        if self.saving.is_some() {
            // Its outcome does not matter: everything is saved again below.
            let _ = self.ended().await;
        }
        if !self.guard.is_ours().await {
            return Err(lost_lock());
        }
        let lost = || Trouble::new("save the record", Kind::Other, "the writer was lost");
        let store = self.at_rest.as_mut().ok_or_else(lost)?;
        store.save(record, record.last_phase().map(|phase| phase.name)).await
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
