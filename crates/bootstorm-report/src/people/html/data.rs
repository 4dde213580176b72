//! The rows for the page's script: columns of small numbers instead of rows of named values.
//!
//! Times are whole milliseconds from each VM's own request. Repeated texts are stored once and referred to by index.

use std::borrow::Cow;

use serde::Serialize;

use super::machines::{goal_first, worst_first};
use super::subject::Subjects;
use super::texts::Texts;
use crate::phase::{PhaseBlock, Shown};
use crate::{Report, printable};
use bootstorm_model::observe::{Milestone, Source};

/// Maximum number of rows of other phases, to keep the page small.
const MOST_EXTRA_ROWS: usize = 20_000;

/// Data for the script of a page
#[derive(Serialize)]
struct Data<'a> {
    /// Name of the run, for the name of the download.
    run: Cow<'a, str>,
    /// Index of the phase shown first.
    first: usize,
    /// Index of the phase that ratios refer to.
    baseline: Option<usize>,
    /// Phases that can be selected.
    phases: Vec<Columns>,
    /// Phases without rows.
    left_out: Vec<String>,
}

/// The rows of one phase
#[derive(Serialize)]
struct Columns {
    phase: String,
    goal: &'static str,
    namespaces: Texts,
    names: Texts,
    nodes: Texts,
    outcomes: Texts,
    reasons: Texts,
    attempts: Vec<u32>,
    milestones: Vec<&'static str>,
    /// Milestone → milliseconds per row.
    times: Vec<Vec<Option<i64>>>,
    /// Times that are not exact: index of the milestone, row, `stamped` or `late`.
    inexact: Vec<(usize, usize, Source)>,
}

/// The rows of the subject phases, and of others as far as they fit.
pub(super) fn json(report: &Report) -> String {
    let subjects = Subjects::of(report);
    let about: Vec<_> = subjects.iter().map(|subject| subject.phase.name).collect();
    let mut room = MOST_EXTRA_ROWS;
    let mut left_out = Vec::new();
    // Newest first: phases that do not fit are old.
    let mut chosen: Vec<&PhaseBlock> = Vec::new();
    for phase in report.phases.iter().rev() {
        let wanted = about.contains(&phase.name) || phase.shown == Shown::Full;
        if wanted || phase.rows.len() <= room {
            room = if wanted { room } else { room - phase.rows.len() };
            chosen.push(phase);
        } else {
            left_out.push(phase.name.to_string());
        }
    }
    chosen.reverse();
    left_out.reverse();
    let place = |role| {
        let name = subjects.role(role)?.phase.name;
        chosen.iter().position(|phase| phase.name == name)
    };
    let main = subjects.main().map(|main| main.phase.name);
    let data = Data {
        run: printable(&report.run.name),
        first: chosen.iter().position(|phase| Some(phase.name) == main).unwrap_or(0),
        baseline: place(super::subject::Role::Baseline),
        phases: chosen.into_iter().map(Columns::of).collect(),
        left_out,
    };
    // Serialising strings, numbers and lists of them cannot fail.
    serde_json::to_string(&data).unwrap_or_else(|_| "null".to_owned())
}

impl Columns {
    fn of(phase: &PhaseBlock) -> Self {
        let rows = worst_first(phase);
        let milestones = goal_first(phase);
        let mut inexact = Vec::new();
        for (row, of) in rows.iter().enumerate() {
            for (place, milestone) in milestones.iter().enumerate() {
                if let Some(mark) = of.milestones.get(milestone).filter(|mark| mark.source != Source::Seen) {
                    inexact.push((place, row, mark.source));
                }
            }
        }
        let millis = |seconds: f64| (seconds * 1000.0).round() as i64;
        let times =
            |milestone: Milestone| rows.iter().map(|row| row.seconds(milestone).map(millis)).collect();
        Self {
            phase: phase.name.to_string(),
            goal: phase.goal.word(),
            namespaces: Texts::of(rows.iter().map(|row| row.namespace.as_str())),
            names: Texts::of(rows.iter().map(|row| row.name.as_str())),
            nodes: Texts::of(rows.iter().map(|row| row.node.as_deref().unwrap_or(""))),
            outcomes: Texts::of(rows.iter().map(|row| row.outcome.word())),
            reasons: Texts::of(rows.iter().map(|row| row.reason.as_deref().unwrap_or(""))),
            attempts: rows.iter().map(|row| row.attempts).collect(),
            milestones: milestones.iter().map(|milestone| milestone.word()).collect(),
            times: milestones.iter().copied().map(times).collect(),
            inexact,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Selection, fixtures};

    #[test]
    fn a_hundred_storms_leave_out_the_oldest_rows_and_say_so() {
        let mut record = fixtures::healthy(1_000);
        let storm = record.phases[2].clone();
        for number in 2..=40 {
            let mut storm = storm.clone();
            storm.name.number = number;
            record.phases.push(storm);
        }
        let report = Report::of(&record, &Selection::default());
        let data: serde_json::Value = serde_json::from_str(&json(&report)).unwrap();
        let phases: Vec<&str> =
            data["phases"].as_array().unwrap().iter().map(|phase| phase["phase"].as_str().unwrap()).collect();
        assert_eq!((phases[0], phases.last().copied()), ("create", Some("storm-40")));
        assert!(!phases.contains(&"storm-2") && phases.contains(&"storm-39"));
        assert_eq!(data["left_out"][0], "storm-1");
        assert_eq!(phases.len() + data["left_out"].as_array().unwrap().len(), 42);
    }
}
