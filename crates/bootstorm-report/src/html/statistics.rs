//! Statistics per milestone: baseline, storm, and how many times longer.

use super::grid;
use super::markup::Markup;
use super::subject::{Role, Subject, Subjects};
use super::words;
use crate::Report;
use bootstorm_model::observe::Milestone;
use bootstorm_model::stats::{Comparison, Summary};

const HEADINGS: [&str; 12] =
    ["Milestone", "Phase", "VMs", "Reached", "Min", "Mean", "Std. dev.", "p50", "p90", "p95", "p99", "Max"];

/// Writes the section.
pub(super) fn write(body: &mut Markup, report: &Report, subjects: &Subjects<'_>) {
    let Some(main) = subjects.main() else { return };
    let caption = format!("Seconds from {}", main.phase.zero().0);
    body.open("section", &[("id", "statistics")]).leaf("h2", &[], "Statistics");
    grid::open(body, &caption, &HEADINGS, 2);
    for milestone in passed(subjects) {
        for subject in subjects.iter() {
            if let Some(summary) = subject.phase.statistics.get(&milestone) {
                line(body, milestone, subject, summary);
            }
        }
        let compared = report.comparison.as_ref().filter(|_| subjects.role(Role::Storm).is_some());
        let comparison = compared
            .and_then(|compared| compared.milestones.iter().find(|known| known.milestone == milestone));
        if let Some(comparison) = comparison {
            ratios(body, milestone, comparison);
        }
    }
    grid::close(body);
    paired(body, report);
    body.close("section");
}

fn passed(subjects: &Subjects<'_>) -> Vec<Milestone> {
    let mut passed: Vec<Milestone> =
        subjects.iter().flat_map(|subject| subject.phase.statistics.keys().copied()).collect();
    passed.sort_unstable();
    passed.dedup();
    passed
}

fn line(body: &mut Markup, milestone: Milestone, subject: Subject<'_>, summary: &Summary) {
    body.open("tr", &[]).leaf("th", &[("scope", "row")], milestone.word());
    body.leaf("td", &[("class", "word")], &subject.label());
    body.leaf("td", &[], &summary.n.to_string()).leaf("td", &[], &summary.arrived.to_string());
    for value in [summary.min, summary.mean, summary.stddev] {
        body.leaf("td", &[], &words::number(value));
    }
    for quantile in [summary.p50, summary.p90, summary.p95, summary.p99] {
        body.leaf("td", &[], &words::quantile_number(quantile));
    }
    body.leaf("td", &[], &words::number(summary.max)).close("tr");
}

fn ratios(body: &mut Markup, milestone: Milestone, comparison: &Comparison) {
    body.open("tr", &[("class", "ratio")]).leaf("th", &[("scope", "row")], milestone.word());
    body.leaf("td", &[("class", "word")], "storm ÷ baseline");
    let unknown = None;
    let cells = [
        unknown,
        unknown,
        unknown,
        comparison.mean.ratio,
        unknown,
        comparison.p50.ratio,
        comparison.p90.ratio,
        comparison.p95.ratio,
        comparison.p99.ratio,
        comparison.max.ratio,
    ];
    for cell in cells {
        body.leaf("td", &[], &cell.map_or_else(String::new, |ratio| words::ratio(Some(ratio))));
    }
    body.close("tr");
}

/// Each VM against itself, in a sentence.
fn paired(body: &mut Markup, report: &Report) {
    let Some(compared) = &report.comparison else { return };
    for comparison in compared.milestones.iter().filter(|comparison| comparison.paired.n > 0) {
        let paired = &comparison.paired;
        let text = format!(
            "Time to {}: of {} that reached it in both phases, {} were slower in the storm; the median VM took {} as long, the worst {}.",
            comparison.milestone,
            words::count(paired.n, "VM"),
            paired.slower,
            words::ratio(paired.median_ratio),
            words::ratio(paired.max_ratio)
        );
        body.leaf("p", &[("class", "hint")], &text);
    }
}
