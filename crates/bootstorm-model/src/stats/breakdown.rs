//! Where the time went: mean time to the goal by stretches between milestones, in baseline and storm.
//!
//! The parts of a phase add up to its mean: every VM's time is cut at the milestones that it passed, and the time
//! before a milestone that it did not pass belongs to the next one. Both phases are cut at the milestones that most VMs
//! passed in both. A baseline in which disks were filled begins when they were, as in the verdict (see
//! [`super::start`]).

use serde::{Deserialize, Serialize};

use super::{Starts, maybe_micros};
use crate::component::Component;
use crate::observe::{Milestone, Offset, Timeline};

/// The stretch between two milestones, in both phases
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// First milestone.
    pub from: Milestone,
    /// Last milestone.
    pub to: Milestone,
    /// The component at work.
    #[serde(rename = "section")]
    pub component: Component,
    /// Mean in the baseline.
    #[serde(rename = "baseline_seconds", serialize_with = "maybe_micros")]
    pub baseline: Option<f64>,
    /// Mean in the storm.
    #[serde(rename = "storm_seconds", serialize_with = "maybe_micros")]
    pub storm: Option<f64>,
    /// Its share of all slowdown in the storm, in percent; absent if it was not slower, or the storm was not.
    #[serde(default, serialize_with = "maybe_micros")]
    pub share_percent: Option<f64>,
    /// VMs that passed it per second in the storm, measured over the middle 80 %.
    #[serde(default, serialize_with = "maybe_micros")]
    pub rate: Option<f64>,
}

impl Part {
    /// Additional time in the storm; unknown if it was measured in neither phase.
    pub fn extra(&self) -> f64 {
        self.storm.unwrap_or(0.0) - self.baseline.unwrap_or(0.0)
    }
}

/// The parts of a storm in order, with those of the baseline if there is one. Empty if no VM arrived.
pub fn parts(baseline: Option<&Starts<'_>>, storm: &Starts<'_>, goal: Milestone) -> Vec<Part> {
    let after = storm.arrived(goal);
    let before = baseline.map(|baseline| baseline.arrived(goal)).unwrap_or_default();
    let mut ends = milestones(&after, goal);
    if !before.is_empty() {
        let in_baseline = milestones(&before, goal);
        ends.retain(|end| in_baseline.contains(end));
    }
    let storm_means = means(storm, &after, &ends);
    let baseline_means = match baseline {
        Some(baseline) if !before.is_empty() => means(baseline, &before, &ends),
        _ => Vec::new(),
    };
    let found =
        |means: &[(Milestone, f64)], to| means.iter().find(|(end, _)| *end == to).map(|(_, mean)| *mean);
    let mut from = Milestone::Requested;
    let mut parts = Vec::new();
    for to in ends {
        parts.push(Part {
            from,
            to,
            component: Component::between(goal, from, to),
            baseline: found(&baseline_means, to),
            storm: found(&storm_means, to),
            share_percent: None,
            rate: rate(storm.timelines, to),
        });
        from = to;
    }
    shares(&mut parts, !before.is_empty());
    parts
}

/// The milestones up to the goal that most VMs passed, in the order in which most passed them.
fn milestones(timelines: &[&Timeline], goal: Milestone) -> Vec<Milestone> {
    let passed = |milestone: Milestone| timelines.iter().filter(|timeline| timeline.has(milestone)).count();
    let is_common = |milestone: &Milestone| passed(*milestone) * 2 > timelines.len();
    let first = |first: Milestone, second: Milestone| {
        let both = timelines.iter().filter_map(|timeline| timeline.at(first).zip(timeline.at(second)));
        let (in_order, other): (Vec<_>, Vec<_>) = both.partition(|(first, second)| first <= second);
        in_order.len() >= other.len()
    };
    let counts = |milestone: &Milestone| match milestone {
        Milestone::Requested | Milestone::Ready | Milestone::Address | Milestone::Volume => {
            *milestone == goal
        }
        // An agent that connects after the answer is no step before it.
        Milestone::Agent => goal == Milestone::Agent || first(Milestone::Agent, goal),
        // Inserted in its place below.
        Milestone::Stopping | Milestone::Gone => goal == Milestone::Gone,
        _ => true,
    };
    let mut milestones: Vec<Milestone> = Milestone::ALL
        .into_iter()
        .filter(|milestone| *milestone <= goal)
        .filter(counts)
        .filter(is_common)
        .collect();
    if goal != Milestone::Gone && is_common(&Milestone::Gone) {
        insert_gone(&mut milestones);
    }
    milestones
}

/// In a restart, the old instance disappears first.
pub(super) fn insert_gone(milestones: &mut Vec<Milestone>) {
    let next = milestones.iter().position(|milestone| *milestone > Milestone::Accepted);
    milestones.insert(next.unwrap_or(milestones.len()), Milestone::Gone);
}

