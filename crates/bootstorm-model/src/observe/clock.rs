//! The two clocks: a monotonic one for durations, a wall clock read once per phase.

use std::fmt;
use std::sync::{LazyLock, OnceLock};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::platform::continuous;

/// A point on a phase's own time axis, in microseconds since the phase began
///
/// Negative only for moments that the server stamped before the phase began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Offset(pub i64);

impl Offset {
    /// The beginning of the phase.
    pub const ZERO: Self = Self(0);

    /// Seconds, with fraction.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// The offset `seconds` after the beginning of the phase.
    pub fn from_seconds(seconds: f64) -> Self {
        Self((seconds * 1e6).round() as i64)
    }

    /// The time from `earlier` to this offset.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }

    /// This offset plus a duration.
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

/// Farther in the future than any phase lasts: ten years.
const FAR: Duration = Duration::from_secs(3650 * 86_400);

/// Reads the monotonic clock relative to the beginning of a phase
///
/// The wall clock is read once, when the phase first begins. A process that resumes the phase continues the same axis:
/// it anchors its own monotonic clock at the wall-clock distance from that beginning. The monotonic clock stops while
/// the computer is suspended; that time is added if the system reports it.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    anchor: Instant,
    anchor_offset: Offset,
    began: Timestamp,
    /// Accumulated suspension of the computer at the anchor.
    suspended: Duration,
}

impl Clock {
    /// Starts a new time axis now.
    pub fn start() -> Self {
        Self::anchored(Offset::ZERO, wall_now())
    }

    /// Continues the axis of a phase that began at `began` in another process.
    ///
    /// `ahead` is how far the server's clock was ahead of the other process's at that time, `ahead_now` how far it is
    /// ahead of ours, in microseconds. Our own clock has the finer resolution, and is used unless it disagrees with the
    /// other process's: then it was set in between, or belongs to another computer.
    pub fn resume(began: Timestamp, ahead: Option<i64>, ahead_now: i64) -> Self {
        let passed = between((began, ahead), (wall_now(), Some(ahead_now)));
        Self::anchored(passed.max(Offset::ZERO), began)
    }

    fn anchored(anchor_offset: Offset, began: Timestamp) -> Self {
        Self { anchor: monotonic_now(), anchor_offset, began, suspended: suspended() }
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
        Offset(self.anchor_offset.0.saturating_add(micros)).plus(since(self.suspended, suspended()))
    }

    /// The instant at which `offset` is reached on this process's monotonic clock.
    pub fn instant(&self, offset: Offset) -> Instant {
        // The monotonic clock stands still while the computer is suspended, the axis does not.
        let slept = since(self.suspended, suspended());
        let distance = Duration::from_micros(offset.0.saturating_sub(self.anchor_offset.0).max(0) as u64);
        let distance = distance.saturating_sub(slept);
        // A stored offset may have any value; later than this means never.
        self.anchor + distance.min(FAR)
    }

    /// Reading of the server's clock at the beginning of the axis, derived from its reading now.
    ///
    /// Does not use our own wall clock, which may have been set since.
    pub fn zero_at(&self, server_now: Timestamp) -> Timestamp {
        let zero = server_now.as_microsecond().saturating_sub(self.now().0);
        Timestamp::from_microsecond(zero).unwrap_or(self.began)
    }
}

/// Simulated clocks
///
/// A simulation drives time itself. Its computer is never suspended.
#[derive(Debug, Clone, Copy)]
pub struct Simulated {
    /// The monotonic clock.
    pub monotonic: fn() -> Instant,
    /// The wall clock.
    pub wall: fn() -> Timestamp,
}

static SIMULATED: OnceLock<Simulated> = OnceLock::new();

/// Makes the whole process read simulated clocks from now on.
///
/// Must be called before anything else reads a clock; the first call wins.
pub fn simulate(clocks: Simulated) {
    let _ = SIMULATED.set(clocks);
}

/// Reading of the monotonic clock; nothing else reads it.
#[expect(clippy::disallowed_methods, reason = "this is the clock module")]
pub fn monotonic_now() -> Instant {
    SIMULATED.get().map_or_else(Instant::now, |clocks| (clocks.monotonic)())
}

/// Time passed since an instant of the monotonic clock; zero for an instant in the future.
pub fn elapsed_since(instant: Instant) -> Duration {
    monotonic_now().saturating_duration_since(instant)
}

/// Time since an arbitrary point, including time in which the computer was suspended.
pub fn continuous_now() -> Duration {
    continuous_clock().unwrap_or_else(|| {
        let now = monotonic_now();
        // A simulated clock may be read before the base, too.
        (HEADROOM + now.saturating_duration_since(*BASE)).saturating_sub(BASE.saturating_duration_since(now))
    })
}

fn continuous_clock() -> Option<Duration> {
    if SIMULATED.get().is_some() { None } else { continuous() }
}

static BASE: LazyLock<Instant> = LazyLock::new(monotonic_now);

