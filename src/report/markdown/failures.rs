//! What went wrong: failures by reason, and the worst VMs folded away.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::text::{code, seconds};
use crate::observe::Outcome;
use crate::report::phase::PhaseBlock;
use crate::report::row::Row;

/// The most groups of failures, and the most rows.
const MOST: usize = 20;

/// VMs that did not make it, by outcome and reason, the most frequent first.
pub(super) fn grouped(page: &mut String, phase: &PhaseBlock) {
    let mut groups: BTreeMap<(&str, &str), Vec<&Row>> = BTreeMap::new();
    for row in phase.rows.iter().filter(|row| row.outcome != Outcome::Reached) {
        groups
            .entry((row.status(), row.reason.as_deref().unwrap_or("no reason is known")))
            .or_default()
            .push(row);
    }
    if groups.is_empty() {
        return;
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, rows)| std::cmp::Reverse(rows.len()));
    page.push_str("| VMs | outcome | reason | for example |\n|---:|---|---|---|\n");
    for ((status, reason), rows) in groups.iter().take(MOST) {
        let example = rows.first().map(|row| code(&row.namespace)).unwrap_or_default();
        let _ = writeln!(page, "| {} | {status} | {} | {example} |", rows.len(), code(reason));
    }
    if groups.len() > MOST {
        let more: usize = groups[MOST..].iter().map(|(_, rows)| rows.len()).sum();
        let _ = writeln!(page, "| {more} | | for {} other reasons | |", groups.len() - MOST);
    }
    page.push('\n');
}

/// The slowest VMs.
pub(super) fn worst(page: &mut String, phase: &PhaseBlock) {
    let mut rows: Vec<(&Row, f64)> =
        phase.rows.iter().filter_map(|row| Some((row, row.seconds(phase.goal)?))).collect();
    if rows.is_empty() {
        return;
    }
    rows.sort_by(|a, b| b.1.total_cmp(&a.1));
    rows.truncate(MOST);
    let _ = writeln!(page, "<details><summary>Slowest {} VMs</summary>\n", rows.len());
    let _ = writeln!(page, "| namespace | {} | node |\n|---|---:|---|", phase.goal);
    for (row, time) in rows {
        let node = row.node.as_deref().map(code).unwrap_or_default();
        let _ = writeln!(page, "| {} | {} | {node} |", code(&row.namespace), seconds(Some(time)));
    }
    page.push_str("\n</details>\n\n");
}
