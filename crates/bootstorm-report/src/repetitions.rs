//! Spread of several storms of one run.

use serde::{Deserialize, Serialize};

use bootstorm_model::observe::{Milestone, Outcome};
use bootstorm_model::record::{PhaseKind, PhaseName, PhaseRecord, PhaseState, RunRecord};
use bootstorm_model::stats::{Arrival, Curve, Level, Quantile, Sample, Summary};

/// The finished storms of a run, and the spread of their figures
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Repetitions {
    /// Milestone of the times: the goal of the storms.
    pub milestone: Milestone,
    /// Each storm.
    pub storms: Vec<Repetition>,
    /// The smallest of each figure.
    pub min: Figures,
    /// The median of each figure: of an even number of storms, the mean of the two in the middle.
    pub median: Figures,
    /// The largest of each figure; not reached if it was not reached in some storm.
    pub max: Figures,
}

/// One storm
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Repetition {
    /// Phase of the storm.
    pub phase: PhaseName,
    /// VMs that took part.
    pub vms: usize,
    /// Whether it warmed up caches, and is not in the spread.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub warm_up: bool,
    /// Whether its times are invalid. It is not in the spread then, unless those of all storms are.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub invalid: bool,
    /// Its figures.
    #[serde(flatten)]
    pub figures: Figures,
}

/// The key figures of a storm
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// VMs that failed or timed out.
    pub failed: usize,
    /// Mean of the arrived times.
    #[serde(rename = "mean_seconds")]
    pub mean: Quantile,
    /// Median.
    #[serde(rename = "p50_seconds")]
    pub p50: Quantile,
    /// 95th percentile.
    #[serde(rename = "p95_seconds")]
    pub p95: Quantile,
    /// Largest arrived time.
    #[serde(rename = "max_seconds")]
    pub max: Quantile,
    /// From the first request until every VM was back.
    #[serde(rename = "t100_seconds")]
    pub t100: Quantile,
}

impl Repetitions {
    /// The spread over comparable storms of a run: goal, shape and drained nodes of the last one, without warm-ups.
    ///
    /// `None` if there are fewer than two storms, or none that counts. Storms of a chosen size or without VMs are not
    /// repetitions, and invalid ones do not count where valid ones remain.
    pub fn of(record: &RunRecord, is_invalid: impl Fn(PhaseName) -> bool) -> Option<Self> {
        let is_over = |phase: &&PhaseRecord| {
            phase.name.kind == PhaseKind::Storm
                && phase.state == PhaseState::Done
                && !record.is_baseline(phase.name)
        };
        let last = record.phases.iter().rev().find(is_over).filter(|last| last.settings.size.is_none())?;
        let milestone = last.goal;
        let is_one = |phase: &&PhaseRecord| {
            is_over(phase)
                && phase.settings.size.is_none()
                && phase.goal == milestone
                && phase.settings.kind == last.settings.kind
                && phase.settings.shape == last.settings.shape
                && phase.settings.nodes == last.settings.nodes
        };
        let one = |storm: &&PhaseRecord| Repetition {
            invalid: is_invalid(storm.name),
            ..Repetition::of(&storm.look())
        };
        let storms = record.phases.iter().filter(is_one).map(|storm| one(&storm));
        let storms: Vec<Repetition> = storms.filter(|storm| storm.vms > 0).collect();
        if storms.len() < 2 {
            return None;
        }
        let all: Vec<Figures> = counted(&storms).map(|storm| storm.figures).collect();
        if all.is_empty() {
            return None;
        }
        let at = |level| Figures::at(&all, level);
        Some(Self {
            milestone,
            min: at(Level::P0),
            median: Figures::median(&all),
            max: at(Level::P100),
            storms,
        })
    }
}

/// Storms in the spread: no warm-ups, and none with invalid times where others remain.
fn counted(storms: &[Repetition]) -> impl Iterator<Item = &Repetition> {
    let is_valid = |storm: &Repetition| !storm.warm_up && !storm.invalid;
    let any_is_valid = storms.iter().any(is_valid);
    storms.iter().filter(move |storm| !(storm.warm_up || storm.invalid && any_is_valid))
}

impl Repetitions {
    /// `4 storms after a warm-up, without 1 with invalid times`: the number of storms in the spread.
    pub fn storms_in_words(&self) -> String {
        let counted = counted(&self.storms).count();
        let warm_ups = self.storms.iter().filter(|storm| storm.warm_up).count();
        let storms = match counted {
            1 => "1 storm".to_owned(),
            storms => format!("{storms} storms"),
        };
        let storms = match warm_ups {
            0 => storms,
            1 => format!("{storms} after a warm-up"),
            _ => format!("{storms} after {warm_ups} warm-ups"),
        };
        match self.storms.len() - warm_ups - counted {
            0 => storms,
            left_out => format!("{storms}, without {left_out} with invalid times"),
        }
    }
}

impl Repetition {
    /// The figures of one storm.
    pub fn of(phase: &PhaseRecord) -> Self {
        let summary = Summary::of(&Sample::to_milestone(&phase.timelines, phase.goal, phase.goal));
        let curve = Curve::of_phase(phase);
        let value = |value: Option<f64>| value.map_or(Quantile::NotReached, Quantile::At);
        Self {
            phase: phase.name,
            vms: phase.participants().count(),
            warm_up: phase.settings.warm_up,
            invalid: false,
            figures: Figures {
                failed: phase.count(Outcome::Failed) + phase.count(Outcome::TimedOut),
                mean: value(summary.mean),
                p50: summary.p50,
                p95: summary.p95,
                max: value(summary.max),
                t100: curve.time_to(Level::P100),
            },
        }
    }
}

