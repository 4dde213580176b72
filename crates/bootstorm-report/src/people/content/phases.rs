//! Every phase of the run in one table.

use crate::Report;
use crate::people::document::{Cell, Column, Table};

/// A row for each phase.
pub(crate) fn table(report: &Report) -> Table {
    let words = ["Phase", "Began (UTC)", "State", "Goal"].map(Column::words).into_iter();
    let counts = ["VMs", "Reached", "Failed", "Timed out", "Excluded"].map(Column::numbers);
    let times = ["Mean", "p95", "Max", "All after", "Total"].map(Column::seconds);
    let caption = "Times in seconds; recovery counts from the first request of the phase";
    let mut table = Table::new(caption, words.chain(counts).chain(times));
    for phase in &report.phases {
        let (counts, summary) = (&phase.counts, phase.summary(phase.goal));
        let words = [
            phase.title(),
            phase.began.strftime("%Y-%m-%d %H:%M:%S").to_string(),
            phase.state.word().to_owned(),
            phase.goal.word().to_owned(),
        ];
        let counts = [counts.vms, counts.reached, counts.failed, counts.timed_out, counts.excluded];
        let times = [
            Cell::seconds(summary.mean),
            Cell::quantile(summary.p95),
            Cell::seconds(summary.max),
            Cell::quantile(phase.recovery.t100),
            Cell::seconds(phase.spans.took()),
        ];
        table.push(None, words.map(Cell::Words).into_iter().chain(counts.map(Cell::count)).chain(times));
    }
    table
}
