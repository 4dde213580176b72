//! The verdict on a storm: one grade, the rule that decided it, and the reason in one sentence.
//!
//! Every rule gives a grade; the worst one is the verdict, and of equal ones the first in this table.
//!
//! | rule | good | fair | poor | critical |
//! |---|---|---|---|---|
//! | `ratio`: mean of the storm ÷ mean of the baseline | below 2 | 2 to below 3 | 3 to below 5 | 5 and more |
//! | `failures`: share of the storm's VMs that failed or timed out | none | below 5 % | 5 % to below 10 % | 10 % and more |
//! | `outliers`: p99 ÷ median of the VMs that arrived | below 3 | 3 to below 5 | 5 and more | – |
//!
//! The ratio follows the guide, which leaves 2 to 3 open; it is called fair here. Outliers alone never make a
//! storm critical: everyone came back. They are judged among the VMs that arrived, since those that did not are
//! already counted as failures. VMs excluded from the storm take no part. Without a baseline the ratio is
//! unknown, and there is a verdict only where the failures alone make it critical.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Level, Quantile, Sample};

/// How good a storm was
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
    /// How many times longer the storm took.
    Ratio,
    /// How many VMs did not come back.
    Failures,
    /// How far the slowest VMs lie behind the median.
    Outliers,
}

/// What a verdict is based on
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evidence<'a> {
    /// Mean of the storm ÷ mean of the baseline, where both are known.
    pub ratio: Option<f64>,
    /// VMs of the storm that failed or timed out.
    pub failed: usize,
    /// Seconds to the judged milestone in the storm; its size is the number of VMs that took part.
    pub storm: &'a Sample,
}

/// The verdict on a storm
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The grade.
    pub grade: Grade,
    /// The rule that decided it.
    pub rule: Rule,
    /// Why, in one sentence.
    pub reason: String,
}

impl Verdict {
    /// Applies the rules; `None` when the evidence is not enough for a verdict.
    pub fn on(evidence: &Evidence<'_>) -> Option<Self> {
        let failures = by_failures(evidence);
        let Some(ratio) = evidence.ratio else {
            return failures.filter(|verdict| verdict.grade == Grade::Critical);
        };
        let rules = [Some(by_ratio(ratio)), failures, by_outliers(evidence.storm)];
        rules.into_iter().flatten().reduce(|worst, next| if next.grade > worst.grade { next } else { worst })
    }
}

fn by_ratio(ratio: f64) -> Verdict {
    let grade = band(ratio, [2.0, 3.0, 5.0]);
    let reason = format!("the storm's mean is {ratio:.2} times the baseline's");
    Verdict { grade, rule: Rule::Ratio, reason }
}

fn by_failures(evidence: &Evidence<'_>) -> Option<Verdict> {
    let (failed, n) = (evidence.failed, evidence.storm.n());
    if failed == 0 || n == 0 {
        return None;
    }
    let percent = failed as f64 * 100.0 / n as f64;
    let grade = band(percent, [0.0, 5.0, 10.0]);
    let reason = format!("{failed} of {n} VMs ({percent:.1} %) did not come back");
    Some(Verdict { grade, rule: Rule::Failures, reason })
}

fn by_outliers(storm: &Sample) -> Option<Verdict> {
    let arrived = storm.without_missing();
    let median = Quantile::of(&arrived, Level::P50).seconds().filter(|median| *median > 0.0)?;
    let slowest = Quantile::of(&arrived, Level::P99).seconds()?;
    let spread = slowest / median;
    let grade = band(spread, [3.0, 5.0, f64::INFINITY]);
    let reason =
        format!("the slowest VMs needed {spread:.1} times the median ({slowest:.2}s against {median:.2}s)");
    Some(Verdict { grade, rule: Rule::Outliers, reason })
}

/// The grade of a value, given where fair, poor and critical begin.
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
        Verdict::on(&Evidence { ratio, failed, storm: &storm })
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
    fn without_a_baseline_only_many_failures_are_judged() {
        assert_eq!(verdict(None, 0, &[1.0; 100]), None);
        assert_eq!(verdict(None, 5, &[1.0; 95]), None);
        assert_eq!(verdict(None, 100, &[]).map(|verdict| verdict.grade), Some(Grade::Critical));
        assert_eq!(verdict(None, 0, &[]), None);
    }
}