/// Mean length of the stretch before each milestone.
fn means(starts: &Starts<'_>, timelines: &[&Timeline], ends: &[Milestone]) -> Vec<(Milestone, f64)> {
    let mut sums: Vec<(Milestone, f64)> = ends.iter().map(|end| (*end, 0.0)).collect();
    for timeline in timelines {
        let mut before = starts.zero_of(timeline).unwrap_or_default();
        let last = ends.last().and_then(|end| timeline.at(*end)).unwrap_or(before);
        for (end, sum) in &mut sums {
            let Some(at) = timeline.at(*end) else { continue };
            // Two streams may report two milestones in the wrong order; times beyond the last one do not count.
            let at = at.min(last).max(before);
            *sum += at.since(before).seconds();
            before = at;
        }
    }
    sums.into_iter().map(|(end, sum)| (end, sum / timelines.len().max(1) as f64)).collect()
}

/// Rate at which VMs pass a milestone, over the middle 80 %.
pub(super) fn rate(timelines: &[Timeline], milestone: Milestone) -> Option<f64> {
    let mut times: Vec<Offset> = timelines.iter().filter_map(|timeline| timeline.at(milestone)).collect();
    times.sort_unstable();
    let (low, high) = (times.len() / 10, times.len().checked_sub(1)? - times.len() / 10);
    let seconds = times[high].since(times[low]).seconds();
    (times.len() >= ENOUGH && seconds > 0.0).then(|| (high - low) as f64 / seconds)
}

/// Minimum number of VMs for a rate.
const ENOUGH: usize = 10;

/// Shares of the slowdown, if the storm as a whole was slower.
fn shares(parts: &mut [Part], is_compared: bool) {
    let whole: f64 = parts.iter().map(Part::extra).sum();
    let longer: f64 = parts.iter().map(Part::extra).filter(|extra| *extra > 0.0).sum();
    if !is_compared || whole <= 0.0 {
        return;
    }
    for part in parts {
        part.share_percent =
            Some(part.extra()).filter(|extra| *extra > 0.0).map(|extra| extra / longer * 100.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Outcome;
    use Milestone::{Accepted, Instance, Placed, Pod, Reachable, Requested, Running, Scheduled, Volume};

    pub(super) fn timeline(moments: &[(Milestone, f64)]) -> Timeline {
        let mut timeline = Timeline::new(0);
        timeline.see(Requested, Offset::ZERO);
        for (milestone, at) in moments {
            timeline.see(*milestone, Offset::from_seconds(*at));
        }
        timeline.outcome = Outcome::Reached;
        timeline
    }

    fn sum(parts: &[Part], of: impl Fn(&Part) -> Option<f64>) -> f64 {
        parts.iter().filter_map(of).sum()
    }

    #[test]
    fn parts_sum_up_to_the_mean_whatever_a_vm_lacks_and_in_whatever_order_it_is_told() {
        let storm = [
            timeline(&[
                (Accepted, 1.0),
                (Instance, 2.0),
                (Pod, 1.9),
                (Placed, 3.0),
                (Running, 9.0),
                (Reachable, 12.0),
            ]),
            timeline(&[(Accepted, 1.0), (Instance, 2.0), (Pod, 3.0), (Running, 9.0), (Reachable, 14.0)]),
            timeline(&[
                (Accepted, 1.0),
                (Instance, 2.0),
                (Pod, 3.0),
                (Placed, 4.0),
                (Running, 9.0),
                (Reachable, 16.0),
            ]),
        ];
        let parts = parts(None, &Starts::requested(&storm, Reachable), Reachable);
        assert!((sum(&parts, |part| part.storm) - 14.0).abs() < 1e-9, "{parts:?}");
        assert!(parts.iter().all(|part| part.share_percent.is_none()));
    }

    #[test]
    fn phases_are_cut_at_what_both_have_and_a_baseline_begins_with_filled_disks() {
        let storm =
            [timeline(&[(Accepted, 1.0), (Instance, 2.0), (Placed, 3.0), (Scheduled, 9.0), (Running, 10.0)])];
        let create =
            [timeline(&[(Accepted, 1.0), (Volume, 4.0), (Instance, 5.0), (Scheduled, 6.0), (Running, 8.0)])];
        let parts =
            parts(Some(&Starts::boots(&create, Running)), &Starts::requested(&storm, Running), Running);
        let ends: Vec<_> = parts.iter().map(|part| (part.to, part.baseline, part.storm)).collect();
        assert_eq!(
            ends,
            [
                (Accepted, Some(0.0), Some(1.0)),
                (Instance, Some(1.0), Some(1.0)),
                (Scheduled, Some(1.0), Some(7.0)),
                (Running, Some(2.0), Some(1.0)),
            ]
        );
        assert!((parts[2].share_percent.unwrap() - 600.0 / 7.0).abs() < 1e-9);
        assert!((sum(&parts, |part| part.baseline) - 4.0).abs() < 1e-9, "its boot alone");
    }

    #[test]
    fn a_rate_is_that_of_the_vms_in_the_middle() {
        let storm: Vec<Timeline> = (0..20).map(|n| timeline(&[(Running, f64::from(n) / 2.0)])).collect();
        let found = parts(None, &Starts::requested(&storm, Running), Running)[0].rate.unwrap();
        assert!((found - 2.0).abs() < 1e-9, "{found}");
        assert_eq!(parts(None, &Starts::requested(&storm[..9], Running), Running)[0].rate, None);
        assert!(parts(None, &Starts::requested(&[Timeline::new(0)], Running), Running).is_empty());
    }
}
