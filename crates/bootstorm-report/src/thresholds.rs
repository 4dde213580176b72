//! Evaluation of thresholds on a run: phase, value and result of each.

use serde::{Deserialize, Serialize};

use super::Graded;
use bootstorm_model::observe::Milestone;
use bootstorm_model::record::{PhaseKind, PhaseName, PhaseRecord, RunRecord, StormKind};
use bootstorm_model::stats::threshold::{Facts, Judged, PhaseWord, Place, Unit, Value};
use bootstorm_model::stats::{Threshold, maybe_micros, micros};

/// A threshold and its value
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct ThresholdBlock {
    /// Condition as given by the user: the run is a failure if it holds.
    pub condition: String,
    /// Run, if there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Phase; absent if the run has no matching one.
    pub phase: Option<PhaseName>,
    /// Phase by which it is divided, in a ratio.
    pub against: Option<PhaseName>,
    /// Unit of value and limit.
    pub unit: Unit,
    /// Limit.
    #[serde(serialize_with = "micros")]
    pub limit: f64,
    /// Value; absent if not reached or unknown.
    #[serde(serialize_with = "maybe_micros")]
    pub value: Option<f64>,
    /// Reason why there is no value.
    pub missing: Option<Missing>,
    /// Result.
    pub result: Judged,
    /// Reason why it is undecided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undecided: Option<String>,
}

/// A threshold as reports of any version store it
#[derive(Deserialize)]
struct Written {
    condition: String,
    #[serde(default)]
    run: Option<String>,
    phase: Option<PhaseName>,
    against: Option<PhaseName>,
    unit: Unit,
    limit: f64,
    value: Option<f64>,
    missing: Option<Missing>,
    #[serde(default)]
    result: Option<Judged>,
    #[serde(default)]
    undecided: Option<String>,
    /// Version 1: whether the condition holds, or could not be judged.
    #[serde(default)]
    crossed: bool,
}

impl From<Written> for ThresholdBlock {
    fn from(written: Written) -> Self {
        let of_version_1 = match written.missing {
            Some(Missing::Unknown) => Judged::Undecided,
            _ if written.crossed => Judged::Crossed,
            _ => Judged::Kept,
        };
        Self {
            condition: written.condition,
            run: written.run,
            phase: written.phase,
            against: written.against,
            unit: written.unit,
            limit: written.limit,
            value: written.value,
            missing: written.missing,
            result: written.result.unwrap_or(of_version_1),
            undecided: written.undecided,
        }
    }
}

impl ThresholdBlock {
    /// Whether it makes the run a failure.
    pub fn fails(&self) -> bool {
        self.result.fails()
    }

    /// Result in words: `kept`, or `undecided: the times of storm-1 are invalid (…)`.
    pub fn outcome(&self) -> String {
        match &self.undecided {
            Some(why) => format!("{}: {why}", self.result.word()),
            None => self.result.word().to_owned(),
        }
    }

    /// The phase, or both phases of a ratio; empty if the run has no matching one.
    pub fn places(&self) -> String {
        match (self.phase, self.against) {
            (Some(phase), Some(against)) => format!("{phase} / {against}"),
            (phase, _) => phase.map_or_else(String::new, |phase| phase.to_string()),
        }
    }
}

/// Reason why a threshold has no value
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Missing {
    /// Too few VMs arrived: larger than any number.
    #[serde(rename = "not reached")]
    NotReached,
    /// No such value.
    #[serde(rename = "unknown")]
    Unknown,
}

impl Missing {
    /// The word used in JSON and tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::NotReached => "not reached",
            Self::Unknown => "unknown",
        }
    }
}

/// An existing or expected phase
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// Name.
    pub name: PhaseName,
    /// Its goal.
    pub goal: Milestone,
    /// What a storm does with its VMs.
    pub storm: StormKind,
}

impl From<&PhaseRecord> for Expected {
    fn from(phase: &PhaseRecord) -> Self {
        Self { name: phase.name, goal: phase.goal, storm: phase.settings.kind }
    }
}

