//! Each VM's stages up to the goal: one stacked column per VM, the fastest first.

use super::chart::columns::{self, Piece};
use super::chart::{self, Axis, Drawing, Frame, Plot, Size};
use super::markup::Markup;
use super::subject::{Subject, Subjects};
use super::words;
use crate::Row;
use bootstorm_model::observe::{Milestone, Outcome};

/// One column of the chart: neighbouring VMs in the order of their total time
struct Column<'a> {
    /// Position of its first VM, from 1.
    first: usize,
    /// Its VMs.
    rows: Vec<&'a Row>,
}

/// Writes a chart per phase, all on the same scale.
pub(super) fn write(body: &mut Markup, subjects: &Subjects<'_>) {
    body.leaf("h3", &[], "Each VM, the fastest first");
    let longest =
        subjects.iter().flat_map(|subject| subject.phase.rows.iter().map(total)).fold(0.0, f64::max);
    for subject in subjects.iter().filter(|_| longest > 0.0) {
        let label = format!("{}: stages of each VM, stacked, in seconds", subject.label());
        body.leaf("p", &[("class", "charttitle")], &subject.label());
        chart::draw(body, true, &label, |size| per_vm(size, subject, longest));
    }
}

/// A column per VM, or per group of neighbours if there is not enough room.
fn per_vm(size: Size, subject: Subject<'_>, longest: f64) -> Drawing {
    let title = format!("seconds from {}", subject.phase.zero().0);
    let mut plot = Plot::new(&Frame {
        size,
        height: if size == Size::Full { 240.0 } else { 210.0 },
        x: Axis { top: 1.0, title: "VMs, by total time; then those that did not reach the goal" },
        y: Axis { top: longest * 1.02, title: &title },
        x_ticks: false,
    });
    let most = if size == Size::Narrow { 60 } else { 120 };
    let columns = columns_of(subject, most);
    let (left, right) = plot.width();
    // A few VMs are not stretched to the width of the page.
    let step = ((right - left) / columns.len().max(1) as f64).min(40.0);
    let n: usize = columns.iter().map(|column| column.rows.len()).sum();
    for (place, column) in columns.iter().enumerate() {
        let from = left + step * place as f64;
        let pieces = mean_pieces(&column.rows);
        columns::stack(&mut plot, from + step * 0.06, from + step * 0.94, &drawn(&pieces));
        if column.rows.iter().any(|row| row.outcome != Outcome::Reached) {
            let floor = plot.floor();
            plot.rect("missed", (from + step * 0.06, floor + 2.0), (from + step * 0.94, floor + 6.0));
        }
        plot.slice(from, from + step, &says(column, &pieces, n));
    }
    plot.finish()
}

/// VMs in the order of their total time, those that did not arrive last, in at most this many columns.
fn columns_of(subject: Subject<'_>, most: usize) -> Vec<Column<'_>> {
    let mut rows: Vec<&Row> =
        subject.phase.rows.iter().filter(|row| row.outcome != Outcome::Excluded).collect();
    let missed = |row: &Row| row.outcome != Outcome::Reached;
    rows.sort_by(|a, b| missed(a).cmp(&missed(b)).then_with(|| total(a).total_cmp(&total(b))));
    let count = rows.len().min(most);
    (0..count)
        .map(|place| {
            let (from, to) = (place * rows.len() / count, (place + 1) * rows.len() / count);
            Column { first: from + 1, rows: rows[from..to].to_vec() }
        })
        .collect()
}

/// The stretches of a VM, each named after the milestone that ends it.
fn pieces(row: &Row) -> Vec<(Milestone, f64)> {
    let mut before = 0.0;
    let on_the_way = row.milestones.iter().filter(|(milestone, _)| !is_beside(**milestone));
    on_the_way
        .map(|(milestone, mark)| {
            let length = (mark.seconds - before).max(0.0);
            before = mark.seconds.max(before);
            (*milestone, length)
        })
        .collect()
}

/// Ready, address and agent come in any order between Running and the first answer, so they are not stages of it.
fn is_beside(milestone: Milestone) -> bool {
    matches!(milestone, Milestone::Ready | Milestone::Address | Milestone::Agent)
}

fn total(row: &Row) -> f64 {
    pieces(row).iter().map(|(_, length)| length).sum()
}

fn mean_pieces(rows: &[&Row]) -> Vec<(Milestone, f64)> {
    let mut sums: Vec<(Milestone, f64)> = Vec::new();
    for (milestone, length) in rows.iter().flat_map(|row| pieces(row)) {
        match sums.iter_mut().find(|(known, _)| *known == milestone) {
            Some((_, sum)) => *sum += length,
            None => sums.push((milestone, length)),
        }
    }
    sums.sort_by_key(|(milestone, _)| *milestone);
    sums.into_iter().map(|(milestone, sum)| (milestone, sum / rows.len() as f64)).collect()
}

fn drawn(pieces: &[(Milestone, f64)]) -> Vec<Piece> {
    pieces.iter().map(|(milestone, length)| (words::class(*milestone), *length)).collect()
}

fn says(column: &Column<'_>, pieces: &[(Milestone, f64)], n: usize) -> String {
    let whole: f64 = pieces.iter().map(|(_, length)| length).sum();
    let mut says = match column.rows[..] {
        [row] => format!("{}: {} ({})", row.namespace, words::seconds(whole), row.status()),
        _ => {
            let last = column.first + column.rows.len() - 1;
            format!("VMs {} to {last} of {n}: {} on average", column.first, words::seconds(whole))
        }
    };
    if let [Row { node: Some(node), .. }] = column.rows[..] {
        says.push_str(&format!("\non {node}"));
    }
    for (milestone, length) in pieces {
        says.push_str(&format!("\nuntil {milestone}: {}", words::seconds(*length)));
    }
    says
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Report, Selection, fixtures};

    #[test]
    fn the_stages_of_a_vm_add_up_to_its_time() {
        let report = Report::of(&fixtures::probed(), &Selection::default());
        for row in &report.phases[2].rows {
            assert!((total(row) - row.seconds(Milestone::Reachable).unwrap()).abs() < 1e-9);
        }
    }

    #[test]
    fn many_vms_share_columns_and_the_missing_ones_come_last() {
        let report = Report::of(&fixtures::guide(), &Selection::default());
        let subjects = Subjects::of(&report);
        let storm = subjects.main().unwrap();
        let columns = columns_of(storm, 60);
        assert_eq!(columns.len(), 60);
        assert_eq!(columns.iter().map(|column| column.rows.len()).sum::<usize>(), 98);
        let last = columns.last().unwrap();
        assert!(last.rows.iter().all(|row| row.outcome != Outcome::Reached));
        assert_eq!(columns_of(storm, 500).len(), 98);
    }
}
