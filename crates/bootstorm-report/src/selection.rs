//! Selection of the phases that a report compares.

use bootstorm_model::record::{PhaseKind, PhaseName, PhaseRecord, RunRecord};

/// The phases that a report compares; by default the create phase and the last storm
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Selection {
    /// Baseline.
    pub baseline: Option<PhaseName>,
    /// Judged phase.
    pub storm: Option<PhaseName>,
    /// The only phase that tables show in full, with the stop before it if it is a storm.
    pub only: Option<PhaseName>,
}

impl Selection {
    /// Fails with a sentence that names a missing phase and those that exist.
    pub fn check(&self, record: &RunRecord) -> Result<(), String> {
        let missing =
            [self.baseline, self.storm].into_iter().flatten().find(|name| record.phase(*name).is_none());
        let Some(name) = missing else { return Ok(()) };
        let known: Vec<String> = record.phases.iter().map(|phase| phase.name.to_string()).collect();
        let known = if known.is_empty() { "none yet".to_owned() } else { known.join(", ") };
        Err(format!("run {} has no phase {name} (phases: {known})", record.plan.prefix))
    }

    /// The baseline in a record. Adopted VMs have none: their later storms are compared with the first one.
    pub(super) fn baseline<'a>(&self, record: &'a RunRecord) -> Option<&'a PhaseRecord> {
        let kind = self.storm(record).map(|storm| storm.settings.kind);
        let is_alike =
            |phase: &&PhaseRecord| phase.name.kind == PhaseKind::Storm && Some(phase.settings.kind) == kind;
        let first_storm = || record.phases.iter().find(is_alike);
        match self.baseline {
            Some(name) => record.phase(name),
            None if record.plan.is_adopted() => first_storm(),
            None => record.baseline(),
        }
    }

    /// The judged phase.
    pub(super) fn storm<'a>(&self, record: &'a RunRecord) -> Option<&'a PhaseRecord> {
        self.storm.map_or_else(|| record.last_of(PhaseKind::Storm), |name| record.phase(name))
    }

    /// The stop that preceded the judged storm.
    pub(super) fn stop_before(record: &RunRecord, storm: PhaseName) -> Option<&PhaseRecord> {
        let before = record.phases.iter().position(|phase| phase.name == storm)?;
        if !record.phases[before].settings.kind.is_start() {
            return None;
        }
        record.phases[..before].iter().rev().find(|phase| phase.name.kind == PhaseKind::Stop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn an_unknown_phase_is_named_together_with_the_known_ones() {
        let record = fixtures::guide();
        assert_eq!(Selection::default().check(&record), Ok(()));
        let selection = Selection { storm: "storm-7".parse().ok(), ..Selection::default() };
        assert_eq!(
            selection.check(&record).unwrap_err(),
            "run boot-storm-test has no phase storm-7 (phases: create, stop-1, storm-1)"
        );
    }
}
