//! Observed outages: a band per VM, then the outages by cause and by node.

use super::Page;
use super::grid::{Column, Grid};
use crate::color::Tone;
use crate::observation::{ObservationBlock, OutageBlock};
use crate::people::content::observation as content;

/// VMs shown in a normal table.
const FEW: usize = 20;
/// Columns of a band.
const BAND: std::ops::RangeInclusive<usize> = 20..=60;

/// Writes the full block.
pub(super) fn write(page: &mut Page, observation: &ObservationBlock) {
    page.title("Outages");
    page.blocks(&content::head(observation));
    if observation.outages.is_empty() {
        page.blank();
        return;
    }
    let wide = page.layout().wide;
    page.part();
    bands(page, observation, if wide { usize::MAX } else { FEW });
    for table in content::groups(observation) {
        page.table(&table);
    }
    if wide {
        page.table(&content::each(observation));
    }
    page.rule('=');
    page.blank();
}

/// Writes what fits on one screen: at most this many VMs.
pub(super) fn short(page: &mut Page, observation: &ObservationBlock, vms: usize) {
    page.blocks(&content::head(observation));
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

fn bands(page: &mut Page, observation: &ObservationBlock, most: usize) {
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
    page.grid(grid, None);
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

/// The outages of a VM, as a line of this many columns.
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
