//! Quantiles of samples with missing values, by nearest rank.
//!
//! The only definition in use for the times of VMs: with `n` values, the missing ones included and sorted after all
//! others, the quantile at level `p` is the value of rank `⌈p · n⌉` (from 1). If that rank falls among the missing, the
//! quantile is *not reached*: it is larger than anything observed. So with 4 of 100 missing, p95 is a number; with 6 it
//! is not. VMs of which nobody knows whether they arrived count as well, between the two: there, the quantile is
//! *unknown*. Below, it is a number that holds at the latest. Every
//! quantile is a value that some VM actually took, and means "this share of the VMs was there after this many seconds",
//! which is the question about recovery time.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Sample, round_to_micros};

/// A level between 0 and 1, in ten-thousandths, so that ranks are exact
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(u16);

impl Level {
    /// Minimum.
    pub const P0: Self = Self(0);
    /// 10th percentile.
    pub const P10: Self = Self(1_000);
    /// The median.
    pub const P50: Self = Self(5_000);
    /// 90th percentile.
    pub const P90: Self = Self(9_000);
    /// 95th percentile.
    pub const P95: Self = Self(9_500);
    /// 99th percentile.
    pub const P99: Self = Self(9_900);
    /// Maximum.
    pub const P100: Self = Self(10_000);

    /// The level of a percentage, rounded to hundredths of a percent; `None` outside 0 to 100.
    pub fn percent(percent: f64) -> Option<Self> {
        (0.0..=100.0).contains(&percent).then(|| Self((percent * 100.0).round() as u16))
    }

    /// The rank, from 1, in a sample of `n`: `⌈p · n⌉`, at least 1.
    pub fn rank(self, n: usize) -> usize {
        (usize::from(self.0) * n).div_ceil(10_000).max(1)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&(f64::from(self.0) / 100.0).to_string())
    }
}

/// A quantile in seconds, or the statement that too few VMs arrived, or that it is unknown
///
/// Serialised as a number, or as `null` if not reached or unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq, PartialOrd)]
pub enum Quantile {
    /// This many seconds.
    At(f64),
    /// The rank falls among the missing values, or the sample is empty.
    #[default]
    NotReached,
    /// It depends on times that were lost, or on VMs that were not waited for.
    Unknown,
}

impl Quantile {
    /// The quantile of a sample at a level.
    pub fn of(sample: &Sample, level: Level) -> Self {
        let open = sample.open();
        let rank = level.rank(sample.n() + open);
        let at = |values: &[f64]| values.get(rank - 1).copied();
        let Some(latest) = at(sample.values()) else {
            // Whoever may have arrived comes before whoever certainly did not.
            return if rank <= sample.arrived() + open { Self::Unknown } else { Self::NotReached };
        };
        let mut earliest = [sample.values(), sample.later()].concat();
        earliest.sort_unstable_by(f64::total_cmp);
        if at(&earliest) == Some(latest) { Self::At(latest) } else { Self::Unknown }
    }

    /// The median of the figures of several storms: of an even number of them, the mean of the two in the middle.
    ///
    /// Figures that were not reached come last. With few storms, the nearest rank would be the smaller of the two.
    pub fn median(figures: impl IntoIterator<Item = Self>) -> Self {
        let figures: Vec<Self> = figures.into_iter().collect();
        let with = |unknown: f64| {
            let seconds = figures.iter().map(|figure| match figure {
                Self::At(seconds) => *seconds,
                Self::NotReached => f64::INFINITY,
                Self::Unknown => unknown,
            });
            let mut all: Vec<f64> = seconds.collect();
            all.sort_unstable_by(f64::total_cmp);
            let (low, high) = (all.get(all.len().checked_sub(1)? / 2)?, all.get(all.len() / 2)?);
            Some(f64::midpoint(*low, *high))
        };
        match (with(0.0), with(f64::INFINITY)) {
            (Some(least), Some(most)) if least.total_cmp(&most).is_ne() => Self::Unknown,
            (Some(median), _) if median.is_finite() => Self::At(median),
            _ => Self::NotReached,
        }
    }

    /// Seconds, if reached.
    pub fn seconds(self) -> Option<f64> {
        match self {
            Self::At(seconds) => Some(seconds),
            Self::NotReached | Self::Unknown => None,
        }
    }

    /// `not reached` or `unknown`, if there is no value.
    pub fn missing(self) -> Option<&'static str> {
        match self {
            Self::At(_) => None,
            Self::NotReached => Some("not reached"),
            Self::Unknown => Some("unknown"),
        }
    }
}

impl Serialize for Quantile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::At(seconds) => serializer.serialize_f64(round_to_micros(*seconds)),
            Self::NotReached | Self::Unknown => serializer.serialize_none(),
        }
    }
}

