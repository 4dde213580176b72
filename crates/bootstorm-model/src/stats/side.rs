//! One side of a comparison of runs: storms, the unit of sampling, each with its VMs.
//!
//! The VMs of one storm share one cluster at one time, so they show how they differ from each other, but not how the
//! next storm will differ from this one. A statistic is therefore taken of each storm, and its logarithms are compared
//! by Welch's test for unequal variances (Welch, Biometrika 34, 1947) with the degrees of freedom of Satterthwaite
//! (Biometrics Bulletin 2, 1946), which are few if storms are few. Two storms that agree by chance must not suggest
//! certainty: the variance between the storms of a side counts as no less than what the VMs within a storm imply, by
//! the variance of a mean, or of a quantile by the ranks one standard deviation around its own (Woodruff, JASA 47,
//! 1952).

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{Level, Quantile, Sample};

/// Share of repetitions in which an interval contains the true value.
pub const CONFIDENCE: f64 = 0.99;
/// Minimum number of storms on a side for a judgement. With two, a storm that is 15 % slower is found in 1 to 2 % of
/// trials (docs/measurements.md), so a judgement would only suggest that nothing differs.
pub const ENOUGH_STORMS: usize = 3;
/// Minimum number of storms on a side for an interval.
const ENOUGH_TO_DIFFER: usize = 2;
/// Levels of the quantiles.
pub(super) const LEVELS: [Level; 4] = [Level::P50, Level::P90, Level::P95, Level::P99];
/// Times below the resolution of every observation have no useful logarithm.
const RESOLUTION: f64 = 1e-6;

/// A statistic of the VMs of a storm
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Statistic {
    /// Mean of the arrived ones.
    Mean,
    /// A quantile of all, with missing ones after all others.
    Quantile(Level),
}

impl Statistic {
    /// Every statistic, in display order.
    pub(super) const ALL: [Self; 5] = [
        Self::Mean,
        Self::Quantile(LEVELS[0]),
        Self::Quantile(LEVELS[1]),
        Self::Quantile(LEVELS[2]),
        Self::Quantile(LEVELS[3]),
    ];
}

/// One side of a comparison: the VMs of one phase, or of several storms
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Side {
    storms: Vec<Sample>,
}

/// The value of one storm, and the variance implied by its VMs alone
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Unit {
    pub(super) value: f64,
    pub(super) within: f64,
}

/// The difference of the means of two sides
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Welch {
    pub(super) difference: f64,
    /// Half of the width of the interval; absent if a side has a single storm.
    pub(super) half: Option<f64>,
    /// Probability of a difference at least this large if there is none; absent likewise.
    pub(super) p: Option<f64>,
}

impl Side {
    /// A side from the samples of one or more phases. Empty samples do not count.
    pub fn of<'a>(samples: impl IntoIterator<Item = &'a Sample>) -> Self {
        let has_vms = |sample: &&Sample| sample.n() + sample.open() > 0;
        Self { storms: samples.into_iter().filter(has_vms).cloned().collect() }
    }

    /// Number of storms.
    pub fn storms(&self) -> usize {
        self.storms.len()
    }

    /// Number of VMs, including missing ones and those of which it is unknown.
    pub fn n(&self) -> usize {
        self.storms.iter().map(|storm| storm.n() + storm.open()).sum()
    }

    /// Number of VMs whose place among the others is unknown.
    pub fn open(&self) -> usize {
        self.storms.iter().map(Sample::open).sum()
    }

    /// Number of missing VMs.
    pub fn missing(&self) -> usize {
        self.storms.iter().map(Sample::missing).sum()
    }

    /// A statistic of each storm in seconds; `None` if it was not reached or is unknown in one of them.
    pub(super) fn seconds(&self, statistic: Statistic) -> Option<Vec<Unit>> {
        self.storms.iter().map(|storm| unit(storm, statistic)).collect()
    }

    /// Whether a statistic was not reached in some storm.
    pub(super) fn is_unreached(&self, statistic: Statistic) -> bool {
        self.storms.iter().any(|storm| match statistic {
            Statistic::Mean => storm.mean().is_none(),
            Statistic::Quantile(level) => Quantile::of(storm, level) == Quantile::NotReached,
        })
    }

    /// Whether a statistic is unknown in some storm, because it depends on VMs that could not be observed.
    pub(super) fn is_unknown(&self, statistic: Statistic) -> bool {
        self.storms.iter().any(|storm| match statistic {
            Statistic::Mean => storm.open() > 0,
            Statistic::Quantile(level) => Quantile::of(storm, level) == Quantile::Unknown,
        })
    }
}

fn unit(storm: &Sample, statistic: Statistic) -> Option<Unit> {
    let values = storm.values();
    match statistic {
        Statistic::Mean => {
            let value = storm.mean()?;
            let within = storm.stddev().map_or(0.0, |stddev| stddev.powi(2) / values.len() as f64);
            Some(Unit { value, within })
        }
        Statistic::Quantile(level) => {
            let n = storm.n() + storm.open();
            let rank = level.rank(n);
            let value = Quantile::of(storm, level).seconds()?;
            let share = rank as f64 / n as f64;
            let deviation = (n as f64 * share * (1.0 - share)).sqrt();
            let at = |rank: f64| (rank.round().max(1.0) as usize).min(values.len());
            let (low, high) = (at(rank as f64 - deviation), at(rank as f64 + deviation));
            let per_rank = (values[high - 1] - values[low - 1]) / (high - low).max(1) as f64;
            Some(Unit { value, within: (per_rank * deviation).powi(2) })
        }
    }
}

