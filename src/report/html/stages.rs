//! Where the time went: the stretches between milestones, for the crowd and for each VM.

use super::chart::columns::{self, Piece};
use super::chart::plot::hit;
use super::chart::{self, Axis, Drawing, Frame, Plot, Scale, Size, number};
use super::markup::Markup;
use super::subject::{Role, Subject, Subjects};
use super::words;
use crate::observe::{Milestone, Outcome};
use crate::report::Row;
use crate::stats::{Change, Summary};

/// One column of the chart: VMs next to each other in the order of their total time
struct Column<'a> {
    /// Position of its first VM, from 1.
    first: usize,
    /// Its VMs.
    rows: Vec<&'a Row>,
}

/// Writes the section.
pub(super) fn write(body: &mut Markup, subjects: &Subjects<'_>) {
    if subjects.iter().all(|subject| subject.phase.stages.is_empty()) {
        return;
    }
    body.open("section", &[("id", "stages")]).leaf("h2", &[], "Where the time went");
    let mut seen: Vec<Milestone> =
        subjects.iter().flat_map(|subject| subject.phase.stages.iter().map(|stage| stage.to)).collect();
    seen.sort_unstable();
    seen.dedup();
    let words: Vec<(&str, String)> =
        seen.iter().map(|milestone| (class(*milestone), format!("until {milestone}"))).collect();
    let entries: Vec<(&str, &str)> = words.iter().map(|(class, word)| (*class, word.as_str())).collect();
    chart::legend(body, &entries);
    means(body, subjects);
    table(body, subjects);
    body.leaf("h3", &[], "Each VM, the fastest first");
    let longest =
        subjects.iter().flat_map(|subject| subject.phase.rows.iter().map(total)).fold(0.0, f64::max);
    for subject in subjects.iter().filter(|_| longest > 0.0) {
        let label = format!("{}: stages of each VM, stacked, in seconds", subject.label());
        body.leaf("p", &[("class", "charttitle")], &subject.label());
        chart::draw(body, true, &label, |size| per_vm(size, subject, longest));
    }
    body.close("section");
}

/// One bar per phase: the mean of each stage, one after the other.
fn means(body: &mut Markup, subjects: &Subjects<'_>) {
    let sum = |subject: &Subject<'_>| -> f64 {
        subject.phase.stages.iter().filter_map(|stage| stage.summary.mean).sum()
    };
    let longest = subjects.iter().map(|subject| sum(&subject)).fold(0.0, f64::max);
    if longest <= 0.0 {
        return;
    }
    chart::draw(body, true, "Mean length of each stage, in seconds", |size| {
        let mut content = Markup::new();
        let scale = Scale::new(longest, 0.0, size.width() - 70.0);
        let mut y = 0.0;
        for subject in subjects.iter() {
            let (text_y, bar_y) = (number(y + 13.0), y + 19.0);
            let label = subject.label();
            content.leaf("text", &[("class", "name"), ("x", "0"), ("y", &text_y)], &label);
            let mut before = 0.0;
            for stage in &subject.phase.stages {
                let Some(mean) = stage.summary.mean else { continue };
                let (from, to) = (scale.at(before), scale.at(before + mean));
                let [x, width, top] = [from, to - from, bar_y].map(number);
                content.empty(
                    "rect",
                    &[
                        ("class", class(stage.to)),
                        ("x", &x),
                        ("y", &top),
                        ("width", &width),
                        ("height", "18"),
                    ],
                );
                let says = format!("{} to {}: {} on average", stage.from, stage.to, words::seconds(mean));
                hit(&mut content, (from, bar_y), (to, bar_y + 18.0), &says);
                before += mean;
            }
            let [x, text_y] = [scale.at(before) + 6.0, bar_y + 13.0].map(number);
            content.leaf("text", &[("class", "tick"), ("x", &x), ("y", &text_y)], &words::seconds(before));
            y += 46.0;
        }
        Drawing { height: y, content }
    });
}