impl<'de> Deserialize<'de> for Quantile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds: Option<f64> = Option::deserialize(deserializer)?;
        Ok(seconds.map_or(Self::NotReached, Self::At))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbered(arrived: u32, missing: usize) -> Sample {
        Sample::new((1..=arrived).map(f64::from), missing)
    }

    #[test]
    fn four_of_a_hundred_missing_leave_p95_and_six_do_not() {
        assert_eq!(Quantile::of(&numbered(96, 4), Level::P95), Quantile::At(95.0));
        assert_eq!(Quantile::of(&numbered(95, 5), Level::P95), Quantile::At(95.0));
        assert_eq!(Quantile::of(&numbered(94, 6), Level::P95), Quantile::NotReached);
    }

    #[test]
    fn one_value_is_every_quantile_and_none_is_no_quantile() {
        assert_eq!(Quantile::of(&numbered(1, 0), Level::P50), Quantile::At(1.0));
        assert_eq!(Quantile::of(&numbered(1, 0), Level::P100), Quantile::At(1.0));
        assert_eq!(Quantile::of(&Sample::default(), Level::P50), Quantile::NotReached);
    }

    #[test]
    fn a_quantile_is_known_as_far_as_it_does_not_depend_on_vms_that_were_not_waited_for() {
        use crate::stats::Arrival::{After, Later, Missing};
        let known = (1..=17).map(|seconds| After(f64::from(seconds)));
        let sample = Sample::of(known.chain([Later(16.5), Later(20.0), Missing]));
        let quantiles =
            [50.0, 80.0, 85.0, 90.0, 95.0, 100.0].map(|p| Quantile::of(&sample, Level::percent(p).unwrap()));
        let (known, unknown) = (Quantile::At, Quantile::Unknown);
        assert_eq!(quantiles, [known(10.0), known(16.0), unknown, unknown, unknown, Quantile::NotReached]);
    }

    #[test]
    fn where_nobody_knows_who_arrived_a_quantile_is_unknown() {
        use crate::stats::Arrival::{After, Missing, Undecided};
        let known = (1..=14).map(|seconds| After(f64::from(seconds)));
        let sample = Sample::of(known.chain([Undecided; 5]).chain([Missing]));
        assert_eq!((sample.n(), sample.unknown()), (15, 5));
        let quantiles =
            [50.0, 70.0, 75.0, 95.0, 100.0].map(|p| Quantile::of(&sample, Level::percent(p).unwrap()));
        let (known, unknown) = (Quantile::At, Quantile::Unknown);
        assert_eq!(quantiles, [known(10.0), known(14.0), unknown, unknown, Quantile::NotReached]);
    }

    #[test]
    fn the_median_of_storms_is_between_the_two_in_the_middle() {
        use Quantile::{At, NotReached, Unknown};
        assert_eq!(Quantile::median([]), NotReached);
        assert_eq!(Quantile::median([At(3.0)]), At(3.0));
        assert_eq!(Quantile::median([At(4.0), At(2.0)]), At(3.0));
        assert_eq!(Quantile::median([At(4.0), At(9.0), At(2.0)]), At(4.0));
        assert_eq!(Quantile::median([At(4.0), NotReached, At(2.0), At(3.0)]), At(3.5));
        assert_eq!(Quantile::median([At(4.0), NotReached]), NotReached);
        assert_eq!(Quantile::median([At(4.0), Unknown, At(2.0)]), Unknown);
        assert_eq!(Quantile::median([At(4.0), Unknown, At(4.0)]), At(4.0));
    }

    #[test]
    fn ranks_are_exact_where_floats_are_not() {
        let seven = Level::percent(7.0).unwrap();
        assert_eq!(seven.rank(100), 7);
        assert_eq!(Level::percent(99.9).unwrap().to_string(), "99.9");
        assert_eq!(Level::percent(100.5), None);
    }

    /// Walks up the sample until the share of values seen is large enough.
    fn naive(values: &[f64], missing: usize, level: u16) -> Quantile {
        let mut all: Vec<f64> = values.to_vec();
        all.extend(std::iter::repeat_n(f64::INFINITY, missing));
        all.sort_by(f64::total_cmp);
        let found = (0..all.len()).find(|seen| (seen + 1) * 10_000 >= usize::from(level) * all.len());
        found
            .map(|index| all[index])
            .filter(|value| value.is_finite())
            .map_or(Quantile::NotReached, Quantile::At)
    }

    proptest! {
        #[test]
        fn agrees_with_the_naive_reference(
            values in prop::collection::vec(0.0..1000.0f64, 0..60), missing in 0usize..20, level in 0u16..=10_000,
        ) {
            let sample = Sample::new(values.iter().copied(), missing);
            prop_assert_eq!(Quantile::of(&sample, Level(level)), naive(&values, missing, level));
        }

        #[test]
        fn grows_with_the_level_and_stays_within_the_values(
            values in prop::collection::vec(0.0..1000.0f64, 1..60), missing in 0usize..20,
            a in 0u16..=10_000, b in 0u16..=10_000,
        ) {
            let sample = Sample::new(values, missing);
            let (low, high) = (Quantile::of(&sample, Level(a.min(b))), Quantile::of(&sample, Level(a.max(b))));
            prop_assert!(low <= high, "{low:?} above {high:?}");
            if let Quantile::At(seconds) = low {
                prop_assert!(sample.min() <= Some(seconds) && Some(seconds) <= sample.max());
            }
        }

        #[test]
        fn a_missing_value_never_lowers_a_quantile(
            values in prop::collection::vec(0.0..1000.0f64, 1..60), missing in 0usize..20, level in 0u16..=10_000,
        ) {
            let before = Quantile::of(&Sample::new(values.iter().copied(), missing), Level(level));
            let after = Quantile::of(&Sample::new(values[1..].iter().copied(), missing + 1), Level(level));
            prop_assert!(after >= before, "{after:?} below {before:?}");
        }
    }
}
