//! Comparison of a storm with its baseline: times side by side, and VM by VM.

use bootstorm_model::probe::Probe;
use bootstorm_model::stats::Change;

use super::statistics::milestone_title;
use crate::compared::Compared;
use crate::people::document::{Block, Cell, Column, Note, Table};
use crate::people::words::{self, capital};

/// The table, the definition of the baseline, and the per-VM comparison; nothing without a baseline.
pub(crate) fn blocks(compared: &Compared, deciding: Option<Probe>) -> Vec<Block> {
    let Some(baseline) = compared.baseline else { return Vec::new() };
    if compared.milestones.is_empty() {
        return vec![Block::Note(Note::new("There is no milestone that VMs reached in both phases."))];
    }
    let columns = [
        Column::words("Time to"),
        Column::numbers(baseline.to_string()),
        Column::numbers(compared.storm.to_string()),
        Column::numbers("Ratio"),
        Column::numbers("Change"),
    ];
    let mut table = Table::new(format!("{baseline} against {}", compared.storm), columns);
    for of in &compared.milestones {
        let title = milestone_title(of.milestone, deciding);
        let all = [("mean", of.mean), ("p50", of.p50), ("p95", of.p95), ("p99", of.p99), ("max", of.max)];
        for (statistic, change) in all {
            if statistic == "p99" && change.baseline.or(change.storm).is_none() {
                continue;
            }
            let is_quantile = statistic.starts_with('p');
            table.push(None, row(format!("{title} {statistic}"), change, is_quantile));
        }
    }
    for of in &compared.with_filling {
        let title = format!("{} mean, with filling", milestone_title(of.milestone, deciding));
        table.push(None, row(title, of.mean, false));
    }
    let mut blocks = vec![Block::Table(table)];
    blocks.extend(compared.base().map(|base| Block::Note(Note::new(capital(&base)))));
    blocks.extend(paired(compared, deciding).into_iter().map(Block::Note));
    blocks
}

fn row(title: String, change: Change, is_quantile: bool) -> [Cell; 5] {
    let value = |value: Option<f64>| match value {
        Some(seconds) => Cell::Seconds(seconds),
        None if is_quantile => Cell::words("not reached"),
        None => Cell::Unknown,
    };
    let percent = change.percent().map_or(Cell::Unknown, |percent| Cell::Words(format!("{percent:+.1} %")));
    [Cell::Words(title), value(change.baseline), value(change.storm), Cell::ratio(change.ratio), percent]
}

/// Per-VM comparison.
pub(crate) fn paired(compared: &Compared, deciding: Option<Probe>) -> Vec<Note> {
    let note = |of: &bootstorm_model::stats::Comparison| {
        let pairs = &of.paired;
        let (median, max) = (pairs.median_ratio?, pairs.max_ratio?);
        let title = milestone_title(of.milestone, deciding);
        let share = format!("{} of {}", pairs.slower, words::vms(pairs.n));
        let text = format!("{share} slower; median {median:.2}x, at most {max:.2}x");
        Some(Note::new(text).about(format!("{title}, VM by VM")))
    };
    compared.milestones.iter().filter_map(note).collect()
}
