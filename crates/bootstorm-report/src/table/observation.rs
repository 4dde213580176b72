//! Who was down when: a band per VM, then the outages by cause and by node.

use super::grid::{Column, Grid};
use super::{Page, words};
use crate::observation::{NodeLossBlock, ObservationBlock, OutageBlock, OutagesBlock};
use crate::paint::Tone;

/// VMs that a normal table shows.
const FEW: usize = 20;
/// Columns of a band.
const BAND: std::ops::RangeInclusive<usize> = 20..=60;

/// Writes all of it.
pub(super) fn write(page: &mut Page, observation: &ObservationBlock) {
    page.title("Outages");
    head(page, observation);
    if observation.outages.is_empty() {
        page.blank();
        return;
    }
    page.rule('-');
    let most = if page.layout().wide { usize::MAX } else { FEW };
    bands(page, observation, most);
    page.rule('-');
    if !observation.causes.is_empty() {
        groups(page, "Cause", &observation.causes);
        page.rule('-');
        groups(page, "Node", &observation.nodes);
    }
    if !observation.node_losses.is_empty() {
        page.rule('-');
        losses(page, &observation.node_losses);
    }
    if page.layout().wide {
        page.rule('-');
        each(page, observation);
    }
    page.rule('=');
    page.blank();
}

/// Writes what fits on one screen: so many VMs at most.
pub(super) fn short(page: &mut Page, observation: &ObservationBlock, vms: usize) {
    head(page, observation);
    if !observation.outages.is_empty() {
        page.blank();
        bands(page, observation, vms);
        let causes: Vec<String> =
            observation.causes.iter().map(|cause| format!("{} ({})", cause.name, cause.outages)).collect();
        if !causes.is_empty() {
            page.sentence(None, 0, &format!("Causes: {}", causes.join(", ")));
        }
    }
}

fn head(page: &mut Page, observation: &ObservationBlock) {
    let watched = words::vms(observation.vms);
    let state = if observation.done { "" } else { ", not over" };
    let outages = observation.tally();
    let began = observation.began.strftime("%Y-%m-%dT%H:%M:%SZ");
    page.sentence(
        None,
        0,
        &format!("{watched} watched for {:.1}s from {began}{state}: {outages}", observation.watched_seconds),
    );
    for note in observation.notes() {
        page.sentence(Some(Tone::Fair), 0, &format!("Note: {note}"));
    }
}

fn bands(page: &mut Page, observation: &ObservationBlock, most: usize) {
    let layout = page.layout();
    let vms = observation.by_vm();
    let titles = ["Down(s)", "Silent(s)"].map(Column::numbers);
    let end = observation.end();
    let names = vms.iter().map(|(vm, _)| vm.namespace.chars().count() + vm.name.chars().count() + 1).max();
    let room = page.width().saturating_sub(names.unwrap_or_default().max(2) + 32);
    let columns = room.clamp(*BAND.start(), *BAND.end());
    let axis = format!("0s{:>width$}", format!("{end:.0}s"), width = columns.saturating_sub(2));
    let mut grid = Grid::new([Column::words("VM"), Column::words(&axis)].into_iter().chain(titles).collect());
    for (vm, outages) in vms.iter().take(most) {
        let times: Option<Vec<f64>> =
            outages.iter().filter(|outage| !outage.is_intended()).map(|outage| outage.took).collect();
        let times = times.filter(|times| !times.is_empty());
        let down = times.map_or_else(|| "-".to_owned(), |times| format!("{:.2}", times.iter().sum::<f64>()));
        let silent: Vec<f64> = outages.iter().filter_map(|outage| outage.silence).collect();
        let silent =
            if silent.is_empty() { "-".to_owned() } else { format!("{:.2}", silent.iter().sum::<f64>()) };
        let tone = outages.iter().any(|outage| outage.is_down()).then_some(Tone::Bad);
        grid.push(
            tone,
            vec![format!("{}/{}", vm.namespace, vm.name), band(observation, outages, columns), down, silent],
        );
    }
    let (header, lines) = grid.lines(layout.headers, layout.paint);
    if let Some(header) = header {
        page.toned(Tone::Heading, &header);
    }
    for line in lines {
        page.line(&line);
    }
    let legend = if observation.outages.iter().any(OutageBlock::is_intended) {
        "# down   ? down at some time in it   > not back   - down on purpose"
    } else {
        "# down   ? down at some time in it   > not back"
    };
    page.toned(Tone::Faint, legend);
    if let Some(hidden) = vms.len().checked_sub(most).filter(|hidden| *hidden > 0) {
        page.sentence(Some(Tone::Faint), 0, &format!("... {hidden} more VMs; -o wide shows all"));
    }
}

