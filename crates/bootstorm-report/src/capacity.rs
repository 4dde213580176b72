//! Search for the largest storm that meets a goal: results of its storms.

use serde::{Deserialize, Serialize};

use super::ValidityBlock;
use super::people::words;
use super::repetitions::{Figures, Repetition};
use bootstorm_model::observe::Outcome;
use bootstorm_model::plan::capacity::{Bounds, Probe};
use bootstorm_model::record::{PhaseName, PhaseRecord, RunRecord, Series, SeriesKind};
use bootstorm_model::stats::threshold::{Facts, Unit, Value};
use bootstorm_model::stats::{Threshold, Validity, maybe_micros, micros};

/// Progress of a search
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CapacityState {
    /// The next storm is known.
    Searching,
    /// The largest storm is known, and a second storm has confirmed it.
    Found,
    /// Even the smallest storm misses the goal.
    Nothing,
    /// The time or storm limit is reached; the result is a lower bound.
    Budget,
}

/// The search for the largest storm that meets a goal
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Capacity {
    /// Conditions that must hold.
    pub goals: Vec<String>,
    /// Smallest storm.
    pub min: u32,
    /// Largest storm.
    pub max: u32,
    /// Progress.
    pub state: CapacityState,
    /// Largest size at which every storm met the goal, below all that missed it.
    pub size: Option<u32>,
    /// Smallest size that missed it.
    pub missed: Option<u32>,
    /// Whether a second storm of that size has met it.
    pub confirmed: bool,
    /// Largest size that met the goal although a smaller one missed it: noise, or the size is not the only factor.
    pub contradicted_by: Option<u32>,
    /// Maximum number of storms.
    pub most_storms: u32,
    /// Time after which no further storm begins.
    #[serde(rename = "budget_seconds", serialize_with = "maybe_micros")]
    pub budget: Option<f64>,
    /// Time taken by storms and stops so far.
    #[serde(rename = "spent_seconds", serialize_with = "micros")]
    pub spent: f64,
    /// Storms, in order.
    pub storms: Vec<CapacityStorm>,
    /// Size of the next storm; `None` if there is none.
    #[serde(skip)]
    pub next: Option<u32>,
}

/// One storm of a search
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CapacityStorm {
    /// Phase of the storm.
    pub phase: PhaseName,
    /// VMs requested.
    pub size: u32,
    /// VMs that took part.
    pub vms: usize,
    /// Whether every condition held.
    pub met: bool,
    /// Whether its times are invalid, so that it proves nothing about its size, which is tried again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub invalid: bool,
    /// Whether a condition depends on VMs that could not be observed; likewise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undecided: bool,
    /// Value of each condition, in order.
    pub values: Vec<GoalValue>,
    /// Figures of the storm.
    #[serde(flatten)]
    pub figures: Figures,
}

/// The value of one condition in one storm
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GoalValue {
    /// Value; absent if not reached or unknown.
    #[serde(serialize_with = "maybe_micros")]
    pub value: Option<f64>,
    /// Unit of the value.
    pub unit: Unit,
    /// Whether the condition held.
    pub met: bool,
    /// Whether too few VMs arrived for a value.
    #[serde(skip)]
    is_unreached: bool,
}

impl Capacity {
    /// The last search of a run; `None` if there was none.
    pub fn of(record: &RunRecord) -> Option<Self> {
        record.series.iter().rev().find_map(|series| Self::of_series(record, series))
    }

    fn of_series(record: &RunRecord, series: &Series) -> Option<Self> {
        let SeriesKind::FindMax { goals, min, max, budget_seconds, most_storms } = &series.kind else {
            return None;
        };
        let conditions: Vec<Option<Threshold>> = goals.iter().map(|goal| goal.parse().ok()).collect();
        let storms: Vec<CapacityStorm> =
            series.done(record).filter_map(|storm| CapacityStorm::of(record, storm, &conditions)).collect();
        let probes: Vec<Probe> = storms
            .iter()
            .filter(|storm| storm.is_proof())
            .map(|storm| Probe { size: storm.size, met: storm.met })
            .collect();
        let bounds = Bounds::of(&probes);
        let next = bounds.next(*min, *max);
        let spent = series.spent(record).seconds();
        let used_up = storms.len() as u64 >= u64::from(*most_storms)
            || budget_seconds.is_some_and(|budget| spent >= budget as f64);
        let contradicting =
            |probe: &&Probe| probe.met && bounds.missed.is_some_and(|missed| probe.size > missed);
        Some(Self {
            goals: goals.clone(),
            min: *min,
            max: *max,
            state: match (next, bounds.met) {
                (Some(_), _) if used_up => CapacityState::Budget,
                (Some(_), _) => CapacityState::Searching,
                (None, Some(_)) => CapacityState::Found,
                (None, None) => CapacityState::Nothing,
            },
            size: bounds.met,
            missed: bounds.missed,
            confirmed: bounds.is_confirmed(),
            contradicted_by: probes.iter().filter(contradicting).map(|probe| probe.size).max(),
            most_storms: *most_storms,
            budget: budget_seconds.map(|budget| budget as f64),
            spent,
            storms,
            next: next.filter(|_| !used_up),
        })
    }

