//! Exact pacing of steps that are shorter than the timer's resolution.

use super::clock::SimClock;

/// The time that one worker has spent on its steps
///
/// tokio's timer has a resolution of milliseconds. At `--speed 50` a call of 8 simulated milliseconds takes 0.16 real
/// ones, and sleeping for each would make the worker several times too slow. The pacer adds steps up and sleeps only
/// when they are long enough.
#[derive(Debug)]
pub struct Pacer {
    clock: SimClock,
    due: f64,
}

/// Minimum real time of a sleep, and maximum lead or lag of a worker, in seconds.
const GRAIN: f64 = 0.001;

impl Pacer {
    /// A pacer without debt.
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
