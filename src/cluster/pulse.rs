//! Whether this process really ran all the time: a stopped or suspended one must not trust what it finds afterwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::observe::clock::{continuous_now, monotonic_now};

/// How often the pulse beats.
const BEAT: Duration = Duration::from_millis(50);
/// Without a beat for this long the process was stopped, suspended, or had no processor time.
const STALL: Duration = Duration::from_secs(1);

/// Beats while the process runs
///
/// What is received after a stall may have been waiting since its beginning. The reader that finds it asks the pulse,
/// because it may well wake up before the task that beats.
#[derive(Debug, Clone)]
pub struct Pulse {
    /// Microseconds of the continuous clock at the last beat.
    last: Arc<AtomicU64>,
}

impl Pulse {
    /// A pulse that beats as long as somebody has a copy of it.
    pub fn start() -> Self {
        let pulse = Self { last: Arc::new(AtomicU64::new(micros())) };
        let last = Arc::downgrade(&pulse.last);
        tokio::spawn(async move {
            loop {
                match last.upgrade() {
                    Some(last) => last.store(micros(), Ordering::Relaxed),
                    None => return,
                }
                tokio::time::sleep(BEAT).await;
            }
        });
        pulse
    }

    /// Since when the process has not run, if it is only just running again.
    pub fn stalled_since(&self) -> Option<Instant> {
        let silent = Duration::from_micros(micros().saturating_sub(self.last.load(Ordering::Relaxed)));
        (silent > STALL).then(|| monotonic_now().checked_sub(silent).unwrap_or_else(monotonic_now))
    }
}

fn micros() -> u64 {
    u64::try_from(continuous_now().as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_pulse_without_a_beat_tells_since_when() {
        let pulse = Pulse { last: Arc::new(AtomicU64::new(micros())) };
        assert_eq!(pulse.stalled_since(), None);
        pulse.last.fetch_sub(3_000_000, Ordering::Relaxed);
        let since = pulse.stalled_since().unwrap();
        assert!((2.9..60.0).contains(&since.elapsed().as_secs_f64()));
    }
}