    /// One line about the last storm, for progress output.
    pub fn told(&self) -> String {
        let Some(last) = self.storms.last() else { return "no storm yet".to_owned() };
        let vms = words::vms(last.size as usize);
        if !last.is_proof() {
            let next = self.next.map_or_else(String::new, |next| format!("; next is {next}"));
            let why = if last.invalid {
                "its times are invalid".to_owned()
            } else if last.undecided {
                "its VMs could not all be observed".to_owned()
            } else {
                format!("only {} of them took part", last.vms)
            };
            return format!("{}: {vms}, not judged, {why}{next}", last.phase);
        }
        let verdict = if last.met { "meets" } else { "misses" };
        let values: Vec<String> = self
            .goals
            .iter()
            .zip(&last.values)
            .map(|(goal, value)| format!("{goal}: {}", value.told()))
            .collect();
        let next = match self.next {
            Some(next) => format!("; next is {next}"),
            None => String::new(),
        };
        format!("{}: {vms}, {verdict} the goal ({}){next}", last.phase, values.join(", "))
    }
}

impl CapacityStorm {
    /// Whether it shows something about its size: its times are valid, every condition is decided, and all of its VMs
    /// took part.
    pub fn is_proof(&self) -> bool {
        !self.invalid && !self.undecided && self.vms >= self.size as usize
    }

    /// A storm of a chosen size; other storms are not part of a search.
    fn of(record: &RunRecord, storm: &PhaseRecord, conditions: &[Option<Threshold>]) -> Option<Self> {
        let size = storm.settings.size?;
        let storm = &*storm.look();
        let values: Vec<GoalValue> = conditions
            .iter()
            .map(|condition| match condition {
                Some(condition) => GoalValue::of(record, storm, condition),
                None => GoalValue { value: None, unit: Unit::Seconds, met: false, is_unreached: false },
            })
            .collect();
        let one = Repetition::of(storm);
        let invalid = ValidityBlock::of(record, storm).grade == Validity::Invalid;
        let met = !invalid && values.iter().all(|value| value.met);
        let is_open = |(condition, value): (&Option<Threshold>, &GoalValue)| {
            // A condition that another VM cannot save is missed.
            condition.is_some() && value.value.is_none() && !value.is_unreached
        };
        let undecided = storm.count(Outcome::Unknown) > 0 && conditions.iter().zip(&values).any(is_open);
        let vms = one.vms;
        Some(Self { phase: storm.name, size, vms, met, invalid, undecided, values, figures: one.figures })
    }
}

impl GoalValue {
    fn of(record: &RunRecord, storm: &PhaseRecord, condition: &Threshold) -> Self {
        let here = Facts::of(storm);
        let against = condition.against.and(record.baseline()).map(PhaseRecord::look);
        let there = against.as_deref().map(Facts::of);
        let value = match (condition.against, &there) {
            (Some(_), None) => Value::Unknown,
            _ => condition.value(&here, there.as_ref()),
        };
        // A condition holds only if there is a value: not reached or unknown means not met.
        let is_unreached = value == Value::NotReached;
        match value {
            Value::Known(known) => Self {
                value: Some(known),
                unit: condition.unit,
                met: condition.judge(value).fails(),
                is_unreached,
            },
            Value::NotReached | Value::Unknown => {
                Self { value: None, unit: condition.unit, met: false, is_unreached }
            }
        }
    }

