//! Breakdown of the time, bottleneck, and advice.

use std::collections::BTreeSet;

use bootstorm_model::observe::Milestone;
use bootstorm_model::stats::{Breakdown, Part};

use crate::Report;
use crate::color::Tone;
use crate::compared::Compared;
use crate::people::document::{Cell, Column, Note, Table};
use crate::phase::PhaseBlock;

/// Minimum width for the shares.
const ROOM_FOR_SHARES: usize = 72;

/// The stretches between milestones; the largest share is highlighted.
///
/// With a baseline the share is of the slowdown, without one it is of the whole.
fn table(compared: &Compared, breakdown: &Breakdown) -> Option<Table> {
    let baseline = compared.baseline.map(|baseline| Column::numbers(baseline.to_string()));
    let against = baseline.is_some();
    let columns = [Column::words("Where the time goes")].into_iter().chain(baseline);
    let columns = columns.chain([Column::numbers(compared.storm.to_string())]);
    let columns = columns.chain(against.then(|| Column::numbers("Difference")));
    let columns = columns.chain([
        Column::numbers("Share").from(ROOM_FOR_SHARES),
        Column::numbers("VMs/s").wide(),
        Column::words("Component").wide(),
    ]);
    let caption = if against {
        "Mean of each stretch between milestones, and its share of the extra time"
    } else {
        "Mean of each stretch between milestones, and its share of the time"
    };
    let mut table = Table::new(caption, columns);
    let whole: f64 = breakdown.parts.iter().filter_map(|part| part.storm).sum();
    let share = |part: &Part| {
        let of_whole = part.storm.map(|storm| storm / whole.max(f64::EPSILON) * 100.0);
        if against { part.share_percent.filter(|share| *share >= 0.5) } else { of_whole }
    };
    let largest = breakdown.parts.iter().filter_map(share).fold(0.0, f64::max);
    for part in &breakdown.parts {
        let share = share(part);
        let tone = share.filter(|share| *share >= largest).map(|_| Tone::Fair);
        let mut cells = vec![Cell::Words(format!("{} -> {}", part.from, part.to))];
        cells.extend(against.then(|| Cell::seconds(part.baseline)));
        cells.push(Cell::seconds(part.storm));
        cells.extend(against.then(|| match (part.baseline, part.storm) {
            (Some(_), Some(_)) => Cell::Difference(part.extra()),
            _ => Cell::Unknown,
        }));
        cells.push(share.map_or(Cell::Blank, |share| Cell::Words(format!("{share:.0} %"))));
        cells.push(part.rate.map_or(Cell::Unknown, |rate| Cell::Words(format!("{rate:.1}"))));
        cells.push(Cell::words(part.component.label()));
        table.push(tone, cells);
    }
    (!table.rows.is_empty()).then_some(table)
}

/// Breakdown of a storm's time; `None` if there is nothing to compare it with, except for migrating guests.
pub(crate) fn of(report: &Report, compared: &Compared) -> Option<Table> {
    if let Some(breakdown) = &compared.breakdown {
        let is_shown = compared.baseline.is_some() || compared.judged.is_of_migration();
        return is_shown.then(|| table(compared, breakdown)).flatten();
    }
    // For reports from before the time was broken down.
    stages(report.phase(compared.baseline?)?, report.phase(compared.storm)?)
}

/// Means of the stages of both phases.
fn stages(before: &PhaseBlock, after: &PhaseBlock) -> Option<Table> {
    let mean = |phase: &PhaseBlock, (to, from): (Milestone, Milestone)| {
        phase.stages.iter().find(|stage| (stage.to, stage.from) == (to, from))?.summary.mean
    };
    let names = [before.name.to_string(), after.name.to_string(), "Difference".to_owned()];
    let columns = [Column::words("Where the time goes")].into_iter().chain(names.map(Column::numbers));
    let mut table = Table::new("Mean of each stretch between milestones", columns);
    let ends: BTreeSet<(Milestone, Milestone)> =
        before.stages.iter().chain(&after.stages).map(|stage| (stage.to, stage.from)).collect();
    for end in ends {
        let difference = match (mean(before, end), mean(after, end)) {
            (Some(before), Some(after)) => Cell::Difference(after - before),
            // Disks are filled in the first phase only.
            _ if before.volumes.is_some() => Cell::Unknown,
            _ => continue,
        };
        let title = Cell::Words(format!("{} -> {}", end.1, end.0));
        table.push(
            None,
            [title, Cell::seconds(mean(before, end)), Cell::seconds(mean(after, end)), difference],
        );
    }
    (!table.rows.is_empty()).then_some(table)
}

/// Bottleneck, evidence and advice; or the statement that there is no single one.
pub(crate) fn bottleneck(breakdown: &Breakdown) -> Vec<Note> {
    let Some(found) = &breakdown.bottleneck else {
        return breakdown.unnamed.iter().map(Note::new).collect();
    };
    let mut notes = vec![Note::toned(Tone::Fair, &found.sentence).about("Bottleneck")];
    notes.extend(found.because.iter().map(|because| Note::new(because).detail()));
    notes.extend(found.remedies.iter().map(|remedy| Note::new(remedy).about("Try").detail()));
    notes
}

/// Advice, with its evidence.
pub(crate) fn advice(compared: &Compared) -> Vec<Note> {
    let mut notes = Vec::new();
    for advice in &compared.advice {
        let about = match advice.layer {
            Some(layer) => format!("This points to {}", layer.word()),
            None => "What to try".to_owned(),
        };
        notes.push(Note::new(advice.because.join("; ")).about(about));
        notes.push(Note::new(format!("{}.", advice.hints.join("; "))).about("Advice").detail());
    }
    notes
}
