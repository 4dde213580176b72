//! Series of storms: repetitions of one, or the search for the largest.

use serde::{Deserialize, Serialize};

use super::{PhaseKind, PhaseRecord, PhaseState, RunRecord};
use crate::observe::Offset;

/// A series of storms
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    /// Number of its first storm; it continues until the next series begins.
    pub first: u32,
    /// Purpose of the storms.
    #[serde(flatten)]
    pub kind: SeriesKind,
}

/// Purpose of a series
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum SeriesKind {
    /// The same storm repeatedly.
    Repeat {
        /// Number of storms.
        storms: u32,
        /// Milliseconds between a storm and the stop that follows.
        #[serde(default)]
        rest_millis: u64,
        /// Whether the first one is a warm-up.
        #[serde(default)]
        warm_up: bool,
    },
    /// Storms of different sizes, to find the largest one that meets a goal.
    FindMax {
        /// Conditions that must hold, as given by the user.
        goals: Vec<String>,
        /// Smallest storm.
        min: u32,
        /// Largest storm.
        max: u32,
        /// Seconds after which no further storm begins.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        budget_seconds: Option<u64>,
        /// Maximum number of storms.
        most_storms: u32,
    },
}

impl Series {
    /// The phases of the series so far: its storms, and the stop before each.
    pub fn phases<'a>(&'a self, record: &'a RunRecord) -> impl Iterator<Item = &'a PhaseRecord> {
        let later = record.series.iter().map(|series| series.first).filter(|first| *first > self.first);
        let end = later.min().map_or(record.phases.len(), |next| begin(record, next));
        let begin = begin(record, self.first).min(end);
        record.phases[begin..end].iter().filter(|phase| phase.name.kind != PhaseKind::Create)
    }

    /// The storms of the series so far.
    pub fn storms<'a>(&'a self, record: &'a RunRecord) -> impl Iterator<Item = &'a PhaseRecord> {
        let is_start = |phase: &&PhaseRecord| phase.settings.kind.is_start();
        self.phases(record).filter(|phase| phase.name.kind == PhaseKind::Storm).filter(is_start)
    }

    /// Its finished storms.
    pub fn done<'a>(&'a self, record: &'a RunRecord) -> impl Iterator<Item = &'a PhaseRecord> {
        self.storms(record).filter(|phase| phase.state == PhaseState::Done)
    }

    /// Total duration of its storms and of the stop before each, without the time between them. Storms that were run in
    /// between without a chosen size are not part of a search.
    pub fn spent(&self, record: &RunRecord) -> Offset {
        let is_search = matches!(self.kind, SeriesKind::FindMax { .. });
        let (mut spent, mut before) = (Offset::ZERO, Offset::ZERO);
        for phase in self.phases(record) {
            let ended = phase.ended.unwrap_or_default();
            if phase.name.kind == PhaseKind::Stop {
                before = ended;
                continue;
            }
            if !is_search || phase.settings.size.is_some() {
                spent = Offset(spent.0.saturating_add(before.0).saturating_add(ended.0));
            }
            before = Offset::ZERO;
        }
        spent
    }
}

/// Position of the first phase of a series: its first storm, or the stop before it. Stops and storms are numbered apart:
/// storms of running VMs have none.
fn begin(record: &RunRecord, first: u32) -> usize {
    let is_first = |phase: &PhaseRecord| phase.name.kind == PhaseKind::Storm && phase.name.number == first;
    let storm = record.phases.iter().position(is_first).unwrap_or(record.phases.len());
    match storm.checked_sub(1).map(|before| (before, record.phases[before].name.kind)) {
        Some((before, PhaseKind::Stop)) => before,
        _ => storm,
    }
}

impl RunRecord {
    /// The number of the next storm.
    pub fn next_storm(&self) -> u32 {
        1 + self.phases.iter().filter(|phase| phase.name.kind == PhaseKind::Storm).count() as u32
    }

    /// Whether the last finished phase started the VMs, so that a storm needs a stop first.
    pub fn is_running(&self) -> bool {
        self.last_phase().is_some_and(|phase| phase.state == PhaseState::Done && !phase.leaves_vms_off())
    }

