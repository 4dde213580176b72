//! A start phase for comparisons: its VMs, their goal, and the zero of their times.
//!
//! A create also fills disks, a storm never does. So that boots are compared with boots, the time of a VM whose disks
//! were filled in the phase counts from the instant at which they were: [`Zero::Filled`].

use serde::{Deserialize, Serialize};

use super::Sample;
use super::sample::{Arrival, arrival, may_pass};
use crate::observe::{Milestone, Moment, Offset, Outcome, Source, Timeline};

/// Zero of a VM's times
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Zero {
    /// Its request.
    #[default]
    Requested,
    /// The instant at which all of its disks were filled, or its request if that was later.
    Filled,
}

/// The VMs of a start phase, their goal, and the zero of their times
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Starts<'a> {
    /// VMs.
    pub timelines: &'a [Timeline],
    /// Goal of the phase.
    pub goal: Milestone,
    /// Zero of their times.
    pub zero: Zero,
}

impl<'a> Starts<'a> {
    /// Counts every VM from its request.
    pub fn requested(timelines: &'a [Timeline], goal: Milestone) -> Self {
        Self { timelines, goal, zero: Zero::Requested }
    }

    /// Counts every VM from the instant at which its disks were filled; from its request if the phase filled none.
    pub fn boots(timelines: &'a [Timeline], goal: Milestone) -> Self {
        let fills = timelines.iter().any(|timeline| timeline.has(Milestone::Volume));
        Self { timelines, goal, zero: if fills { Zero::Filled } else { Zero::Requested } }
    }

    /// Zero of a VM's times; `None` if unknown.
    ///
    /// Disks that were noticed late may have been filled at any time before that.
    pub fn zero_of(&self, timeline: &Timeline) -> Option<Offset> {
        let requested = timeline.at(Milestone::Requested);
        match (self.zero, timeline.moments.get(&Milestone::Volume)) {
            (Zero::Requested, _) => requested,
            (Zero::Filled, Some(Moment { at, source: Source::Seen | Source::Stamped })) => {
                Some(requested.map_or(*at, |requested| requested.max(*at)))
            }
            (Zero::Filled, _) => None,
        }
    }

    /// Seconds from there to a milestone, never negative; `None` while either is unknown.
    pub fn seconds(&self, timeline: &Timeline, milestone: Milestone) -> Option<f64> {
        Some(timeline.at(milestone)?.since(self.zero_of(timeline)?).seconds().max(0.0))
    }

    /// A VM's time to a milestone, as far as known.
    pub fn arrival(&self, timeline: &Timeline, milestone: Milestone) -> Arrival {
        match (self.zero, arrival(timeline, milestone, self.goal)) {
            (Zero::Requested, arrival) => arrival,
            (Zero::Filled, open @ (Arrival::Missing | Arrival::Undecided)) => open,
            (Zero::Filled, Arrival::Later(_)) => {
                self.seconds(timeline, self.goal).map_or(Arrival::Unknown, Arrival::Later)
            }
            (Zero::Filled, Arrival::After(_) | Arrival::Unknown) => {
                self.seconds(timeline, milestone).map_or(Arrival::Unknown, Arrival::After)
            }
        }
    }

    /// The VMs that took part.
    pub fn participants(&self) -> impl Iterator<Item = &'a Timeline> {
        self.timelines.iter().filter(|timeline| timeline.outcome != Outcome::Excluded)
    }

    /// The times of all VMs that took part and whose way leads past the milestone.
    pub fn sample(&self, milestone: Milestone) -> Sample {
        let all = self.participants().filter(|timeline| may_pass(timeline, milestone, self.goal));
        Sample::of(all.map(|timeline| self.arrival(timeline, milestone)))
    }

    /// VMs that reached a milestone at a known time; for the phase's goal, those with outcome `reached`.
    pub(super) fn arrived(&self, milestone: Milestone) -> Vec<&'a Timeline> {
        let counts = |timeline: &&Timeline| {
            self.seconds(timeline, milestone).is_some()
                && (milestone != self.goal || timeline.outcome == Outcome::Reached)
        };
        self.timelines.iter().filter(counts).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vm(moments: &[(Milestone, f64)]) -> Timeline {
        let mut timeline = Timeline::new(0);
        for (milestone, at) in moments {
            timeline.see(*milestone, Offset::from_seconds(*at));
        }
        timeline.outcome = Outcome::Reached;
        timeline
    }

    #[test]
    fn a_boot_counts_from_filled_disks() {
        use Milestone::{Accepted, Requested, Running, Volume};
        let cloned = vm(&[(Requested, 1.0), (Accepted, 1.1), (Volume, 19.0), (Running, 23.0)]);
        let later = vm(&[(Volume, 1.0), (Requested, 2.0), (Running, 5.0)]);
        let mut late = vm(&[(Requested, 1.0), (Running, 23.0)]);
        late.notice(Volume, Offset::from_seconds(22.0));
        let lost = vm(&[(Volume, 19.0), (Running, 21.0)]);
        let unseen = vm(&[(Requested, 1.0), (Running, 23.0)]);
        let mut missing = vm(&[(Requested, 1.0), (Volume, 5.0)]);
        missing.outcome = Outcome::TimedOut;
        let timelines = [cloned, later, late, lost, unseen, missing];
        let boots = Starts::boots(&timelines, Running);
        let found: Vec<Arrival> = timelines.iter().map(|timeline| boots.arrival(timeline, Running)).collect();
        assert_eq!(
            found,
            [
                Arrival::After(4.0),
                Arrival::After(3.0),
                Arrival::Unknown,
                Arrival::After(2.0),
                Arrival::Unknown,
                Arrival::Missing,
            ]
        );
        assert_eq!(boots.arrival(&timelines[0], Accepted), Arrival::After(0.0), "before that nothing counts");
        let requested = Starts::requested(&timelines, Running).sample(Running);
        assert_eq!((requested.values(), requested.unknown()), (&[3.0, 22.0, 22.0, 22.0][..], 1));
    }

    #[test]
    fn without_disks_a_boot_counts_from_its_request() {
        use Milestone::{Requested, Running};
        let timelines = [vm(&[(Requested, 1.0), (Running, 4.0)])];
        let boots = Starts::boots(&timelines, Running);
        assert_eq!((boots.zero, boots.sample(Running).values()), (Zero::Requested, &[3.0][..]));
    }
}
