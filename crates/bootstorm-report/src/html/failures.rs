//! What went wrong, with reasons: alike VMs together.

use std::collections::BTreeMap;

use super::markup::Markup;
use super::words;
use crate::{Report, Row};
use bootstorm_model::observe::Outcome;

/// Reasons that are listed; more of them are counted.
const LISTED: usize = 50;
/// VMs named per reason.
const NAMED: usize = 6;

/// VMs of one phase that ended alike
struct Group<'a> {
    phase: String,
    outcome: Outcome,
    reason: &'a str,
    rows: Vec<&'a Row>,
}

/// Writes the section.
pub(super) fn write(body: &mut Markup, report: &Report) {
    if report.phases.is_empty() {
        return;
    }
    body.open("section", &[("id", "failures")]).leaf("h2", &[], "Failures");
    let groups = groups(report);
    if groups.is_empty() {
        body.leaf("p", &[("class", "empty")], "No VM failed, ran out of time or was excluded.");
    } else {
        table(body, &groups);
    }
    diagnoses(body, report);
    if groups.len() > LISTED {
        let more = words::count(groups.len() - LISTED, "more reason");
        body.leaf("p", &[("class", "hint")], &format!("And {more}; the table of VMs has each of them."));
    }
    body.close("section");
}

/// What kept the VMs from the goal, and how to look further.
fn diagnoses(body: &mut Markup, report: &Report) {
    if report.phases.iter().all(|phase| phase.diagnoses.is_empty()) {
        return;
    }
    body.leaf("h3", &[], "What kept them");
    body.open("div", &[("class", "scroll")]).open("table", &[("class", "reasons")]);
    body.open("thead", &[]).open("tr", &[]);
    for heading in ["Phase", "VMs", "Cause", "Waited for", "For example", "Look further"] {
        body.leaf("th", &[("scope", "col")], heading);
    }
    body.close("tr").close("thead").open("tbody", &[]);
    for phase in report.phases.iter().rev() {
        for block in phase.diagnoses.iter().take(LISTED) {
            let example = &block.example;
            let state = example.launcher.as_ref().map(|launcher| launcher.state.as_str());
            let state = state.or(example.status.as_deref()).unwrap_or_default();
            body.open("tr", &[]).leaf("th", &[("scope", "row")], &phase.name.to_string());
            body.leaf("td", &[("class", "number")], &block.vms.to_string());
            body.leaf("td", &[("class", "reason")], &block.cause).leaf("td", &[], block.waits_for.words());
            let says = format!("{}/{}: {state}", example.namespace, example.name);
            body.leaf("td", &[("class", "which")], &says).open("td", &[]);
            for command in &block.look {
                body.leaf("code", &[], command).empty("br", &[]);
            }
            body.close("td").close("tr");
        }
    }
    body.close("tbody").close("table").close("div");
}

/// The last phase first, and in it the most frequent reason first.
fn groups(report: &Report) -> Vec<Group<'_>> {
    let mut groups = Vec::new();
    for phase in report.phases.iter().rev() {
        let mut alike: BTreeMap<(&str, &str), Group<'_>> = BTreeMap::new();
        for row in phase.rows.iter().filter(|row| !matches!(row.outcome, Outcome::Reached | Outcome::Pending))
        {
            let reason = row.reason.as_deref().unwrap_or("no reason was given");
            let new =
                || Group { phase: phase.name.to_string(), outcome: row.outcome, reason, rows: Vec::new() };
            alike.entry((row.outcome.word(), reason)).or_insert_with(new).rows.push(row);
        }
        let mut alike: Vec<Group<'_>> = alike.into_values().collect();
        alike.sort_by_key(|group| std::cmp::Reverse(group.rows.len()));
        groups.extend(alike);
    }
    groups
}

fn table(body: &mut Markup, groups: &[Group<'_>]) {
    body.open("div", &[("class", "scroll")]).open("table", &[("class", "reasons")]);
    body.open("thead", &[]).open("tr", &[]);
    for heading in ["Phase", "Outcome", "VMs", "Reason", "Which"] {
        body.leaf("th", &[("scope", "col")], heading);
    }
    body.close("tr").close("thead").open("tbody", &[]);
    for group in groups.iter().take(LISTED) {
        body.open("tr", &[]).leaf("th", &[("scope", "row")], &group.phase);
        body.open("td", &[]).leaf(
            "span",
            &[("class", &format!("outcome {}", group.outcome.word()))],
            word(group.outcome),
        );
        body.close("td").leaf("td", &[("class", "number")], &group.rows.len().to_string());
        body.leaf("td", &[("class", "reason")], group.reason);
        body.leaf("td", &[("class", "which")], &which(&group.rows)).close("tr");
    }
    body.close("tbody").close("table").close("div");
}

/// The word for an outcome, as the tables have it.
pub(super) fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pending => "undecided",
        Outcome::Reached => "reached",
        Outcome::Failed => "failed",
        Outcome::TimedOut => "timed out",
        Outcome::Unknown => "unknown",
        Outcome::Excluded => "excluded",
    }
}

fn which(rows: &[&Row]) -> String {
    let names: Vec<&str> = rows.iter().take(NAMED).map(|row| row.namespace.as_str()).collect();
    let more = rows.len().saturating_sub(NAMED);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{rest}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Selection, fixtures};

    #[test]
    fn alike_vms_share_a_line_and_the_last_phase_comes_first() {
        let report = Report::of(&fixtures::guide(), &Selection::default());
        let lines: Vec<(String, usize, String)> = groups(&report)
            .iter()
            .map(|group| (group.phase.clone(), group.rows.len(), which(&group.rows)))
            .collect();
        assert_eq!(lines[0].0, "storm-1");
        assert_eq!(lines[0].1, 2, "the two excluded ones are the most alike: {lines:?}");
        assert_eq!(lines.last().unwrap().0, "create");
        assert_eq!(lines.last().unwrap().2, "boot-storm-test-37, boot-storm-test-71");
    }
}
