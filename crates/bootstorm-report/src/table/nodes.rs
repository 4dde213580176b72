//! The same phase node by node, so that one slow node stands out.

use super::grid::{Column, Grid};
use super::{Page, words};
use crate::NodeBlock;
use crate::paint::Tone;
use crate::phase::PhaseBlock;
use bootstorm_model::record::PhaseKind;

/// A normal table shows a storm's nodes up to this number.
const FEW: usize = 10;
/// From this width on there is room for all columns.
const ROOM_FOR_ALL: usize = 80;
/// Slow nodes that are named.
const NAMED: usize = 5;

/// Writes a line per node where there is more than one; `Times` is how many times as long as on the node in the middle.
pub(super) fn write(page: &mut Page, phase: &PhaseBlock) {
    let layout = page.layout();
    let is_of_interest = layout.wide || (phase.kind == PhaseKind::Storm && phase.nodes.len() <= FEW);
    if phase.nodes.len() < 2 || !is_of_interest {
        return;
    }
    let all = layout.wide || layout.width >= ROOM_FOR_ALL;
    let some = |cells: [String; 7]| {
        let keep = |place: &usize| all || !matches!(place, 2 | 6);
        (0..).zip(cells).filter(|(place, _)| keep(place)).map(|(_, cell)| cell).collect::<Vec<_>>()
    };
    let headings = ["VMs", "Successful", "Failed", "Avg(s)", "p95(s)", "Max(s)", "Times"].map(str::to_owned);
    let columns = some(headings).into_iter().map(|heading| Column::numbers(&heading));
    let mut grid = Grid::new([Column::words("Node")].into_iter().chain(columns).collect());
    for node in &phase.nodes {
        let summary = &node.summary;
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
        let p95 =
            summary.p95.seconds().map_or_else(|| words::quantile(summary.p95), |value| format!("{value:.2}"));
        let name = node.node.clone().unwrap_or_else(|| "(none)".to_owned());
        let cells = some([
            node.vms.to_string(),
            node.reached.to_string(),
            node.failed.to_string(),
            number(summary.mean),
            p95,
            number(summary.max),
            node.times_middle.map_or_else(|| "-".to_owned(), |times| format!("{times:.2}x")),
        ]);
        let tone = (node.slow || node.reached < node.vms).then_some(Tone::Fair);
        grid.push(tone, [name].into_iter().chain(cells).collect());
    }
    page.rule('-');
    let (header, lines) = grid.lines(layout.headers, layout.paint);
    if let Some(header) = header {
        page.toned(Tone::Heading, &header);
    }
    for line in lines {
        page.line(&line);
    }
    if let Some(balance) = &phase.balance {
        let vms = if balance.fewest == balance.most {
            format!("{} on each node", words::vms(balance.most))
        } else {
            format!(
                "{} to {} on a node, {:.2} times the mean on the fullest",
                balance.fewest,
                words::vms(balance.most),
                balance.imbalance
            )
        };
        page.sentence(None, 0, &format!("Balance: {vms}"));
    }
}

/// Names the nodes that are slow, however many nodes there are.
pub(super) fn slow(page: &mut Page, phase: &PhaseBlock) {
    for verdict in phase.nodes.iter().filter_map(NodeBlock::verdict).take(NAMED) {
        page.sentence(Some(Tone::Fair), 0, &verdict);
    }
    let slow = phase.nodes.iter().filter(|node| node.slow).count();
    if slow > NAMED {
        page.sentence(Some(Tone::Fair), 0, &format!("and {} more slow nodes", slow - NAMED));
    }
}
