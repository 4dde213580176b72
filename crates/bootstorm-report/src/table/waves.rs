//! The waves of a phase, one line each.

use super::Page;
use super::grid::{Column, Grid};
use crate::paint::Tone;
use crate::phase::PhaseBlock;

/// A normal table shows this many waves; a wide one shows all.
const FEW: usize = 20;

/// Writes a line per wave, where there are waves.
pub(super) fn write(page: &mut Page, phase: &PhaseBlock) {
    let layout = page.layout();
    if phase.waves.is_empty() {
        return;
    }
    let titles =
        ["Wave", "VMs", "Successful", "Sent at(s)", "Avg(s)", "p95(s)", "Max(s)", "All reached at(s)"];
    let mut grid = Grid::new(titles.map(Column::numbers).into_iter().collect());
    let shown = if layout.wide { phase.waves.len() } else { phase.waves.len().min(FEW) };
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
    for wave in &phase.waves[..shown] {
        let summary = &wave.summary;
        grid.push(
            (wave.failed > 0).then_some(Tone::Fair),
            vec![
                wave.wave.to_string(),
                wave.vms.to_string(),
                wave.reached.to_string(),
                number(wave.first_request),
                number(summary.mean),
                summary.p95.seconds().map_or_else(|| "not reached".to_owned(), |value| format!("{value:.2}")),
                number(summary.max),
                number(wave.all_back),
            ],
        );
    }
    page.rule('-');
    let (header, lines) = grid.lines(layout.headers, layout.paint);
    if let Some(header) = header {
        page.toned(Tone::Heading, &header);
    }
    for line in lines {
        page.line(&line);
    }
    let hidden = phase.waves.len() - shown;
    if hidden > 0 {
        page.sentence(Some(Tone::Faint), 0, &format!("... {hidden} more waves; -o wide shows all"));
    }
}
