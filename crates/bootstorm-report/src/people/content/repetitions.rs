//! Several storms of one run, and their spread.

use crate::color::Tone;
use crate::people::document::{Block, Cell, Column, Section, Table};
use crate::repetitions::{Figures, Repetitions};

/// Minimum width for all columns.
const ROOM_FOR_ALL: usize = 76;

/// A row for each storm, and the spread of each figure; `run` names the run if there are several.
pub(crate) fn section(repetitions: &Repetitions, run: Option<&str>) -> Section {
    let of = run.map_or_else(String::new, |run| format!(" of {run}"));
    let storms = repetitions.storms_in_words();
    let title = format!("Repetitions: {storms}{of}, time to {}", repetitions.milestone);
    let columns = [
        Column::words("Storm"),
        Column::numbers("VMs"),
        Column::numbers("Not reached"),
        Column::numbers("Mean"),
        Column::numbers("p50"),
        Column::numbers("p95"),
        Column::numbers("Max").from(ROOM_FOR_ALL + 1),
        Column::numbers("All reached").from(ROOM_FOR_ALL),
    ];
    let mut table = Table::new("Each storm, and the spread of those that count", columns);
    for storm in &repetitions.storms {
        let tone = (storm.figures.failed > 0).then_some(Tone::Fair);
        let note = match (storm.warm_up, storm.invalid) {
            (true, _) => " (warm-up)",
            (false, true) => " (invalid)",
            (false, false) => "",
        };
        table.push(tone, row(format!("{}{note}", storm.phase), Cell::count(storm.vms), &storm.figures));
    }
    let spread = [("min", &repetitions.min), ("median", &repetitions.median), ("max", &repetitions.max)];
    for (name, figures) in spread {
        table.push(None, row(name.to_owned(), Cell::Blank, figures));
        table.set_apart();
    }
    Section::new("repetitions", title, vec![Block::Table(table)]).framed()
}

fn row(name: String, vms: Cell, figures: &Figures) -> impl Iterator<Item = Cell> {
    let times = [figures.mean, figures.p50, figures.p95, figures.max, figures.t100].map(Cell::quantile);
    [Cell::Words(name), vms, Cell::count(figures.failed)].into_iter().chain(times)
}
