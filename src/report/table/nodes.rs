//! The same phase node by node, so that one slow node stands out.

use super::grid::{Column, Grid};
use super::{Page, words};
use crate::record::PhaseKind;
use crate::report::paint::Tone;
use crate::report::phase::PhaseBlock;

/// A normal table shows a storm's nodes up to this number.
const FEW: usize = 10;

/// Writes a line per node where there is more than one.
pub(super) fn write(page: &mut Page, phase: &PhaseBlock) {
    let layout = page.layout();
    let is_of_interest = layout.wide || (phase.kind == PhaseKind::Storm && phase.nodes.len() <= FEW);
    if phase.nodes.len() < 2 || !is_of_interest {
        return;
    }
    let columns = ["VMs", "Successful", "Avg(s)", "p95(s)", "Max(s)"].map(Column::numbers);
    let mut grid = Grid::new([Column::words("Node")].into_iter().chain(columns).collect());
    for node in &phase.nodes {
        let summary = &node.summary;
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
        let p95 =
            summary.p95.seconds().map_or_else(|| words::quantile(summary.p95), |value| format!("{value:.2}"));
        grid.push(
            (node.reached < node.vms).then_some(Tone::Fair),
            vec![
                node.node.clone().unwrap_or_else(|| "(none)".to_owned()),
                node.vms.to_string(),
                node.reached.to_string(),
                number(summary.mean),
                p95,
                number(summary.max),
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
}
