//! Comparison of a storm with its baseline, from unrounded values.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::observe::Milestone;

use super::{Level, Quantile, Sample, Starts, Summary, Zero, maybe_micros};

/// One statistic in both phases
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Seconds in the baseline; `None` if not reached.
    #[serde(rename = "baseline_seconds", serialize_with = "maybe_micros")]
    pub baseline: Option<f64>,
    /// Seconds in the storm; `None` if not reached.
    #[serde(rename = "storm_seconds", serialize_with = "maybe_micros")]
    pub storm: Option<f64>,
    /// `storm / baseline`; `None` if either is unknown or the baseline is zero.
    #[serde(serialize_with = "maybe_micros")]
    pub ratio: Option<f64>,
}

impl Change {
    /// Compares two values.
    pub fn new(baseline: Option<f64>, storm: Option<f64>) -> Self {
        let ratio = baseline.zip(storm).filter(|(baseline, _)| *baseline > 0.0).map(|(b, s)| s / b);
        Self { baseline, storm, ratio }
    }

    /// Slowdown of the storm in percent: `(ratio − 1) · 100`.
    pub fn percent(&self) -> Option<f64> {
        self.ratio.map(|ratio| (ratio - 1.0) * 100.0)
    }
}

/// Each VM compared with itself, over the VMs that arrived in both phases
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Paired {
    /// VMs that arrived in both phases.
    pub n: usize,
    /// Number of these that were slower in the storm.
    pub slower: usize,
    /// Median of the VMs' own ratios.
    #[serde(serialize_with = "maybe_micros")]
    pub median_ratio: Option<f64>,
    /// Largest of the VMs' own ratios.
    #[serde(serialize_with = "maybe_micros")]
    pub max_ratio: Option<f64>,
}

impl Paired {
    /// Pairs VMs by target.
    fn of(baseline: &Starts<'_>, storm: &Starts<'_>, milestone: Milestone) -> Self {
        // A map instead of a list: a damaged file may name any target.
        let before: HashMap<u32, f64> = baseline
            .participants()
            .filter_map(|timeline| Some((timeline.target, baseline.arrival(timeline, milestone).seconds()?)))
            .collect();
        let pairs: Vec<(f64, f64)> = storm
            .participants()
            .filter_map(|timeline| {
                let first = *before.get(&timeline.target)?;
                Some((first, storm.arrival(timeline, milestone).seconds()?))
            })
            .collect();
        let ratios = pairs.iter().filter(|(first, _)| *first > 0.0).map(|(first, second)| second / first);
        let ratios = Sample::new(ratios, 0);
        Self {
            n: pairs.len(),
            slower: pairs.iter().filter(|(first, second)| second > first).count(),
            median_ratio: Quantile::of(&ratios, Level::P50).seconds(),
            max_ratio: ratios.max(),
        }
    }
}

/// Comparison of a storm with its baseline, for one milestone
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The milestone.
    pub milestone: Milestone,
    /// Zero of the baseline's times; those of the storm count from the request.
    #[serde(default)]
    pub from: Zero,
    /// Means of the arrived values.
    pub mean: Change,
    /// Medians.
    pub p50: Change,
    /// 90th percentiles.
    pub p90: Change,
    /// 95th percentiles.
    pub p95: Change,
    /// 99th percentiles.
    pub p99: Change,
    /// Largest arrived values.
    pub max: Change,
    /// Each VM compared with itself.
    pub paired: Paired,
}

impl Comparison {
    /// Compares two phases.
    pub fn of(baseline: &Starts<'_>, storm: &Starts<'_>, milestone: Milestone) -> Self {
        let before = Summary::of(&baseline.sample(milestone));
        let after = Summary::of(&storm.sample(milestone));
        let quantile =
            |pick: fn(&Summary) -> Quantile| Change::new(pick(&before).seconds(), pick(&after).seconds());
        Self {
            milestone,
            from: baseline.zero,
            mean: Change::new(before.mean, after.mean),
            p50: quantile(|summary| summary.p50),
            p90: quantile(|summary| summary.p90),
            p95: quantile(|summary| summary.p95),
            p99: quantile(|summary| summary.p99),
            max: Change::new(before.max, after.max),
            paired: Paired::of(baseline, storm, milestone),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{Offset, Outcome, Timeline};

    fn timeline(target: u32, running: Option<f64>) -> Timeline {
        let mut timeline = Timeline::new(target);
        timeline.see(Milestone::Requested, Offset::ZERO);
        timeline.outcome = Outcome::Failed;
        if let Some(running) = running {
            timeline.see(Milestone::Running, Offset::from_seconds(running));
            timeline.outcome = Outcome::Reached;
        }
        timeline
    }

    fn compare(baseline: &[Timeline], storm: &[Timeline]) -> Comparison {
        let goal = Milestone::Running;
        Comparison::of(&Starts::requested(baseline, goal), &Starts::requested(storm, goal), goal)
    }

    #[test]
    fn the_guides_numbers_give_58_percent() {
        let change = Change::new(Some(9.23), Some(14.56));
        assert!((change.percent().unwrap() - 57.7).abs() < 0.1);
    }

    #[test]
    fn pairs_only_vms_that_arrived_twice_whatever_their_order() {
        let baseline =
            [timeline(0, Some(2.0)), timeline(1, Some(4.0)), timeline(2, None), timeline(3, Some(1.0))];
        let storm =
            [timeline(3, Some(3.0)), timeline(2, Some(5.0)), timeline(1, None), timeline(0, Some(1.0))];
        let paired = compare(&baseline, &storm).paired;
        assert_eq!((paired.n, paired.slower), (2, 1));
        assert_eq!((paired.median_ratio, paired.max_ratio), (Some(0.5), Some(3.0)));
    }

    #[test]
    fn without_values_or_with_a_zero_there_is_no_ratio() {
        let comparison = compare(&[timeline(0, None)], &[timeline(0, Some(3.0))]);
        assert_eq!(comparison.mean, Change { baseline: None, storm: Some(3.0), ratio: None });
        assert_eq!(comparison.paired, Paired::default());
        assert_eq!(Change::new(Some(0.0), Some(1.0)).ratio, None);
    }
}
