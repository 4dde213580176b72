//! The grades of a run's phases, by which comparisons and thresholds go.

use serde::Serialize;

use super::phase::PhaseBlock;
use super::validity::ValidityBlock;
use bootstorm_model::record::{PhaseName, PhaseRecord, RunRecord};
use bootstorm_model::stats::validity::{Trust, Validity};

/// The grade of a phase of a run, as comparisons look at it
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Graded {
    /// The phase.
    pub phase: PhaseName,
    /// Its grade.
    pub grade: Validity,
    /// What speaks against it, one sentence each.
    pub doubts: Vec<String>,
}

impl Graded {
    /// The grades of the phases of a run.
    pub fn of_run(record: &RunRecord) -> Vec<Self> {
        let graded = |phase: &PhaseRecord| Self::new(phase.name, &ValidityBlock::of(record, &phase.look()));
        record.phases.iter().map(graded).collect()
    }

    /// The grades that a finished report has.
    pub fn of_report(phases: &[PhaseBlock]) -> Vec<Self> {
        let graded = |phase: &PhaseBlock| Some(Self::new(phase.name, phase.validity.as_ref()?));
        phases.iter().filter_map(graded).collect()
    }

    /// Why nothing can be judged by the times: they are invalid; `None` where they are not.
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
