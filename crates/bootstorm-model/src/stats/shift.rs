//! Two runs against each other: by how much a statistic moved, and whether that is more than chance.
//!
//! Storms are the unit of sampling (see [`super::side`]). A statistic is *worse* where its probability without a
//! difference, adjusted by Holm over everything that is judged of the two runs, is below 5 %, and the ratio itself is
//! at least the minimum effect above 1; *better* the other way round; else *no difference shown*, which is not the same
//! as no difference. So a pair of runs that do not differ is called worse or better in at most 5 % of cases, however
//! much is compared. It is not judged where the data cannot carry it:
//!
//! - a side has fewer than three storms: by how much storms of the same cluster differ, only several tell;
//! - a side has fewer than 10 VMs;
//! - a percentile has fewer than 5 VMs above it on a side: p90 wants 50, p95 wants 100, p99 wants 500 VMs;
//! - the mean, where VMs are missing on a side: it is a mean of survivors. Percentiles then tell;
//! - a percentile that was not reached in a storm. The share of VMs that failed then tells.
//!
//! The share of VMs that failed is compared in the same way, of each storm on the scale of its arcsine, on which its
//! variance does not depend on it (Anscombe, Biometrika 35, 1948).

use serde::Serialize;

use super::side::{ENOUGH_STORMS, LEVELS, Side, Statistic, Unit, Welch, holm, logarithms, mean, welch};
use super::{Level, Share, maybe_micros};

/// Maximum share of pairs of identical runs in which anything is called worse or better.
pub const FAMILY_RATE: f64 = 0.05;

/// Direction of a change
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// The data does not support a judgement.
    #[default]
    Unjudged,
    /// Within chance and the minimum effect.
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

    /// The direction of several values: worse if any is, else better if any is.
    pub fn of_all(all: impl IntoIterator<Item = Self>) -> Self {
        all.into_iter().max().unwrap_or_default()
    }
}

/// A value and its 99 % interval; `None` if unavailable
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
    /// Seconds in the baseline, the geometric mean of its storms; `None` if not reached.
    #[serde(rename = "baseline_seconds", serialize_with = "maybe_micros")]
    pub baseline: Option<f64>,
    /// Seconds in the candidate; `None` if not reached.
    #[serde(rename = "candidate_seconds", serialize_with = "maybe_micros")]
    pub candidate: Option<f64>,
    /// `candidate − baseline`, in seconds, from the means of the storms; the interval is absent if a side has a single
    /// storm.
    pub difference: Estimate,
    /// `candidate ÷ baseline`; the interval likewise.
    pub ratio: Estimate,
    /// Probability of a ratio at least this far from 1 if there is no difference, unadjusted; absent if not judged.
    #[serde(skip)]
    pub p: Option<f64>,
    /// The same probability, adjusted over everything judged between the two runs.
    #[serde(rename = "p_value", serialize_with = "maybe_micros")]
    pub adjusted: Option<f64>,
    /// Direction.
    pub direction: Direction,
    /// Reason why it is not judged.
    pub unjudged: Option<&'static str>,
}

/// Minimum number of VMs on a side.
const ENOUGH: usize = 10;
/// Minimum number of VMs above a percentile.
const ENOUGH_ABOVE: usize = 5;

/// Reason why a percentile is not judged if a side is too small.
pub const TOO_FEW_ABOVE: &str = "too few VMs above it";
/// Reason why nothing is judged if a side has fewer than [`ENOUGH_STORMS`].
pub const TOO_FEW_STORMS: &str = "fewer than 3 storms on a side";

/// Reason why a statistic that depends on unobserved VMs is not judged.
pub const UNKNOWN_VMS: &str = "VMs of which it is unknown";

const NAMES: [&str; 5] = ["mean", "p50", "p90", "p95", "p99"];

impl Shift {
    /// The shift of every statistic, not yet judged (see [`judge`]).
    pub fn all(baseline: &Side, candidate: &Side) -> Vec<Self> {
        if baseline.n() == 0 || candidate.n() == 0 {
            return Vec::new();
        }
        let both = NAMES.into_iter().zip(Statistic::ALL);
        both.map(|(name, statistic)| Self::of(name, statistic, baseline, candidate)).collect()
    }

