//! A sample: the values that arrived, and how many are missing.

use crate::observe::{Milestone, Outcome, Timeline};

/// Seconds from `requested` to `milestone`; `None` while either is unknown
///
/// Never negative: a stamp of the server is a whole second, cut off, so it may lie up to a second before the
/// request that caused it.
pub fn seconds_to(timeline: &Timeline, milestone: Milestone) -> Option<f64> {
    timeline.seconds_to(milestone).map(|seconds| seconds.max(0.0))
}

/// Values that arrived, in ascending order, and the number of those that did not
///
/// A missing value is *censored*: it is larger than every value that arrived, nobody knows by how much.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sample {
    arrived: Vec<f64>,
    missing: usize,
}

impl Sample {
    /// A sample of values in any order, and the number of missing ones. Values that are not finite are missing.
    pub fn new(values: impl IntoIterator<Item = f64>, missing: usize) -> Self {
        Self::of(values.into_iter().map(Some).chain(std::iter::repeat_n(None, missing)))
    }

    /// A sample with one entry per participant: the value, or `None` where it is missing.
    pub fn of(values: impl IntoIterator<Item = Option<f64>>) -> Self {
        let mut sample = Self::default();
        for value in values {
            match value {
                Some(value) if value.is_finite() => sample.arrived.push(value),
                _ => sample.missing += 1,
            }
        }
        sample.arrived.sort_unstable_by(f64::total_cmp);
        sample
    }

    /// The seconds that each VM took to a milestone
    ///
    /// Excluded VMs take no part. For the goal of the phase only VMs whose outcome is `reached` count as
    /// arrived, so that `arrived` equals the number of successes; other milestones count for everyone who
    /// passed them.
    pub fn to_milestone<'a>(
        timelines: impl IntoIterator<Item = &'a Timeline>,
        milestone: Milestone,
        goal: Milestone,
    ) -> Self {
        let participants = timelines.into_iter().filter(|timeline| timeline.outcome != Outcome::Excluded);
        Self::of(participants.map(|timeline| arrival(timeline, milestone, goal)))
    }

    /// The values that arrived, ascending.
    pub fn values(&self) -> &[f64] {
        &self.arrived
    }

    /// How many values arrived.
    pub fn arrived(&self) -> usize {
        self.arrived.len()
    }

    /// How many values are missing.
    pub fn missing(&self) -> usize {
        self.missing
    }

    /// The size of the sample, missing values included.
    pub fn n(&self) -> usize {
        self.arrived.len() + self.missing
    }

    /// The same sample without its missing values.
    #[must_use]
    pub fn without_missing(&self) -> Self {
        Self { arrived: self.arrived.clone(), missing: 0 }
    }

    /// The smallest value.
    pub fn min(&self) -> Option<f64> {
        self.arrived.first().copied()
    }

    /// The largest value that arrived.
    pub fn max(&self) -> Option<f64> {
        self.arrived.last().copied()
    }

    /// Arithmetic mean of the values that arrived: `Σx / arrived`.
    pub fn mean(&self) -> Option<f64> {
        let count = self.arrived.len();
        (count > 0).then(|| self.arrived.iter().sum::<f64>() / count as f64)
    }

    /// Sample standard deviation of the values that arrived: `√(Σ(x − mean)² / (arrived − 1))`; needs two values.
    pub fn stddev(&self) -> Option<f64> {
        let mean = self.mean().filter(|_| self.arrived.len() > 1)?;
        let squares: f64 = self.arrived.iter().map(|value| (value - mean).powi(2)).sum();
        Some((squares / (self.arrived.len() - 1) as f64).sqrt())
    }
}

/// The seconds that count as an arrival at `milestone`.
pub(crate) fn arrival(timeline: &Timeline, milestone: Milestone, goal: Milestone) -> Option<f64> {
    if milestone == goal && timeline.outcome != Outcome::Reached {
        return None;
    }
    seconds_to(timeline, milestone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Offset;

    #[test]
    fn missing_values_count_but_do_not_move_the_mean() {
        let sample = Sample::new([4.0, 2.0, f64::NAN], 1);
        assert_eq!((sample.n(), sample.arrived(), sample.missing()), (4, 2, 2));
        assert_eq!(sample.mean(), Some(3.0));
        assert_eq!((sample.min(), sample.max()), (Some(2.0), Some(4.0)));
        assert!((sample.stddev().unwrap() - std::f64::consts::SQRT_2).abs() < 1e-12);
    }

    #[test]
    fn nothing_arrived_and_a_single_value_have_no_spread() {
        assert_eq!(Sample::new([], 3).mean(), None);
        assert_eq!(Sample::new([5.0], 0).stddev(), None);
    }

    fn timeline(outcome: Outcome, running: f64) -> Timeline {
        let mut timeline = Timeline::new(0);
        timeline.see(Milestone::Requested, Offset::from_seconds(1.0));
        timeline.fill(Milestone::Running, Offset::from_seconds(running));
        timeline.outcome = outcome;
        timeline
    }

    #[test]
    fn at_the_goal_only_successes_arrive_and_excluded_vms_take_no_part() {
        let timelines = [
            timeline(Outcome::Reached, 3.0),
            timeline(Outcome::TimedOut, 9.0),
            timeline(Outcome::Excluded, 2.0),
        ];
        let goal = Sample::to_milestone(&timelines, Milestone::Running, Milestone::Running);
        assert_eq!((goal.values(), goal.missing()), (&[2.0][..], 1));
        let passed = Sample::to_milestone(&timelines, Milestone::Running, Milestone::Reachable);
        assert_eq!((passed.values(), passed.missing()), (&[2.0, 8.0][..], 0));
    }

    #[test]
    fn a_stamp_before_the_request_counts_as_zero() {
        assert_eq!(seconds_to(&timeline(Outcome::Reached, 0.4), Milestone::Running), Some(0.0));
    }
}
