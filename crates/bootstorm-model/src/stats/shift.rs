//! Two runs against each other: by how much a statistic moved, and whether that is more than chance.
//!
//! A statistic is *worse* where the 99 % interval of `candidate ÷ baseline` lies above 1 and the ratio itself is at least
//! the minimum effect above 1; *better* the other way round; else *no difference shown*, which is not the same as no
//! difference. It is not judged where the data cannot carry it:
//!
//! - a side has fewer than 10 VMs;
//! - a percentile has fewer than 5 VMs above it on a side: p90 wants 50, p95 wants 100, p99 wants 500 VMs;
//! - the mean, where VMs are missing on a side: it is a mean of survivors. Percentiles then tell.
//!
//! The share of VMs that failed is compared by Newcombe's interval (see [`Share`]), also at 99 %.
//!
//! The VMs of one storm share one cluster at one time. An interval from a single storm on each side tells that these two
//! storms differ; whether two *configurations* differ, only repeated storms tell.

use serde::Serialize;

use super::bootstrap::{LEVELS, RESAMPLES, Side, Statistics, interval, resample};
use super::{Level, Share, maybe_micros};

/// Which way something went
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// The data cannot carry a judgement.
    #[default]
    Unjudged,
    /// Less than chance and the minimum effect allow for.
    NoDifference,
    /// Faster, or fewer failures.
    Better,
    /// Slower, or more failures.
    Worse,
}

impl Direction {
    /// The words used in tables.
    pub fn words(self) -> &'static str {
        match self {
            Self::Unjudged => "not judged",
            Self::NoDifference => "no difference shown",
            Self::Better => "better",
            Self::Worse => "worse",
        }
    }

    /// The direction of several things: worse if any is, else better if any is.
    pub fn of_all(all: impl IntoIterator<Item = Self>) -> Self {
        all.into_iter().max().unwrap_or_default()
    }
}

/// A value and its 99 % interval; `None` stands for infinite, or for a value that is not there
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Estimate {
    /// The value.
    #[serde(serialize_with = "maybe_micros")]
    pub value: Option<f64>,
    /// Lower end.
    #[serde(serialize_with = "maybe_micros")]
    pub low: Option<f64>,
    /// Upper end.
    #[serde(serialize_with = "maybe_micros")]
    pub high: Option<f64>,
}

/// One statistic in two runs
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Shift {
    /// `mean`, `p50`, `p90`, `p95` or `p99`.
    pub statistic: &'static str,
    /// Seconds in the baseline; `None` when not reached.
    #[serde(rename = "baseline_seconds", serialize_with = "maybe_micros")]
    pub baseline: Option<f64>,
    /// Seconds in the candidate; `None` when not reached.
    #[serde(rename = "candidate_seconds", serialize_with = "maybe_micros")]
    pub candidate: Option<f64>,
    /// `candidate − baseline`, in seconds.
    pub difference: Estimate,
    /// `candidate ÷ baseline`.
    pub ratio: Estimate,
    /// Which way it went.
    pub direction: Direction,
    /// Why it is not judged.
    pub unjudged: Option<&'static str>,
}

/// The fewest VMs on a side.
const ENOUGH: usize = 10;
/// The fewest VMs above a percentile.
const ENOUGH_ABOVE: usize = 5;

/// Why a percentile of too small a side is not judged.
pub const TOO_FEW_ABOVE: &str = "too few VMs above it";

const NAMES: [&str; 5] = ["mean", "p50", "p90", "p95", "p99"];

impl Shift {
    /// The shift of every statistic; `min_effect` is a share: 0.05 for 5 %.
    pub fn all(baseline: &Side, candidate: &Side, min_effect: f64) -> Vec<Self> {
        if baseline.n() == 0 || candidate.n() == 0 {
            return Vec::new();
        }
        let mut ratios = NAMES.map(|_| Vec::with_capacity(RESAMPLES));
        let mut differences = ratios.clone();
        resample(baseline, candidate, |first, second| {
            for (index, (first, second)) in flat(first).into_iter().zip(flat(second)).enumerate() {
                ratios[index].push(ratio(first, second));
                differences[index].push(difference(first, second));
            }
        });
        let (first, second) = (flat(&baseline.statistics()), flat(&candidate.statistics()));
        let draws = ratios.iter_mut().zip(&mut differences);
        let shifts =
            NAMES.into_iter().zip(draws).enumerate().map(|(index, (statistic, (ratios, differences)))| {
                let (first, second) = (first[index], second[index]);
                let estimate = |value: f64, draws: &mut [f64]| {
                    let (low, high) = interval(draws);
                    let finite = |value: f64| Some(value).filter(|value| value.is_finite());
                    (Estimate { value: finite(value), low: finite(low), high: finite(high) }, low, high)
                };
                let known = |value: f64| Some(value).filter(|value| value.is_finite());
                let point = ratio(first, second);
                let (ratio, low, high) = estimate(point, ratios);
                let (difference, ..) = estimate(difference(first, second), differences);
                let unjudged = unjudged(index, baseline, candidate).or_else(|| {
                    (first.is_infinite() && second.is_infinite()).then_some("not reached on either side")
                });
                let direction = match unjudged {
                    Some(_) => Direction::Unjudged,
                    None if low > 1.0 && point >= 1.0 + min_effect => Direction::Worse,
                    None if high < 1.0 && point <= 1.0 - min_effect => Direction::Better,
                    None => Direction::NoDifference,
                };
                Self {
                    statistic,
                    baseline: known(first),
                    candidate: known(second),
                    difference,
                    ratio: if first.is_infinite() && second.is_infinite() {
                        Estimate::default()
                    } else {
                        ratio
                    },
                    direction,
                    unjudged,
                }
            });
        shifts.collect()
    }
}

