//! The work queue of a controller: each key waits once, is processed by one worker, and is requeued if it changed
//! meanwhile.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::sync::Mutex;

use tokio::sync::Notify;

use crate::model::{SimClock, lock};

/// Delay in seconds of the first retry of a failed key; it doubles each time.
const FIRST_RETRY: f64 = 0.005;
/// Maximum delay between two retries, in seconds.
const LONGEST_RETRY: f64 = 1_000.0;
/// Number of consecutive immediate repeats of a key; after that it waits, longer each time.
const FREE_REPEATS: u32 = 3;
/// Maximum delay between two such repeats, in seconds.
const LONGEST_REPEAT: f64 = 10.0;
/// Number of consecutive immediate repeats from which a key spins: its controller changes nothing, and does not notice.
const SPINNING: u32 = 20;

/// A deduplicating queue with delays and back-off, like client-go's
#[derive(Debug)]
pub struct WorkQueue<K> {
    clock: SimClock,
    state: Mutex<State<K>>,
    wake: Notify,
}

#[derive(Debug)]
struct State<K> {
    ready: VecDeque<K>,
    /// Waiting in `ready`, or to be put there when the work in progress is done.
    dirty: HashSet<K>,
    working: HashSet<K>,
    later: BinaryHeap<Reverse<Later<K>>>,
    serial: u64,
    failures: HashMap<K, u32>,
    /// Number of consecutive immediate repeats per key.
    repeats: HashMap<K, u32>,
}

/// A key that becomes ready at a simulated instant.
#[derive(Debug)]
struct Later<K> {
    at: f64,
    serial: u64,
    key: K,
}

impl<K> PartialEq for Later<K> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<K> Eq for Later<K> {}

impl<K> PartialOrd for Later<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<K> Ord for Later<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.total_cmp(&other.at).then(self.serial.cmp(&other.serial))
    }
}

impl<K: Clone + Eq + Hash> WorkQueue<K> {
    /// An empty queue.
    pub fn new(clock: SimClock) -> Self {
        let state = State {
            ready: VecDeque::new(),
            dirty: HashSet::new(),
            working: HashSet::new(),
            later: BinaryHeap::new(),
            serial: 0,
            failures: HashMap::new(),
            repeats: HashMap::new(),
        };
        Self { clock, state: Mutex::new(state), wake: Notify::new() }
    }

    /// Adds a key unless it is already waiting.
    pub fn add(&self, key: K) {
        if lock(&self.state).enqueue(key) {
            self.wake.notify_one();
        }
    }

    /// Adds a key after a simulated delay in seconds.
    pub fn add_after(&self, key: K, seconds: f64) {
        if seconds <= 0.0 {
            return self.add(key);
        }
        let mut state = lock(&self.state);
        state.serial += 1;
        let (at, serial) = (self.clock.now() + seconds, state.serial);
        state.later.push(Reverse(Later { at, serial, key }));
        drop(state);
        // The waiter has to check the time again: this may be the earliest of all.
        self.wake.notify_one();
    }

    /// Adds a key after a delay that doubles with each consecutive failure.
    pub fn add_rate_limited(&self, key: K) {
        let delay = {
            let mut state = lock(&self.state);
            let failures = state.failures.entry(key.clone()).or_insert(0);
            *failures += 1;
            FIRST_RETRY * 2.0_f64.powi((*failures - 1).min(30) as i32)
        };
        self.add_after(key, delay.min(LONGEST_RETRY));
    }

    /// Adds a key at once, unless it has been repeating immediately for long: then after a delay that doubles each
    /// time, so that a controller that changes nothing does not consume all of the time. Returns whether the key is
    /// spinning.
    pub fn add_at_once(&self, key: K) -> bool {
        let repeats = {
            let mut state = lock(&self.state);
            let repeats = state.repeats.entry(key.clone()).or_insert(0);
            *repeats += 1;
            *repeats
        };
        match repeats.checked_sub(FREE_REPEATS + 1) {
            None => self.add(key),
            Some(more) => {
                self.add_after(key, (FIRST_RETRY * 2.0_f64.powi(more.min(30) as i32)).min(LONGEST_REPEAT));
            }
        }
        repeats == SPINNING
    }

    /// Forgets the failures and repeats of a key.
    pub fn forget(&self, key: &K) {
        let mut state = lock(&self.state);
        state.failures.remove(key);
        state.repeats.remove(key);
    }

