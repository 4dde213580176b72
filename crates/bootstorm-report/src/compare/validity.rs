//! Whether the times of runs can be trusted enough for a comparison.

use super::{Subject, phases};
use crate::Graded;
use bootstorm_model::record::{PhaseKind, PhaseName, RunRecord};
use bootstorm_model::stats::Validity;

/// Maximum number of named phases.
const NAMED: usize = 5;

/// Phases of a run that are compared and not valid.
pub(super) fn doubtful(subject: &Subject<'_>) -> Vec<Graded> {
    let record = subject.record;
    let is_over =
        |graded: &&Graded| phases::like(record, graded.phase).any(|phase| phase.name == graded.phase);
    let in_doubt = subject.validity.iter().filter(is_over).filter(|graded| graded.grade != Validity::Valid);
    in_doubt.cloned().collect()
}

/// Removes stops and storms with invalid times from a run, as long as others of their kind remain; returns a sentence
/// for each. Validity concerns the measurement, so removing them does not select results.
pub fn leave_out_invalid(label: &str, record: &mut RunRecord, validity: &mut Vec<Graded>) -> Vec<String> {
    let subject = Subject { label, record, validity };
    let mut invalid: Vec<Graded> = doubtful(&subject);
    invalid.retain(|graded| graded.grade == Validity::Invalid && !record.is_baseline(graded.phase));
    invalid.retain(|graded| {
        let is_left = |name| invalid_names(validity).all(|out| out != name);
        phases::like(record, graded.phase).any(|phase| is_left(phase.name))
    });
    record.phases.retain(|phase| invalid.iter().all(|graded| graded.phase != phase.name));
    validity.retain(|graded| !invalid.contains(graded));
    invalid.iter().map(|graded| format!("{}: left out", sentence(label, graded))).collect()
}

fn invalid_names(validity: &[Graded]) -> impl Iterator<Item = PhaseName> {
    validity.iter().filter(|graded| graded.grade == Validity::Invalid).map(|graded| graded.phase)
}

/// Doubts about the times of a run, one sentence per phase.
pub(super) fn notes(subject: &Subject<'_>) -> Vec<String> {
    let doubtful = doubtful(subject);
    let mut notes: Vec<String> =
        doubtful.iter().take(NAMED).map(|graded| sentence(subject.label, graded)).collect();
    if doubtful.len() > NAMED {
        notes.push(format!(
            "{} more phases of {} are not valid either",
            doubtful.len() - NAMED,
            subject.label
        ));
    }
    notes
}

/// Whether a phase has invalid times.
pub(super) fn is_graded_invalid(subject: &Subject<'_>, name: PhaseName) -> bool {
    invalid_names(subject.validity).any(|invalid| invalid == name)
}

/// Whether a kind of phase has invalid times.
pub(super) fn is_invalid(subject: &Subject<'_>, kind: PhaseKind) -> bool {
    let is_one = |graded: &Graded| graded.grade == Validity::Invalid && graded.phase.kind == kind;
    doubtful(subject).iter().any(is_one)
}

/// Reason why a run can be compared only on explicit request: invalid times.
pub(super) fn refusal(subject: &Subject<'_>) -> Option<String> {
    let invalid = doubtful(subject).into_iter().find(|graded| graded.grade == Validity::Invalid)?;
    Some(format!("{}: it cannot be compared", sentence(subject.label, &invalid)))
}

fn sentence(label: &str, graded: &Graded) -> String {
    format!("the times of {} of {label} are {} ({})", graded.phase, graded.grade, graded.doubts.join("; "))
}