/// The share of VMs that failed, in two runs
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FailureShift {
    /// Failed VMs of the baseline.
    pub baseline: Share,
    /// Failed VMs of the candidate.
    pub candidate: Share,
    /// `candidate − baseline`, in percentage points.
    pub difference_percent: Estimate,
    /// Which way it went.
    pub direction: Direction,
}

impl FailureShift {
    /// Compares two shares of failed VMs.
    pub fn of(baseline: Share, candidate: Share) -> Self {
        let value = baseline.value().zip(candidate.value()).map(|(first, second)| (second - first) * 100.0);
        let interval = baseline.difference(candidate);
        let direction = match interval {
            None => Direction::Unjudged,
            Some(_) if baseline.all.min(candidate.all) < ENOUGH => Direction::Unjudged,
            Some((low, _)) if low > 0.0 => Direction::Worse,
            Some((_, high)) if high < 0.0 => Direction::Better,
            Some(_) => Direction::NoDifference,
        };
        let difference_percent = Estimate {
            value,
            low: interval.map(|(low, _)| low * 100.0),
            high: interval.map(|(_, high)| high * 100.0),
        };
        Self { baseline, candidate, difference_percent, direction }
    }
}

fn flat(statistics: &Statistics) -> [f64; 5] {
    let [p50, p90, p95, p99] = statistics.quantiles;
    [statistics.mean, p50, p90, p95, p99]
}

/// `second ÷ first`; two values that were not reached tell nothing, as two zeros do.
fn ratio(first: f64, second: f64) -> f64 {
    let ratio = second / first;
    if ratio.is_nan() { 1.0 } else { ratio }
}

fn difference(first: f64, second: f64) -> f64 {
    let difference = second - first;
    if difference.is_nan() { 0.0 } else { difference }
}

