//! The table of VMs: its first rows in the markup, the rest by the page's script.

use super::grid;
use super::markup::Markup;
use super::subject::{Role, Subject, Subjects};
use super::words;
use crate::Row;
use crate::phase::PhaseBlock;
use bootstorm_model::observe::{Milestone, Outcome, Source};

/// Rows available without scripts.
pub(super) const FIRST: usize = 25;

/// Writes the section.
pub(super) fn write(body: &mut Markup, subjects: &Subjects<'_>) {
    let Some(main) = subjects.main() else { return };
    let milestones = goal_first(main.phase);
    let n = main.phase.rows.len();
    body.open("section", &[("id", "vms")]).leaf("h2", &[], "VMs");
    body.open("div", &[("id", "vm-controls"), ("class", "controls"), ("hidden", "hidden")]).close("div");
    body.leaf("p", &[("id", "vm-status"), ("class", "hint"), ("role", "status")], &status(n, &main));
    let caption = format!("Seconds from {}; failed VMs first, then the slowest", main.phase.zero().0);
    grid::begin(body, &caption, &[("id", "vm-table"), ("class", "numbers vms")]);
    body.open("thead", &[]).open("tr", &[]);
    for word in ["Namespace", "Node", "Outcome"] {
        body.leaf("th", &[("scope", "col"), ("class", "word")], word);
    }
    for milestone in &milestones {
        body.leaf("th", &[("scope", "col")], milestone.word());
    }
    body.close("tr").close("thead").open("tbody", &[]);
    for row in worst_first(main.phase).into_iter().take(FIRST) {
        line(body, row, &milestones);
    }
    grid::close(body);
    body.open("div", &[("id", "vm-pages"), ("class", "controls"), ("hidden", "hidden")]).close("div");
    if subjects.iter().any(|subject| subject.phase.rows.iter().any(is_inexact)) {
        let note =
            "±1: from a whole-second timestamp of the server. ≤: noticed only after a gap of the watch.";
        body.leaf("p", &[("class", "hint")], note);
    }
    body.close("section");
}

fn status(n: usize, main: &Subject<'_>) -> String {
    let of = if main.role == Role::Stop { "stopped" } else { "started" };
    let vms = words::count(n, "VM");
    if n > FIRST {
        format!("{vms} to be {of} in {}; {FIRST} are shown.", main.phase.name)
    } else {
        format!("{vms} to be {of} in {}.", main.phase.name)
    }
}

fn is_inexact(row: &Row) -> bool {
    row.milestones.values().any(|mark| mark.source != Source::Seen)
}

fn line(body: &mut Markup, row: &Row, milestones: &[Milestone]) {
    let reason = row.reason.as_deref().filter(|reason| !reason.is_empty());
    let class: &[(&str, &str)] = if reason.is_some() { &[("class", "explained")] } else { &[] };
    body.open("tr", class).leaf("th", &[("scope", "row")], &row.namespace);
    body.leaf("td", &[("class", "word")], row.node.as_deref().unwrap_or("–"));
    body.open("td", &[("class", "word")]);
    body.leaf("span", &[("class", &format!("outcome {}", row.outcome.word()))], word(row.outcome))
        .close("td");
    for milestone in milestones {
        let text = row.milestones.get(milestone).map_or_else(
            || "–".to_owned(),
            |mark| match mark.source {
                Source::Seen => format!("{:.3}", mark.seconds),
                Source::Stamped => format!("{:.0} ±1", mark.seconds),
                Source::Late => format!("≤ {:.3}", mark.seconds),
            },
        );
        body.leaf("td", &[], &text);
    }
    body.close("tr");
    // On a line of its own: a column would be wide for a few VMs, and blank for all others.
    if let Some(reason) = reason {
        let columns = (milestones.len() + 3).to_string();
        body.open("tr", &[("class", "why")]).open("td", &[("colspan", &columns)]);
        body.leaf("div", &[], reason).close("td").close("tr");
    }
}

/// The word for an outcome, as in the script.
fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pending => "undecided",
        Outcome::TimedOut => "timed out",
        other => other.word(),
    }
}

/// The milestones of a phase, the goal first, so that it is visible.
pub(super) fn goal_first(phase: &PhaseBlock) -> Vec<Milestone> {
    let mut milestones: Vec<Milestone> = phase.statistics.keys().copied().collect();
    milestones.sort_by_key(|milestone| *milestone != phase.goal);
    milestones
}

/// The most relevant rows first: VMs that failed, others that did not arrive, then the slowest.
pub(super) fn worst_first(phase: &PhaseBlock) -> Vec<&Row> {
    let rank = |row: &Row| match row.outcome {
        Outcome::Failed | Outcome::TimedOut => 0,
        Outcome::Unknown | Outcome::Pending => 1,
        Outcome::Excluded => 2,
        Outcome::Reached => 3,
    };
    let time = |row: &Row| row.seconds(phase.goal).unwrap_or(-1.0);
    let mut rows: Vec<&Row> = phase.rows.iter().collect();
    // Equal ones stay in natural order.
    rows.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| time(b).total_cmp(&time(a))));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Report, Selection, fixtures};

    #[test]
    fn failed_vms_come_first_and_then_the_slowest() {
        let report = Report::of(&fixtures::guide(), &Selection::default());
        let storm = &report.phases[2];
        let rows = worst_first(storm);
        let first: Vec<&str> = rows.iter().take(4).map(|row| row.namespace.as_str()).collect();
        assert_eq!(
            first,
            ["boot-storm-test-13", "boot-storm-test-58", "boot-storm-test-37", "boot-storm-test-71"]
        );
        let times: Vec<f64> = rows[4..].iter().map(|row| -row.seconds(storm.goal).unwrap()).collect();
        assert!(times.is_sorted() && rows.len() == storm.rows.len());
    }

    #[test]
    fn a_reason_is_a_line_of_its_own_below_the_vm() {
        let page = Report::of(&fixtures::guide(), &Selection::default()).html();
        let (_, table) = page.split_once("id=\"vm-table\"").unwrap();
        let (head, body) = table.split_once("</thead>").unwrap();
        assert!(!head.contains("Reason"), "{head}");
        let columns = head.matches("<th ").count();
        assert!(body.contains(&format!("<tr class=\"why\"><td colspan=\"{columns}\"><div>still Scheduling")));
    }
}
