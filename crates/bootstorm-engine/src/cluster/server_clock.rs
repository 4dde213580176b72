//! The server's clock, as far as its answers show it.

use std::time::Duration;

use bootstorm_model::observe::clock::{continuous_now, wall_now};

/// A `Date` header is truncated to that, in microseconds.
const WHOLE_SECOND: i64 = 1_000_000;
/// Length of a window, in microseconds: a watch alone brings an answer every five minutes.
const WINDOW: i64 = 1_800_000_000;

/// Bounds on how far the server's clock is ahead of our continuous clock
///
/// Each `Date` header gives one of each kind, and the best of many come close. They are kept for 30 to 60 minutes, since
/// the clocks of a long series drift, or the server's is set. Setting our wall clock has no influence.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ServerClock {
    /// Bounds of the current window.
    now: Option<(i64, i64)>,
    /// Bounds of the window before it.
    before: Option<(i64, i64)>,
    /// Reading of the continuous clock at the beginning of the window.
    began: i64,
}

impl ServerClock {
    /// Takes the time of an answer to a request that was sent and answered at these readings of the continuous clock, all
    /// in microseconds.
    pub(super) fn learn(&mut self, date: i64, sent: i64, answered: i64) {
        if answered - self.began > WINDOW {
            (self.before, self.now, self.began) = (self.now, None, answered);
        }
        self.now = tightened(self.now, Some((date - answered, date + WHOLE_SECOND - sent)));
    }

    /// The least and the most that it is ahead, in microseconds; `None` while unknown.
    pub(super) fn bounds(self) -> Option<(i64, i64)> {
        tightened(self.now, self.before)
    }
}

fn tightened(one: Option<(i64, i64)>, other: Option<(i64, i64)>) -> Option<(i64, i64)> {
    match (one, other) {
        (Some(one), Some(other)) => Some((one.0.max(other.0), one.1.min(other.1))),
        (one, other) => one.or(other),
    }
}

/// How far our wall clock is ahead of our continuous clock, in microseconds.
pub(super) fn own_ahead() -> i64 {
    wall_now().as_microsecond() - micros(continuous_now())
}

/// A reading of the continuous clock in microseconds.
pub(super) fn micros(reading: Duration) -> i64 {
    i64::try_from(reading.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = WHOLE_SECOND;

    #[test]
    fn many_headers_bound_the_difference_from_both_sides() {
        let mut clock = ServerClock::default();
        assert_eq!(clock.bounds(), None);
        // The server is 100.3 s ahead, and an answer takes 40 ms.
        for at in (0..50).map(|step| step * 170_000) {
            let truth = at + 20_000 + 100_300_000;
            clock.learn(truth / SECOND * SECOND, at, at + 40_000);
        }
        let (least, most) = clock.bounds().unwrap();
        assert!(least <= 100_300_000 && least > 100_200_000, "{least}");
        assert!((100_300_000..100_400_000).contains(&most), "{most}");
    }

    #[test]
    fn what_was_learnt_long_ago_is_forgotten() {
        let mut clock = ServerClock::default();
        clock.learn(500 * SECOND, 0, 0);
        // Meanwhile, the server's clock was set back by 100 s.
        clock.learn(400 * SECOND + WINDOW, WINDOW, WINDOW + 1);
        assert_eq!(clock.bounds().unwrap().0, 500 * SECOND, "within two windows");
        clock.learn(400 * SECOND + 3 * WINDOW, 3 * WINDOW, 3 * WINDOW);
        clock.learn(400 * SECOND + 5 * WINDOW, 5 * WINDOW, 5 * WINDOW);
        assert_eq!(clock.bounds().unwrap().0, 400 * SECOND);
    }
}
