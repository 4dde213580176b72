//! Statistics of one sample.

use serde::{Deserialize, Serialize};

use super::{Level, Quantile, Sample, maybe_micros};

/// Statistics of one sample, in seconds
///
/// Minimum, mean, standard deviation and maximum are over the `arrived` values; quantiles are over all `n`, with
/// missing values as censored (see [`super::quantile`]).
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Size of the sample, including missing values but not unknown ones.
    pub n: usize,
    /// Number of arrived values; `arrived` in documents of version 1.
    #[serde(rename = "reached", alias = "arrived")]
    pub arrived: usize,
    /// VMs that arrived at an unknown time; not part of `n`.
    #[serde(default)]
    pub unknown: usize,
    /// Smallest value.
    #[serde(rename = "min_seconds", serialize_with = "maybe_micros")]
    pub min: Option<f64>,
    /// Arithmetic mean of the arrived values.
    #[serde(rename = "mean_seconds", serialize_with = "maybe_micros")]
    pub mean: Option<f64>,
    /// Sample standard deviation of the arrived values (divisor `arrived − 1`).
    #[serde(rename = "stddev_seconds", serialize_with = "maybe_micros")]
    pub stddev: Option<f64>,
    /// Median.
    #[serde(rename = "p50_seconds")]
    pub p50: Quantile,
    /// 90th percentile.
    #[serde(rename = "p90_seconds")]
    pub p90: Quantile,
    /// 95th percentile.
    #[serde(rename = "p95_seconds")]
    pub p95: Quantile,
    /// 99th percentile.
    #[serde(rename = "p99_seconds")]
    pub p99: Quantile,
    /// Largest arrived value.
    #[serde(rename = "max_seconds", serialize_with = "maybe_micros")]
    pub max: Option<f64>,
}

impl Summary {
    /// The statistics of a sample.
    pub fn of(sample: &Sample) -> Self {
        Self {
            n: sample.n(),
            arrived: sample.arrived(),
            unknown: sample.unknown(),
            min: sample.min(),
            mean: sample.mean(),
            stddev: sample.stddev(),
            p50: Quantile::of(sample, Level::P50),
            p90: Quantile::of(sample, Level::P90),
            p95: Quantile::of(sample, Level::P95),
            p99: Quantile::of(sample, Level::P99),
            max: sample.max(),
        }
    }

    /// Number of missing values.
    pub fn missing(&self) -> usize {
        self.n - self.arrived
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_over_arrivals_and_the_quantiles_over_everyone() {
        let summary = Summary::of(&Sample::new([1.0, 2.0, 3.0], 1));
        assert_eq!((summary.n, summary.arrived, summary.missing()), (4, 3, 1));
        assert_eq!(summary.mean, Some(2.0));
        assert_eq!(summary.p50, Quantile::At(2.0));
        assert_eq!(summary.p95, Quantile::NotReached);
        assert_eq!(summary.max, Some(3.0));
    }

    #[test]
    fn unknown_values_change_no_statistic() {
        use crate::stats::Arrival;
        let known = [1.0, 2.0, 3.0].map(Arrival::After).into_iter().chain([Arrival::Missing]);
        let with_unknown = Summary::of(&Sample::of(known.chain([Arrival::Unknown; 5])));
        assert_eq!(with_unknown.unknown, 5);
        assert_eq!(Summary { unknown: 0, ..with_unknown }, Summary::of(&Sample::new([1.0, 2.0, 3.0], 1)));
    }

    #[test]
    fn is_written_with_units_and_null_for_what_is_not_reached() {
        let json = serde_json::to_string(&Summary::of(&Sample::new([0.1, 0.2], 2))).unwrap();
        assert_eq!(
            json,
            r#"{"n":4,"reached":2,"unknown":0,"min_seconds":0.1,"mean_seconds":0.15,"stddev_seconds":0.070711,"p50_seconds":0.2,"p90_seconds":null,"p95_seconds":null,"p99_seconds":null,"max_seconds":0.2}"#
        );
    }
}
