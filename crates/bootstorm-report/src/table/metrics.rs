//! What Prometheus measured of the cluster during a phase: a line per figure.

use super::grid::{Column, Grid};
use super::{Page, words};
use crate::paint::Tone;
use crate::phase::PhaseBlock;

/// Writes mean and peak of each figure's highest line.
pub(super) fn write(page: &mut Page, phase: &PhaseBlock) {
    let Some(metrics) = &phase.metrics else { return };
    let columns = [
        Column::words("Cluster"),
        Column::numbers("Mean"),
        Column::numbers("Peak"),
        Column::words("Highest"),
    ];
    let mut grid = Grid::new(columns.into());
    for gauge in &metrics.gauges {
        let Some((line, peak)) = gauge.peak() else { continue };
        let mean = line.mean().map_or_else(|| "-".to_owned(), |mean| gauge.metric.shown(mean));
        let others = gauge.lines.len() - 1 + gauge.dropped;
        let whose = match (line.label.as_str(), others) {
            (label, 0) => label.to_owned(),
            (label, others) => format!("{label}, of {}", others + 1),
        };
        grid.push(None, vec![gauge.metric.title().to_owned(), mean, gauge.metric.shown(peak), whose]);
    }
    page.rule('-');
    let layout = page.layout();
    let (header, lines) = grid.lines(layout.headers, layout.paint);
    if metrics.gauges.is_empty() {
        page.line("Cluster: no data");
    } else {
        if let Some(header) = header {
            page.toned(Tone::Heading, &header);
        }
        for line in lines {
            page.line(&line);
        }
    }
    page.labelled(
        "Measured by",
        &format!("{}, every {}", metrics.source, words::seconds(metrics.step_seconds)),
    );
    for missing in &metrics.missing {
        page.labelled("Without", missing);
    }
}
