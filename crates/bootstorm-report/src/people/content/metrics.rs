//! Prometheus measurements of the cluster during a phase.

use bootstorm_model::record::Metrics;

use crate::people::document::{Block, Cell, Column, Fact, Note, Table};
use crate::people::words;

/// Mean and peak of each figure's highest line, and the source.
pub(crate) fn blocks(metrics: &Metrics) -> Vec<Block> {
    let columns = [
        Column::words("Cluster"),
        Column::numbers("Mean"),
        Column::numbers("Peak"),
        Column::words("Highest"),
    ];
    let mut table = Table::new("Cluster metrics during the phase", columns);
    for gauge in &metrics.gauges {
        let Some((line, peak)) = gauge.peak() else { continue };
        let others = gauge.lines.len() - 1 + gauge.dropped;
        let whose = match others {
            0 => line.label.clone(),
            others => format!("{}, of {}", line.label, others + 1),
        };
        table.push(
            None,
            [
                Cell::words(gauge.metric.title()),
                line.mean().map_or(Cell::Unknown, |mean| Cell::Words(gauge.metric.shown(mean))),
                Cell::Words(gauge.metric.shown(peak)),
                Cell::Name(whose),
            ],
        );
    }
    let figures = if metrics.gauges.is_empty() {
        Block::Note(Note::new("no data").about("Cluster"))
    } else {
        Block::Table(table)
    };
    let source = format!("{}, every {}", metrics.source, words::seconds(metrics.step_seconds));
    let mut facts = vec![Fact::new("Measured by", source)];
    facts.extend(metrics.missing.iter().map(|missing| Fact::new("Without", missing)));
    vec![figures, Block::Facts(facts)]
}
