//! Stall detection: a process that was stopped or suspended must not trust what it finds afterwards.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bootstorm_model::observe::clock::{continuous_now, monotonic_now};

/// Interval of beats.
const BEAT: Duration = Duration::from_millis(50);
/// Without a beat for this long the process was stopped, suspended, or had no CPU time.
const STALL: Duration = Duration::from_secs(1);

/// After a gap, anything that arrives within this time may have been waiting.
pub(crate) const CATCHING_UP: Duration = Duration::from_millis(500);

/// Beats while the process runs
///
/// Anything received after a stall may have been waiting since its beginning. Receivers check the pulse first, because
/// a reader may well wake up before the beating task.
#[derive(Debug, Clone)]
pub struct Pulse(Arc<Beats>);

#[derive(Debug)]
struct Beats {
    /// Microseconds of the continuous clock at the last beat.
    last: AtomicU64,
    /// Number of stalls.
    stalls: AtomicU32,
    /// Beginning of the last one.
    since: Mutex<Option<Instant>>,
}

impl Pulse {
    /// A pulse that beats as long as a copy of it exists.
    pub fn start() -> Self {
        let pulse = Self::at(micros());
        let beats = Arc::downgrade(&pulse.0);
        tokio::spawn(async move {
            while let Some(beats) = beats.upgrade() {
                Self(beats).beat();
                tokio::time::sleep(BEAT).await;
            }
        });
        pulse
    }

    fn at(last: u64) -> Self {
        let (last, stalls, since) = (AtomicU64::new(last), AtomicU32::new(0), Mutex::new(None));
        Self(Arc::new(Beats { last, stalls, since }))
    }

    fn beat(&self) {
        // Whoever finds a stall records it before anyone else can conclude that there was none.
        let mut known = self.0.since.lock().unwrap_or_else(PoisonError::into_inner);
        let now = micros();
        let silent = Duration::from_micros(now.saturating_sub(self.0.last.swap(now, Ordering::Relaxed)));
        if silent > STALL {
            let since = monotonic_now().checked_sub(silent).unwrap_or_else(monotonic_now);
            *known = Some(since);
            self.0.stalls.fetch_add(1, Ordering::Release);
        }
    }

    /// Beginning of a stall that the caller has not seen yet; `known` is the number it has seen.
    pub fn stall(&self, known: &mut u32) -> Option<Instant> {
        self.beat();
        let stalls = self.0.stalls.load(Ordering::Acquire);
        if stalls == *known {
            return None;
        }
        *known = stalls;
        *self.0.since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Number of stalls so far, for a caller that ignores earlier ones.
    pub fn stalls(&self) -> u32 {
        self.0.stalls.load(Ordering::Acquire)
    }
}

/// Whether received data may have been waiting for this process, for callers that check single instants
#[derive(Debug)]
pub struct Stalls {
    pulse: Pulse,
    known: u32,
    /// The last stall, with the time needed to catch up.
    last: Option<(Instant, Instant)>,
}

impl Stalls {
    /// Stalls from now on.
    pub fn new(pulse: Pulse) -> Self {
        Self { known: pulse.stalls(), pulse, last: None }
    }

    /// Whether something received at this recent instant may have been waiting since a stall began.
    pub fn covers(&mut self, at: Instant) -> bool {
        if let Some(since) = self.pulse.stall(&mut self.known) {
            self.last = Some((since, monotonic_now() + CATCHING_UP));
        }
        self.last.is_some_and(|(since, until)| since <= at && at < until)
    }
}

fn micros() -> u64 {
    u64::try_from(continuous_now().as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_asker_hears_of_a_stall_once_whoever_found_it() {
        let pulse = Pulse::at(micros());
        let (mut first, mut second) = (0, 0);
        assert_eq!(pulse.stall(&mut first), None);
        pulse.0.last.fetch_sub(3_000_000, Ordering::Relaxed);
        let since = pulse.stall(&mut first).unwrap();
        assert!((2.9..60.0).contains(&since.elapsed().as_secs_f64()));
        assert_eq!(pulse.stall(&mut first), None);
        assert_eq!(pulse.stall(&mut second), Some(since), "the pulse beats again, but it has not heard");
    }

    #[test]
    fn what_is_received_after_a_stall_may_have_waited() {
        let pulse = Pulse::at(micros());
        let mut stalls = Stalls::new(pulse.clone());
        let before = monotonic_now();
        assert!(!stalls.covers(before));
        pulse.0.last.fetch_sub(3_000_000, Ordering::Relaxed);
        assert!(stalls.covers(monotonic_now()));
        assert!(!stalls.covers(before.checked_sub(Duration::from_secs(4)).unwrap_or(before)));
        assert!(!stalls.covers(monotonic_now() + CATCHING_UP));
    }
}
