//! Observed outages: by cause and by node, lost nodes, and every outage.

use crate::color::Tone;
use crate::observation::{NodeLossBlock, ObservationBlock, OutagesBlock};
use crate::people::document::{Block, Cell, Column, Note, Section, Table};
use crate::people::words;

/// Scope of the observation, and the grouped outages.
pub(crate) fn section(observation: &ObservationBlock) -> Section {
    let mut blocks = head(observation);
    if !observation.outages.is_empty() {
        blocks.extend(groups(observation).into_iter().map(Block::Table));
    }
    Section::new("outages", "Outages", blocks).framed()
}

/// Scope of the observation, number of outages, and notes for the reader.
pub(crate) fn head(observation: &ObservationBlock) -> Vec<Block> {
    let watched = words::vms(observation.vms);
    let state = if observation.done { "" } else { ", not over" };
    let outages = observation.tally();
    let began = observation.began.strftime("%Y-%m-%dT%H:%M:%SZ");
    let seconds = observation.watched_seconds;
    let text = format!("{watched} watched for {seconds:.1}s from {began}{state}: {outages}");
    let notes = observation.notes().into_iter().map(|note| Note::toned(Tone::Fair, note).about("Note"));
    vec![Block::Note(Note::new(text)), Block::List(notes.collect())]
}

/// Outages by cause and by node, and lost nodes.
pub(crate) fn groups(observation: &ObservationBlock) -> Vec<Table> {
    let by_node = "Outages by the node that the VMs were on, in seconds";
    let mut tables = Vec::new();
    if !observation.causes.is_empty() {
        tables.push(group("Outages by cause, in seconds", "Cause", &observation.causes));
        tables.push(group(by_node, "Node", &observation.nodes));
    }
    if !observation.node_losses.is_empty() {
        tables.push(losses(&observation.node_losses));
    }
    tables
}

fn group(caption: &str, title: &str, groups: &[OutagesBlock]) -> Table {
    let columns = [
        Column::words(title),
        Column::numbers("Outages"),
        Column::numbers("Back"),
        Column::seconds("Median"),
        Column::seconds("Longest"),
    ];
    let mut table = Table::new(caption, columns);
    for group in groups {
        table.push(
            (group.back < group.outages).then_some(Tone::Fair),
            [
                Cell::Name(group.name.clone()),
                Cell::count(group.outages),
                Cell::count(group.back),
                Cell::seconds(group.median),
                Cell::seconds(group.max),
            ],
        );
    }
    table
}

/// Time until Kubernetes noticed that nodes were lost, and until their VMs ran elsewhere.
fn losses(losses: &[NodeLossBlock]) -> Table {
    let times = ["Noticed", "Evicted", "Instance", "Running"].map(Column::seconds);
    let columns = [Column::words("Lost node"), Column::numbers("VMs")].into_iter().chain(times);
    let caption = "Lost nodes: median seconds from the first sign until Kubernetes noticed, evicted the VMs, and ran \
                   them again";
    let mut table = Table::new(caption, columns.chain([Column::numbers("Elsewhere")]));
    for loss in losses {
        let times = [loss.noticed, loss.evicted, loss.instance, loss.running].map(Cell::seconds);
        let cells = [Cell::Name(loss.node.clone()), Cell::count(loss.vms)].into_iter().chain(times);
        table.push(None, cells.chain([Cell::Words(format!("{}/{}", loss.elsewhere, loss.vms))]));
    }
    table
}

/// Every outage.
pub(crate) fn each(observation: &ObservationBlock) -> Table {
    let words = ["VM", "First sign", "Cause", "From node", "To node", "Known"].map(Column::words);
    let numbers = ["At", "Down", "Silent"].map(Column::seconds);
    let columns = words.into_iter().chain(numbers).chain([Column::numbers("Lost")]);
    let mut table = Table::new("Every outage, in the order in which they began, in seconds", columns);
    for outage in &observation.outages {
        let silence = match outage.silence {
            Some(silence) if outage.unprobed => Cell::Words(format!("<={silence:.2}")),
            silence => Cell::seconds(silence),
        };
        let took = match (outage.took, outage.back) {
            (Some(took), _) => Cell::Seconds(took),
            (None, Some(_)) => Cell::words("unknown"),
            (None, None) if outage.is_intended() => Cell::words("on purpose"),
            (None, None) => Cell::words("not back"),
        };
        table.push(
            outage.is_down().then_some(Tone::Bad),
            [
                Cell::Name(format!("{}/{}", outage.namespace, outage.name)),
                Cell::words(outage.sign.word()),
                Cell::words(outage.cause.words()),
                Cell::name(outage.left_node.as_deref()),
                Cell::name(outage.node.as_deref()),
                Cell::Words(outage.exact.clone()),
                Cell::Seconds(outage.at),
                took,
                silence,
                outage.lost.map_or(Cell::Unknown, |lost| Cell::Count(u64::from(lost))),
            ],
        );
    }
    table
}
