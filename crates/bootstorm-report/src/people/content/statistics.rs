//! Statistics of every milestone and stage.

use bootstorm_model::observe::Milestone;
use bootstorm_model::probe::Probe;
use bootstorm_model::stats::{Comparison, Summary};

use crate::people::document::{Cell, Column, Note, Table};
use crate::people::words;
use crate::phase::PhaseBlock;

/// A row for each milestone of a phase.
pub(crate) fn table(phase: &PhaseBlock) -> Table {
    let mut table = empty([phase], "Time to", false);
    for (milestone, summary) in &phase.statistics {
        let title = milestone_title(*milestone, phase.deciding);
        let cells = cells(title, None, summary, has_unknown(phase));
        table.push(None, cells);
    }
    table
}

/// A row for each milestone of a phase, followed by a row for each stage.
pub(crate) fn with_stages(phase: &PhaseBlock) -> Table {
    let mut table = table(phase);
    if let Some(column) = table.columns.first_mut() {
        "Time to, and from milestone to milestone".clone_into(&mut column.title);
    }
    for stage in &phase.stages {
        let title = format!("{} -> {}", stage.from, stage.to);
        table.push(None, cells(title, None, &stage.summary, has_unknown(phase)));
    }
    table
}

/// The milestones of several phases side by side, each with the ratios of compared ones.
pub(crate) fn side_by_side(phases: &[(String, &PhaseBlock)], compared: &[Comparison]) -> Table {
    let all = || phases.iter().map(|(_, phase)| *phase);
    let with_unknown = all().any(has_unknown);
    let mut table = empty(all(), "Milestone", true);
    let mut milestones: Vec<Milestone> = all().flat_map(|phase| phase.statistics.keys().copied()).collect();
    milestones.sort_unstable();
    milestones.dedup();
    for milestone in milestones {
        let title = || milestone.word().to_owned();
        for (label, phase) in phases {
            if let Some(summary) = phase.statistics.get(&milestone) {
                table.push(None, cells(title(), Some(label.clone()), summary, with_unknown));
            }
        }
        if let Some(of) = compared.iter().find(|of| of.milestone == milestone) {
            let ratio = |ratio: Option<f64>| ratio.map_or(Cell::Blank, Cell::Ratio);
            let counts = if with_unknown { 3 } else { 2 };
            let mut cells = vec![Cell::Words(title()), Cell::words("storm ÷ baseline")];
            cells.resize(2 + counts + 1, Cell::Blank);
            cells.extend([ratio(of.mean.ratio), Cell::Blank]);
            cells.extend([of.p50, of.p90, of.p95, of.p99, of.max].map(|change| ratio(change.ratio)));
            table.push(None, cells);
            table.set_apart();
        }
    }
    table
}

fn empty<'a>(
    phases: impl IntoIterator<Item = &'a PhaseBlock, IntoIter: Clone>,
    title: &str,
    is_of_several: bool,
) -> Table {
    let phases = phases.into_iter();
    let zero = phases.clone().last().map_or("the request", |phase| phase.zero().0);
    let unknown = phases.clone().any(has_unknown).then(|| Column::numbers("Unknown"));
    let columns = [Column::words(title)].into_iter();
    let columns = columns.chain(is_of_several.then(|| Column::words("Phase")));
    let columns = columns.chain([Column::numbers("VMs"), Column::numbers("Reached")]).chain(unknown);
    let times = ["Min", "Mean", "Stddev", "p50", "p90", "p95", "p99", "Max"].map(Column::seconds);
    Table::new(format!("Seconds from {zero}"), columns.chain(times))
}

fn has_unknown(phase: &PhaseBlock) -> bool {
    phase.statistics.values().any(|summary| summary.unknown > 0)
}

fn cells(title: String, phase: Option<String>, summary: &Summary, with_unknown: bool) -> Vec<Cell> {
    let mut cells = vec![Cell::Words(title)];
    cells.extend(phase.map(Cell::Words));
    cells.extend([Cell::count(summary.n), Cell::count(summary.arrived)]);
    cells.extend(with_unknown.then(|| Cell::count(summary.unknown)));
    cells.extend([summary.min, summary.mean, summary.stddev].map(Cell::seconds));
    cells.extend([summary.p50, summary.p90, summary.p95, summary.p99].map(Cell::quantile));
    cells.push(Cell::seconds(summary.max));
    cells
}

/// Number of VMs that are not in the figures of a phase.
pub(crate) fn unknown(phase: &PhaseBlock) -> Option<Note> {
    let undecided = phase.counts.unknown;
    let lost = phase.summary(phase.goal).unknown.saturating_sub(undecided);
    let lost_time =
        (lost > 0).then(|| format!("{} that reached the goal after an unknown time", words::vms(lost)));
    let unseen = (undecided > 0).then(|| {
        let it = if undecided == 1 { "it" } else { "they" };
        format!("{} of which nobody knows whether {it} reached the goal", words::vms(undecided))
    });
    let text: Vec<String> = [lost_time, unseen].into_iter().flatten().collect();
    let about = format!("Not in the figures of {}", phase.name);
    (!text.is_empty()).then(|| Note::new(format!("{}.", text.join("; "))).about(about))
}

/// The guide's word for a milestone: the time to `reachable` is its "Ping".
pub(crate) fn milestone_title(milestone: Milestone, deciding: Option<Probe>) -> String {
    if milestone == Milestone::Reachable {
        return match deciding {
            None | Some(Probe::Ping) => "Ping".to_owned(),
            Some(Probe::Tcp(port)) => format!("TCP {port}"),
            Some(Probe::Http(port, _)) => format!("HTTP {port}"),
            Some(Probe::Ssh(_)) => "SSH".to_owned(),
            Some(Probe::Agent) => "Agent".to_owned(),
            Some(Probe::CloudInit) => "Cloud-init".to_owned(),
        };
    }
    let (first, rest) = milestone.word().split_at(1);
    first.to_uppercase() + rest
}