    fn of(name: &'static str, statistic: Statistic, baseline: &Side, candidate: &Side) -> Self {
        let (first, second) = (baseline.seconds(statistic), candidate.seconds(statistic));
        let typical = |units: &Option<Vec<Unit>>| {
            units.as_ref().map(|units| mean(logarithms(units).iter().map(|unit| unit.value)).exp())
        };
        let unjudged = unjudged(statistic, baseline, candidate);
        let mut shift = Self {
            statistic: name,
            baseline: typical(&first),
            candidate: typical(&second),
            difference: Estimate::default(),
            ratio: Estimate::default(),
            p: None,
            adjusted: None,
            direction: Direction::Unjudged,
            unjudged,
        };
        if let (Some(first), Some(second)) = (first, second) {
            let Welch { difference, half, .. } = welch(&first, &second);
            shift.difference = Estimate {
                value: Some(difference),
                low: half.map(|half| difference - half),
                high: half.map(|half| difference + half),
            };
            let Welch { difference, half, p } = welch(&logarithms(&first), &logarithms(&second));
            shift.ratio = Estimate {
                value: Some(difference.exp()),
                low: half.map(|half| (difference - half).exp()),
                high: half.map(|half| (difference + half).exp()),
            };
            shift.p = p.filter(|_| unjudged.is_none());
        }
        shift
    }
}

/// Share of failed VMs in two runs
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FailureShift {
    /// Failed VMs of the baseline.
    pub baseline: Share,
    /// Failed VMs of the candidate.
    pub candidate: Share,
    /// `candidate − baseline`, in percentage points.
    pub difference_percent: Estimate,
    /// As in [`Shift`].
    #[serde(skip)]
    pub p: Option<f64>,
    /// As in [`Shift`].
    #[serde(rename = "p_value", serialize_with = "maybe_micros")]
    pub adjusted: Option<f64>,
    /// Direction.
    pub direction: Direction,
}

impl FailureShift {
    /// Compares the shares of failed VMs of storms, not yet judged (see [`judge`]).
    pub fn of(baseline: &[Share], candidate: &[Share]) -> Self {
        let whole = |side: &[Share]| side.iter().copied().fold(Share::default(), Share::plus);
        let (first, second) = (whole(baseline), whole(candidate));
        let arcsines = |side: &[Share]| -> Vec<Unit> { side.iter().map(|share| arcsine(*share)).collect() };
        let p = welch(&arcsines(baseline), &arcsines(candidate)).p;
        let has_enough =
            first.all.min(second.all) >= ENOUGH && baseline.len().min(candidate.len()) >= ENOUGH_STORMS;
        let value = first.value().zip(second.value()).map(|(first, second)| (second - first) * 100.0);
        Self {
            baseline: first,
            candidate: second,
            difference_percent: Estimate { value, ..Estimate::default() },
            p: p.filter(|_| has_enough),
            adjusted: None,
            direction: Direction::Unjudged,
        }
    }
}

/// A share on the scale on which its variance does not depend on it.
fn arcsine(share: Share) -> Unit {
    let (some, all) = (share.some as f64, share.all as f64);
    let value = ((some + 0.375) / (all + 0.75)).sqrt().asin();
    Unit { value, within: 1.0 / (4.0 * all + 2.0) }
}

/// Judges every comparison of two runs, as one family; `min_effect` is a share: 0.05 for 5 %.
pub fn judge<'a>(
    shifts: impl IntoIterator<Item = &'a mut Shift>,
    failures: impl IntoIterator<Item = &'a mut FailureShift>,
    min_effect: f64,
) {
    let mut shifts: Vec<&mut Shift> = shifts.into_iter().filter(|shift| shift.p.is_some()).collect();
    let mut failures: Vec<&mut FailureShift> =
        failures.into_iter().filter(|shift| shift.p.is_some()).collect();
    let of_failures = failures.iter().filter_map(|shift| shift.p);
    let probabilities: Vec<f64> = shifts.iter().filter_map(|shift| shift.p).chain(of_failures).collect();
    let adjusted = holm(&probabilities);
    let direction = |adjusted: f64, is_worse: bool, is_better: bool| match () {
        () if adjusted < FAMILY_RATE && is_worse => Direction::Worse,
        () if adjusted < FAMILY_RATE && is_better => Direction::Better,
        () => Direction::NoDifference,
    };
    for (shift, adjusted) in shifts.iter_mut().zip(&adjusted) {
        let ratio = shift.ratio.value.unwrap_or(1.0);
        shift.adjusted = Some(*adjusted);
        shift.direction = direction(*adjusted, ratio >= 1.0 + min_effect, ratio <= 1.0 - min_effect);
    }
    for (shift, adjusted) in failures.iter_mut().zip(&adjusted[shifts.len()..]) {
        let value = shift.difference_percent.value.unwrap_or_default();
        shift.adjusted = Some(*adjusted);
        shift.direction = direction(*adjusted, value > 0.0, value < 0.0);
    }
}

