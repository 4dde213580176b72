//! Signals that cut open streams, and the gate for new connections.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;
use tokio::time::Instant;

/// All signals of one server
#[derive(Debug, Default)]
pub(super) struct Signals {
    pub(super) watches: Cuts,
    pub(super) execs: Cuts,
    pub(super) connections: Cuts,
    closed: AtomicBool,
    closed_until: Mutex<Option<Instant>>,
}

/// Counts cuts, and signals them
#[derive(Debug, Default)]
pub(super) struct Cuts(watch::Sender<u64>);

impl Cuts {
    pub(super) fn cut(&self) {
        self.0.send_modify(|cuts| *cuts += 1);
    }

    pub(super) fn listen(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}

impl Signals {
    /// Closes the gate; if it is already closed, the later end counts.
    pub(super) fn close_until(&self, end: Instant) {
        let mut until = self.closed_until.lock().unwrap_or_else(PoisonError::into_inner);
        *until = Some(until.map_or(end, |known| known.max(end)));
        self.closed.store(true, Ordering::Release);
    }

    /// Opens the gate.
    pub(super) fn open(&self) {
        let mut until = self.closed_until.lock().unwrap_or_else(PoisonError::into_inner);
        *until = None;
        self.closed.store(false, Ordering::Release);
    }

    pub(super) fn is_closed(&self, now: Instant) -> bool {
        if !self.closed.load(Ordering::Acquire) {
            return false;
        }
        let mut until = self.closed_until.lock().unwrap_or_else(PoisonError::into_inner);
        if until.is_some_and(|end| now < end) {
            return true;
        }
        *until = None;
        self.closed.store(false, Ordering::Release);
        false
    }
}
