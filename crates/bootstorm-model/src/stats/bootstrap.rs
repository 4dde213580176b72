//! How far a statistic could have come out otherwise: the bootstrap, with missing values.
//!
//! A sample of `n` values is replaced by `n` draws from itself, [`RESAMPLES`] times, and the statistic is taken each
//! time; the middle 99 % of what comes out is the confidence interval (percentile bootstrap, Efron 1979). A missing
//! value is drawn like any other and counts as infinitely large. The two sides of a comparison are drawn independently
//! of each other. Where a side consists of several storms, the storms are drawn first and VMs from within them, so
//! that the spread between storms is part of the interval.
//!
//! The draws come from a generator with a fixed seed: the same results give the same intervals, on every machine.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use super::{Level, Sample};

/// How many times each sample is drawn anew.
pub const RESAMPLES: usize = 2_000;
/// The share of draws inside of an interval.
pub const CONFIDENCE: f64 = 0.99;
/// Where the draws begin: any number does, as long as it stays.
const SEED: u64 = 0x0b00_7570_12a1;

/// One side of a comparison: the VMs of one phase, or of several storms
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Side {
    /// Every value of every group, ascending; missing ones are infinite.
    values: Vec<f64>,
    /// Positions in `values`, by group.
    groups: Vec<Vec<u32>>,
}

/// The statistics of one side; infinite where not reached, `NaN` where there are none
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Statistics {
    pub(super) mean: f64,
    pub(super) quantiles: [f64; 4],
}

/// The levels of [`Statistics::quantiles`].
pub(super) const LEVELS: [Level; 4] = [Level::P50, Level::P90, Level::P95, Level::P99];

impl Side {
    /// A side out of the samples of one or more phases. Empty samples do not count.
    pub fn of<'a>(samples: impl IntoIterator<Item = &'a Sample>) -> Self {
        let mut all: Vec<(f64, usize)> = Vec::new();
        let mut count = 0;
        for sample in samples.into_iter().filter(|sample| sample.n() > 0) {
            let missing = std::iter::repeat_n(f64::INFINITY, sample.missing());
            all.extend(sample.values().iter().copied().chain(missing).map(|value| (value, count)));
            count += 1;
        }
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut groups = vec![Vec::new(); count];
        for (position, (_, group)) in (0..).zip(&all) {
            groups[*group].push(position);
        }
        Self { values: all.into_iter().map(|(value, _)| value).collect(), groups }
    }

    /// How many values there are, missing ones included.
    pub fn n(&self) -> usize {
        self.values.len()
    }

    /// How many are missing.
    pub fn missing(&self) -> usize {
        self.values.iter().rev().take_while(|value| value.is_infinite()).count()
    }

    /// The statistics of the values as they are.
    pub(super) fn statistics(&self) -> Statistics {
        self.statistics_of(&vec![1; self.values.len()])
    }

    /// The statistics of the values, each taken as often as `counts` says.
    fn statistics_of(&self, counts: &[u32]) -> Statistics {
        let n: usize = counts.iter().map(|count| *count as usize).sum();
        let (mut sum, mut arrived, mut seen) = (0.0, 0_usize, 0_usize);
        let mut quantiles = [f64::NAN; 4];
        let mut ranks = LEVELS.iter().map(|level| level.rank(n)).zip(&mut quantiles).peekable();
        for (value, count) in self.values.iter().zip(counts).filter(|(_, count)| **count > 0) {
            seen += *count as usize;
            while let Some((_, quantile)) = ranks.next_if(|(rank, _)| *rank <= seen) {
                *quantile = *value;
            }
            if value.is_finite() {
                sum += value * f64::from(*count);
                arrived += *count as usize;
            }
        }
        let mean = match (n, arrived) {
            (0, _) => f64::NAN,
            (_, 0) => f64::INFINITY,
            (_, arrived) => sum / arrived as f64,
        };
        Statistics { mean, quantiles }
    }

    /// Draws as many values as there are, from as many groups as there are.
    fn draw(&self, random: &mut Xoshiro256PlusPlus, counts: &mut [u32]) {
        counts.fill(0);
        for _ in &self.groups {
            let group = match self.groups.as_slice() {
                [only] => only,
                groups => &groups[random.random_range(0..groups.len())],
            };
            for _ in group {
                counts[group[random.random_range(0..group.len())] as usize] += 1;
            }
        }
    }
}

