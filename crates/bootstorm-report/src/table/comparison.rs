//! Creation against storm: the table, where the time goes, and the verdict.

use std::collections::BTreeSet;

use super::columns::milestone_title;
use super::grid::{Column, Grid};
use super::{Page, breakdown, words};
use crate::compared::Compared;
use crate::paint::Tone;
use crate::phase::PhaseBlock;
use crate::view::Report;
use bootstorm_model::observe::Milestone;
use bootstorm_model::probe::Probe;
use bootstorm_model::stats::{Change, Comparison, Finding, Grade, Rule};

/// Writes the comparison and the verdict.
pub(super) fn write(page: &mut Page, report: &Report, compared: &Compared) {
    if let Some(baseline) = compared.baseline {
        page.title(&format!("Comparison: {baseline} -> {}", compared.storm));
        let deciding = report.plan.probes.first().copied();
        numbers(page, compared, &baseline.to_string(), deciding);
        for comparison in &compared.milestones {
            paired(page, comparison, deciding);
        }
        match (&compared.breakdown, report.phase(baseline), report.phase(compared.storm)) {
            (Some(breakdown), ..) => breakdown::parts(page, compared, breakdown),
            // Reports from before the time was broken down.
            (None, Some(before), Some(after)) => stages(page, before, after),
            _ => {}
        }
    } else {
        page.title(&format!("Verdict on {}", compared.storm));
        if let Some(breakdown) = compared.breakdown.as_ref().filter(|_| compared.judged.is_of_migration()) {
            breakdown::alone(page, compared, breakdown);
        }
    }
    verdict(page, compared);
    also(page, compared);
    if let Some(breakdown) = &compared.breakdown {
        breakdown::bottleneck(page, breakdown);
    }
    advice(page, compared);
    page.rule('=');
    page.blank();
}

fn numbers(page: &mut Page, compared: &Compared, baseline: &str, deciding: Option<Probe>) {
    if compared.milestones.is_empty() {
        page.line("There is no milestone that VMs reached in both phases.");
        return;
    }
    let storm = compared.storm.to_string();
    let titles = [baseline, &storm, "Ratio", "Change"];
    let columns = [Column::words("Time to")].into_iter().chain(titles.into_iter().map(Column::numbers));
    let mut grid = Grid::new(columns.collect());
    for comparison in &compared.milestones {
        let statistics = [
            ("mean", comparison.mean),
            ("p50", comparison.p50),
            ("p95", comparison.p95),
            ("max", comparison.max),
        ];
        for (name, change) in statistics {
            let title = format!("{} {name}", milestone_title(comparison.milestone, deciding));
            grid.push(None, cells(title, change, name != "mean" && name != "max"));
        }
    }
    for comparison in &compared.with_filling {
        let title = format!("{} mean, with filling", milestone_title(comparison.milestone, deciding));
        grid.push(None, cells(title, comparison.mean, false));
    }
    page.grid(grid);
    if let Some(base) = compared.base() {
        page.sentence(None, 0, &capital(&base));
    }
}

fn cells(title: String, change: Change, is_quantile: bool) -> Vec<String> {
    let unknown = if is_quantile { "not reached" } else { "-" };
    let value = |value: Option<f64>| value.map_or_else(|| unknown.to_owned(), words::seconds);
    let ratio = change.ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}x"));
    let percent = change.percent().map_or_else(|| "-".to_owned(), |percent| format!("{percent:+.1} %"));
    vec![title, value(change.baseline), value(change.storm), ratio, percent]
}

fn paired(page: &mut Page, comparison: &Comparison, deciding: Option<Probe>) {
    let pairs = &comparison.paired;
    let (Some(median), Some(max)) = (pairs.median_ratio, pairs.max_ratio) else { return };
    let title = milestone_title(comparison.milestone, deciding);
    let share = format!("{} of {}", pairs.slower, words::vms(pairs.n));
    let text = format!("{title}, VM by VM: {share} slower; median {median:.2}x, at most {max:.2}x");
    page.sentence(None, 0, &text);
}

/// Means of the stages that both phases went through, and of those around the filling of disks, so that the slowest can be found.
fn stages(page: &mut Page, before: &PhaseBlock, after: &PhaseBlock) {
    let columns = [Column::words("Where the time goes")].into_iter();
    let names = [before.name.to_string(), after.name.to_string(), "Difference".to_owned()];
    let mut grid = Grid::new(columns.chain(names.iter().map(|name| Column::numbers(name))).collect());
    let mut rows = 0;
    let mean = |phase: &PhaseBlock, (to, from): (Milestone, Milestone)| {
        let stage = phase.stages.iter().find(|stage| (stage.to, stage.from) == (to, from))?;
        stage.summary.mean
    };
    let ends: BTreeSet<(Milestone, Milestone)> =
        before.stages.iter().chain(&after.stages).map(|stage| (stage.to, stage.from)).collect();
    for stage in ends {
        let (first, second) = (mean(before, stage), mean(after, stage));
        let difference = match (first, second) {
            (Some(first), Some(second)) => format!("{:+.2}s", second - first),
            // Disks are filled in the first phase only.
            (Some(_), None) | (None, Some(_)) if before.volumes.is_some() => "-".to_owned(),
            _ => continue,
        };
        let title = format!("{} -> {}", stage.1, stage.0);
        grid.push(None, vec![title, words::maybe_seconds(first), words::maybe_seconds(second), difference]);
        rows += 1;
    }
    if rows > 0 {
        page.rule('-');
        page.grid(grid);
    }
}

fn verdict(page: &mut Page, compared: &Compared) {
    page.rule('-');
    if let Some(verdict) = &compared.verdict {
        let about = match verdict.rule {
            Rule::Failures => String::new(),
            Rule::Ratio | Rule::Outliers | Rule::Variance => format!(" (time to {})", compared.judged),
        };
        let grade = verdict.grade.word().to_uppercase();
        page.sentence(
            Some(verdict.grade.into()),
            0,
            &format!("Verdict: {grade} - {}{about}", verdict.reason),
        );
    } else if let Some(why) = compared.not_judged() {
        page.sentence(Some(Tone::Fair), 0, &format!("Verdict: {why}"));
    }
}

/// What else is not as it should be.
fn also(page: &mut Page, compared: &Compared) {
    let Some(verdict) = &compared.verdict else { return };
    let also = |finding: &&Finding| finding.rule != verdict.rule && finding.grade != Grade::Good;
    for finding in verdict.findings.iter().filter(also) {
        page.sentence(None, 0, &format!("Also {}: {}", finding.grade, finding.reason));
    }
}

/// A sentence with a capital at its beginning.
fn capital(text: &str) -> String {
    let mut characters = text.chars();
    let first: String = characters.next().map(char::to_uppercase).into_iter().flatten().collect();
    first + characters.as_str()
}

/// What points to a cause, and what to try then.
fn advice(page: &mut Page, compared: &Compared) {
    for advice in &compared.advice {
        page.blank();
        let heading = match advice.cause {
            Some(cause) => format!("This points to {}:", cause.word()),
            None => "What to try:".to_owned(),
        };
        page.toned(Tone::Heading, &heading);
        for because in &advice.because {
            page.sentence(None, 2, because);
        }
        page.sentence(None, 2, &format!("Advice: {}.", advice.hints.join("; ")));
    }
}