/// Checks that every threshold refers to phases that exist or will exist, and to what is measured in them.
///
/// `judged` is the phase of thresholds that name none. Fails with a sentence that lists the alternatives.
pub fn check(
    thresholds: &[Threshold],
    expected: &[Expected],
    judged: Option<PhaseName>,
) -> Result<(), String> {
    for threshold in thresholds {
        let fault = |why: String| format!("--fail-if '{}': {why}", threshold.text);
        let names: Vec<PhaseName> = expected.iter().map(|phase| phase.name).collect();
        for place in [threshold.place, threshold.against].into_iter().flatten() {
            let Some(name) = resolve(place, &names) else {
                let known: Vec<String> = names.iter().map(ToString::to_string).collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                return Err(fault(format!("there is no phase {place} (phases: {known})")));
            };
            measured(threshold, expected, name).map_err(fault)?;
        }
        if threshold.place.is_none() {
            let judged = judged.ok_or_else(|| fault("nothing was measured yet".into()))?;
            measured(threshold, expected, judged).map_err(fault)?;
        }
    }
    Ok(())
}

/// Fails unless VMs of a phase can pass the milestones of a threshold.
fn measured(threshold: &Threshold, expected: &[Expected], name: PhaseName) -> Result<(), String> {
    let Some(Expected { goal, storm, .. }) = expected.iter().find(|phase| phase.name == name).copied() else {
        return Ok(());
    };
    let ends = name.kind == PhaseKind::Storm && storm.ends_instances();
    for milestone in threshold.milestones() {
        let passed = match goal {
            Milestone::Gone => milestone.is_of_stop(),
            // Some migrate, others boot.
            Milestone::Moved => milestone != Milestone::Reachable,
            Milestone::Migrated => {
                (Milestone::Pod..=Milestone::Started).contains(&milestone) || milestone.is_of_migration()
            }
            _ => (ends || !milestone.is_of_stop()) && !milestone.is_of_migration(),
        };
        if milestone > Milestone::Accepted && !passed {
            return Err(format!("VMs do not pass {milestone} in {name}"));
        }
        if milestone == Milestone::Reachable && goal < milestone {
            return Err(format!("nothing is probed in {name}, so {milestone} is not measured"));
        }
    }
    Ok(())
}

/// Judges thresholds; `judged` is the phase of those that name none.
///
/// Those on a phase with invalid times, according to `grades`, are undecided.
pub fn judge(
    thresholds: &[Threshold],
    record: &RunRecord,
    judged: Option<PhaseName>,
    grades: &[Graded],
) -> Vec<ThresholdBlock> {
    let invalid = |name: Option<PhaseName>| {
        grades.iter().find(|graded| Some(graded.phase) == name).and_then(Graded::invalid)
    };
    let names: Vec<PhaseName> = record.phases.iter().map(|phase| phase.name).collect();
    let block = |threshold: &Threshold| {
        let phase = threshold.place.map_or(judged, |place| resolve(place, &names));
        let against = threshold.against.and_then(|place| resolve(place, &names));
        let look = |name: Option<PhaseName>| name.and_then(|name| record.phase(name)).map(PhaseRecord::look);
        let (here, there) = (look(phase), look(against));
        let facts = (here.as_deref().map(Facts::of), there.as_deref().map(Facts::of));
        let value = match (facts.0, threshold.against, facts.1) {
            (Some(_), Some(_), None) | (None, _, _) => Value::Unknown,
            (Some(phase), _, against) => threshold.value(&phase, against.as_ref()),
        };
        let undecided = invalid(phase).or_else(|| invalid(against));
        let result = if undecided.is_some() { Judged::Undecided } else { threshold.judge(value) };
        let unmeasured = || {
            let known =
                [facts.0, facts.1].into_iter().flatten().find_map(|facts| threshold.why_unknown(&facts));
            known.unwrap_or_else(|| "it could not be measured".to_owned())
        };
        let (known, missing) = match value {
            Value::Known(value) => (Some(value), None),
            Value::NotReached => (None, Some(Missing::NotReached)),
            Value::Unknown => (None, Some(Missing::Unknown)),
        };
        ThresholdBlock {
            condition: threshold.text.clone(),
            run: None,
            phase,
            against,
            unit: threshold.unit,
            limit: threshold.limit,
            value: known,
            missing,
            result,
            undecided: undecided.or_else(|| (result == Judged::Undecided).then(unmeasured)),
        }
    };
    thresholds.iter().map(block).collect()
}

