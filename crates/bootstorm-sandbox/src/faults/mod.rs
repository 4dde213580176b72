//! Fault injection: rules that the API consults for every request, denied permissions, and scheduled actions.

mod action;
mod attributes;
mod describe;
mod effect;
mod entry;
mod file;
mod matching;
mod reading;
mod rule;
mod signals;
mod state;
mod words;
mod writer;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::value::Value;
use tokio::sync::watch;
use tokio::time::Instant;

pub use self::action::{Action, PowerCut};
pub use self::attributes::Attributes;
pub use self::effect::{Effect, Refusal};
pub use self::entry::time;
pub use self::file::{FileError, load};
pub use self::matching::Match;
pub use self::reading::{WrongEntry, read, read_text};
pub use self::rule::{Fault, Rule, RuleId, Schedule};
use self::signals::Signals;
use self::state::State;
pub use self::words::action as action_named;
pub use self::writer::{MARK, SecondWriter, What};
use super::model::Dice;

/// Faults in force, shared between the API and whoever injects them
#[derive(Debug, Clone)]
pub struct Faults(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Number of rules and denials: without any, no request waits for the lock.
    active: AtomicUsize,
    state: Mutex<State>,
    signals: Signals,
    /// Wakes the task that waits for the next scheduled fault.
    changed: watch::Sender<()>,
    dice: Dice,
}

impl Default for Faults {
    fn default() -> Self {
        Self::none()
    }
}

impl Faults {
    /// No faults.
    pub fn none() -> Self {
        Self::seeded(0)
    }

    /// No faults yet; later ones draw from this seed.
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Shared {
            active: AtomicUsize::new(0),
            state: Mutex::default(),
            signals: Signals::default(),
            changed: watch::Sender::new(()),
            dice: Dice::new(seed),
        }))
    }

    /// Adds a rule, or a scheduled fault; its time counts from now.
    pub fn add(&self, fault: impl Into<Fault>) -> RuleId {
        let id = self.change(|state| state.add(fault.into(), Instant::now()));
        let () = self.0.changed.send_replace(());
        id
    }

    /// Removes a rule; false if it no longer exists.
    pub fn remove(&self, id: RuleId) -> bool {
        self.change(|state| state.remove(id))
    }

    /// Removes every rule and every denial, and ends an outage.
    pub fn clear(&self) {
        self.change(State::clear);
        self.0.signals.open();
    }

    /// Denies a permission; without a namespace, in all namespaces.
    pub fn deny(&self, verb: &str, resource: &str, namespace: Option<&str>) {
        let namespace = namespace.unwrap_or_default().to_owned();
        self.change(|state| state.deny(Match { namespace, ..Match::on(verb, resource) }));
    }

    /// Whether a permission is denied.
    pub fn denies(&self, request: &Attributes<'_>) -> bool {
        !self.is_idle() && self.lock().denies(request, Instant::now())
    }

    /// Effects on this request, in the order in which rules were added; counts the request.
    pub fn strike(&self, request: &Attributes<'_>) -> Vec<Effect> {
        self.strike_labelled(request, &BTreeMap::new)
    }

    /// Like [`Self::strike`], for a request with labels; these are evaluated only if a rule needs them.
    pub fn strike_labelled(
        &self,
        request: &Attributes<'_>,
        labels: &dyn Fn() -> BTreeMap<String, String>,
    ) -> Vec<Effect> {
        if self.is_idle() {
            return Vec::new();
        }
        self.change(|state| state.strike(request, labels, Instant::now(), self.0.dice))
    }

    /// Faults in force and scheduled, as data.
    pub fn list(&self) -> Value {
        describe::all(&self.lock(), Instant::now())
    }

    /// Cuts every open watch.
    pub fn cut_watches(&self) {
        self.0.signals.watches.cut();
    }

    /// Signals to a watch that it is cut.
    pub fn watch_cuts(&self) -> watch::Receiver<u64> {
        self.0.signals.watches.listen()
    }

    /// Cuts every open exec stream.
    pub fn cut_execs(&self) {
        self.0.signals.execs.cut();
    }

    /// Signals to an exec stream that it is cut.
    pub fn exec_cuts(&self) -> watch::Receiver<u64> {
        self.0.signals.execs.listen()
    }

    /// Cuts every connection, with everything on it, and resets new ones for a while.
    pub fn outage(&self, window: Duration) {
        self.0.signals.close_until(Instant::now() + window);
        self.0.signals.connections.cut();
        self.cut_execs();
    }

    /// Signals to a connection that it is cut.
    pub fn connection_cuts(&self) -> watch::Receiver<u64> {
        self.0.signals.connections.listen()
    }

    /// Whether new connections are reset now.
    pub fn is_out(&self) -> bool {
        self.0.signals.is_closed(Instant::now())
    }

    /// Scheduled actions that are due, and the time of the next one.
    pub(super) fn due(&self) -> (Vec<Action>, Option<Instant>) {
        self.change(|state| state.due(Instant::now()))
    }

    /// Signals that scheduled faults may have been added.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.0.changed.subscribe()
    }

    /// Random draws of the faults.
    pub(super) fn dice(&self) -> Dice {
        self.0.dice
    }

    fn is_idle(&self) -> bool {
        self.0.active.load(Ordering::Acquire) == 0
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let result = change(&mut state);
        self.0.active.store(state.len(), Ordering::Release);
        result
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
