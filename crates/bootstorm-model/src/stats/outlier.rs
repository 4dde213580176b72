//! Outliers: VMs much slower than the rest.
//!
//! Boot times are skewed to the right: a plain distance from the mean would classify the ordinary tail as outliers, and
//! the mean itself moves with the outliers it should find. So the rule uses logarithms, which remove the skew, and
//! median and MAD (the median distance from the median), which stay put until half of the VMs are unusual:
//!
//! `score = 0.6745 · (ln x − median(ln x)) ÷ MAD(ln x)`, an outlier if `score > 3.5` (Iglewicz and Hoaglin, 1993)
//!
//! and only if `x` exceeds 1.5 times the median, so that nearly equal VMs have no outliers. Only slow VMs are reported,
//! only among those that arrived, and only if at least ten did. Among 100 lognormal VMs without any outlier, about one
//! VM in 800 is reported by mistake (measured).

use crate::observe::{Milestone, Outcome, Timeline};

use super::sample::arrival;
use super::{Level, Quantile, Sample};

/// Minimum number of VMs to judge.
const ENOUGH: usize = 10;
/// Score above which a VM is an outlier.
const SCORE: f64 = 3.5;
/// Ratio of MAD to standard deviation of a normal distribution.
const NORMAL: f64 = 0.6745;
/// Factor of the median below which no VM is an outlier.
const USUAL: f64 = 1.5;
/// Lower bound for times, because zero has no logarithm: server timestamps can make a time zero.
const SHORTEST: f64 = 0.001;

/// An outlier
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outlier {
    /// Index into the plan's list of targets.
    pub target: u32,
    /// Its time.
    pub seconds: f64,
    /// Ratio to the median.
    pub times_median: f64,
}

/// The outliers of a phase
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outliers {
    /// Limit in seconds; `None` if too few VMs arrived.
    pub limit: Option<f64>,
    /// The outliers, slowest first.
    pub found: Vec<Outlier>,
}

impl Outliers {
    /// Finds outliers in the times to a milestone; `goal` as in [`Sample::to_milestone`].
    pub fn of(timelines: &[Timeline], milestone: Milestone, goal: Milestone) -> Self {
        let participants = timelines.iter().filter(|timeline| timeline.outcome != Outcome::Excluded);
        let times: Vec<(u32, f64)> = participants
            .filter_map(|timeline| Some((timeline.target, arrival(timeline, milestone, goal).seconds()?)))
            .collect();
        let Some((median, limit)) = limit(times.iter().map(|(_, seconds)| *seconds)) else {
            return Self::default();
        };
        let slow = times.into_iter().filter(|(_, seconds)| *seconds > limit);
        let mut found: Vec<Outlier> = slow
            .map(|(target, seconds)| Outlier { target, seconds, times_median: seconds / median })
            .collect();
        found.sort_by(|a, b| b.seconds.total_cmp(&a.seconds).then(a.target.cmp(&b.target)));
        Self { limit: Some(limit), found }
    }
}

/// The median, and the limit above which a value is an outlier.
fn limit(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let logarithms = Sample::new(values.map(|seconds| seconds.max(SHORTEST).ln()), 0);
    if logarithms.n() < ENOUGH {
        return None;
    }
    let median = Quantile::of(&logarithms, Level::P50).seconds()?;
    let distances = Sample::new(logarithms.values().iter().map(|value| (value - median).abs()), 0);
    let mad = Quantile::of(&distances, Level::P50).seconds()?;
    Some((median.exp(), (median + (SCORE * mad / NORMAL).max(USUAL.ln())).exp()))
}

#[cfg(test)]
mod tests {
    use rand::rngs::Xoshiro256PlusPlus;
    use rand::{RngExt, SeedableRng};

    use super::*;
    use crate::observe::Offset;

    fn outliers(values: &[f64]) -> Vec<u32> {
        let timeline = |(target, seconds): (u32, &f64)| {
            let mut timeline = Timeline::new(target);
            timeline.see(Milestone::Requested, Offset::ZERO);
            timeline.see(Milestone::Running, Offset::from_seconds(*seconds));
            timeline.outcome = Outcome::Reached;
            timeline
        };
        let timelines: Vec<Timeline> = (0..).zip(values).map(timeline).collect();
        let found = Outliers::of(&timelines, Milestone::Running, Milestone::Running).found;
        found.iter().map(|outlier| outlier.target).collect()
    }

    /// Lognormal values with median 10; the sum of twelve uniform draws is close to normal.
    fn lognormal(n: usize, sigma: f64, seed: u64) -> Vec<f64> {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut normal = || (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0;
        (0..n).map(|_| 10.0 * (sigma * normal()).exp()).collect()
    }

    #[test]
    fn stragglers_are_named_slowest_first_and_fast_vms_never() {
        let mut values = lognormal(100, 0.15, 1);
        (values[7], values[42], values[50]) = (60.0, 90.0, 0.5);
        assert_eq!(outliers(&values), [42, 7]);
    }

    #[test]
    fn many_stragglers_do_not_hide_each_other() {
        let mut values = lognormal(100, 0.15, 2);
        values[..30].fill(80.0);
        assert_eq!(outliers(&values).len(), 30);
    }

    #[test]
    fn an_ordinary_skewed_tail_is_left_alone() {
        let named: usize = (0..50).map(|seed| outliers(&lognormal(100, 0.4, seed)).len()).sum();
        assert!(named <= 10, "{named} of 5000 values without outliers were named");
    }

    #[test]
    fn nearly_equal_and_few_values_have_none() {
        let mut values = vec![10.0; 50];
        values[3] = 14.9;
        assert!(outliers(&values).is_empty());
        values[3] = 15.1;
        assert_eq!(outliers(&values), [3]);
        assert!(outliers(&[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 50.0]).is_empty());
        assert!(outliers(&[0.0; 20]).is_empty());
    }
}
