//! Exact pacing of steps that are shorter than the timer's resolution.

use super::clock::SimClock;

/// The time one worker has spent on its steps
///
/// tokio's timer moves in milliseconds. At `--speed 50` a call of 8 simulated milliseconds takes 0.16 real ones,
/// and a sleep for each would make the worker several times slower than it should be. The pacer adds steps up and
/// sleeps only when they are worth it.
#[derive(Debug)]
pub struct Pacer {
    clock: SimClock,
    due: f64,
}

/// The shortest real time worth a sleep, and the most a worker may be ahead or behind, in seconds.
const GRAIN: f64 = 0.001;

impl Pacer {
    /// A pacer that owes nothing.
    pub fn new(clock: SimClock) -> Self {
        Self { clock, due: 0.0 }
    }

    /// Spends `seconds` of simulated time.
    pub async fn spend(&mut self, seconds: f64) {
        let now = self.clock.now();
        let grain = GRAIN * self.clock.speed();
        self.due = self.due.max(now - 2.0 * grain) + seconds;
        if self.due - now >= grain {
            self.clock.sleep_until(self.due).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_tiny_steps_add_up() {
        let clock = SimClock::start(50.0);
        let mut pacer = Pacer::new(clock);
        for _ in 0..1000 {
            pacer.spend(0.008).await;
        }
        assert!((clock.now() - 8.0).abs() < 0.25, "{}", clock.now());
    }
}