/// Time suspended since boot, up to a constant; zero if unavailable.
fn suspended() -> Duration {
    match continuous_clock() {
        // On some systems the two clocks start at different times, so only differences are meaningful.
        Some(continuous) => (continuous + HEADROOM).saturating_sub(monotonic_now().duration_since(*BASE)),
        None => Duration::ZERO,
    }
}

/// Suspension between two readings; anything shorter than a suspension is the distance between the two clock reads.
fn since(before: Duration, now: Duration) -> Duration {
    let passed = now.saturating_sub(before);
    if passed < SHORTEST_SUSPENSION { Duration::ZERO } else { passed }
}

/// The time from one reading of a wall clock to another, perhaps on another computer.
///
/// Each reading comes with how far the server's clock was ahead of it, in microseconds. These distances are less exact
/// than the clocks, so they count only where they show that the clocks disagree.
pub fn between(earlier: (Timestamp, Option<i64>), later: (Timestamp, Option<i64>)) -> Offset {
    let differ = match (earlier.1, later.1) {
        (Some(earlier), Some(later)) => later.saturating_sub(earlier),
        _ => 0,
    };
    let differ = if differ.unsigned_abs() > SAME_CLOCK_MICROS.unsigned_abs() { differ } else { 0 };
    Offset((later.0.as_microsecond() - earlier.0.as_microsecond()).saturating_add(differ))
}

/// Two estimates of the distance to the server's clock differ by less than this if the clock is the same.
const SAME_CLOCK_MICROS: i64 = 2_500_000;
/// Keeps a difference of two clocks positive.
const HEADROOM: Duration = Duration::from_secs(1 << 32);
/// Suspending and waking a computer takes longer than this; being preempted between two clock reads does not.
const SHORTEST_SUSPENSION: Duration = Duration::from_millis(500);

/// Reading of the wall clock; nothing else reads it.
#[expect(clippy::disallowed_methods, reason = "this is the clock module")]
pub fn wall_now() -> Timestamp {
    SIMULATED.get().map_or_else(Timestamp::now, |clocks| (clocks.wall)())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_distance_between_clocks_may_have_any_value() {
        let now = wall_now();
        assert_eq!(between((now, Some(i64::MAX)), (now, Some(i64::MIN))), Offset(i64::MIN));
        assert_eq!(between((Timestamp::MAX, None), (Timestamp::MIN, Some(1))).0.signum(), -1);
    }

    #[test]
    fn offsets_follow_the_monotonic_clock() {
        let clock = Clock::start();
        let later = clock.instant(Offset::from_seconds(2.5));
        assert_eq!(clock.at(later), Offset(2_500_000));
    }

    #[test]
    fn a_resumed_clock_continues_the_axis() {
        let began = wall_now() - jiff::SignedDuration::from_secs(60);
        let clock = Clock::resume(began, Some(0), 900_000);
        assert!(clock.now().seconds() >= 60.0 && clock.now().seconds() < 70.0);
        let at = clock.instant(Offset::from_seconds(100.0));
        assert_eq!(clock.at(at), Offset::from_seconds(100.0));
    }

    #[test]
    fn a_clock_that_was_set_since_or_is_another_ones_is_corrected() {
        // The other computer's clock was 5 minutes behind the server's, ours is right: the phase began 5 minutes later.
        let began = wall_now() - jiff::SignedDuration::from_secs(360);
        let clock = Clock::resume(began, Some(300_000_000), 0);
        assert!((60.0..70.0).contains(&clock.now().seconds()), "{}", clock.now());
    }

    #[test]
    fn a_suspension_is_part_of_the_axis_and_noise_is_not() {
        let mut clock = Clock::start();
        let before = clock.now();
        assert!(before.seconds() < 60.0, "{before}");
        clock.suspended = clock.suspended.saturating_sub(Duration::from_secs(90));
        let after = clock.now();
        if continuous().is_some() {
            // Each reading is exact up to the noise that is not counted.
            assert!((89.9..150.0).contains(&after.since(before).seconds()), "{after}");
            let soon = clock.instant(clock.now().plus(Duration::from_secs(1)));
            let left = soon.saturating_duration_since(monotonic_now());
            assert!(left < Duration::from_secs(2), "a deadline is not put off by the suspension: {left:?}");
        }
        let second = Duration::from_secs(1);
        assert_eq!(since(second, second + Duration::from_millis(40)), Duration::ZERO);
        assert_eq!(since(second, Duration::ZERO), Duration::ZERO);
        assert_eq!(since(second, second * 9), second * 8);
    }

    #[test]
    fn the_beginning_is_known_in_the_servers_time_too() {
        let clock = Clock::resume(wall_now() - jiff::SignedDuration::from_secs(10), None, 0);
        let ahead = jiff::SignedDuration::from_secs(3600);
        let zero = clock.zero_at(wall_now() + ahead);
        assert!((zero - ahead).duration_since(clock.began()).abs() < jiff::SignedDuration::from_secs(5));
    }
}