impl Figures {
    /// The median of each figure; a count is rounded up.
    fn median(all: &[Self]) -> Self {
        let time = |of: fn(&Self) -> Quantile| Quantile::median(all.iter().map(of));
        let failed = Quantile::median(all.iter().map(|figures| Quantile::At(figures.failed as f64)));
        Self {
            failed: failed.seconds().unwrap_or_default().ceil() as usize,
            mean: time(|figures| figures.mean),
            p50: time(|figures| figures.p50),
            p95: time(|figures| figures.p95),
            max: time(|figures| figures.max),
            t100: time(|figures| figures.t100),
        }
    }

    /// Each figure at a level of its own values; values that were not reached count as the largest.
    fn at(all: &[Self], level: Level) -> Self {
        let time = |of: fn(&Self) -> Quantile| {
            let arrivals = all.iter().map(|figures| match of(figures) {
                Quantile::At(seconds) => Arrival::After(seconds),
                Quantile::NotReached => Arrival::Missing,
                Quantile::Unknown => Arrival::Later(0.0),
            });
            Quantile::of(&Sample::of(arrivals), level)
        };
        let failed = Quantile::of(&Sample::new(all.iter().map(|figures| figures.failed as f64), 0), level);
        Self {
            failed: failed.seconds().unwrap_or_default() as usize,
            mean: time(|figures| figures.mean),
            p50: time(|figures| figures.p50),
            p95: time(|figures| figures.p95),
            max: time(|figures| figures.max),
            t100: time(|figures| figures.t100),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    fn spread(record: &RunRecord) -> Option<Repetitions> {
        Repetitions::of(record, |_| false)
    }

    #[test]
    fn one_storm_has_no_spread_and_an_open_one_does_not_count() {
        assert_eq!(spread(&fixtures::small()), None);
        let mut record = fixtures::repeated();
        record.phases[4].state = PhaseState::Interrupted;
        record.phases[6].state = PhaseState::Open;
        assert_eq!(spread(&record), None);
    }

    #[test]
    fn warm_ups_are_shown_and_do_not_count_and_other_storms_are_no_repetitions() {
        let mut record = fixtures::repeated();
        let all = spread(&record).unwrap();
        record.phases[2].settings.warm_up = true;
        let repetitions = spread(&record).unwrap();
        assert_eq!(repetitions.storms.len(), 3);
        assert_eq!(repetitions.storms_in_words(), "2 storms after a warm-up");
        assert_eq!(all.storms_in_words(), "3 storms");
        assert!(repetitions.min.p50 != all.min.p50 && repetitions.max.p50 == all.max.p50);
        record.phases[4].settings.size = Some(5);
        let repetitions = spread(&record).unwrap();
        let names: Vec<String> = repetitions.storms.iter().map(|storm| storm.phase.to_string()).collect();
        assert_eq!(names, ["storm-1", "storm-3"]);
        record.phases[2].settings.shape = "rate 5/s".parse().ok();
        assert_eq!(spread(&record), None);
    }

    #[test]
    fn storms_with_invalid_times_do_not_count_where_others_remain() {
        let mut record = fixtures::repeated();
        record.phases[2].settings.warm_up = true;
        let all = spread(&record).unwrap();
        let without = |numbers: &[u32]| {
            Repetitions::of(&record, |name| {
                numbers.iter().any(|number| name == PhaseName { kind: PhaseKind::Storm, number: *number })
            })
            .unwrap()
        };
        let one = without(&[3]);
        assert_eq!(one.storms_in_words(), "1 storm after a warm-up, without 1 with invalid times");
        assert_eq!((one.max.p50, one.max.failed), (all.min.p50, 0));
        assert_eq!(one.storms.iter().map(|storm| storm.invalid).collect::<Vec<_>>(), [false, false, true]);
        // Otherwise nothing would be left to show.
        let none = without(&[2, 3]);
        assert_eq!((none.max, none.storms_in_words()), (all.max, all.storms_in_words()));
    }

    #[test]
    fn the_median_of_two_storms_is_between_them() {
        let mut record = fixtures::repeated();
        record.phases[2].settings.warm_up = true;
        let repetitions = spread(&record).unwrap();
        let seconds = |figures: &Figures| figures.p50.seconds().unwrap();
        let (min, max) = (seconds(&repetitions.min), seconds(&repetitions.max));
        assert!(min < max);
        assert_eq!(repetitions.median.p50, Quantile::At(f64::midpoint(min, max)));
        assert_eq!((repetitions.min.failed, repetitions.median.failed, repetitions.max.failed), (0, 1, 1));
    }

    #[test]
    fn each_figure_has_its_own_extremes() {
        let repetitions = spread(&fixtures::repeated()).unwrap();
        let names: Vec<String> = repetitions.storms.iter().map(|storm| storm.phase.to_string()).collect();
        assert_eq!(names, ["storm-1", "storm-2", "storm-3"]);
        let p50 = |index: usize| repetitions.storms[index].figures.p50;
        assert_eq!(
            (repetitions.min.p50, repetitions.median.p50, repetitions.max.p50),
            (p50(0), p50(1), p50(2))
        );
        assert_eq!((repetitions.min.failed, repetitions.max.failed), (0, 1));
        assert!(repetitions.min.t100.seconds().is_some());
        assert_eq!(repetitions.max.t100, Quantile::NotReached);
    }
}
