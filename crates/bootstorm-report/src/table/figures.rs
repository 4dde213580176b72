//! Every statistic of every milestone and stage, in wide tables.

use super::Page;
use super::columns::milestone_title;
use super::grid::{Column, Grid};
use crate::paint::Tone;
use crate::phase::PhaseBlock;
use bootstorm_model::stats::{Quantile, Summary};

/// Writes a line per milestone and per stage.
pub(super) fn write(page: &mut Page, phase: &PhaseBlock) {
    let layout = page.layout();
    if !layout.wide || phase.statistics.is_empty() {
        return;
    }
    let with_unknown = phase.statistics.values().any(|summary| summary.unknown > 0);
    let mut titles = vec!["n", "Reached"];
    titles.extend(with_unknown.then_some("Unknown"));
    titles.extend(["Min(s)", "Mean(s)", "Stddev(s)", "p50(s)", "p90(s)", "p95(s)", "p99(s)", "Max(s)"]);
    let columns = [Column::words("Time to, and from milestone to milestone")].into_iter();
    let mut grid = Grid::new(columns.chain(titles.into_iter().map(Column::numbers)).collect());
    for (milestone, summary) in &phase.statistics {
        grid.push(None, cells(milestone_title(*milestone, phase.deciding), summary, with_unknown));
    }
    for stage in &phase.stages {
        let title = format!("{} -> {}", stage.from, stage.to);
        grid.push(None, cells(title, &stage.summary, with_unknown));
    }
    page.rule('-');
    let (header, lines) = grid.lines(layout.headers, layout.paint);
    if let Some(header) = header {
        page.toned(Tone::Heading, &header);
    }
    for line in lines {
        page.line(&line);
    }
}

fn cells(title: String, summary: &Summary, with_unknown: bool) -> Vec<String> {
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
    let level = |quantile: Quantile| {
        quantile.seconds().map_or_else(|| "not reached".to_owned(), |value| format!("{value:.2}"))
    };
    let mut cells = vec![title, summary.n.to_string(), summary.arrived.to_string()];
    cells.extend(with_unknown.then(|| summary.unknown.to_string()));
    cells.extend([summary.min, summary.mean, summary.stddev].map(number));
    cells.extend([summary.p50, summary.p90, summary.p95, summary.p99].map(level));
    cells.push(number(summary.max));
    cells
}
