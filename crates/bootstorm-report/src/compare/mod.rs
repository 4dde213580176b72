//! Comparison of runs: their differences, and the shifts of their times.

mod differences;
mod phases;
mod table;
mod validity;

use jiff::Timestamp;
use serde::Serialize;

use super::{Graded, Repetitions, ThresholdBlock, Unwritable};
use bootstorm_model::probe::Probe;
use bootstorm_model::record::RunRecord;
use bootstorm_model::stats::shift::{self, FAMILY_RATE};
use bootstorm_model::stats::side::CONFIDENCE;
use bootstorm_model::stats::{self, Direction};

pub use differences::{Difference, Weight};
pub use phases::{MilestoneShift, PhaseShift};
pub use validity::leave_out_invalid;

/// Version of the document, described in `docs/compare-schema.json`: 2 since storms are the unit of sampling.
pub const COMPARE_SCHEMA_VERSION: u32 = 2;

/// A run in a comparison
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Name given by the user: a run's name or a file.
    pub label: &'a str,
    /// Record of the run.
    pub record: &'a RunRecord,
    /// Validity grades of its phases.
    pub validity: &'a [Graded],
}

/// Comparison of several runs
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CompareReport {
    /// [`COMPARE_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Method of the comparison.
    pub method: Method,
    /// Runs, the baseline first.
    pub runs: Vec<SubjectBlock>,
    /// Comparison of every other run with the baseline.
    pub comparisons: Vec<Versus>,
    /// Requested thresholds, of every run but the baseline.
    pub thresholds: Vec<ThresholdBlock>,
}

/// Method of a comparison
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Method {
    /// Share of repetitions in which an interval contains the true value.
    pub confidence: f64,
    /// Maximum share of pairs of identical runs in which anything is called worse or better.
    pub family_rate: f64,
    /// Smallest change that counts, as a share.
    pub min_effect: f64,
}

/// A run, for display
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SubjectBlock {
    /// Name given by the user.
    pub label: String,
    /// Name of the run.
    pub run: String,
    /// UUID.
    pub id: String,
    /// Time of its setup.
    pub created: Timestamp,
    /// Number of VMs.
    pub vms: usize,
    /// Finished storms.
    pub storms: usize,
    /// Compared phases whose times are not valid.
    pub doubtful: Vec<Graded>,
    /// Spread of its storms, if there are several.
    pub repetitions: Option<Repetitions>,
}

/// Comparison of a run with the baseline
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Versus {
    /// Label of the baseline.
    pub baseline: String,
    /// Label of the other run.
    pub candidate: String,
    /// Differences between them.
    pub differences: Vec<Difference>,
    /// Things that could not be compared, one sentence each.
    pub notes: Vec<String>,
    /// Phases that both have.
    pub phases: Vec<PhaseShift>,
    /// Direction: worse if any judged value is.
    pub direction: Direction,
    /// Deciding values, one sentence each.
    pub reasons: Vec<String>,
}

impl CompareReport {
    /// Compares every other run with the first; `min_effect` is a share: 0.05 for 5 %.
    pub fn of(subjects: &[Subject<'_>], min_effect: f64) -> Self {
        let versus = |pair: &[Subject<'_>]| Versus::of(pair[0], pair[1], min_effect);
        let pairs = subjects.iter().skip(1).map(|candidate| [subjects[0], *candidate]);
        Self {
            schema_version: COMPARE_SCHEMA_VERSION,
            method: Method { confidence: CONFIDENCE, family_rate: FAMILY_RATE, min_effect },
            runs: subjects.iter().map(SubjectBlock::of).collect(),
            comparisons: pairs.map(|pair| versus(&pair)).collect(),
            thresholds: Vec::new(),
        }
    }

    /// Runs about which nothing could be judged, because the data does not support it.
    pub fn unjudged(&self) -> impl Iterator<Item = &Versus> {
        self.comparisons.iter().filter(|versus| versus.direction == Direction::Unjudged)
    }

    /// Whether any run is worse than the baseline.
    pub fn is_worse(&self) -> bool {
        self.comparisons.iter().any(|versus| versus.direction == Direction::Worse)
    }

    /// The document as indented JSON with a final line end.
    pub fn json(&self) -> Result<String, Unwritable> {
        super::document::json(self)
    }

    /// The document as YAML.
    pub fn yaml(&self) -> Result<String, Unwritable> {
        super::document::yaml(self)
    }

    /// One line per run: its label and direction.
    pub fn names(&self) -> String {
        let line = |versus: &Versus| {
            format!("{}\t{}\n", super::printable(&versus.candidate), versus.direction.words())
        };
        self.comparisons.iter().map(line).collect()
    }
}

impl SubjectBlock {
    fn of(subject: &Subject<'_>) -> Self {
        let record = subject.record;
        Self {
            label: subject.label.to_owned(),
            run: record.plan.prefix.clone(),
            id: record.run_id.clone(),
            created: record.created,
            vms: record.plan.size() as usize,
            storms: phases::storms(record).count(),
            doubtful: validity::doubtful(subject),
            repetitions: Repetitions::of(record, |name| validity::is_graded_invalid(subject, name)),
        }
    }
}

impl Versus {
    fn of(baseline: Subject<'_>, candidate: Subject<'_>, min_effect: f64) -> Self {
        let (first, second) = (baseline.record, candidate.record);
        let mut notes: Vec<String> = [baseline, candidate].iter().flat_map(validity::notes).collect();
        let invalid = |kind| [baseline, candidate].iter().any(|subject| validity::is_invalid(subject, kind));
        let mut phases = phases::all(first, second, invalid, &mut notes);
        judge(&mut phases, min_effect);
        let judged = phases.iter().map(|phase| phase.direction);
        let direction = Direction::of_all(judged);
        let reasons = phases.iter().flat_map(|phase| phase.reasons(direction)).collect();
        Self {
            baseline: baseline.label.to_owned(),
            candidate: candidate.label.to_owned(),
            differences: differences::all(first, second),
            notes,
            phases,
            direction,
            reasons,
        }
    }
}

/// Judges every comparison of two runs, as one family.
fn judge(phases: &mut [PhaseShift], min_effect: f64) {
    let (mut shifts, mut failures) = (Vec::new(), Vec::new());
    for phase in phases.iter_mut() {
        failures.push(&mut phase.failures);
        shifts.extend(phase.milestones.iter_mut().flat_map(|milestone| &mut milestone.shifts));
    }
    shift::judge(shifts, failures, min_effect);
    phases.iter_mut().for_each(PhaseShift::conclude);
}

/// Reason why runs can be compared only on explicit request: different numbers of VMs, or invalid times.
pub fn refusal(subjects: &[Subject<'_>]) -> Option<String> {
    let (first, others) = subjects.split_first()?;
    let other = others.iter().find(|other| other.record.plan.size() != first.record.plan.size());
    let Some(other) = other else {
        return subjects.iter().filter(|_| !others.is_empty()).find_map(validity::refusal);
    };
    let vms = |subject: &Subject<'_>| format!("{} has {} VMs", subject.label, subject.record.plan.size());
    Some(format!("{}, {}: storms of different size cannot be compared", vms(first), vms(other)))
}

/// Deciding probe of a run.
fn deciding(record: &RunRecord) -> Option<Probe> {
    record.plan.probe.deciding()
}

#[cfg(test)]
mod tests;