    /// The value for display.
    pub fn told(&self) -> String {
        match (self.value, self.unit) {
            (None, _) => "not reached or unknown".to_owned(),
            (Some(value), Unit::Seconds) => format!("{value:.2}s"),
            (Some(value), Unit::Percent) => format!("{value:.1}%"),
            (Some(value), Unit::Ratio) => format!("{value:.2}"),
            (Some(value), Unit::Vms) => format!("{value}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    fn state(record: &RunRecord) -> (CapacityState, Option<u32>, Option<u32>) {
        let capacity = Capacity::of(record).unwrap();
        (capacity.state, capacity.size, capacity.next)
    }

    #[test]
    fn a_storm_without_all_of_its_vms_proves_nothing() {
        let mut record = fixtures::searched(1);
        record.phases[2].timelines[0].outcome = bootstorm_model::observe::Outcome::Excluded;
        assert_eq!(state(&record), (CapacityState::Searching, None, Some(3)));
        assert!(Capacity::of(&record).unwrap().told().contains("not judged, only 2 of them took part"));
    }

    #[test]
    fn a_storm_whose_unobserved_vms_decide_proves_nothing() {
        let mut record = fixtures::searched(2);
        record.series.iter_mut().for_each(|series| {
            if let SeriesKind::FindMax { goals, .. } = &mut series.kind {
                *goals = vec!["failed<1".into()];
            }
        });
        let met = |record: &RunRecord| Capacity::of(record).unwrap().storms[1].met;
        assert!(met(&record));
        record.phases[4].timelines[0].outcome = Outcome::Unknown;
        let capacity = Capacity::of(&record).unwrap();
        assert!(!capacity.storms[1].met && capacity.storms[1].undecided, "it may have failed");
        assert!(
            capacity.told().contains("not judged, its VMs could not all be observed"),
            "{}",
            capacity.told()
        );
        assert_eq!((capacity.size, capacity.missed), (Some(3), None));
        record.phases[4].timelines[1].outcome = Outcome::TimedOut;
        assert!(!Capacity::of(&record).unwrap().storms[1].undecided, "it misses the goal either way");
    }

    #[test]
    fn the_record_says_where_the_search_stands() {
        assert_eq!(Capacity::of(&fixtures::repeated()), None);
        // The fixture's storms have 3, 12 and 7 VMs, and those with more than 7 are too slow.
        let searched = |storms: usize| fixtures::searched(storms);
        assert_eq!(state(&searched(0)), (CapacityState::Searching, None, Some(3)));
        assert_eq!(state(&searched(1)), (CapacityState::Searching, Some(3), Some(12)));
        assert_eq!(state(&searched(2)), (CapacityState::Searching, Some(3), Some(7)));
        assert_eq!(state(&searched(3)), (CapacityState::Searching, Some(7), Some(9)));
    }

    fn with_kind(
        mut record: RunRecord,
        change: impl FnOnce(&mut Vec<String>, &mut Option<u64>, &mut u32),
    ) -> RunRecord {
        let SeriesKind::FindMax { goals, budget_seconds, most_storms, .. } = &mut record.series[0].kind
        else {
            unreachable!("the fixture is a search")
        };
        change(goals, budget_seconds, most_storms);
        record
    }

    #[test]
    fn a_search_ends_when_the_size_is_confirmed() {
        assert_eq!(state(&fixtures::searched(5)), (CapacityState::Searching, Some(7), Some(7)));
        let capacity = Capacity::of(&fixtures::searched(6)).unwrap();
        assert_eq!(
            (capacity.state, capacity.size, capacity.missed),
            (CapacityState::Found, Some(7), Some(8))
        );
        assert!(capacity.confirmed && capacity.next.is_none());
    }

    #[test]
    fn a_budget_ends_the_search_with_what_is_known() {
        let time = with_kind(fixtures::searched(2), |_, budget, _| *budget = Some(1));
        assert_eq!(state(&time), (CapacityState::Budget, Some(3), None));
        let storms = with_kind(fixtures::searched(2), |_, _, most| *most = 2);
        assert_eq!(state(&storms), (CapacityState::Budget, Some(3), None));
    }

    #[test]
    fn a_goal_that_was_not_reached_or_cannot_be_read_is_not_met() {
        let mut record = fixtures::searched(1);
        for timeline in record.phases[2].timelines.iter_mut().filter(|timeline| timeline.target < 3) {
            timeline.outcome = bootstorm_model::observe::Outcome::TimedOut;
        }
        let late = with_kind(record, |goals, _, _| *goals = vec!["goal.p95<1h".into()]);
        let capacity = Capacity::of(&late).unwrap();
        assert_eq!((capacity.state, capacity.storms[0].values[0].value), (CapacityState::Nothing, None));
        let damaged = with_kind(fixtures::searched(1), |goals, _, _| *goals = vec!["damaged".into()]);
        assert!(!Capacity::of(&damaged).unwrap().storms[0].met);
    }

    #[test]
    fn what_contradicts_the_answer_is_named() {
        assert_eq!(Capacity::of(&fixtures::searched(4)).unwrap().contradicted_by, None);
        let mut record = fixtures::searched(3);
        record.phases[2].timelines[0].outcome = bootstorm_model::observe::Outcome::Failed;
        let capacity = Capacity::of(&record).unwrap();
        assert_eq!((capacity.state, capacity.contradicted_by), (CapacityState::Nothing, Some(7)));
    }
}
