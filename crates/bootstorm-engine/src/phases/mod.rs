//! The engine: what each phase does. Says [`Event`]s, prints nothing.
//!
//! A timed phase is two halves. `launch` sends one request per VM; `follow` turns what the cluster tells into
//! timelines until every VM is through. create, stop and storm differ only in the request, in who takes part and
//! in the goal.

mod adopted;
pub mod adoption;
mod board;
pub mod cleanup;
pub mod event;
pub mod existing;
mod follow;
mod ground;
mod health;
mod insight;
mod launch;
mod lineup;
pub mod preflight;
mod prober;
mod probers;
mod probing;
mod provisioning;
mod questions;
pub mod restore;
mod resume;
pub(crate) mod saving;
pub mod setup;
pub mod timed;

use tokio::sync::watch;

pub use event::{Event, Listener};

/// The user's wish to stop, shared by everything that waits
#[derive(Debug, Clone)]
pub struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// From a channel that turns true when the user interrupts.
    pub fn new(receiver: watch::Receiver<bool>) -> Self {
        Self(receiver)
    }

    /// Whether the user interrupted.
    pub fn is_set(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until the user interrupts. Safe to cancel.
    pub async fn wait(&mut self) {
        if self.0.wait_for(|set| *set).await.is_err() {
            // Nobody can interrupt any more.
            std::future::pending::<()>().await;
        }
    }
}
