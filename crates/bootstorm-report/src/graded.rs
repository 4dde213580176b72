//! Validity grades of a run's phases, for comparisons and thresholds.

use serde::Serialize;

use super::phase::PhaseBlock;
use super::validity::ValidityBlock;
use bootstorm_model::record::{PhaseName, PhaseRecord, RunRecord};
use bootstorm_model::stats::validity::{Trust, Validity};

/// The validity grade of a phase of a run
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Graded {
    /// The phase.
    pub phase: PhaseName,
    /// Its grade.
    pub grade: Validity,
    /// Doubts about it, one sentence each.
    pub doubts: Vec<String>,
}

impl Graded {
    /// The grades of the phases of a run.
    pub fn of_run(record: &RunRecord) -> Vec<Self> {
        let graded = |phase: &PhaseRecord| Self::new(phase.name, &ValidityBlock::of(record, &phase.look()));
        record.phases.iter().map(graded).collect()
    }

    /// The grades in a finished report.
    pub fn of_report(phases: &[PhaseBlock]) -> Vec<Self> {
        let graded = |phase: &PhaseBlock| Some(Self::new(phase.name, phase.validity.as_ref()?));
        phases.iter().filter_map(graded).collect()
    }

    /// Reason why the times cannot be judged: they are invalid; `None` if they are not.
    pub fn invalid(&self) -> Option<String> {
        let why = || format!("the times of {} are invalid ({})", self.phase, self.doubts.join("; "));
        (self.grade == Validity::Invalid).then(why)
    }

    /// The grade of one phase.
    pub fn new(phase: PhaseName, block: &ValidityBlock) -> Self {
        let doubt = |finding: &Trust| format!("{}: {}", finding.rule.word(), finding.measured);
        Self { phase, grade: block.grade, doubts: block.doubts().map(doubt).collect() }
    }
}
