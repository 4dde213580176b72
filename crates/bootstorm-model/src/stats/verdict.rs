//! The verdict on a storm: one grade, the rule that decided it, and the reason in one sentence.
//!
//! Every rule gives a grade; the worst one is the verdict, and of equal ones the first in this table.
//!
//! | rule | good | fair | poor | critical |
//! |---|---|---|---|---|
//! | `ratio`: mean boot of the storm ÷ mean boot of the baseline | below 2 | 2 to below 3 | 3 to below 5 | 5 and more |
//! | `failures`: share of the storm's VMs that failed or timed out | none | below 5 % | 5 % to below 10 % | 10 % and more |
//! | `outliers`: p99 ÷ median of the VMs that arrived | below 3 | 3 to below 5 | 5 and more | – |
//! | `variance`: (p90 − p10) ÷ median of the VMs that arrived, if 10 or more did | below 1.5 | 1.5 to below 3 | 3 and more | – |
//!
//! The ratio follows the guide, which leaves 2 to 3 open; it is called fair here. It compares boots: a baseline in
//! which disks were filled counts from the instant at which they were (see [`super::start`]). Outliers and variance
//! alone never make a storm critical: every VM came back. They are judged among the VMs that arrived, since the others
//! are already counted as failures. The variance covers the middle 80 % of the VMs, so that outliers are not counted
//! twice; VMs that come back one after the other at an even pace have 1.6, a wait that should not be accepted. VMs
//! excluded from the storm take no part. Without a baseline the ratio is unknown, and there is a verdict only if the
//! failures alone make it critical.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Level, Quantile, Sample};
use crate::text::beside;

/// Quality of a storm
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// As expected of a healthy cluster.
    Good,
    /// Slower than it should be, or not quite complete.
    Fair,
    /// Something holds the storm up.
    Poor,
    /// Not fit for recovery.
    Critical,
}

impl Grade {
    /// The word used in JSON and tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Fair => "fair",
            Self::Poor => "poor",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A rule of the table
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// Slowdown of the storm.
    Ratio,
    /// Share of VMs that did not reach the goal.
    Failures,
    /// Distance of the slowest VMs from the median.
    Outliers,
    /// Spread of the VMs in the middle.
    Variance,
}

/// Finding of one rule
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// Its grade.
    pub grade: Grade,
    /// Evidence, one sentence.
    pub reason: String,
}

/// Minimum number of VMs to judge the variance: with fewer, p10 and p90 are the fastest and the slowest one.
const ENOUGH_FOR_VARIANCE: usize = 10;

/// Inputs of a verdict
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evidence<'a> {
    /// Mean boot of the storm ÷ mean boot of the baseline, if both are known.
    pub ratio: Option<f64>,
    /// Seconds to the judged milestone in the baseline, if there is one.
    pub baseline: Option<&'a Sample>,
    /// VMs of the storm that failed or timed out.
    pub failed: usize,
    /// Seconds to the judged milestone in the storm; its size is the number of VMs that took part.
    pub storm: &'a Sample,
}

/// The verdict on a storm
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Grade.
    pub grade: Grade,
    /// The rule that decided it.
    pub rule: Rule,
    /// Reason, one sentence.
    pub reason: String,
    /// Findings of all rules, in the order of the table.
    #[serde(default)]
    pub findings: Vec<Finding>,
}

impl Verdict {
    /// Applies the rules; `None` if the evidence is not enough for a verdict.
    pub fn on(evidence: &Evidence<'_>) -> Option<Self> {
        let failures = by_failures(evidence);
        let findings = match evidence.ratio {
            None => vec![failures.filter(|finding| finding.grade == Grade::Critical)?],
            Some(ratio) => {
                let rules = [
                    Some(by_ratio(ratio, evidence.baseline)),
                    failures,
                    by_outliers(evidence.storm),
                    by_variance(evidence.storm),
                ];
                rules.into_iter().flatten().collect()
            }
        };
        let worst =
            findings.iter().reduce(|worst, next| if next.grade > worst.grade { next } else { worst })?;
        Some(Self { grade: worst.grade, rule: worst.rule, reason: worst.reason.clone(), findings })
    }

    /// Finding of a rule, if it could be applied.
    pub fn finding(&self, rule: Rule) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.rule == rule)
    }
}

