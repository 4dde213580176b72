//! Selection of the rows shown in a table: all VMs of the storm.

use crate::row::Row;

/// The rows that a table shows, in order: VMs not in the storm only in wide tables, and never those without an outage,
/// which have no times.
pub(super) fn visible(all: &[Row], wide: bool) -> Vec<&Row> {
    all.iter().filter(|row| !row.had_no_outage() && (wide || !row.is_set_aside())).collect()
}

/// The line about hidden rows.
pub(super) fn note(shown: usize, all: &[Row]) -> Option<String> {
    let hidden = all.iter().filter(|row| !row.had_no_outage()).count() - shown;
    (hidden > 0)
        .then(|| format!("... {hidden} of {} VMs hidden: not in this storm; -o wide shows all", all.len()))
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