/// The phase that a threshold refers to: the one with that number, or the last of that kind.
fn resolve(place: Place, names: &[PhaseName]) -> Option<PhaseName> {
    let kind = match place.kind {
        PhaseWord::Create => PhaseKind::Create,
        PhaseWord::Stop => PhaseKind::Stop,
        PhaseWord::Storm => PhaseKind::Storm,
    };
    let fits =
        |name: &&PhaseName| name.kind == kind && place.number.is_none_or(|number| number == name.number);
    names.iter().filter(fits).max_by_key(|name| name.number).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    fn thresholds(texts: &[&str]) -> Vec<Threshold> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn checked(record: &RunRecord, text: &str) -> Result<(), String> {
        let expected: Vec<Expected> = record.phases.iter().map(Expected::from).collect();
        check(&thresholds(&[text]), &expected, record.phases.last().map(|phase| phase.name))
    }

    #[test]
    fn phases_and_milestones_that_will_not_be_are_refused() {
        let record = fixtures::small();
        for known in ["storm.running.p95>60s", "stop-1.gone.max>1m", "failed>1%", "storm/create.goal.mean>2"]
        {
            assert_eq!(checked(&record, known), Ok(()));
        }
        let refused = |text: &str| checked(&record, text).unwrap_err();
        assert_eq!(
            refused("storm-2.running.p95>60s"),
            "--fail-if 'storm-2.running.p95>60s': there is no phase storm-2 (phases: create, stop-1, storm-1)"
        );
        assert!(refused("storm.reachable.p95>60s").contains("nothing is probed in storm-1"));
        assert!(refused("gone.p95>60s").contains("VMs do not pass gone in storm-1"));
        assert_eq!(checked(&fixtures::probed(), "storm.reachable.t95>2m"), Ok(()));
        let of_kind = |kind, text: &str| {
            let mut record = fixtures::small();
            record.phases[2].settings.kind = kind;
            record.phases[2].goal = PhaseKind::Storm.goal_of(kind);
            checked(&record, text)
        };
        for text in ["storm.gone.p95>60s", "gone..running.max>9s"] {
            for kind in StormKind::ALL {
                assert_eq!(of_kind(kind, text).is_ok(), kind.ends_instances(), "{kind:?} {text}");
            }
        }
        assert!(of_kind(StormKind::Restart, "create.running.p95>1s").is_ok());
        assert!(checked(&fixtures::fresh(), "failed>1").unwrap_err().contains("nothing was measured"));
    }

    #[test]
    fn a_phase_without_a_number_is_the_last_of_its_kind() {
        let record = fixtures::repeated();
        let blocks = judge(
            &thresholds(&["storm.goal.p50>1s", "storm-2/create.goal.mean>2", "failed>0", "running.p99>1h"]),
            &record,
            record.phases.last().map(|phase| phase.name),
            &[],
        );
        let shown: Vec<_> = blocks
            .iter()
            .map(|block| (block.phase.unwrap().to_string(), block.missing.map(Missing::word), block.fails()))
            .collect();
        assert_eq!(
            shown,
            [
                ("storm-3".to_owned(), None, true),
                ("storm-2".to_owned(), None, false),
                ("storm-3".to_owned(), None, true),
                ("storm-3".to_owned(), Some("not reached"), true),
            ]
        );
        assert_eq!(blocks[1].against, Some(PhaseName::CREATE));
        assert_eq!(blocks[2].value, Some(1.0));
    }

    #[test]
    fn nothing_is_judged_by_times_that_are_not_valid() {
        let record = fixtures::small();
        let grades = [Graded {
            phase: record.phases[2].name,
            grade: bootstorm_model::stats::Validity::Invalid,
            doubts: vec!["watch: blind".into()],
        }];
        let texts = ["storm.running.p95<1000h", "storm/create.goal.mean>1000", "create.goal.mean>1000h"];
        let blocks = judge(&thresholds(&texts), &record, None, &grades);
        let outcomes: Vec<String> = blocks.iter().map(ThresholdBlock::outcome).collect();
        let why = "undecided: the times of storm-1 are invalid (watch: blind)";
        assert_eq!(outcomes, [why, why, "kept"]);
        assert!(blocks[0].fails() && !blocks[2].fails());
    }

    #[test]
    fn thresholds_of_older_reports_are_read() {
        let old = r#"{"condition":"x","phase":"create","against":null,"unit":"seconds","limit":1,"value":null,"missing":"not reached","crossed":true}"#;
        let result = |text: &str| serde_json::from_str::<ThresholdBlock>(text).unwrap().result;
        assert_eq!(result(old), Judged::Crossed);
        assert_eq!(result(&old.replace("true", "false")), Judged::Kept);
        assert_eq!(result(&old.replace("not reached", "unknown")), Judged::Undecided);
    }
}
