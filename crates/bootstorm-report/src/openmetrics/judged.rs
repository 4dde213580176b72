//! Families of thresholds and of repeated storms.

use std::collections::HashSet;

use super::family::{Family, Kind};
use crate::{Figures, Report, ThresholdBlock};
use bootstorm_model::stats::Quantile;
use bootstorm_model::stats::threshold::{Judged, Unit};

/// All families of this module.
pub(super) fn families(report: &Report) -> impl Iterator<Item = Family> {
    let all = [crossed, undecided, value, repeated, repeated_failures];
    all.into_iter().map(|make| make(report))
}

/// The thresholds, each condition once: a series may not appear twice.
fn once(report: &Report) -> impl Iterator<Item = &ThresholdBlock> {
    let mut seen = HashSet::new();
    report.thresholds.iter().filter(move |block| seen.insert((&block.condition, block.phase, block.against)))
}

fn crossed(report: &Report) -> Family {
    let help = "1 where the threshold was crossed or could not be decided: the run is a failure";
    flag(report, "threshold_crossed", help, ThresholdBlock::fails)
}

fn undecided(report: &Report) -> Family {
    let help = "1 where no valid measurement exists to judge the threshold by";
    flag(report, "threshold_undecided", help, |block| block.result == Judged::Undecided)
}

fn flag(report: &Report, name: &'static str, help: &'static str, is: fn(&ThresholdBlock) -> bool) -> Family {
    let mut family = Family::new(name, Kind::Gauge, "", help);
    for block in once(report) {
        let labels = [("condition", block.condition.as_str()), ("phase", &block.places())];
        family.labelled(&labels, f64::from(u8::from(is(block))));
    }
    family
}

fn value(report: &Report) -> Family {
    let help = "What a threshold was compared with; no sample where it was not reached or is unknown";
    let mut family = Family::new("threshold_value", Kind::Gauge, "", help);
    for block in once(report) {
        let unit = match block.unit {
            Unit::Seconds => "seconds",
            Unit::Ratio => "ratio",
            Unit::Vms => "vms",
            Unit::Percent => "percent",
        };
        if let Some(value) = block.value {
            let phase = block.places();
            family.labelled(&[("condition", &block.condition), ("phase", &phase), ("unit", unit)], value);
        }
    }
    family
}

/// Spread of a figure over the storms, by its word.
fn spread(report: &Report) -> Vec<(&'static str, Figures)> {
    let all = |all: &crate::Repetitions| vec![("min", all.min), ("median", all.median), ("max", all.max)];
    report.repetitions.as_ref().map(all).unwrap_or_default()
}

fn repeated(report: &Report) -> Family {
    let help = "Spread of a figure over the storms of the run; +Inf where it was not reached";
    let mut family = Family::new("repetitions_seconds", Kind::Gauge, "seconds", help);
    for (spread, figures) in spread(report) {
        let values: [(&str, Quantile); 5] = [
            ("mean", figures.mean),
            ("p50", figures.p50),
            ("p95", figures.p95),
            ("max", figures.max),
            ("t100", figures.t100),
        ];
        for (statistic, value) in values {
            let value = value.seconds().unwrap_or(f64::INFINITY);
            family.labelled(&[("statistic", statistic), ("spread", spread)], value);
        }
    }
    family
}

fn repeated_failures(report: &Report) -> Family {
    let help = "Spread of the VMs that failed over the storms of the run";
    let mut family = Family::new("repetitions_failed_vms", Kind::Gauge, "", help);
    for (spread, figures) in spread(report) {
        family.labelled(&[("spread", spread)], figures.failed as f64);
    }
    family
}

#[cfg(test)]
mod tests {
    use crate::thresholds::judge;
    use crate::{Report, Selection, fixtures};

    #[test]
    fn thresholds_and_repeated_storms_have_samples() {
        let record = fixtures::repeated();
        let thresholds = ["failed>0", "running.p99>1h", "failed>0"].map(|text| text.parse().unwrap());
        let judged = judge(&thresholds, &record, record.phases.last().map(|phase| phase.name), &[]);
        let text = Report::of(&record, &Selection::default()).with_thresholds(judged).openmetrics();
        let has = |line: &str| assert!(text.lines().any(|found| found.ends_with(line)), "{line} in {text}");
        has(r#"condition="failed>0",phase="storm-3"} 1"#);
        has(r#"condition="failed>0",phase="storm-3",unit="vms"} 1"#);
        has(r#"condition="running.p99>1h",phase="storm-3"} 1"#);
        assert_eq!(text.matches("bootstorm_threshold_crossed{").count(), 2);
        has(r#"statistic="t100",spread="max"} +Inf"#);
        has(r#"bootstorm_repetitions_failed_vms{run="boot-storm-test",spread="max"} 1"#);
        assert!(!text.contains(r#"condition="running.p99>1h",phase="storm-3",unit"#));
    }
}