/// The statistics of pairs of draws: `f` is called with one draw of each side, [`RESAMPLES`] times.
pub(super) fn resample(baseline: &Side, candidate: &Side, mut f: impl FnMut(&Statistics, &Statistics)) {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(SEED);
    let (mut first, mut second) = (vec![0; baseline.n()], vec![0; candidate.n()]);
    for _ in 0..RESAMPLES {
        baseline.draw(&mut random, &mut first);
        candidate.draw(&mut random, &mut second);
        f(&baseline.statistics_of(&first), &candidate.statistics_of(&second));
    }
}

/// The middle [`CONFIDENCE`] of draws.
pub(super) fn interval(draws: &mut [f64]) -> (f64, f64) {
    draws.sort_unstable_by(f64::total_cmp);
    let outside = ((1.0 - CONFIDENCE) / 2.0 * draws.len() as f64) as usize;
    match draws {
        [] => (f64::NAN, f64::NAN),
        draws => (draws[outside], draws[draws.len() - 1 - outside]),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::Quantile;

    proptest! {
        #[test]
        fn undrawn_statistics_are_those_of_the_sample(
            values in prop::collection::vec(0.0..100.0f64, 0..40), missing in 0usize..10,
        ) {
            let sample = Sample::new(values, missing);
            let side = Side::of([&sample]);
            let statistics = side.statistics();
            prop_assert_eq!((side.n(), side.missing()), (sample.n(), sample.missing()));
            for (level, value) in LEVELS.into_iter().zip(statistics.quantiles) {
                prop_assert_eq!(Some(value).filter(|v| v.is_finite()), Quantile::of(&sample, level).seconds());
            }
            match sample.mean() {
                Some(mean) => prop_assert!((statistics.mean - mean).abs() < 1e-9),
                None => prop_assert!(!statistics.mean.is_finite()),
            }
        }
    }

    #[test]
    fn a_draw_has_as_many_values_as_there_are_and_only_those() {
        let (one, two) = (Sample::new([1.0, 2.0, 3.0], 1), Sample::new([10.0, 20.0, 30.0, 40.0], 0));
        let side = Side::of([&one, &two, &Sample::default()]);
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        let mut counts = vec![0; side.n()];
        let mut shares = std::collections::BTreeSet::new();
        for _ in 0..100 {
            side.draw(&mut random, &mut counts);
            assert_eq!(counts.iter().sum::<u32>(), 8);
            let of_one: u32 = side.groups[0].iter().map(|position| counts[*position as usize]).sum();
            shares.insert(of_one);
        }
        assert_eq!(shares.into_iter().collect::<Vec<_>>(), [0, 4, 8]);
    }

    #[test]
    fn the_same_values_give_the_same_draws() {
        let side = Side::of([&Sample::new((0..50).map(f64::from), 2)]);
        let all = || {
            let mut means = Vec::new();
            resample(&side, &side, |first, second| means.push((first.mean, second.quantiles[2])));
            means
        };
        assert_eq!(all(), all());
        assert_eq!(all().len(), RESAMPLES);
    }

    #[test]
    fn an_interval_of_the_mean_is_as_wide_as_theory_has_it() {
        // 400 values with standard deviation 1: the mean's is 0.05, so 99 % lie within 2.58 · 0.05 of it.
        let values = (0..400).map(|index| 10.0 + if index % 2 == 0 { 1.0 } else { -1.0 });
        let side = Side::of([&Sample::new(values, 0)]);
        let mut means = Vec::new();
        resample(&side, &side, |first, _| means.push(first.mean));
        let (low, high) = interval(&mut means);
        assert!((high - 10.0 - 0.129).abs() < 0.015 && (10.0 - low - 0.129).abs() < 0.015, "{low} {high}");
    }
}
