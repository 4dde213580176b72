//! A reader of one kind's changes, in order and without gaps.

use std::sync::Arc;

use tokio::sync::watch;

use super::Store;
use super::error::TooOld;
use super::kind::Kind;
use super::log::Entry;

/// Reads the changes of one kind
#[derive(Debug)]
pub struct Watcher {
    store: Store,
    kind: &'static Kind,
    namespace: Option<String>,
    position: u64,
    wake: watch::Receiver<u64>,
}

impl Watcher {
    pub(super) fn new(
        store: Store,
        kind: &'static Kind,
        namespace: Option<&str>,
        position: u64,
        wake: watch::Receiver<u64>,
    ) -> Self {
        Self { store, kind, namespace: namespace.map(str::to_owned), position, wake }
    }

    /// Waits for changes and returns all available ones, oldest first
    ///
    /// Nothing is lost if the future is dropped while it waits. Fails if the reader fell so far behind that changes
    /// were forgotten; it must list again then.
    pub async fn next(&mut self) -> Result<Vec<Arc<Entry>>, TooOld> {
        loop {
            // Marked as seen before reading: a change in between causes one more wake-up, but is never missed.
            self.wake.borrow_and_update();
            let entries = self.ready()?;
            if !entries.is_empty() {
                return Ok(entries);
            }
            if self.wake.changed().await.is_err() {
                // The store holds the sender and we hold the store.
                std::future::pending::<()>().await;
            }
        }
    }

    /// The changes that are already available, without waiting.
    pub fn ready(&mut self) -> Result<Vec<Arc<Entry>>, TooOld> {
        loop {
            let mut entries = self.store.entries_after(self.kind, self.position)?;
            let Some(last) = entries.last() else { return Ok(entries) };
            self.position = last.revision;
            if let Some(namespace) = &self.namespace {
                entries.retain(|entry| entry.object.namespace() == namespace);
            }
            if !entries.is_empty() {
                return Ok(entries);
            }
        }
    }

    /// Revision up to which this reader has seen everything of its kind.
    pub fn position(&self) -> u64 {
        self.position
    }
}