/// One line per stage, the phases side by side.
fn table(body: &mut Markup, subjects: &Subjects<'_>) {
    body.open("div", &[("class", "scroll")]).open("table", &[("class", "numbers")]);
    body.leaf("caption", &[], "Length of each stage in seconds, over the VMs that passed both ends");
    body.open("thead", &[]).open("tr", &[]).leaf("th", &[("scope", "col"), ("rowspan", "2")], "Stage");
    for subject in subjects.iter() {
        body.leaf("th", &[("scope", "colgroup"), ("colspan", "5"), ("class", "group")], &subject.label());
    }
    let compared = subjects.role(Role::Baseline).zip(subjects.role(Role::Storm));
    if compared.is_some() {
        body.leaf("th", &[("scope", "col"), ("rowspan", "2")], "Mean ×");
    }
    body.close("tr").open("tr", &[]);
    for heading in subjects.iter().flat_map(|_| ["VMs", "Mean", "p50", "p95", "Max"]) {
        body.leaf("th", &[("scope", "col")], heading);
    }
    body.close("tr").close("thead").open("tbody", &[]);
    for (from, to) in ends(subjects) {
        body.open("tr", &[]).leaf("th", &[("scope", "row")], &format!("{from} → {to}"));
        for subject in subjects.iter() {
            cells(body, summary(subject, from, to));
        }
        if let Some((baseline, storm)) = compared {
            let mean = |subject| summary(subject, from, to).and_then(|summary| summary.mean);
            body.leaf("td", &[], &words::ratio(Change::new(mean(baseline), mean(storm)).ratio));
        }
        body.close("tr");
    }
    body.close("tbody").close("table").close("div");
}

/// The stages of any phase, in order.
fn ends(subjects: &Subjects<'_>) -> Vec<(Milestone, Milestone)> {
    let stages = subjects.iter().flat_map(|subject| subject.phase.stages.iter());
    let mut ends: Vec<(Milestone, Milestone)> = stages.map(|stage| (stage.from, stage.to)).collect();
    ends.sort_unstable();
    ends.dedup();
    ends
}

fn summary<'a>(subject: Subject<'a>, from: Milestone, to: Milestone) -> Option<&'a Summary> {
    let stage = subject.phase.stages.iter().find(|stage| (stage.from, stage.to) == (from, to))?;
    Some(&stage.summary)
}

fn cells(body: &mut Markup, summary: Option<&Summary>) {
    let Some(summary) = summary else {
        (0..5).for_each(|_| {
            body.leaf("td", &[], "–");
        });
        return;
    };
    body.leaf("td", &[("class", "group")], &summary.arrived.to_string());
    body.leaf("td", &[], &words::number(summary.mean));
    body.leaf("td", &[], &words::quantile_number(summary.p50));
    body.leaf("td", &[], &words::quantile_number(summary.p95));
    body.leaf("td", &[], &words::number(summary.max));
}

/// A column per VM, or per neighbours where there are more VMs than room.
fn per_vm(size: Size, subject: Subject<'_>, longest: f64) -> Drawing {
    let mut plot = Plot::new(&Frame {
        size,
        height: if size == Size::Full { 240.0 } else { 210.0 },
        x: Axis { top: 1.0, title: "VMs, by total time; then those that did not arrive" },
        y: Axis { top: longest * 1.02, title: "seconds from each VM’s own request" },
        x_ticks: false,
    });
    let most = if size == Size::Narrow { 60 } else { 120 };
    let columns = columns_of(subject, most);
    let (left, right) = plot.width();
    // A few VMs are not blown up to the width of the page.
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

/// The VMs in the order of their total time, those that did not arrive last, in at most so many columns.
fn columns_of<'a>(subject: Subject<'a>, most: usize) -> Vec<Column<'a>> {
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

/// Ready, address and agent come in any order between Running and the first answer: they are no stages of it.
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
    pieces.iter().map(|(milestone, length)| (class(*milestone), *length)).collect()
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

/// Class of the stage that ends with a milestone.
fn class(milestone: Milestone) -> &'static str {
    match milestone {
        Milestone::Requested | Milestone::Accepted => "stage accepted",
        Milestone::Instance => "stage instance",
        Milestone::Pod => "stage pod",
        Milestone::Scheduled => "stage scheduled",
        Milestone::Running => "stage running",
        Milestone::Reachable => "stage reachable",
        Milestone::Stopping => "stage stopping",
        Milestone::Gone => "stage gone",
        _ => "stage other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Report, Selection, fixtures};

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