fn by_ratio(ratio: f64, baseline: Option<&Sample>) -> Finding {
    let limits = [2.0, 3.0, 5.0];
    let grade = band(ratio, limits);
    let times = beside(ratio, &limits, 2);
    let covered = match baseline {
        Some(baseline) if baseline.missing() > 0 => {
            format!(", which covers {} of {} VMs", baseline.arrived(), baseline.n())
        }
        _ => String::new(),
    };
    let reason = format!("the storm's mean is {times} times the baseline's{covered}");
    Finding { grade, rule: Rule::Ratio, reason }
}

fn by_failures(evidence: &Evidence<'_>) -> Option<Finding> {
    let (failed, n) = (evidence.failed, evidence.storm.n() + evidence.storm.unknown());
    if n == 0 {
        return None;
    }
    if failed == 0 {
        let reason = "no VM failed".to_owned();
        return Some(Finding { grade: Grade::Good, rule: Rule::Failures, reason });
    }
    let percent = failed as f64 * 100.0 / n as f64;
    let limits = [0.0, 5.0, 10.0];
    let grade = band(percent, limits);
    let percent = beside(percent, &limits, 1);
    let reason = format!("{failed} of {n} VMs ({percent} %) did not reach the goal");
    Some(Finding { grade, rule: Rule::Failures, reason })
}

fn by_outliers(storm: &Sample) -> Option<Finding> {
    let arrived = storm.without_missing();
    let median = Quantile::of(&arrived, Level::P50).seconds().filter(|median| *median > 0.0)?;
    let slowest = Quantile::of(&arrived, Level::P99).seconds()?;
    let spread = slowest / median;
    let limits = [3.0, 5.0, f64::INFINITY];
    let grade = band(spread, limits);
    let spread = beside(spread, &limits, 1);
    let reason =
        format!("the slowest VMs needed {spread} times the median ({slowest:.2}s against {median:.2}s)");
    Some(Finding { grade, rule: Rule::Outliers, reason })
}

fn by_variance(storm: &Sample) -> Option<Finding> {
    let arrived = storm.without_missing();
    if arrived.arrived() < ENOUGH_FOR_VARIANCE {
        return None;
    }
    let at = |level| Quantile::of(&arrived, level).seconds();
    let median = at(Level::P50).filter(|median| *median > 0.0)?;
    let (fast, slow) = (at(Level::P10)?, at(Level::P90)?);
    let spread = (slow - fast) / median;
    let limits = [1.5, 3.0, f64::INFINITY];
    let grade = band(spread, limits);
    let spread = beside(spread, &limits, 1);
    let reason = format!(
        "eight in ten VMs lie between {fast:.2}s and {slow:.2}s, {spread} times the median ({median:.2}s) apart"
    );
    Some(Finding { grade, rule: Rule::Variance, reason })
}

