//! Several storms of one run, one line each, and their spread.

use super::grid::{Column, Grid};
use super::{Page, words};
use crate::paint::Tone;
use crate::repetitions::{Figures, Repetitions};
use crate::view::Report;

/// Columns that all figures take.
const ROOM_FOR_ALL: usize = 76;

/// Writes the storms of a run, where there are several.
pub(super) fn write(page: &mut Page, report: &Report) {
    if let Some(repetitions) = &report.repetitions {
        block(page, repetitions, None);
        page.blank();
    }
}

/// Writes the storms and the spread of each figure.
pub(crate) fn block(page: &mut Page, repetitions: &Repetitions, run: Option<&str>) {
    let layout = page.layout();
    let of = run.map_or_else(String::new, |run| format!(" of {run}"));
    let storms = repetitions.storms.len();
    page.title(&format!("Repetitions: {storms} storms{of}, time to {}", repetitions.milestone));
    let numbers = ["VMs", "Failed", "Mean", "p50", "p95", "Max", "All back"].map(Column::numbers);
    let all: Vec<Column> = [Column::words("Storm")].into_iter().chain(numbers).collect();
    // A narrow terminal goes without the last ones.
    let shown = if page.width() < ROOM_FOR_ALL { all.len() - 2 } else { all.len() };
    let cells = |name: String, vms: String, figures: &Figures| {
        cells(name, vms, figures).into_iter().take(shown).collect::<Vec<String>>()
    };
    let mut grid = Grid::new(all.into_iter().take(shown).collect());
    for storm in &repetitions.storms {
        let tone = (storm.figures.failed > 0).then_some(Tone::Fair);
        let warm_up = if storm.warm_up { " (warm-up)" } else { "" };
        grid.push(tone, cells(format!("{}{warm_up}", storm.phase), storm.vms.to_string(), &storm.figures));
    }
    let spread = [("min", &repetitions.min), ("median", &repetitions.median), ("max", &repetitions.max)];
    for (name, figures) in spread {
        grid.push(None, cells(name.to_owned(), String::new(), figures));
    }
    let (header, lines) = grid.lines(layout.headers, layout.paint);
    if let Some(header) = header {
        page.toned(Tone::Heading, &header);
        page.rule('-');
    }
    for (index, line) in lines.iter().enumerate() {
        if index == repetitions.storms.len() {
            page.rule('-');
        }
        page.line(line);
    }
}

fn cells(name: String, vms: String, figures: &Figures) -> Vec<String> {
    let times = [figures.mean, figures.p50, figures.p95, figures.max, figures.t100].map(words::quantile);
    [name, vms, figures.failed.to_string()].into_iter().chain(times).collect()
}
