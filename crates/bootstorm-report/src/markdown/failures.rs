//! What went wrong: failures by reason, and the worst VMs folded away.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::text::{code, plain, quantile, seconds};
use crate::phase::PhaseBlock;
use crate::row::Row;
use crate::{FailureBlock, NodeBlock};
use bootstorm_model::observe::Outcome;
use bootstorm_model::stats::reason;

/// The most groups of failures, and the most rows.
const MOST: usize = 20;

/// VMs that did not make it, by outcome and reason, the most frequent first.
pub(super) fn grouped(page: &mut String, phase: &PhaseBlock) {
    let mut by_outcome: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in phase.rows.iter().filter(|row| row.outcome != Outcome::Reached) {
        by_outcome.entry(row.status()).or_default().push(row);
    }
    let mut groups: Vec<(&str, FailureBlock)> = by_outcome
        .iter()
        .flat_map(|(status, rows)| FailureBlock::grouped(rows).into_iter().map(|group| (*status, group)))
        .collect();
    if groups.is_empty() {
        return;
    }
    groups.sort_by_key(|(_, group)| std::cmp::Reverse(group.vms));
    page.push_str("| VMs | outcome | reason | for example |\n|---:|---|---|---|\n");
    for (status, group) in groups.iter().take(MOST) {
        let (reason, example) = (code(&group.reason), code(&group.namespace));
        let _ = writeln!(page, "| {} | {status} | {reason} | {example} |", group.vms);
    }
    if groups.len() > MOST {
        let more: usize = groups[MOST..].iter().map(|(_, group)| group.vms).sum();
        let _ = writeln!(page, "| {more} | | for {} other reasons | |", groups.len() - MOST);
    }
    page.push('\n');
}

/// What kept VMs from the goal, with a command that looks further.
pub(super) fn diagnosed(page: &mut String, phase: &PhaseBlock) {
    if phase.diagnoses.is_empty() {
        return;
    }
    page.push_str("| VMs | cause | waited for | look further |\n|---:|---|---|---|\n");
    for block in phase.diagnoses.iter().take(MOST) {
        let look = block.look.first().map(|command| code(command)).unwrap_or_default();
        let _ = writeln!(
            page,
            "| {} | {} | {} | {look} |",
            block.vms,
            code(&reason::shown(&block.cause)),
            block.waits_for.words()
        );
    }
    page.push('\n');
}

/// The VMs that stand out.
pub(super) fn outliers(page: &mut String, phase: &PhaseBlock) {
    let found = &phase.outliers.vms;
    let Some(limit) = phase.outliers.limit.filter(|_| !found.is_empty()) else { return };
    let _ = writeln!(page, "Outliers, above {}:\n", seconds(Some(limit)));
    for vm in found.iter().take(MOST) {
        let node = vm.node.as_deref().map_or_else(String::new, |node| format!(" on {}", code(node)));
        let (vm_seconds, times) = (seconds(Some(vm.seconds)), vm.times_median);
        let _ = writeln!(page, "- {}{node}: {vm_seconds}, {times:.1} times the median", code(&vm.namespace));
    }
    if found.len() > MOST {
        let _ = writeln!(page, "- and {} more", found.len() - MOST);
    }
    page.push('\n');
}

/// The nodes, folded away, and those that are slow.
pub(super) fn nodes(page: &mut String, phase: &PhaseBlock) {
    if phase.nodes.len() > 1 {
        page.push_str("<details><summary>Nodes</summary>\n\n");
        page.push_str("| node | VMs | failed | mean | p95 | max | times the middle |\n|---|---:|---:|---:|---:|---:|---:|\n");
        for node in phase.nodes.iter().take(MOST) {
            let summary = &node.summary;
            let name = node.node.as_deref().map_or_else(|| "(none)".to_owned(), code);
            let times = node.times_middle.map_or_else(|| "–".to_owned(), |times| format!("{times:.2}"));
            let (mean, p95, max) = (seconds(summary.mean), quantile(summary.p95), seconds(summary.max));
            let _ = writeln!(
                page,
                "| {name} | {} | {} | {mean} | {p95} | {max} | {times} |",
                node.vms, node.failed
            );
        }
        page.push_str("\n</details>\n\n");
    }
    let slow: Vec<String> = phase.nodes.iter().filter_map(NodeBlock::verdict).take(MOST).collect();
    for verdict in &slow {
        let _ = writeln!(page, "- {}", plain(verdict));
    }
    if !slow.is_empty() {
        page.push('\n');
    }
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