/// When a VM was down, as a line of so many columns.
fn band(observation: &ObservationBlock, outages: &[&OutageBlock], columns: usize) -> String {
    let end = observation.end();
    let column = |seconds: f64| ((seconds / end * columns as f64).max(0.0) as usize).min(columns - 1);
    let mut band = vec!['.'; columns];
    for (index, outage) in outages.iter().enumerate() {
        for cell in &mut band[column(outage.earliest)..=column(outage.at)] {
            *cell = '?';
        }
        let last = column(observation.until(outages, index));
        for cell in &mut band[column(outage.at).min(last)..=last] {
            *cell = if outage.is_intended() { '-' } else { '#' };
        }
        if outage.is_down() {
            band[columns - 1] = '>';
        }
    }
    band.into_iter().collect()
}

fn groups(page: &mut Page, title: &str, groups: &[OutagesBlock]) {
    let layout = page.layout();
    let numbers = ["Outages", "Back", "Median(s)", "Longest(s)"].map(Column::numbers);
    let mut grid = Grid::new([Column::words(title)].into_iter().chain(numbers).collect());
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
    for group in groups {
        grid.push(
            (group.back < group.outages).then_some(Tone::Fair),
            vec![
                group.name.clone(),
                group.outages.to_string(),
                group.back.to_string(),
                number(group.median),
                number(group.max),
            ],
        );
    }
    let (header, lines) = grid.lines(layout.headers, layout.paint);
    if let Some(header) = header {
        page.toned(Tone::Heading, &header);
    }
    for line in lines {
        page.line(&line);
    }
}

/// How long it took until Kubernetes noticed that nodes were lost, and until their VMs ran elsewhere.
fn losses(page: &mut Page, losses: &[NodeLossBlock]) {
    let numbers =
        ["VMs", "Noticed(s)", "Evicted(s)", "Instance(s)", "Running(s)", "Elsewhere"].map(Column::numbers);
    let mut grid = Grid::new([Column::words("Lost node")].into_iter().chain(numbers).collect());
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
    for loss in losses {
        let times = [loss.noticed, loss.evicted, loss.instance, loss.running].map(number);
        let mut cells = vec![loss.node.clone(), loss.vms.to_string()];
        cells.extend(times);
        cells.push(format!("{}/{}", loss.elsewhere, loss.vms));
        grid.push(None, cells);
    }
    page.grid(grid);
}

fn each(page: &mut Page, observation: &ObservationBlock) {
    let layout = page.layout();
    let columns = ["VM", "First sign", "Cause", "From node", "To node", "Known"].map(Column::words);
    let numbers = ["At(s)", "Down(s)", "Silent(s)", "Lost"].map(Column::numbers);
    let mut grid = Grid::new(columns.into_iter().chain(numbers).collect());
    for outage in &observation.outages {
        let silence = outage.silence.map_or_else(
            || "-".to_owned(),
            |silence| format!("{}{silence:.2}", if outage.unprobed { "<=" } else { "" }),
        );
        let took = match (outage.took, outage.back) {
            (Some(took), _) => format!("{took:.2}"),
            (None, Some(_)) => "unknown".to_owned(),
            (None, None) if outage.is_intended() => "on purpose".to_owned(),
            (None, None) => "not back".to_owned(),
        };
        grid.push(
            outage.is_down().then_some(Tone::Bad),
            vec![
                format!("{}/{}", outage.namespace, outage.name),
                outage.sign.word().to_owned(),
                outage.cause.word().to_owned(),
                outage.left_node.clone().unwrap_or_else(|| "-".to_owned()),
                outage.node.clone().unwrap_or_else(|| "-".to_owned()),
                outage.exact.clone(),
                format!("{:.2}", outage.at),
                took,
                silence,
                outage.lost.map_or_else(|| "-".to_owned(), |lost| lost.to_string()),
            ],
        );
    }
    let (header, lines) = grid.lines(layout.headers, layout.paint);
    if let Some(header) = header {
        page.toned(Tone::Heading, &header);
    }
    for line in lines {
        page.line(&line);
    }
}
