//! Which rows of a long table are shown.

use crate::row::Row;
use bootstorm_model::observe::{Milestone, Outcome};
use bootstorm_model::record::NOT_IN_STORM;

/// Tables up to this length are never folded.
const SHORT: usize = 20;
/// Of the successes, this many of the slowest stay.
const SLOWEST: usize = 10;
/// Of the others, this many stay: enough to see a pattern in their reasons.
const OTHERS: usize = 20;

/// The rows that a table shows, in their order: all of them, or the slowest and those that did not succeed. VMs that
/// were set aside tell nothing, and are left to wide tables.
pub(super) fn visible(all: &[Row], goal: Milestone, wide: bool) -> Vec<&Row> {
    if wide {
        return all.iter().collect();
    }
    let rows: Vec<&Row> = all.iter().filter(|row| !is_set_aside(row)).collect();
    if rows.len() <= SHORT {
        return rows;
    }
    let is_success = |index: &usize| rows[*index].outcome == Outcome::Reached;
    let (mut successes, others): (Vec<usize>, Vec<usize>) = (0..rows.len()).partition(is_success);
    let time = |index: &usize| rows[*index].seconds(goal).unwrap_or(0.0);
    successes.sort_by(|a, b| time(b).total_cmp(&time(a)));
    let mut shown: Vec<usize> =
        successes.into_iter().take(SLOWEST).chain(others.into_iter().take(OTHERS)).collect();
    shown.sort_unstable();
    shown.into_iter().map(|index| rows[index]).collect()
}

/// The line that says what is hidden.
pub(super) fn note(shown: usize, all: &[Row]) -> Option<String> {
    let hidden = all.len() - shown;
    let aside = all.iter().filter(|row| is_set_aside(row)).count();
    let others = all.iter().filter(|row| row.outcome != Outcome::Reached).count() - aside;
    if shown + aside == all.len() && aside > 0 {
        return Some(format!(
            "... {aside} of {} VMs hidden: not in this storm; -o wide shows all",
            all.len()
        ));
    }
    let what = match others {
        0 => format!("the {SLOWEST} slowest"),
        others if others <= OTHERS => format!("the {SLOWEST} slowest and all {others} that did not succeed"),
        others => format!("the {SLOWEST} slowest and {OTHERS} of {others} that did not succeed"),
    };
    (hidden > 0)
        .then(|| format!("... {hidden} of {} VMs hidden; shown are {what}; -o wide shows all", all.len()))
}

fn is_set_aside(row: &Row) -> bool {
    row.outcome == Outcome::Excluded && row.reason.as_deref() == Some(NOT_IN_STORM)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Report, Selection, fixtures};

    #[test]
    fn the_slowest_and_the_unsuccessful_stay_in_natural_order() {
        let report = Report::of(&fixtures::guide(), &Selection::default());
        let storm = &report.phases[2];
        let shown = visible(&storm.rows, storm.goal, false);
        assert_eq!(shown.len(), 14);
        let slowest = storm.summary(Milestone::Running).max;
        assert!(shown.iter().any(|row| row.seconds(Milestone::Running) == slowest));
        let positions = shown.iter().map(|row| storm.rows.iter().position(|other| other == *row));
        assert!(positions.is_sorted());
        assert_eq!(visible(&storm.rows, storm.goal, true).len(), 100);
    }

    #[test]
    fn short_tables_are_whole_and_say_nothing() {
        let report = Report::of(&fixtures::small(), &Selection::default());
        let rows = &report.phases[0].rows;
        assert_eq!(visible(rows, Milestone::Running, false).len(), 12);
        assert_eq!(note(12, rows), None);
    }
}