    /// Begins a series with the next storm; a series that never got a storm is dropped.
    pub fn begin_series(&mut self, kind: SeriesKind) {
        let first = self.next_storm();
        self.series.retain(|series| series.first < first);
        self.series.push(Series { first, kind });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Plan, TemplateSource};
    use crate::record::{PhaseSettings, StormKind};

    fn record(phases: &[&str]) -> RunRecord {
        let template = TemplateSource::ContainerDisk { image: "i".into() };
        let plan = Plan::resolve("p", 1, 2, "vm", template).unwrap();
        let mut record = RunRecord::new("id".into(), "2026-01-01T00:00:00Z".parse().unwrap(), plan);
        for name in phases {
            let settings = PhaseSettings::default();
            let mut phase = PhaseRecord::new(name.parse().unwrap(), record.created, settings, 2);
            phase.state = PhaseState::Done;
            phase.ended = Some(Offset::from_seconds(10.0));
            record.phases.push(phase);
        }
        record
    }

    fn repeat(storms: u32) -> SeriesKind {
        SeriesKind::Repeat { storms, rest_millis: 0, warm_up: false }
    }

    #[test]
    fn a_series_ends_where_the_next_one_begins() {
        let mut record = record(&["create", "stop-1", "storm-1"]);
        record.begin_series(repeat(1));
        record.begin_series(repeat(2));
        assert_eq!(record.series.len(), 1, "the first one never got a storm");
        record.phases.extend(self::record(&["stop-2", "storm-2", "stop-3", "storm-3", "stop-4"]).phases);
        record.begin_series(repeat(3));
        record.phases.extend(self::record(&["storm-4"]).phases);
        let names = |index: usize| -> Vec<String> {
            record.series[index].phases(&record).map(|phase| phase.name.to_string()).collect()
        };
        assert_eq!(names(0), ["stop-2", "storm-2", "stop-3", "storm-3"]);
        assert_eq!(names(1), ["stop-4", "storm-4"]);
        assert_eq!(record.series[0].spent(&record), Offset::from_seconds(40.0));
        assert_eq!((record.series[0].done(&record).count(), record.next_storm()), (2, 5));
    }

    #[test]
    fn storms_between_those_of_a_search_are_not_charged_to_it() {
        let mut record = record(&["create"]);
        let goals = vec!["failed<1".into()];
        record.begin_series(SeriesKind::FindMax {
            goals,
            min: 1,
            max: 9,
            budget_seconds: None,
            most_storms: 9,
        });
        let names = ["stop-1", "storm-1", "stop-2", "storm-2", "stop-3", "storm-3", "stop-4"];
        record.phases.extend(self::record(&names).phases);
        for (place, size) in [(2, 3), (6, 4)] {
            record.phases[place].settings.size = Some(size);
        }
        assert_eq!(record.series[0].spent(&record), Offset::from_seconds(40.0), "storm-2 is not one of them");
    }

    #[test]
    fn the_stops_of_a_series_count_whatever_their_numbers() {
        let mut record = record(&["create", "storm-1", "storm-2"]);
        for storm in &mut record.phases[1..] {
            storm.settings.kind = StormKind::Restart;
        }
        record.begin_series(repeat(2));
        record.phases.extend(self::record(&["stop-1", "storm-3", "stop-2", "storm-4"]).phases);
        let names: Vec<String> =
            record.series[0].phases(&record).map(|phase| phase.name.to_string()).collect();
        assert_eq!(names, ["stop-1", "storm-3", "stop-2", "storm-4"]);
        assert_eq!(record.series[0].spent(&record), Offset::from_seconds(40.0));
    }

    #[test]
    fn vms_that_were_created_halted_are_not_running() {
        let mut record = record(&["create"]);
        assert!(record.is_running());
        record.phases[0].settings.halted = true;
        assert!(!record.is_running());
    }

    #[test]
    fn a_series_is_stored_as_it_is() {
        let search = SeriesKind::FindMax {
            goals: vec!["reachable.p95<2m".into()],
            min: 1,
            max: 90,
            budget_seconds: Some(3600),
            most_storms: 30,
        };
        for kind in [repeat(5), search] {
            let series = Series { first: 2, kind };
            let text = serde_json::to_string(&series).unwrap();
            assert_eq!(serde_json::from_str::<Series>(&text).unwrap(), series, "{text}");
        }
    }
}
