//! Does what happens to the server or to the objects as a whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::token::Tokens;
use crate::faults::{Action, Faults, SecondWriter};
use crate::model::dice::Roll;
use crate::store::Store;

/// Everything an action reaches
#[derive(Debug, Clone)]
pub(super) struct Hand {
    pub(super) store: Store,
    pub(super) faults: Faults,
    pub(super) tokens: Tokens,
    /// How often the second writer has written.
    pub(super) writes: Arc<AtomicU64>,
}

impl Hand {
    /// Does something once.
    pub(super) fn perform(&self, action: &Action) {
        match action {
            Action::CutWatches => self.faults.cut_watches(),
            Action::CutExecs => self.faults.cut_execs(),
            Action::Expire => self.store.expire(),
            Action::Outage(window) => self.faults.outage(*window),
            Action::Restart(window) => {
                // Closed first: whoever is back early must not see the history once more.
                self.faults.outage(*window);
                self.store.expire();
            }
            Action::Rotate => {
                if let Err(error) = self.tokens.rotate() {
                    tracing::warn!(%error, "the new token of the sandbox could not be written");
                }
            }
            Action::Write(writer) => {
                writer.write_somewhere(&self.store, self.roll());
            }
        }
    }

    /// Lets the second writer change the object of a request.
    pub(super) fn write(&self, writer: &SecondWriter, namespace: &str, name: &str) {
        writer.write(&self.store, namespace, name, &format!("{:x}", self.roll().bits()));
    }

    fn roll(&self) -> Roll {
        self.faults.dice().roll("second-writer", self.writes.fetch_add(1, Ordering::Relaxed), "write")
    }
}