    /// Whether a delay is effectively zero.
    pub fn is_at_once(seconds: f64) -> bool {
        seconds < FIRST_RETRY
    }

    /// Waits for the next key; [`WorkQueue::done`] must be called for it.
    pub async fn next(&self) -> K {
        loop {
            // Registered before checking, so that nothing added in between is missed.
            let woken = self.wake.notified();
            let earliest = {
                let mut state = lock(&self.state);
                state.promote(self.clock.now());
                if let Some(key) = state.take() {
                    if !state.ready.is_empty() || !state.later.is_empty() {
                        // Another worker takes the rest, or watches the clock meanwhile.
                        self.wake.notify_one();
                    }
                    return key;
                }
                state.later.peek().map(|Reverse(later)| later.at)
            };
            match earliest {
                Some(at) => {
                    tokio::select! { () = woken => {}, () = tokio::time::sleep_until(self.clock.instant(at)) => {} }
                }
                None => woken.await,
            }
        }
    }

    /// Ends the work on a key.
    pub fn done(&self, key: &K) {
        let mut state = lock(&self.state);
        state.working.remove(key);
        if state.dirty.contains(key) {
            state.ready.push_back(key.clone());
            drop(state);
            self.wake.notify_one();
        }
    }
}

impl<K: Clone + Eq + Hash> State<K> {
    fn enqueue(&mut self, key: K) -> bool {
        if !self.dirty.insert(key.clone()) || self.working.contains(&key) {
            return false;
        }
        self.ready.push_back(key);
        true
    }

    fn promote(&mut self, now: f64) {
        while self.later.peek().is_some_and(|Reverse(later)| later.at <= now) {
            if let Some(Reverse(later)) = self.later.pop() {
                self.enqueue(later.key);
            }
        }
    }

    fn take(&mut self) -> Option<K> {
        let key = self.ready.pop_front()?;
        self.dirty.remove(&key);
        self.working.insert(key.clone());
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_key_waits_once_and_comes_again_if_it_changed_while_worked_on() {
        let queue = WorkQueue::new(SimClock::start(1.0));
        queue.add("a");
        queue.add("a");
        queue.add("b");
        assert_eq!(queue.next().await, "a");
        queue.add("a");
        assert_eq!(queue.next().await, "b");
        queue.done(&"b");
        queue.done(&"a");
        assert_eq!(queue.next().await, "a");
    }

    #[tokio::test(start_paused = true)]
    async fn failures_back_off_and_are_forgotten() {
        let clock = SimClock::start(1.0);
        let queue = WorkQueue::new(clock);
        let mut waits = Vec::new();
        for _ in 0..4 {
            let before = clock.now();
            queue.add_rate_limited("a");
            queue.next().await;
            queue.done(&"a");
            waits.push(clock.now() - before);
        }
        assert!(waits[3] >= 0.04 && waits[3] < 0.045, "{waits:?}");
        queue.forget(&"a");
        let before = clock.now();
        queue.add_rate_limited("a");
        queue.next().await;
        assert!(clock.now() - before < 0.01);
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_that_comes_again_at_once_for_ever_waits_and_is_found_out() {
        let clock = SimClock::start(1.0);
        let queue = WorkQueue::new(clock);
        queue.add("a");
        let mut spins = 0;
        for _ in 0..25 {
            queue.next().await;
            spins += usize::from(queue.add_at_once("a"));
            queue.done(&"a");
        }
        assert_eq!(spins, 1, "it is told once");
        assert!(clock.now() > 60.0, "{}", clock.now());
        queue.next().await;
        queue.forget(&"a");
        queue.add_at_once("a");
        queue.done(&"a");
        let before = clock.now();
        queue.next().await;
        assert!(clock.now() - before < 0.001, "a key that was done may come again at once");
    }

    #[tokio::test(start_paused = true)]
    async fn a_delayed_key_does_not_hold_up_the_others() {
        let clock = SimClock::start(1.0);
        let queue = std::sync::Arc::new(WorkQueue::new(clock));
        queue.add_after("late", 5.0);
        let waiter = tokio::spawn({
            let queue = queue.clone();
            async move { (queue.next().await, queue.next().await) }
        });
        clock.sleep(1.0).await;
        queue.add("early");
        assert_eq!(waiter.await.expect("the waiter"), ("early", "late"));
        assert!((clock.now() - 5.0).abs() < 0.01);
    }
}
