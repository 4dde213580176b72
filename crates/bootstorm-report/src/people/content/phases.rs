//! Every phase of the run in one table.

use crate::Report;
use crate::people::document::{Cell, Column, Table};
use crate::phase::Counts;

/// One of the counts of a phase
type Count = fn(&Counts) -> usize;

/// A row for each phase. VMs without an outcome have columns only if there are any.
pub(crate) fn table(report: &Report) -> Table {
    let any = |of: Count| report.phases.iter().any(|phase| of(&phase.counts) > 0);
    let rare: [(&str, Count); 2] =
        [("Unknown", |counts| counts.unknown), ("Pending", |counts| counts.pending)];
    let rare: Vec<_> = rare.into_iter().filter(|(_, of)| any(*of)).collect();
    let words = ["Phase", "Began (UTC)", "State", "Goal"].map(Column::words).into_iter();
    let counts = ["VMs", "Reached", "Failed", "Timed out", "Excluded"].into_iter();
    let counts = counts.chain(rare.iter().map(|(word, _)| *word)).map(Column::numbers);
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
        let often = [counts.vms, counts.reached, counts.failed, counts.timed_out, counts.excluded];
        let counts = often.into_iter().chain(rare.iter().map(|(_, of)| of(counts)));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Selection, fixtures};
    use bootstorm_model::observe::Outcome;
    use bootstorm_model::record::RunRecord;

    #[test]
    fn every_vm_of_a_phase_is_in_one_of_its_columns() {
        let titles = |record: &RunRecord| -> Vec<String> {
            let report = Report::of(record, &Selection::default());
            table(&report).columns.into_iter().map(|column| column.title).skip(4).take(7).collect()
        };
        let often = ["VMs", "Reached", "Failed", "Timed out", "Excluded"];
        assert_eq!(titles(&fixtures::small()), [&often[..], &["Mean", "p95"]].concat());
        let mut record = fixtures::interrupted(3);
        record.phases[2].timelines[0].outcome = Outcome::Unknown;
        assert_eq!(titles(&record), [&often[..], &["Unknown", "Pending"]].concat());
        let report = Report::of(&record, &Selection::default());
        let rows = table(&report).rows;
        let counts: Vec<u64> = rows[2]
            .cells
            .iter()
            .filter_map(|cell| if let Cell::Count(count) = cell { Some(*count) } else { None })
            .collect();
        assert_eq!(counts[0], counts[1..].iter().sum::<u64>(), "{counts:?}");
    }
}
