//! The table of VMs: its columns and rows.

use super::grid::{Column, Grid};
use super::{Page, fold};
use crate::color::{Tone, of_outcome};
use crate::people::content::statistics::milestone_title;
use crate::phase::PhaseBlock;
use crate::row::Row;
use bootstorm_model::observe::{Milestone, Source};
use bootstorm_model::plan::sizing::Quantity;

/// Suffix of a time based on a server timestamp.
const STAMPED: &str = "±1s";
/// Suffix of a time that is an upper bound, because it was noticed after a gap.
const LATE: &str = "max";
/// Minimum width of a normal table for the time to Ready.
const ROOM_FOR_READY: usize = 72;
/// Minimum width of a normal table for the node.
const ROOM_FOR_NODE: usize = 100;

/// Content of a column
#[derive(Clone, Copy)]
enum Shows {
    Namespace,
    Name,
    Node,
    From,
    Memory,
    Downtime,
    Seconds { milestone: Milestone, with_marks: bool },
    Wave,
    Attempts,
    Status,
    Reason,
}

/// Writes the table of a phase's VMs.
pub(super) fn write(page: &mut Page, phase: &PhaseBlock) {
    let layout = page.layout();
    let shown = fold::visible(&phase.rows, layout.wide);
    let columns = columns(phase, &shown, layout.wide, layout.width);
    let mut grid = Grid::new(columns.iter().map(|(title, shows)| heading(title, *shows)).collect());
    for row in &shown {
        grid.push(of_outcome(row.outcome), columns.iter().map(|(_, shows)| cell(row, *shows)).collect());
    }
    if !layout.wide && layout.cut {
        grid.fit(page.width());
    }
    page.grid(grid, None);
    if let Some(note) = fold::note(shown.len(), &phase.rows) {
        page.sentence(Some(Tone::Faint), 0, &note);
    }
}

fn columns(phase: &PhaseBlock, rows: &[&Row], wide: bool, width: usize) -> Vec<(String, Shows)> {
    let mut columns = vec![("Namespace".to_owned(), Shows::Namespace)];
    if wide || rows.windows(2).any(|pair| pair[0].name != pair[1].name) {
        columns.push(("Name".to_owned(), Shows::Name));
    }
    if wide || (width >= ROOM_FOR_NODE && rows.iter().any(|row| row.node.is_some())) {
        if phase.goal.is_of_migration() {
            columns.push(("From".to_owned(), Shows::From));
        }
        columns.push(("Node".to_owned(), Shows::Node));
    }
    if wide && rows.iter().any(|row| memory(row).is_some()) {
        columns.push(("Memory".to_owned(), Shows::Memory));
    }
    if !phase.waves.is_empty() {
        columns.push(("Wave".to_owned(), Shows::Wave));
    }
    for milestone in milestones(phase, wide, width) {
        let is_stamped =
            |row: &&Row| row.milestones.get(&milestone).is_some_and(|mark| mark.source != Source::Seen);
        let shows = Shows::Seconds { milestone, with_marks: rows.iter().any(is_stamped) };
        columns.push((format!("{}(s)", milestone_title(milestone, phase.deciding)), shows));
    }
    if phase.downtime.is_some() {
        columns.push(("Downtime(s)".to_owned(), Shows::Downtime));
    }
    if wide {
        columns.push(("Attempts".to_owned(), Shows::Attempts));
    }
    columns.push(("Status".to_owned(), Shows::Status));
    if wide || rows.iter().any(|row| row.reason.is_some()) {
        columns.push(("Reason".to_owned(), Shows::Reason));
    }
    columns
}

/// Milestones with a column of their own.
fn milestones(phase: &PhaseBlock, wide: bool, width: usize) -> Vec<Milestone> {
    if wide {
        return phase.statistics.keys().copied().collect();
    }
    let mut shown = match phase.goal {
        Milestone::Gone | Milestone::Volume | Milestone::Accepted => vec![phase.goal],
        Milestone::Moved => {
            let all = [Milestone::Gone, Milestone::Migrated, Milestone::Moved];
            return all.into_iter().filter(|one| phase.statistics.contains_key(one)).collect();
        }
        Milestone::Migrated => {
            let all = [Milestone::Target, Milestone::Migrated];
            return all.into_iter().filter(|one| phase.statistics.contains_key(one)).collect();
        }
        _ if phase.volumes.is_some() => vec![Milestone::Volume, Milestone::Running],
        _ => vec![Milestone::Running],
    };
    if phase.is_probed() {
        shown.push(Milestone::Reachable);
    } else if width >= ROOM_FOR_READY && phase.statistics.contains_key(&Milestone::Ready) {
        shown.push(Milestone::Ready);
    }
    shown
}

fn heading(title: &str, shows: Shows) -> Column {
    match shows {
        Shows::Seconds { with_marks: true, .. } => {
            Column::numbers(&format!("{title}{:width$}", "", width = STAMPED.chars().count()))
        }
        Shows::Seconds { .. } | Shows::Attempts | Shows::Wave | Shows::Downtime | Shows::Memory => {
            Column::numbers(title)
        }
        _ => Column::words(title),
    }
}

fn cell(row: &Row, shows: Shows) -> String {
    match shows {
        Shows::Namespace => row.namespace.clone(),
        Shows::Name => row.name.clone(),
        Shows::Node => row.node.clone().unwrap_or_else(|| "-".to_owned()),
        Shows::From => {
            let from = row.migration.as_ref().and_then(|migration| migration.from.clone());
            from.unwrap_or_else(|| "-".to_owned())
        }
        Shows::Memory => memory(row).map_or_else(|| "-".to_owned(), |memory| memory.to_string()),
        Shows::Downtime => match row.downtime {
            Some(downtime) if downtime.open => format!(">{:.2}", downtime.seconds),
            Some(downtime) => format!("{:.2}", downtime.seconds),
            None => "-".to_owned(),
        },
        Shows::Seconds { milestone, with_marks } => seconds(row, milestone, with_marks),
        Shows::Wave => row.wave.map_or_else(|| "-".to_owned(), |wave| wave.to_string()),
        Shows::Attempts => row.attempts.to_string(),
        Shows::Status => row.status().to_owned(),
        Shows::Reason => row.reason.clone().unwrap_or_default(),
    }
}

/// The memory of a migrating guest.
fn memory(row: &Row) -> Option<Quantity> {
    row.migration.as_ref()?.memory_bytes.map(Quantity::whole)
}

fn seconds(row: &Row, milestone: Milestone, with_marks: bool) -> String {
    // Aligns the digits of values with and without a mark.
    let blank = if with_marks { "   " } else { "" };
    match row.milestones.get(&milestone) {
        None if row.unknown.contains(&milestone) => format!("unknown{blank}"),
        None => format!("-{blank}"),
        Some(mark) if mark.source == Source::Stamped => format!("{:.2}{STAMPED}", mark.seconds),
        Some(mark) if mark.source == Source::Late => format!("{:.2}{LATE}", mark.seconds),
        Some(mark) => format!("{:.2}{blank}", mark.seconds),
    }
}
