//! How far the times can be trusted.

use bootstorm_model::stats::{Trust, Validity};

use crate::Report;
use crate::color::Tone;
use crate::people::document::{Cell, Column, Note, Table};
use crate::phase::PhaseBlock;
use crate::validity::ValidityBlock;

/// Phases whose times were graded.
pub(crate) fn graded(report: &Report) -> Vec<(&PhaseBlock, &ValidityBlock)> {
    report.phases.iter().filter_map(|phase| Some((phase, phase.validity.as_ref()?))).collect()
}

/// The grade of a phase, and the doubts about its times; with `all`, every rule.
pub(crate) fn notes(phase: &PhaseBlock, block: &ValidityBlock, all: bool) -> Vec<Note> {
    let grade = Note { tone: tone(block.grade), ..Note::new(block.grade.word()) };
    let mut notes = vec![grade.about(phase.name.to_string())];
    let wanted = |finding: &&Trust| all || finding.grade.is_some_and(|grade| grade != Validity::Valid);
    for finding in block.findings.iter().filter(wanted) {
        let note = Note { tone: finding.grade.and_then(tone), ..Note::new(&finding.measured) };
        notes.push(note.about(finding.rule.word()).detail());
    }
    notes
}

/// Every rule of every phase.
pub(crate) fn rules(graded: &[(&PhaseBlock, &ValidityBlock)]) -> Table {
    let columns = ["Phase", "Rule", "Grade", "What was measured"].map(Column::words);
    let mut table =
        Table::new("How far the times of each phase can be trusted; the worst rule decides", columns);
    for (phase, block) in graded {
        let mut row = |rule: &str, of: Option<Validity>, measured: &str| {
            let cells =
                [Cell::Words(phase.name.to_string()), Cell::words(rule), grade(of), Cell::words(measured)];
            table.push(None, cells);
        };
        row("all", Some(block.grade), "");
        for finding in &block.findings {
            row(finding.rule.word(), finding.grade, &finding.measured);
        }
    }
    table
}

/// A grade in the colours of outcomes.
pub(crate) fn grade(grade: Option<Validity>) -> Cell {
    match grade {
        None => Cell::Toned(Tone::Faint, "not measured".to_owned()),
        Some(Validity::Valid) => Cell::Toned(Tone::Good, Validity::Valid.word().to_owned()),
        Some(grade) => Cell::Toned(tone(grade).unwrap_or(Tone::Fair), grade.word().to_owned()),
    }
}

fn tone(grade: Validity) -> Option<Tone> {
    match grade {
        Validity::Valid => None,
        Validity::Qualified => Some(Tone::Fair),
        Validity::Invalid => Some(Tone::Bad),
    }
}
