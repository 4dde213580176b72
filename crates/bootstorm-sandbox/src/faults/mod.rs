//! What goes wrong on purpose: rules the API consults for every request, permissions it denies, and what happens by the clock.

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

use serde_json::Value;
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

/// The faults in force, shared between the API and whoever arranges them
#[derive(Debug, Clone)]
pub struct Faults(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// How many rules and denials there are: without any, no request waits for the lock.
    active: AtomicUsize,
    state: Mutex<State>,
    signals: Signals,
    /// Wakes who waits for the next fault that happens by the clock.
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

    /// No faults yet; those to come draw from this seed.
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Shared {
            active: AtomicUsize::new(0),
            state: Mutex::default(),
            signals: Signals::default(),
            changed: watch::Sender::new(()),
            dice: Dice::new(seed),
        }))
    }

    /// Puts a rule, or a fault with a schedule, in force; its time counts from now.
    pub fn add(&self, fault: impl Into<Fault>) -> RuleId {
        let id = self.change(|state| state.add(fault.into(), Instant::now()));
        let () = self.0.changed.send_replace(());
        id
    }

    /// Takes a rule back; false if it is not there, or no longer.
    pub fn remove(&self, id: RuleId) -> bool {
        self.change(|state| state.remove(id))
    }

    /// Takes every rule and every denial back, and ends an outage.
    pub fn clear(&self) {
        self.change(State::clear);
        self.0.signals.open();
    }

    /// Denies a permission; without a namespace, in all of them.
    pub fn deny(&self, verb: &str, resource: &str, namespace: Option<&str>) {
        let namespace = namespace.unwrap_or_default().to_owned();
        self.change(|state| state.deny(Match { namespace, ..Match::on(verb, resource) }));
    }

    /// Whether a permission is denied.
    pub fn denies(&self, request: &Attributes<'_>) -> bool {
        !self.is_idle() && self.lock().denies(request, Instant::now())
    }

    /// What strikes this request, in the order the rules were added; counts it.
    pub fn strike(&self, request: &Attributes<'_>) -> Vec<Effect> {
        self.strike_labelled(request, &BTreeMap::new)
    }

    /// The same for a request whose labels are known; they are asked for only where a rule is about labels.
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

    /// The faults in force and to come, as data.
    pub fn list(&self) -> Value {
        describe::all(&self.lock(), Instant::now())
    }

    /// Cuts every watch that is open now.
    pub fn cut_watches(&self) {
        self.0.signals.watches.cut();
    }

    /// Tells a watch that it is cut.
    pub fn watch_cuts(&self) -> watch::Receiver<u64> {
        self.0.signals.watches.listen()
    }

    /// Cuts every exec stream that is open now.
    pub fn cut_execs(&self) {
        self.0.signals.execs.cut();
    }

    /// Tells an exec stream that it is cut.
    pub fn exec_cuts(&self) -> watch::Receiver<u64> {
        self.0.signals.execs.listen()
    }

    /// Cuts every connection, with all that runs on it, and resets new ones for a while.
    pub fn outage(&self, window: Duration) {
        self.0.signals.close_until(Instant::now() + window);
        self.0.signals.connections.cut();
        self.cut_execs();
    }

    /// Tells a connection that it is cut.
    pub fn connection_cuts(&self) -> watch::Receiver<u64> {
        self.0.signals.connections.listen()
    }

    /// Whether new connections are reset now.
    pub fn is_out(&self) -> bool {
        self.0.signals.is_closed(Instant::now())
    }

    /// What is due by the clock now, and when something will be next.
    pub(super) fn due(&self) -> (Vec<Action>, Option<Instant>) {
        self.change(|state| state.due(Instant::now()))
    }

    /// Tells when faults that happen by the clock may have been added.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.0.changed.subscribe()
    }

    /// The draws of what goes wrong.
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