/// The values as logarithms; variances by the delta method.
pub(super) fn logarithms(units: &[Unit]) -> Vec<Unit> {
    let logarithm = |unit: &Unit| {
        let value = unit.value.max(RESOLUTION);
        Unit { value: value.ln(), within: unit.within / (value * value) }
    };
    units.iter().map(logarithm).collect()
}

pub(super) fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len().max(1) as f64;
    values.sum::<f64>() / count
}

/// Mean, variance of the mean, and degrees of freedom; the last two are absent for a single storm.
fn moments(units: &[Unit]) -> (f64, Option<(f64, f64)>) {
    let mean = mean(units.iter().map(|unit| unit.value));
    if units.len() < ENOUGH_TO_DIFFER {
        return (mean, None);
    }
    let free = (units.len() - 1) as f64;
    let between = units.iter().map(|unit| (unit.value - mean).powi(2)).sum::<f64>() / free;
    let within = self::mean(units.iter().map(|unit| unit.within));
    (mean, Some((between.max(within) / units.len() as f64, free)))
}

/// Welch's test of `second − first`.
pub(super) fn welch(first: &[Unit], second: &[Unit]) -> Welch {
    let ((before, of_before), (after, of_after)) = (moments(first), moments(second));
    let difference = after - before;
    let Some(((one, one_free), (other, other_free))) = of_before.zip(of_after) else {
        return Welch { difference, half: None, p: None };
    };
    let variance = one + other;
    if variance <= 0.0 {
        // All values of a side are equal.
        let p = if difference == 0.0 { 1.0 } else { 0.0 };
        return Welch { difference, half: Some(0.0), p: Some(p) };
    }
    let freedom = variance.powi(2) / (one.powi(2) / one_free + other.powi(2) / other_free);
    let Ok(student) = StudentsT::new(0.0, 1.0, freedom) else {
        return Welch { difference, half: None, p: None };
    };
    let error = variance.sqrt();
    let p = (2.0 * student.sf((difference / error).abs())).min(1.0);
    let half = student.inverse_cdf(f64::midpoint(1.0, CONFIDENCE)) * error;
    Welch { difference, half: Some(half), p: Some(p) }
}

/// The family-wise adjusted probabilities of several tests, in the same order (Holm, Scand. J. Statist. 6, 1979)
///
/// Rejecting adjusted values below a rate errs in at most that share of families, however dependent the tests are.
pub fn holm(probabilities: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    order.sort_by(|a, b| probabilities[*a].total_cmp(&probabilities[*b]));
    let mut adjusted = vec![1.0; probabilities.len()];
    let mut largest = 0.0_f64;
    for (place, index) in order.into_iter().enumerate() {
        let left = (probabilities.len() - place) as f64;
        largest = largest.max(probabilities[index] * left).min(1.0);
        adjusted[index] = largest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(values: &[f64]) -> Vec<Unit> {
        values.iter().map(|value| Unit { value: *value, within: 0.0 }).collect()
    }

    #[test]
    fn welch_is_that_of_the_textbooks() {
        // Worked out by hand: means 20 and 25, variances 4 and 16, three values each: t = 5 / √(20/3) and ν = (20/3)² /
        // ((4/3)²/2 + (16/3)²/2) = 50/17 ≈ 2.94.
        let found = welch(&units(&[18.0, 20.0, 22.0]), &units(&[21.0, 25.0, 29.0]));
        assert!((found.difference - 5.0).abs() < 1e-12);
        let (half, p) = (found.half.unwrap(), found.p.unwrap());
        // The 99.5 % quantile of t is 5.84 at 3 degrees of freedom and 9.92 at 2.
        assert!((15.07..16.2).contains(&half), "{half}");
        assert!((0.14..0.16).contains(&p), "{p}");
    }

    #[test]
    fn a_single_storm_has_no_interval_and_equal_ones_no_certainty() {
        assert_eq!(welch(&units(&[1.0]), &units(&[2.0, 2.0])).half, None);
        let alike = |value: f64| vec![Unit { value, within: 0.01 }; 3];
        let found = welch(&alike(1.0), &alike(1.1));
        assert!(found.p.unwrap() > 0.2 && found.half.unwrap() > 0.3, "{found:?}");
        assert_eq!(welch(&units(&[1.0, 1.0]), &units(&[1.0, 1.0])).p, Some(1.0));
    }

    #[test]
    fn quantiles_know_how_sure_they_are() {
        let even = Sample::new((1..=100).map(f64::from), 0);
        let p50 = unit(&even, Statistic::Quantile(Level::P50)).unwrap();
        // The rank of a median of 100 has a standard deviation of 5.
        assert!((p50.value - 50.0).abs() < 1e-12 && (p50.within.sqrt() - 5.0).abs() < 0.5, "{p50:?}");
        let mean = unit(&even, Statistic::Mean).unwrap();
        assert!((mean.value - 50.5).abs() < 1e-12 && (mean.within.sqrt() - 2.9).abs() < 0.01, "{mean:?}");
        let missing = Sample::new((1..=90).map(f64::from), 10);
        assert!(unit(&missing, Statistic::Quantile(Level::P90)).is_some());
        assert_eq!(unit(&missing, Statistic::Quantile(Level::P95)), None);
    }

    #[test]
    fn holm_steps_down() {
        assert_eq!(holm(&[0.01, 0.04, 0.03]), [0.03, 0.06, 0.06]);
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
        assert!(holm(&[]).is_empty());
    }
}
