//! The rows for the page's script: columns of small numbers instead of rows of named values.
//!
//! Times are whole milliseconds from each VM's own request. Texts that repeat are kept once and named by their place.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Serialize;

use super::subject::Subjects;
use crate::observe::{Milestone, Source};
use crate::report::phase::{PhaseBlock, Shown};
use crate::report::{Report, Row, printable};

/// Rows of phases beside the ones that the page is about, at most; a page must stay small.
const MOST_EXTRA_ROWS: usize = 20_000;

/// What the script of a page works with
#[derive(Serialize)]
struct Data<'a> {
    /// Name of the run, for the name of the download.
    run: Cow<'a, str>,
    /// Place of the phase that is shown first.
    first: usize,
    /// Place of the phase that ratios are against.
    baseline: Option<usize>,
    /// The phases that can be looked into.
    phases: Vec<Columns>,
    /// Phases whose rows are left out.
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
    /// Times that are not exact: place of the milestone, row, `stamped` or `late`.
    inexact: Vec<(usize, usize, Source)>,
}

/// Texts that repeat
#[derive(Serialize)]
struct Texts {
    /// What all texts begin with.
    prefix: String,
    /// What differs, each once.
    words: Vec<String>,
    /// Place of the word per row; empty where row and word have the same place.
    rows: Vec<usize>,
}

/// The rows of the phases that the page is about, and of others as far as they fit.
pub(super) fn json(report: &Report) -> String {
    let subjects = Subjects::of(report);
    let about: Vec<_> = subjects.iter().map(|subject| subject.phase.name).collect();
    let mut room = MOST_EXTRA_ROWS;
    let mut left_out = Vec::new();
    // The newest first: what does not fit is old.
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
    // Strings, numbers and lists of them cannot fail to be written.
    serde_json::to_string(&data).unwrap_or_else(|_| "null".to_owned())
}

impl Columns {
    fn of(phase: &PhaseBlock) -> Self {
        let rows = &phase.rows;
        let milestones: Vec<Milestone> = phase.statistics.keys().copied().collect();
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
            |milestone: Milestone| rows.iter().map(move |row| row.seconds(milestone).map(millis)).collect();
        Self {
            phase: phase.name.to_string(),
            goal: phase.goal.word(),
            namespaces: Texts::of(rows, |row| &row.namespace),
            names: Texts::of(rows, |row| &row.name),
            nodes: Texts::of(rows, |row| row.node.as_deref().unwrap_or("")),
            outcomes: Texts::of(rows, |row| row.outcome.word()),
            reasons: Texts::of(rows, |row| row.reason.as_deref().unwrap_or("")),
            attempts: rows.iter().map(|row| row.attempts).collect(),
            milestones: milestones.iter().map(|milestone| milestone.word()).collect(),
            times: milestones.iter().copied().map(times).collect(),
            inexact,
        }
    }
}

impl Texts {
    fn of<'a>(rows: &'a [Row], text: impl Fn(&'a Row) -> &'a str) -> Self {
        let texts: Vec<_> = rows.iter().map(|row| printable(text(row))).collect();
        let prefix = common_prefix(texts.iter().map(AsRef::as_ref));
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut words = Vec::new();
        let mut rows = Vec::with_capacity(texts.len());
        for text in &texts {
            let rest = &text[prefix.len()..];
            let place = *places.entry(rest).or_insert_with(|| {
                words.push(rest.to_owned());
                words.len() - 1
            });
            rows.push(place);
        }
        if rows.iter().enumerate().all(|(row, place)| row == *place) {
            rows.clear();
        }
        Self { prefix: prefix.to_owned(), words, rows }
    }
}

/// What all texts begin with, cut between characters.
fn common_prefix<'a>(mut texts: impl Iterator<Item = &'a str>) -> &'a str {
    let Some(first) = texts.next() else { return "" };
    texts.fold(first, |prefix, text| {
        let shared =
            prefix.char_indices().zip(text.chars()).find(|((_, a), b)| a != b).map(|((at, _), _)| at);
        let end = shared.unwrap_or_else(|| {
            // One of them ended: the shorter one is the beginning of the other.
            prefix.len().min(text.len())
        });
        &prefix[..end]
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::report::{Selection, fixtures};

    #[test]
    fn common_beginnings_are_kept_once_and_never_split_a_character() {
        let prefix = |texts: &[&str]| common_prefix(texts.iter().copied()).to_owned();
        assert_eq!(prefix(&["test-1", "test-10", "test-2"]), "test-");
        assert_eq!(prefix(&["tä", "tö"]), "t");
        assert_eq!(prefix(&["test-1", "test-"]), "test-");
        assert_eq!(prefix(&["same", "same"]), "same");
        assert_eq!(prefix(&[]), "");
    }

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

    proptest! {
        #[test]
        fn texts_come_back_as_they_were(namespaces in prop::collection::vec("[a-cäö]{0,4}", 0..20)) {
            let report = Report::of(&fixtures::small(), &Selection::default());
            let rows: Vec<Row> = namespaces
                .iter()
                .map(|namespace| Row { namespace: namespace.clone(), ..report.phases[0].rows[0].clone() })
                .collect();
            let texts = Texts::of(&rows, |row| &row.namespace);
            for (row, namespace) in namespaces.iter().enumerate() {
                let place = texts.rows.get(row).copied().unwrap_or(row);
                prop_assert_eq!(&format!("{}{}", texts.prefix, texts.words[place]), namespace);
            }
        }
    }
}
