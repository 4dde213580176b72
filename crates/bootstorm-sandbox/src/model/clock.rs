//! Simulated time: tokio's clock, run `speed` times faster.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use bootstorm_model::observe::clock::wall_now;

/// Simulated seconds since the start of the cluster, and sleeping in them
///
/// Based on tokio's clock, so that a test with paused time plays hours in milliseconds. Timestamps on objects are
/// nevertheless *real* wall-clock time, since clients compare them with their own clock; or ahead of that, if the
/// profile sets an offset.
#[derive(Debug, Clone, Copy)]
pub struct SimClock {
    origin: Instant,
    wall: Timestamp,
    speed: f64,
}

impl SimClock {
    /// A clock that starts now and runs `speed` times as fast as the real one.
    pub fn start(speed: f64) -> Self {
        let speed = if speed.is_finite() && speed > 0.0 { speed } else { 1.0 };
        Self { origin: Instant::now(), wall: wall_now(), speed }
    }

    /// The clock with timestamps ahead of this computer's time by this much.
    #[must_use]
    pub fn ahead(self, by: SignedDuration) -> Self {
        Self { wall: self.wall.saturating_add(by).unwrap_or(self.wall), ..self }
    }

    /// Simulated seconds per real second.
    pub fn speed(&self) -> f64 {
        self.speed
    }

    /// Simulated seconds since the start.
    pub fn now(&self) -> f64 {
        self.origin.elapsed().as_secs_f64() * self.speed
    }

    /// Waits for a simulated duration, in seconds.
    pub async fn sleep(&self, seconds: f64) {
        self.sleep_until(self.now() + seconds).await;
    }

    /// Waits until the simulated instant `at`.
    pub async fn sleep_until(&self, at: f64) {
        if at > self.now() {
            tokio::time::sleep_until(self.instant(at)).await;
        }
    }

    /// The real duration of `seconds` of simulated time.
    pub fn real(&self, seconds: f64) -> Duration {
        // A century stands for "never": more than any run lasts, and far from the limits of the timer.
        Duration::from_secs_f64((seconds / self.speed).clamp(0.0, 3.2e9))
    }

    /// The instant on tokio's clock at which the simulated instant `at` is reached.
    pub fn instant(&self, at: f64) -> Instant {
        // Rounded up: a task woken then must find that the instant has been reached, or it would sleep again forever.
        self.origin + self.real(at) + Duration::from_nanos(1)
    }

    /// Wall-clock time of this instant; it moves with tokio's clock.
    pub fn wall(&self) -> Timestamp {
        self.wall + self.origin.elapsed()
    }

    /// Wall-clock time as Kubernetes writes it: whole seconds, UTC, `Z`.
    pub fn stamp(&self) -> String {
        stamp(self.wall())
    }
}

/// A time in the format of `metav1.Time`: whole seconds, truncated, UTC, `Z`.
pub fn stamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A time in the format of `metav1.MicroTime`.
pub fn micro_stamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_faster_clock_sleeps_shorter() {
        let clock = SimClock::start(20.0);
        let before = Instant::now();
        clock.sleep(10.0).await;
        assert!((before.elapsed().as_secs_f64() - 0.5).abs() < 0.01);
        assert!((clock.now() - 10.0).abs() < 0.1);
    }

    #[tokio::test(start_paused = true)]
    async fn stamps_move_with_the_clock_and_have_whole_seconds() {
        let clock = SimClock::start(1.0);
        let before = clock.wall();
        clock.sleep(7.0).await;
        let passed = clock.wall().as_millisecond() - before.as_millisecond();
        assert!((7_000..7_010).contains(&passed), "{passed}");
        assert_eq!(clock.stamp().len(), "2026-08-22T10:00:01Z".len());
        assert_eq!(micro_stamp(clock.wall()).len(), "2026-08-22T10:00:01.123456Z".len());
    }
}
