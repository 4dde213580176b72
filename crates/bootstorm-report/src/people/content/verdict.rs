//! Verdict on a storm, and other problems.

use bootstorm_model::stats::{Finding, Grade, Rule};

use crate::color::Tone;
use crate::compared::Compared;
use crate::people::document::Note;

/// The verdict, or the reason why there is none.
pub(crate) fn note(compared: &Compared) -> Option<Note> {
    if let Some(verdict) = &compared.verdict {
        let about = match verdict.rule {
            Rule::Failures => String::new(),
            Rule::Ratio | Rule::Outliers | Rule::Variance => format!(" (time to {})", compared.judged),
        };
        let grade = verdict.grade.word().to_uppercase();
        let text = format!("{grade} - {}{about}", verdict.reason);
        return Some(Note::toned(verdict.grade.into(), text).about("Verdict"));
    }
    let why = compared.not_judged()?;
    Some(Note::toned(Tone::Fair, why).about("Verdict"))
}

/// Other problems.
pub(crate) fn also(compared: &Compared) -> Vec<Note> {
    let Some(verdict) = &compared.verdict else { return Vec::new() };
    let also = |finding: &&Finding| finding.rule != verdict.rule && finding.grade != Grade::Good;
    let findings = verdict.findings.iter().filter(also);
    findings.map(|finding| Note::new(&finding.reason).about(format!("Also {}", finding.grade))).collect()
}
