//! What went wrong, with reasons: alike VMs together.

use super::markup::Markup;
use super::words;
use crate::{Report, Row};
use bootstorm_model::observe::Outcome;
use bootstorm_model::record::NO_OUTAGE;
use bootstorm_model::stats::reason;

/// Reasons that are listed; more of them are counted.
const LISTED: usize = 20;
/// VMs named per reason.
const NAMED: usize = 12;

/// VMs of one phase that ended alike
struct Group<'a> {
    phase: String,
    outcome: Outcome,
    reason: String,
    rows: Vec<&'a Row>,
}

/// Writes the section; where nothing went wrong, there is none.
pub(super) fn write(body: &mut Markup, report: &Report) {
    let groups = groups(report);
    if groups.is_empty() {
        return;
    }
    body.open("section", &[("id", "failures")]).leaf("h2", &[], "Failures in detail");
    body.open("ul", &[("class", "troubles")]);
    for group in groups.iter().take(LISTED) {
        body.open("li", &[]).open("p", &[]);
        let class = format!("outcome {}", group.outcome.word());
        body.leaf("span", &[("class", &class)], word(group.outcome)).text(" ");
        body.leaf("b", &[], &words::count(group.rows.len(), "VM")).text(&format!(" in {}", group.phase));
        body.close("p").leaf("p", &[("class", "reason")], &words::readable(&group.reason));
        body.leaf("p", &[("class", "which")], &which(&group.rows)).close("li");
    }
    body.close("ul");
    if groups.len() > LISTED {
        let more = words::count(groups.len() - LISTED, "more reason");
        body.leaf("p", &[("class", "hint")], &format!("And {more}; the table of VMs has each of them."));
    }
    diagnoses(body, report);
    body.close("section");
}

/// What kept the VMs from the goal, and how to look further.
fn diagnoses(body: &mut Markup, report: &Report) {
    let all = report.phases.iter().rev();
    let all: Vec<_> = all.flat_map(|phase| phase.diagnoses.iter().map(move |block| (phase, block))).collect();
    if all.is_empty() {
        return;
    }
    body.leaf("h3", &[], "What kept them, and how to look further").open("ul", &[("class", "troubles")]);
    for (phase, block) in all.iter().take(LISTED) {
        let example = &block.example;
        let state = example.launcher.as_ref().map(|launcher| launcher.state.as_str());
        let state =
            state.or(example.status.as_deref()).map_or_else(String::new, |state| format!(": {state}"));
        body.open("li", &[]).open("p", &[]).leaf("b", &[], &words::count(block.vms, "VM"));
        body.text(&format!(" in {} waited for {}", phase.name, block.waits_for.words())).close("p");
        body.leaf("p", &[("class", "reason")], &words::readable(&block.cause));
        let says = format!("For example {}/{}{state}", example.namespace, example.name);
        body.leaf("p", &[("class", "which")], &says);
        if !block.look.is_empty() {
            body.open("pre", &[("class", "look")]).lines(&block.look.join("\n")).close("pre");
        }
        body.close("li");
    }
    body.close("ul");
    if all.len() > LISTED {
        let more = words::count(all.len() - LISTED, "more cause");
        body.leaf("p", &[("class", "hint")], &format!("And {more}."));
    }
}

/// The last phase first, and in it the most frequent reason first.
fn groups(report: &Report) -> Vec<Group<'_>> {
    let mut groups = Vec::new();
    for phase in report.phases.iter().rev() {
        let mut alike = Vec::new();
        for outcome in [Outcome::Failed, Outcome::TimedOut, Outcome::Unknown, Outcome::Excluded] {
            let rows: Vec<&Row> =
                phase.rows.iter().filter(|row| row.outcome == outcome && !is_aside(row)).collect();
            for group in reason::group(rows.iter().map(|row| row.reason.as_deref())) {
                let rows = group.members.iter().filter_map(|member| rows.get(*member).copied()).collect();
                alike.push(Group { phase: phase.name.to_string(), outcome, reason: group.reason, rows });
            }
        }
        alike.sort_by_key(|group| std::cmp::Reverse(group.rows.len()));
        groups.extend(alike);
    }
    groups
}

/// Whether a VM was up all the time of an observation.
fn is_aside(row: &Row) -> bool {
    row.outcome == Outcome::Excluded && row.reason.as_deref() == Some(NO_OUTAGE)
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