/// Why a statistic is not judged.
fn unjudged(index: usize, baseline: &Side, candidate: &Side) -> Option<&'static str> {
    let fewest = baseline.n().min(candidate.n());
    let above = |level: Level| fewest - level.rank(fewest);
    match index.checked_sub(1).map(|index| LEVELS[index]) {
        Some(level) if level > Level::P50 && above(level) < ENOUGH_ABOVE => Some(TOO_FEW_ABOVE),
        _ if fewest < ENOUGH => Some("fewer than 10 VMs"),
        None if baseline.missing() + candidate.missing() > 0 => Some("missing VMs"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::Xoshiro256PlusPlus;
    use rand::{RngExt, SeedableRng};

    use super::*;
    use crate::stats::Sample;

    /// Boot times: lognormal around `median`, with a standard deviation of about `spread` of it.
    fn boots(n: usize, median: f64, spread: f64, random: &mut Xoshiro256PlusPlus) -> Sample {
        let mut normal = || (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0;
        Sample::new((0..n).map(|_| median * (spread * normal()).exp()), 0)
    }

    /// How often a comparison of 100 VMs with 100 VMs comes out worse and better: by the median, and by any statistic.
    fn rates(trials: u64, factor: f64, spread: f64) -> [usize; 4] {
        let mut counts = [0; 4];
        for trial in 0..trials {
            let mut random = Xoshiro256PlusPlus::seed_from_u64(trial);
            let before = Side::of([&boots(100, 10.0, spread, &mut random)]);
            let after = Side::of([&boots(100, 10.0 * factor, spread, &mut random)]);
            let shifts = Shift::all(&before, &after, 0.05);
            let directions = shifts.iter().map(|shift| shift.direction);
            counts[0] += usize::from(shifts[1].direction == Direction::Worse);
            counts[1] += usize::from(shifts[1].direction == Direction::Better);
            counts[2] += usize::from(directions.clone().any(|direction| direction == Direction::Worse));
            counts[3] += usize::from(directions.clone().any(|direction| direction == Direction::Better));
        }
        counts
    }

    #[test]
    fn a_tenth_is_found_in_a_hundred_vms_and_noise_is_not() {
        let [_, median_better, worse, better] = rates(25, 1.1, 0.15);
        assert!(worse >= 24, "{worse} of 25 shifts were found");
        assert_eq!((median_better, better), (0, 0));
        let [_, _, worse, better] = rates(25, 1.0, 0.15);
        assert!(worse + better <= 2, "{worse} worse and {better} better of 25 without a shift");
        let [_, _, worse, better] = rates(10, 0.9, 0.15);
        assert!(worse == 0 && better >= 9, "{worse} {better}");
    }

    /// The figures in docs/measurements.md: `cargo test --lib error_rates -- --ignored --nocapture`.
    #[test]
    #[ignore = "takes a minute; prints the figures of the documentation"]
    fn error_rates() {
        for (factor, spread) in [(1.0, 0.10), (1.0, 0.15), (1.1, 0.10), (1.1, 0.15), (1.05, 0.15)] {
            let [median_worse, median_better, worse, better] = rates(500, factor, spread);
            println!(
                "factor {factor} spread {spread}: median worse {median_worse} better {median_better}, any worse {worse} better {better} of 500"
            );
        }
    }

    #[test]
    fn failures_of_few_vms_are_not_judged() {
        let share = |some, all| Share { some, all };
        let direction = |first, second| FailureShift::of(first, second).direction;
        assert_eq!(direction(share(0, 9), share(9, 9)), Direction::Unjudged);
        assert_eq!(direction(share(0, 100), share(20, 100)), Direction::Worse);
        assert_eq!(direction(share(20, 100), share(0, 100)), Direction::Better);
        assert_eq!(direction(share(1, 100), share(2, 100)), Direction::NoDifference);
    }

    #[test]
    fn small_effects_need_to_be_wanted() {
        let sample =
            |factor: f64| Sample::new((0..200).map(|i| factor * (10.0 + f64::from(i % 10) / 100.0)), 0);
        let (before, after) = (Side::of([&sample(1.0)]), Side::of([&sample(1.03)]));
        assert_eq!(Shift::all(&before, &after, 0.05)[1].direction, Direction::NoDifference);
        assert_eq!(Shift::all(&before, &after, 0.01)[1].direction, Direction::Worse);
        assert_eq!(Shift::all(&after, &before, 0.01)[1].direction, Direction::Better);
    }

    #[test]
    fn missing_vms_are_slower_than_any() {
        let before = Side::of([&Sample::new((0..100).map(|i| 10.0 + f64::from(i) / 100.0), 0)]);
        let after = Side::of([&Sample::new((0..70).map(|i| 10.0 + f64::from(i) / 100.0), 30)]);
        let shifts = Shift::all(&before, &after, 0.05);
        let found = |name: &str| *shifts.iter().find(|shift| shift.statistic == name).unwrap();
        assert_eq!(
            (found("mean").direction, found("mean").unjudged),
            (Direction::Unjudged, Some("missing VMs"))
        );
        let p90 = found("p90");
        assert_eq!((p90.candidate, p90.ratio.value, p90.direction), (None, None, Direction::Worse));
        assert_eq!(found("p50").direction, Direction::NoDifference);
        let shifts = Shift::all(&after, &after, 0.05);
        assert_eq!(
            (shifts[3].direction, shifts[3].unjudged),
            (Direction::Unjudged, Some("not reached on either side"))
        );
    }

    #[test]
    fn statistics_that_the_data_cannot_carry_are_not_judged() {
        let judged = |n: u32| {
            let side = Side::of([&Sample::new((0..n).map(f64::from), 0)]);
            let shifts = Shift::all(&side, &side, 0.05);
            shifts
                .iter()
                .filter(|shift| shift.unjudged.is_none())
                .map(|shift| shift.statistic)
                .collect::<Vec<_>>()
        };
        assert_eq!(judged(9), [""; 0]);
        assert_eq!(judged(10), ["mean", "p50"]);
        assert_eq!(judged(50), ["mean", "p50", "p90"]);
        assert_eq!(judged(100), ["mean", "p50", "p90", "p95"]);
        assert_eq!(judged(500), NAMES);
        assert!(Shift::all(&Side::default(), &Side::default(), 0.05).is_empty());
    }

    #[test]
    fn storms_that_differ_widen_the_interval() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(7);
        let storms: Vec<Sample> =
            [9.0, 10.0, 11.0].map(|median| boots(100, median, 0.02, &mut random)).into();
        let alike: Vec<Sample> = [10.0; 3].map(|median| boots(100, median, 0.02, &mut random)).into();
        let width = |side: &[Sample]| {
            let ratio = Shift::all(&Side::of(&alike), &Side::of(side), 0.05)[0].ratio;
            ratio.high.unwrap() - ratio.low.unwrap()
        };
        assert!(width(&storms) > 5.0 * width(&alike), "{} {}", width(&storms), width(&alike));
    }
}