/// Reason why a statistic is not judged.
fn unjudged(statistic: Statistic, baseline: &Side, candidate: &Side) -> Option<&'static str> {
    let fewest = baseline.n().min(candidate.n());
    let above = |level: Level| fewest - level.rank(fewest);
    let missing = baseline.missing() + candidate.missing() > 0;
    let sides = [baseline, candidate];
    match statistic {
        _ if sides.iter().any(|side| side.is_unknown(statistic)) => Some(UNKNOWN_VMS),
        Statistic::Quantile(level) if level > LEVELS[0] && above(level) < ENOUGH_ABOVE => Some(TOO_FEW_ABOVE),
        _ if fewest < ENOUGH => Some("fewer than 10 VMs"),
        Statistic::Mean if missing => Some("VMs that did not reach it"),
        _ if sides.iter().any(|side| side.is_unreached(statistic)) => {
            Some("storms in which it was not reached")
        }
        _ if baseline.storms().min(candidate.storms()) < ENOUGH_STORMS => Some(TOO_FEW_STORMS),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::Xoshiro256PlusPlus;
    use rand::{RngExt, SeedableRng};

    use super::*;
    use crate::stats::Sample;

    #[test]
    fn vms_that_could_not_be_observed_make_nothing_better() {
        use crate::stats::Arrival;
        let all = |slow: Arrival| -> Vec<Sample> {
            let fast = (0..80).map(|vm| Arrival::After(10.0 + f64::from(vm) / 100.0));
            vec![Sample::of(fast.chain([slow; 20])); 3]
        };
        let (seen, blind) = (all(Arrival::After(60.0)), all(Arrival::Undecided));
        let shifts = Shift::all(&Side::of(&seen), &Side::of(&blind));
        let unjudged: Vec<&str> = shifts
            .iter()
            .filter(|shift| shift.unjudged == Some(UNKNOWN_VMS))
            .map(|shift| shift.statistic)
            .collect();
        assert_eq!(unjudged, ["mean", "p90", "p95", "p99"]);
        assert_eq!((shifts[3].candidate, shifts[3].p), (None, None));
        // The median is among VMs that are known; it is an upper bound only if nobody else may come before.
        assert_eq!(shifts[1].unjudged, Some(UNKNOWN_VMS).filter(|_| shifts[1].candidate.is_none()));
    }

    /// Distribution of VM times in a storm.
    #[derive(Clone, Copy, Debug)]
    enum Crowd {
        Lognormal(f64),
        Exponential,
        /// Bimodal: all but this share of the VMs take twice as long.
        Bimodal(f64),
        /// This share of VMs is missing, the others are lognormal with 10 %.
        Censored(f64),
    }

    fn normal(random: &mut Xoshiro256PlusPlus) -> f64 {
        let (u, v) = (1.0 - random.random::<f64>(), random.random::<f64>());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }

    impl Crowd {
        fn boot(self, random: &mut Xoshiro256PlusPlus) -> f64 {
            match self {
                Self::Lognormal(spread) => (spread * normal(random)).exp(),
                Self::Exponential => 0.2 - (1.0 - random.random::<f64>()).ln(),
                Self::Bimodal(fast) => {
                    let base = if random.random::<f64>() < fast { 1.0 } else { 2.0 };
                    base * (0.05 * normal(random)).exp()
                }
                Self::Censored(missing) if random.random::<f64>() < missing => f64::NAN,
                Self::Censored(_) => (0.1 * normal(random)).exp(),
            }
        }

        fn storm(self, vms: usize, scale: f64, random: &mut Xoshiro256PlusPlus) -> Sample {
            Sample::new((0..vms).map(|_| scale * self.boot(random)).collect::<Vec<_>>(), 0)
        }

        /// Several storms of 50 VMs that differ from each other by `between`.
        fn side(
            self,
            storms: usize,
            between: f64,
            factor: f64,
            random: &mut Xoshiro256PlusPlus,
        ) -> Vec<Sample> {
            let storm = |_| {
                let scale = 10.0 * factor * (between * normal(random)).exp();
                self.storm(50, scale, random)
            };
            (0..storms).map(storm).collect()
        }
    }

    /// Result of a number of trials
    #[derive(Debug, Default)]
    struct Rates {
        trials: usize,
        /// Number of intervals, and of those that missed the true ratio.
        intervals: usize,
        missed: usize,
        /// Trials in which anything was called worse, or better.
        worse: usize,
        better: usize,
    }

    impl Rates {
        /// A run has a storm with two milestones and a stop, as in a comparison of two runs.
        fn of(crowd: Crowd, storms: usize, between: f64, factor: f64, trials: u64) -> Self {
            let mut rates = Self::default();
            for trial in 0..trials {
                let mut random = Xoshiro256PlusPlus::seed_from_u64(trial * 7919 + storms as u64);
                let mut shifts = Vec::new();
                let one = crowd.side(storms, between, 1.0, &mut random);
                let other = crowd.side(storms, between, factor, &mut random);
                let later = |side: &[Sample]| -> Vec<Sample> {
                    let slower = |storm: &Sample| {
                        Sample::new(storm.values().iter().map(|value| value * 1.3), storm.missing())
                    };
                    side.iter().map(slower).collect()
                };
                for (first, second) in [(&one, &other), (&later(&one), &later(&other))] {
                    shifts.extend(Shift::all(&Side::of(first), &Side::of(second)));
                }
                let stops = [0, 1].map(|_| crowd.side(storms, between, 1.0, &mut random));
                let truth = shifts.len();
                shifts.extend(Shift::all(&Side::of(&stops[0]), &Side::of(&stops[1])));
                judge(&mut shifts, [], 0.05);
                rates.trials += 1;
                for (index, shift) in shifts.iter().enumerate().filter(|(_, shift)| shift.unjudged.is_none())
                {
                    let true_ratio = if index < truth { factor } else { 1.0 };
                    let (low, high) = (shift.ratio.low.unwrap(), shift.ratio.high.unwrap());
                    rates.intervals += 1;
                    rates.missed += usize::from(!(low..=high).contains(&true_ratio));
                }
                let any = |direction| shifts.iter().any(|shift| shift.direction == direction);
                rates.worse += usize::from(any(Direction::Worse));
                rates.better += usize::from(any(Direction::Better));
            }
            rates
        }

        /// Whether misses and false alarms are within 1.5 times nominal plus three standard errors.
        fn are_nominal(&self) -> bool {
            let within = |some: usize, all: usize, nominal: f64| {
                let rate = 1.5 * nominal;
                some as f64 <= rate * all as f64 + 3.0 * (rate * all as f64).sqrt()
            };
            // The intervals of a trial are strongly dependent: the uncertainty is that of the number of trials.
            let missed = self.missed as f64 / self.intervals.max(1) as f64 * self.trials as f64;
            within(missed as usize, self.trials, 1.0 - super::super::side::CONFIDENCE)
                && within(self.worse + self.better, self.trials, FAMILY_RATE)
        }
    }

    const CROWDS: [Crowd; 6] = [
        Crowd::Lognormal(0.1),
        Crowd::Lognormal(0.3),
        Crowd::Exponential,
        Crowd::Bimodal(0.7),
        Crowd::Bimodal(0.5),
        Crowd::Censored(0.05),
    ];

    #[test]
    fn errors_are_as_rare_as_they_are_said_to_be() {
        // BOOTSTORM_TRIALS=2000 gives the figures of docs/measurements.md, with --nocapture.
        let trials = std::env::var("BOOTSTORM_TRIALS").ok().and_then(|text| text.parse().ok()).unwrap_or(40);
        for crowd in CROWDS {
            for storms in [3, 5, 10] {
                for between in [0.0, 0.02, 0.05, 0.15] {
                    let rates = Rates::of(crowd, storms, between, 1.0, trials);
                    if trials > 100 {
                        let percent = |some: usize, all: usize| 100.0 * some as f64 / all.max(1) as f64;
                        println!(
                            "{crowd:?} storms {storms} between {between}: misses {:.2} worse {:.2} better {:.2}",
                            percent(rates.missed, rates.intervals),
                            percent(rates.worse, rates.trials),
                            percent(rates.better, rates.trials),
                        );
                    }
                    assert!(
                        rates.are_nominal(),
                        "{crowd:?}, {storms} storms, {between} between them: {rates:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_slower_storm_is_found_where_storms_are_alike_enough() {
        let trials = std::env::var("BOOTSTORM_TRIALS").ok().and_then(|text| text.parse().ok()).unwrap_or(20);
        for (between, storms, at_least) in
            [(0.02, 3, 60), (0.02, 5, 95), (0.05, 3, 0), (0.05, 5, 40), (0.05, 10, 90)]
        {
            let found = Rates::of(Crowd::Lognormal(0.1), storms, between, 1.15, trials);
            let percent = 100 * found.worse / found.trials;
            if trials > 100 {
                println!("15 % slower, {storms} storms, {between} between: found {percent} %");
            }
            assert!(percent >= at_least, "{storms} storms, {between} between: {percent} %");
        }
    }

    #[test]
    fn fewer_than_three_storms_a_side_only_describe() {
        let random = &mut Xoshiro256PlusPlus::seed_from_u64(1);
        let twice = Crowd::Lognormal(0.1).side(5, 0.0, 2.0, random);
        for storms in [1, 2] {
            let few = Crowd::Lognormal(0.1).side(storms, 0.0, 1.0, random);
            let mut shifts = Shift::all(&Side::of(&few), &Side::of(&twice));
            judge(&mut shifts, [], 0.05);
            for shift in &shifts[..3] {
                assert_eq!((shift.direction, shift.unjudged), (Direction::Unjudged, Some(TOO_FEW_STORMS)));
                assert!((shift.ratio.value.unwrap() - 2.0).abs() < 0.3, "{shift:?}");
                assert_eq!(shift.ratio.low.is_some(), storms > 1, "an interval needs two storms: {shift:?}");
            }
        }
    }

    #[test]
    fn failures_are_judged_by_storms_too() {
        let judged = |first: &[(usize, usize)], second: &[(usize, usize)]| {
            let shares = |side: &[(usize, usize)]| -> Vec<Share> {
                side.iter().map(|(some, all)| Share { some: *some, all: *all }).collect()
            };
            let mut shift = FailureShift::of(&shares(first), &shares(second));
            judge([], [&mut shift], 0.05);
            shift.direction
        };
        assert_eq!(judged(&[(0, 100)], &[(20, 100)]), Direction::Unjudged);
        assert_eq!(judged(&[(0, 100); 2], &[(20, 100); 3]), Direction::Unjudged, "fewer than 3 storms");
        assert_eq!(judged(&[(0, 3); 3], &[(3, 3); 3]), Direction::Unjudged, "fewer than 10 VMs");
        assert_eq!(judged(&[(0, 100); 3], &[(20, 100); 3]), Direction::Worse);
        assert_eq!(judged(&[(20, 100); 3], &[(0, 100); 3]), Direction::Better);
        assert_eq!(judged(&[(1, 100); 3], &[(2, 100); 3]), Direction::NoDifference);
        // One bad storm is not a pattern.
        let one_bad = [(0, 100), (0, 100), (60, 100)];
        assert_eq!(judged(&[(0, 100); 3], &one_bad), Direction::NoDifference);
    }

    #[test]
    fn small_effects_need_to_be_wanted() {
        let side = |factor: f64| {
            let storm = |shift: f64| {
                Sample::new((0..200).map(|i| factor * (10.0 + shift + f64::from(i % 10) / 100.0)), 0)
            };
            Side::of(&[0.0, 0.01, 0.02].map(storm))
        };
        let p50 = |first: f64, second: f64, min_effect: f64| {
            let mut shifts = Shift::all(&side(first), &side(second));
            judge(&mut shifts, [], min_effect);
            shifts[1].direction
        };
        assert_eq!(p50(1.0, 1.03, 0.05), Direction::NoDifference);
        assert_eq!(p50(1.0, 1.03, 0.01), Direction::Worse);
        assert_eq!(p50(1.03, 1.0, 0.01), Direction::Better);
    }

    #[test]
    fn statistics_that_the_data_cannot_carry_are_not_judged() {
        let judged = |n: u32, missing: usize| {
            let sample = Sample::new((0..n).map(f64::from), missing);
            let side = Side::of([&sample; 3]);
            let shifts = Shift::all(&side, &side).into_iter();
            shifts.filter(|shift| shift.unjudged.is_none()).map(|shift| shift.statistic).collect::<Vec<_>>()
        };
        assert_eq!(judged(3, 0), [""; 0]);
        assert_eq!(judged(4, 0), ["mean", "p50"]);
        assert_eq!(judged(17, 0), ["mean", "p50", "p90"]);
        assert_eq!(judged(34, 0), ["mean", "p50", "p90", "p95"]);
        assert_eq!(judged(167, 0), NAMES);
        assert_eq!(judged(44, 6), ["p50"], "the mean is one of survivors, p90 was not reached");
        assert!(Shift::all(&Side::default(), &Side::default()).is_empty());
    }
}
