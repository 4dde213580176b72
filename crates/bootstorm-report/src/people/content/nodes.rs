//! Phases by node, to show a slow node.

use crate::NodeBlock;
use crate::color::Tone;
use crate::people::document::{Block, Cell, Column, Note, Table};
use crate::people::words;
use crate::phase::PhaseBlock;

/// Minimum width for all columns.
const ROOM_FOR_ALL: usize = 80;
/// Number of slow nodes that are named.
const NAMED: usize = 5;

/// The nodes of one phase, the distribution of VMs, and slow nodes.
pub(crate) fn of_phase(phase: &PhaseBlock) -> Vec<Block> {
    let mut blocks = vec![Block::Table(table(phase.nodes.iter().map(|node| (None, node))))];
    blocks.extend(balance(phase).map(Block::Note));
    blocks
}

/// A row for each node, with its phase if several are shown.
pub(crate) fn table<'a>(nodes: impl IntoIterator<Item = (Option<String>, &'a NodeBlock)>) -> Table {
    let nodes: Vec<(Option<String>, &NodeBlock)> = nodes.into_iter().collect();
    let phase = nodes.iter().any(|(phase, _)| phase.is_some()).then(|| Column::words("Phase"));
    let columns = [Column::words("Node")].into_iter().chain(phase).chain([
        Column::numbers("VMs"),
        Column::numbers("Reached").from(ROOM_FOR_ALL),
        Column::numbers("Not reached"),
        Column::seconds("Min").wide(),
        Column::seconds("Mean"),
        Column::seconds("p50").wide(),
        Column::seconds("p95"),
        Column::seconds("Max").from(60),
        Column::numbers("Times").from(ROOM_FOR_ALL),
    ]);
    let mut table = Table::new(
        "Seconds to the goal of the phase, per node, and how many times as long as on the median node",
        columns,
    );
    for (phase, node) in nodes {
        let summary = &node.summary;
        let tone = (node.slow || node.reached < node.vms).then_some(Tone::Fair);
        let name = node.node.as_ref().map_or_else(|| Cell::words("(none)"), |name| Cell::Name(name.clone()));
        table.push(
            tone,
            [name].into_iter().chain(phase.map(Cell::Words)).chain([
                Cell::count(node.vms),
                Cell::count(node.reached),
                Cell::count(node.failed),
                Cell::seconds(summary.min),
                Cell::seconds(summary.mean),
                Cell::quantile(summary.p50),
                Cell::quantile(summary.p95),
                Cell::seconds(summary.max),
                Cell::ratio(node.times_middle),
            ]),
        );
    }
    table
}

fn balance(phase: &PhaseBlock) -> Option<Note> {
    let balance = phase.balance?;
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
    Some(Note::new(vms).about("Balance"))
}

/// Names the slow nodes of a phase, however many nodes there are.
pub(crate) fn slow(phase: &PhaseBlock) -> Vec<Note> {
    let verdicts = phase.nodes.iter().filter_map(NodeBlock::verdict).take(NAMED);
    let mut notes: Vec<Note> = verdicts.map(|verdict| Note::toned(Tone::Fair, verdict)).collect();
    let slow = phase.nodes.iter().filter(|node| node.slow).count();
    if slow > NAMED {
        notes.push(Note::toned(Tone::Fair, format!("and {} more slow nodes", slow - NAMED)));
    }
    notes
}
