//! The two clocks: a monotonic one for durations, a wall clock read once per phase.

use std::fmt;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A point on a phase's own time axis, in microseconds since the phase began
///
/// Negative values are possible only for moments that the server stamped before the phase began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Offset(pub i64);

impl Offset {
    /// The beginning of the phase.
    pub const ZERO: Self = Self(0);

    /// Seconds, with the fraction.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// The offset that lies `seconds` after the beginning of the phase.
    pub fn from_seconds(seconds: f64) -> Self {
        Self((seconds * 1e6).round() as i64)
    }

    /// The time from `earlier` to this offset.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }

    /// This offset moved by a duration.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2}s", self.seconds())
    }
}

/// Further in the future than any phase lasts: ten years.
const FAR: Duration = Duration::from_secs(3650 * 86_400);

/// Reads the monotonic clock relative to the beginning of a phase
///
/// The wall clock is read once, when the phase first begins. A process that resumes the phase continues the
/// same axis: it anchors its own monotonic clock at the wall-clock distance to that beginning.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    anchor: Instant,
    anchor_offset: Offset,
    began: Timestamp,
}

impl Clock {
    /// Starts a new time axis now.
    pub fn start() -> Self {
        Self { anchor: monotonic_now(), anchor_offset: Offset::ZERO, began: wall_now() }
    }

    /// Continues the axis of a phase that began at `began` in another process.
    pub fn resume(began: Timestamp) -> Self {
        let passed = wall_now().as_microsecond() - began.as_microsecond();
        Self { anchor: monotonic_now(), anchor_offset: Offset(passed.max(0)), began }
    }

    /// The wall-clock time at which the phase began.
    pub fn began(&self) -> Timestamp {
        self.began
    }

    /// The offset of this instant.
    pub fn now(&self) -> Offset {
        self.at(monotonic_now())
    }

    /// The offset of an instant taken elsewhere.
    pub fn at(&self, instant: Instant) -> Offset {
        let micros = match instant.checked_duration_since(self.anchor) {
            Some(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
            None => -i64::try_from((self.anchor - instant).as_micros()).unwrap_or(i64::MAX),
        };
        Offset(self.anchor_offset.0.saturating_add(micros))
    }

    /// The instant at which `offset` is reached on this process's monotonic clock.
    pub fn instant(&self, offset: Offset) -> Instant {
        let distance = Duration::from_micros(offset.0.saturating_sub(self.anchor_offset.0).max(0) as u64);
        // A stored offset may be anything; what lies beyond this is never.
        self.anchor + distance.min(FAR)
    }

    /// Where a server's timestamp lies on the axis, given how far the server's clock is ahead of ours.
    pub fn stamped(&self, stamp: Timestamp, server_ahead_micros: i64) -> Offset {
        let ours = stamp.as_microsecond().saturating_sub(server_ahead_micros);
        Offset(ours.saturating_sub(self.began.as_microsecond()))
    }
}

/// The monotonic clock. The one place that reads it.
#[expect(clippy::disallowed_methods, reason = "this is the clock module")]
pub fn monotonic_now() -> Instant {
    Instant::now()
}

/// The wall clock. The one place that reads it.
#[expect(clippy::disallowed_methods, reason = "this is the clock module")]
pub fn wall_now() -> Timestamp {
    Timestamp::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_follow_the_monotonic_clock() {
        let clock = Clock::start();
        let later = clock.instant(Offset::from_seconds(2.5));
        assert_eq!(clock.at(later), Offset(2_500_000));
    }

    #[test]
    fn a_resumed_clock_continues_the_axis() {
        let began = wall_now() - jiff::SignedDuration::from_secs(60);
        let clock = Clock::resume(began);
        assert!(clock.now().seconds() >= 60.0 && clock.now().seconds() < 70.0);
        let at = clock.instant(Offset::from_seconds(100.0));
        assert_eq!(clock.at(at), Offset::from_seconds(100.0));
    }

    #[test]
    fn a_stamp_is_shifted_by_the_servers_clock_difference() {
        let clock = Clock::start();
        let stamp = clock.began() + jiff::SignedDuration::from_secs(10);
        assert_eq!(clock.stamped(stamp, 3_000_000), Offset(7_000_000));
    }
}
