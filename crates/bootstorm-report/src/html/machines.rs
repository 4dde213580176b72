//! The table of VMs: its first rows in the markup, everything else by the page's script.

use super::failures::word;
use super::markup::Markup;
use super::subject::{Role, Subject, Subjects};
use super::words;
use crate::Row;
use bootstorm_model::observe::{Milestone, Source};

/// Rows that are there without scripts.
pub(super) const FIRST: usize = 25;

/// Writes the section.
pub(super) fn write(body: &mut Markup, subjects: &Subjects<'_>) {
    let Some(main) = subjects.main() else { return };
    let milestones: Vec<Milestone> = main.phase.statistics.keys().copied().collect();
    let n = main.phase.rows.len();
    body.open("section", &[("id", "vms")]).leaf("h2", &[], "VMs");
    body.open("div", &[("id", "vm-controls"), ("class", "controls"), ("hidden", "hidden")]).close("div");
    body.leaf("p", &[("id", "vm-status"), ("class", "hint"), ("role", "status")], &status(n, &main));
    body.open("div", &[("class", "scroll")]);
    body.open("table", &[("id", "vm-table"), ("class", "numbers vms")]);
    body.leaf("caption", &[], "Seconds from each VM’s own request");
    body.open("thead", &[]).open("tr", &[]);
    for word in ["Namespace", "Node", "Outcome"] {
        body.leaf("th", &[("scope", "col"), ("class", "word")], word);
    }
    for milestone in &milestones {
        body.leaf("th", &[("scope", "col")], milestone.word());
    }
    body.leaf("th", &[("scope", "col"), ("class", "reason")], "Reason")
        .close("tr")
        .close("thead")
        .open("tbody", &[]);
    for row in main.phase.rows.iter().take(FIRST) {
        line(body, row, &milestones);
    }
    body.close("tbody").close("table").close("div");
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
        format!("{vms} to be {of} in {}; the first {FIRST} are shown.", main.phase.name)
    } else {
        format!("{vms} to be {of} in {}.", main.phase.name)
    }
}

fn is_inexact(row: &Row) -> bool {
    row.milestones.values().any(|mark| mark.source != Source::Seen)
}

fn line(body: &mut Markup, row: &Row, milestones: &[Milestone]) {
    body.open("tr", &[]).leaf("th", &[("scope", "row")], &row.namespace);
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
    body.leaf("td", &[("class", "reason")], row.reason.as_deref().unwrap_or("")).close("tr");
}