/// The grade of a value, given the beginnings of fair, poor and critical.
fn band(value: f64, [fair, poor, critical]: [f64; 3]) -> Grade {
    match value {
        value if value >= critical => Grade::Critical,
        value if value >= poor => Grade::Poor,
        value if value >= fair => Grade::Fair,
        _ => Grade::Good,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(ratio: Option<f64>, failed: usize, values: &[f64]) -> Option<Verdict> {
        let storm = Sample::new(values.iter().copied(), failed);
        Verdict::on(&Evidence { ratio, baseline: None, failed, storm: &storm })
    }

    #[test]
    fn a_baseline_of_a_few_vms_says_so() {
        let (storm, baseline) = (Sample::new([1.0; 8], 0), Sample::new([1.2], 7));
        let on =
            |baseline| Evidence { ratio: Some(0.86), baseline: Some(baseline), failed: 0, storm: &storm };
        let reason = |baseline| Verdict::on(&on(baseline)).unwrap().reason;
        assert_eq!(
            reason(&baseline),
            "the storm's mean is 0.86 times the baseline's, which covers 1 of 8 VMs"
        );
        assert_eq!(reason(&storm), "the storm's mean is 0.86 times the baseline's");
    }

    fn decided(ratio: f64, failed: usize, values: &[f64]) -> (Grade, Rule) {
        verdict(Some(ratio), failed, values).map(|verdict| (verdict.grade, verdict.rule)).unwrap()
    }

    #[test]
    fn the_bands_of_the_ratio_begin_where_the_table_says() {
        let bands = [(0.8, Grade::Good), (1.99, Grade::Good), (2.0, Grade::Fair), (2.99, Grade::Fair)];
        let worse =
            [(3.0, Grade::Poor), (4.99, Grade::Poor), (5.0, Grade::Critical), (90.0, Grade::Critical)];
        for (ratio, grade) in bands.into_iter().chain(worse) {
            assert_eq!(decided(ratio, 0, &[1.0; 20]), (grade, Rule::Ratio), "{ratio}");
        }
    }

    #[test]
    fn a_reason_never_shows_a_value_of_another_band() {
        let reason = |ratio, failed, n| verdict(Some(ratio), failed, &vec![1.0; n - failed]).unwrap().reason;
        assert_eq!(reason(1.996, 0, 20), "the storm's mean is 1.996 times the baseline's");
        assert_eq!(reason(1.0, 999, 20_000), "999 of 20000 VMs (4.995 %) did not reach the goal");
    }

    #[test]
    fn failures_lower_the_grade_and_never_raise_it() {
        assert_eq!(decided(1.5, 1, &[1.0; 99]), (Grade::Fair, Rule::Failures));
        assert_eq!(decided(1.5, 5, &[1.0; 95]), (Grade::Poor, Rule::Failures));
        assert_eq!(decided(1.5, 10, &[1.0; 90]), (Grade::Critical, Rule::Failures));
        assert_eq!(decided(5.5, 1, &[1.0; 99]), (Grade::Critical, Rule::Ratio));
    }

    #[test]
    fn outliers_lower_the_grade_to_poor_at_most() {
        let mut values = vec![10.0; 50];
        values[49] = 30.0;
        assert_eq!(decided(1.5, 0, &values), (Grade::Fair, Rule::Outliers));
        values[49] = 400.0;
        assert_eq!(decided(1.5, 0, &values), (Grade::Poor, Rule::Outliers));
    }

    #[test]
    fn wide_variance_lowers_the_grade_to_poor_at_most() {
        let even = |from: f64, to: f64| -> Vec<f64> {
            (0..100).map(|i| from + (to - from) * f64::from(i) / 99.0).collect()
        };
        assert_eq!(decided(1.5, 0, &even(10.0, 30.0)), (Grade::Good, Rule::Ratio));
        assert_eq!(decided(1.5, 0, &even(0.1, 30.0)), (Grade::Fair, Rule::Variance));
        let mut halves = vec![1.0; 55];
        halves.extend(vec![4.9; 45]);
        assert_eq!(decided(1.5, 0, &halves), (Grade::Poor, Rule::Variance));
        assert_eq!(decided(1.5, 0, &[1.0, 1.0, 1.0, 2.9]), (Grade::Good, Rule::Ratio));
    }

    #[test]
    fn every_rule_says_what_it_found_in_the_order_of_the_table() {
        let found = verdict(Some(1.5), 1, &[1.0; 99]).unwrap();
        let rules: Vec<_> = found.findings.iter().map(|finding| (finding.rule, finding.grade)).collect();
        assert_eq!(
            rules,
            [
                (Rule::Ratio, Grade::Good),
                (Rule::Failures, Grade::Fair),
                (Rule::Outliers, Grade::Good),
                (Rule::Variance, Grade::Good),
            ]
        );
        assert_eq!(found.finding(Rule::Failures).map(|finding| &finding.reason), Some(&found.reason));
    }

    #[test]
    fn a_success_with_an_unknown_time_is_one_of_the_vms() {
        use crate::stats::Arrival;
        let arrivals = [Arrival::Missing].into_iter().chain([Arrival::Unknown; 30]);
        let storm = Sample::of(arrivals.chain([Arrival::After(1.0); 9]));
        let verdict =
            Verdict::on(&Evidence { ratio: Some(1.0), baseline: None, failed: 1, storm: &storm }).unwrap();
        assert_eq!(verdict.reason, "1 of 40 VMs (2.5 %) did not reach the goal");
    }

    #[test]
    fn without_a_baseline_only_many_failures_are_judged() {
        assert_eq!(verdict(None, 0, &[1.0; 100]), None);
        assert_eq!(verdict(None, 5, &[1.0; 95]), None);
        assert_eq!(verdict(None, 100, &[]).map(|verdict| verdict.grade), Some(Grade::Critical));
        assert_eq!(verdict(None, 0, &[]), None);
    }
}
