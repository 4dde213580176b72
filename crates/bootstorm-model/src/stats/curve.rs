//! The recovery curve: number of VMs that are back `t` seconds after the phase's first request.

use crate::observe::{Milestone, Outcome, Timeline};

use super::sample::{Arrival, may_pass};
use super::{Level, Quantile, Sample};

/// Recovery of all VMs
///
/// Unlike the per-VM times, every time here counts from the *first* request of the phase, because that is when the
/// outage began to end for everyone. A level that too few VMs reached is [`Quantile::NotReached`]. A VM with an unknown
/// request time is included; a VM of which only the outcome is known is not.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Curve {
    arrivals: Sample,
}

impl Curve {
    /// The curve of a phase's participants towards a milestone; `goal` as in [`Sample::to_milestone`].
    pub fn of(timelines: &[Timeline], milestone: Milestone, goal: Milestone) -> Self {
        let Some(first) = timelines.iter().filter_map(|timeline| timeline.at(Milestone::Requested)).min()
        else {
            // Without any request there is no zero.
            let arrivals = timelines.iter().filter_map(|timeline| match timeline.outcome {
                Outcome::Excluded => None,
                Outcome::Reached | Outcome::Unknown => Some(Arrival::Unknown),
                _ => Some(Arrival::Missing),
            });
            return Self { arrivals: Sample::of(arrivals) };
        };
        let participants = timelines
            .iter()
            .filter(|timeline| timeline.outcome != Outcome::Excluded && may_pass(timeline, milestone, goal));
        let arrivals = Sample::of(participants.map(|timeline| {
            let reached = timeline.outcome == Outcome::Reached;
            match timeline.at(milestone) {
                Some(at) if milestone != goal || reached => {
                    Arrival::After(at.since(first).seconds().max(0.0))
                }
                None if milestone == goal && reached => Arrival::Unknown,
                _ if milestone == goal && timeline.outcome == Outcome::Unknown => Arrival::Unknown,
                _ => Arrival::Missing,
            }
        }));
        Self { arrivals }
    }

    /// Number of participants, without those that came back at an unknown time.
    pub fn n(&self) -> usize {
        self.arrivals.n()
    }

    /// Number of VMs that are back `seconds` after the first request.
    pub fn back_after(&self, seconds: f64) -> usize {
        self.arrivals.values().partition_point(|arrival| *arrival <= seconds)
    }

    /// Seconds from the first request until this share of the VMs is back.
    pub fn time_to(&self, level: Level) -> Quantile {
        Quantile::of(&self.arrivals, level)
    }

    /// Seconds from the first request to the last VM that came back; `None` if none did.
    pub fn last(&self) -> Option<f64> {
        self.arrivals.max()
    }

    /// The steps of the curve: seconds after the first request, and the number of VMs back from then on.
    pub fn points(&self) -> impl Iterator<Item = (f64, usize)> {
        self.arrivals.values().iter().enumerate().map(|(index, seconds)| (*seconds, index + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Offset;

    fn timeline(requested: f64, running: Option<f64>) -> Timeline {
        let mut timeline = Timeline::new(0);
        timeline.see(Milestone::Requested, Offset::from_seconds(requested));
        if let Some(running) = running {
            timeline.see(Milestone::Running, Offset::from_seconds(running));
            timeline.outcome = Outcome::Reached;
        }
        timeline
    }

    #[test]
    fn time_counts_from_the_first_request_of_all() {
        let timelines = [timeline(1.0, Some(4.0)), timeline(3.0, Some(5.0)), timeline(2.0, None)];
        let curve = Curve::of(&timelines, Milestone::Running, Milestone::Running);
        assert_eq!(curve.points().collect::<Vec<_>>(), [(3.0, 1), (4.0, 2)]);
        assert_eq!((curve.back_after(2.9), curve.back_after(3.0), curve.back_after(60.0)), (0, 1, 2));
        assert_eq!(curve.time_to(Level::P50), Quantile::At(4.0));
        assert_eq!(curve.time_to(Level::P100), Quantile::NotReached);
    }

    #[test]
    fn before_the_first_request_nobody_is_back() {
        let curve = Curve::of(&[Timeline::new(0), Timeline::new(1)], Milestone::Running, Milestone::Running);
        assert_eq!((curve.n(), curve.back_after(10.0)), (2, 0));
        assert_eq!(curve.time_to(Level::P50), Quantile::NotReached);
    }
}
