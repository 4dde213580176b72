//! The answer first: the verdict on the storm, and its reason.

use super::markup::Markup;
use super::subject::{Role, Subjects};
use super::words;
use crate::people::content::{statistics, verdict as judgement};
use crate::people::words::capital;
use crate::{Compared, Report};
use bootstorm_model::record::{PhaseState, StormKind};

/// Writes the verdict, or the text in its place.
pub(super) fn write(body: &mut Markup, report: &Report, subjects: &Subjects<'_>) {
    let (class, word, reason) = match &report.comparison {
        Some(compared) => match (&compared.verdict, &compared.unjudged) {
            (Some(verdict), _) => (verdict.grade.word(), verdict.grade.word(), verdict.reason.clone()),
            (None, Some(why)) => ("none", "not judged", why.clone()),
            (None, None) => ("none", "no verdict", String::new()),
        },
        None => ("none", "no verdict", no_storm(report)),
    };
    body.open("section", &[("class", &format!("verdict {class}")), ("aria-label", "Verdict")]);
    body.leaf("p", &[("class", "grade")], word);
    body.open("div", &[]);
    body.leaf("p", &[("class", "reason")], &sentence(&reason));
    for note in notes(report, subjects) {
        body.leaf("p", &[("class", "note")], &note);
    }
    body.close("div").close("section");
}

fn no_storm(report: &Report) -> String {
    if report.phases.is_empty() {
        return "Nothing was measured yet: no VM has been created".to_owned();
    }
    "There is no storm to judge yet".to_owned()
}

/// Notes that a reader needs before relying on the figures.
fn notes(report: &Report, subjects: &Subjects<'_>) -> Vec<String> {
    let mut notes = thresholds(report);
    let compared = report.comparison.as_ref();
    let also = compared.map(judgement::also).unwrap_or_default();
    notes.extend(also.iter().map(|note| sentence(&note.line())));
    let base = compared.and_then(Compared::base);
    notes.extend(base.map(|base| sentence(&base)));
    if !report.setup.done {
        notes.push("The setup of this run is not complete.".to_owned());
    }
    for phase in report.phases.iter().filter(|phase| !phase.is_done()) {
        let how = if phase.state == PhaseState::Open {
            "is still running, or was killed"
        } else {
            "was interrupted"
        };
        let pending = words::count(phase.counts.pending, "VM");
        notes
            .push(format!("{} {how}: {pending} pending. The figures cover the time until then.", phase.name));
    }
    for phase in &report.phases {
        notes.extend(statistics::unknown(phase).map(|note| note.line()));
        if phase.continued > 0 {
            let (times, gap) = (words::count(phase.continued as usize, "time"), phase.effort.watch_gap);
            notes.push(format!(
                "{} was continued {times} and not watched for {}; changes in that time are marked.",
                phase.name,
                words::seconds(gap)
            ));
        }
    }
    if let Some(storm) = subjects.role(Role::Storm) {
        let excluded = storm.phase.counts.excluded;
        if excluded > 0 {
            let (vms, they) = (words::count(excluded, "VM"), if excluded == 1 { "it" } else { "they" });
            let name = storm.phase.name;
            notes.push(match storm.phase.settings.kind {
                StormKind::Start => {
                    format!("{vms} took no part in {name}, because {they} could not be stopped before.")
                }
                StormKind::Observed => format!("{vms} had no outage in {name}."),
                _ => format!("{vms} took no part in {name}; the reasons are below."),
            });
        }
    }
    notes
}

/// Thresholds that make the run a failure, and their results.
fn thresholds(report: &Report) -> Vec<String> {
    let failed: Vec<_> = report.thresholds.iter().filter(|block| block.fails()).collect();
    let crossed: Vec<&str> = failed
        .iter()
        .filter(|block| block.undecided.is_none())
        .map(|block| block.condition.as_str())
        .collect();
    let mut told: Vec<String> = Vec::new();
    if !crossed.is_empty() {
        told.push(format!("Thresholds crossed: {}.", crossed.join("; ")));
    }
    for block in failed.iter().filter(|block| block.undecided.is_some()) {
        told.push(format!("Threshold {} is {}.", block.condition, block.outcome()));
    }
    told
}

/// A sentence with an initial capital and a full stop.
pub(super) fn sentence(text: &str) -> String {
    words::readable(&format!("{}.", capital(text.trim_end_matches('.'))))
}
