//! Selection of the rows shown in a table: all VMs of the storm.

use crate::row::Row;
use bootstorm_model::observe::Outcome;
use bootstorm_model::record::{NO_OUTAGE, NOT_IN_STORM};

/// The rows that a table shows, in order. VMs that were set aside are shown in wide tables only.
pub(super) fn visible(all: &[Row], wide: bool) -> Vec<&Row> {
    all.iter().filter(|row| !had_no_outage(row) && (wide || !is_set_aside(row))).collect()
}

/// The line about hidden rows.
pub(super) fn note(shown: usize, all: &[Row]) -> Option<String> {
    let hidden = all.iter().filter(|row| !had_no_outage(row)).count() - shown;
    (hidden > 0)
        .then(|| format!("... {hidden} of {} VMs hidden: not in this storm; -o wide shows all", all.len()))
}

/// A VM that stayed up during an observed recovery has no times.
fn had_no_outage(row: &Row) -> bool {
    row.outcome == Outcome::Excluded && row.reason.as_deref() == Some(NO_OUTAGE)
}

fn is_set_aside(row: &Row) -> bool {
    row.outcome == Outcome::Excluded && row.reason.as_deref() == Some(NOT_IN_STORM)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Report, Selection, fixtures};

    #[test]
    fn every_vm_of_a_storm_has_a_row() {
        let report = Report::of(&fixtures::guide(), &Selection::default());
        let rows = &report.phases[2].rows;
        assert_eq!((visible(rows, false).len(), note(100, rows)), (100, None));
        let searched = Report::of(&fixtures::searched(6), &Selection::default());
        let rows = &searched.phases.last().unwrap().rows;
        let (some, all) = (visible(rows, false).len(), visible(rows, true).len());
        assert!(some < all && note(some, rows).is_some(), "{some} of {all}");
    }
}
