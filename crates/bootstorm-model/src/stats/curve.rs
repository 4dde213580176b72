//! The recovery curve: number of VMs that are back `t` seconds after the phase's first request.

use crate::observe::{Milestone, Offset, Outcome, Timeline};
use crate::outage::Exactness;
use crate::record::PhaseRecord;

use super::sample::{Arrival, may_pass, unseen};
use super::{Level, Quantile, Sample};

/// First request of a phase: the zero of its recovery
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FirstRequest {
    /// Sent at this time.
    At(Offset),
    /// Sent, but its time was lost with the process that sent it.
    Lost,
    /// None was sent.
    #[default]
    Absent,
}

impl FirstRequest {
    /// The first request of a phase.
    ///
    /// A request whose time was lost was sent after the last save of the process that sent it. The first known request
    /// is the first of all only if it was sent before that.
    pub fn of(phase: &PhaseRecord) -> Self {
        let timelines = phase.timelines.read();
        let known = timelines.iter().filter_map(|timeline| timeline.at(Milestone::Requested)).min();
        match (known, Bounds::of(phase, &timelines)) {
            (Some(at), None) => Self::At(at),
            (Some(at), Some(Bounds { from: Some(from), .. })) if at <= from => Self::At(at),
            (None, None) => Self::Absent,
            _ => Self::Lost,
        }
    }

    /// Its time, if known.
    pub fn at(self) -> Option<Offset> {
        match self {
            Self::At(at) => Some(at),
            Self::Lost | Self::Absent => None,
        }
    }
}

/// Time from the first to the last request of a phase; `None` if there was none, or if either time was lost.
pub fn request_skew(phase: &PhaseRecord) -> Option<Offset> {
    let timelines = phase.timelines.read();
    let first = FirstRequest::of(phase).at()?;
    let last = timelines.iter().filter_map(|timeline| timeline.at(Milestone::Requested)).max()?;
    match Bounds::of(phase, &timelines) {
        Some(Bounds { to, .. }) if to.is_none_or(|to| to > last) => None,
        _ => Some(last.since(first)),
    }
}

/// Period in which requests were sent whose times were lost; `None` in it means unbounded
struct Bounds {
    from: Option<Offset>,
    to: Option<Offset>,
}

impl Bounds {
    /// `None` if no time was lost.
    fn of(phase: &PhaseRecord, timelines: &[Timeline]) -> Option<Self> {
        // A pod that was gone when its drain began is not evicted: no request was sent for it.
        let unsent = phase.drains() && phase.continued == 0;
        let is_lost = |timeline: &&Timeline| {
            timeline.untimed && !timeline.has(Milestone::Requested) && timeline.outcome != Outcome::Excluded
        };
        let unwatched = || phase.watch.gaps.iter().filter(|gap| gap.stream.is_none());
        let process =
            Self { from: unwatched().map(|gap| gap.from).min(), to: unwatched().map(|gap| gap.to).max() };
        let of_one = |timeline: &Timeline| match timeline.outage.as_ref().map(|outage| outage.exactness) {
            Some(Exactness::Gap { from, to }) => (Some(from), Some(to)),
            _ => (process.from, process.to),
        };
        let lost = timelines.iter().filter(is_lost).filter(|_| !unsent).map(of_one);
        lost.reduce(|one, other| {
            (
                one.0.zip(other.0).map(|(one, other)| one.min(other)),
                one.1.zip(other.1).map(|(one, other)| one.max(other)),
            )
        })
        .map(|(from, to)| Self { from, to })
    }
}

/// Recovery of all VMs
///
/// Unlike the per-VM times, every time here counts from the *first* request of the phase, because that is when the
/// outage began to end for everyone. A level that too few VMs reached is [`Quantile::NotReached`]. A VM with an unknown
/// request time is included; a VM of which only the outcome is known is not. If the time of the first request was lost,
/// every VM that is back came back after an unknown time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Curve {
    arrivals: Sample,
    is_lost: bool,
}

impl Curve {
    /// The curve of a phase's participants towards its goal.
    pub fn of_phase(phase: &PhaseRecord) -> Self {
        Self::of(&phase.timelines, phase.goal, phase.goal, FirstRequest::of(phase))
    }

    /// The curve of participants towards a milestone; `goal` as in [`Sample::to_milestone`].
    pub fn of(timelines: &[Timeline], milestone: Milestone, goal: Milestone, first: FirstRequest) -> Self {
        let participants = timelines
            .iter()
            .filter(|timeline| timeline.outcome != Outcome::Excluded && may_pass(timeline, milestone, goal));
        let arrivals = participants.map(|timeline| {
            let since = |at: Offset| first.at().map(|first| at.since(first).seconds().max(0.0));
            let reached = timeline.outcome == Outcome::Reached;
            match timeline.at(milestone) {
                Some(at) if milestone != goal || reached => {
                    since(at).map_or(Arrival::Unknown, Arrival::After)
                }
                _ if timeline.outcome == Outcome::Unknown => Arrival::Undecided,
                None if milestone == goal && reached => Arrival::Unknown,
                None if reached => unseen(milestone, timeline.at(goal).and_then(since)),
                _ => Arrival::Missing,
            }
        });
        Self::new(arrivals, first == FirstRequest::Lost)
    }

    /// A curve of one entry per participant, in seconds from the first request; `is_lost` if the time of that was lost.
    pub fn new(arrivals: impl IntoIterator<Item = Arrival>, is_lost: bool) -> Self {
        Self { arrivals: Sample::of(arrivals), is_lost }
    }

    /// Whether the time of the first request was lost, so that nothing can be counted from it.
    pub fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// The times at which VMs came back.
    pub fn arrivals(&self) -> &Sample {
        &self.arrivals
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
        let (back, missing) = (self.arrivals.unknown(), self.arrivals.missing());
        match self.is_lost {
            // Too few VMs are too few, whenever the first request was.
            true if level.rank(back + missing) > back => Quantile::NotReached,
            true => Quantile::Unknown,
            false => Quantile::of(&self.arrivals, level),
        }
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

    fn curve(timelines: &[Timeline], milestone: Milestone) -> Curve {
        let first = timelines.iter().filter_map(|timeline| timeline.at(Milestone::Requested)).min();
        let first = first.map_or(FirstRequest::Absent, FirstRequest::At);
        Curve::of(timelines, milestone, Milestone::Running, first)
    }

    #[test]
    fn time_counts_from_the_first_request_of_all() {
        let timelines = [timeline(1.0, Some(4.0)), timeline(3.0, Some(5.0)), timeline(2.0, None)];
        let curve = curve(&timelines, Milestone::Running);
        assert_eq!(curve.points().collect::<Vec<_>>(), [(3.0, 1), (4.0, 2)]);
        assert_eq!((curve.back_after(2.9), curve.back_after(3.0), curve.back_after(60.0)), (0, 1, 2));
        assert_eq!(curve.time_to(Level::P50), Quantile::At(4.0));
        assert_eq!(curve.time_to(Level::P100), Quantile::NotReached);
    }

    #[test]
    fn before_the_first_request_nobody_is_back() {
        let curve = curve(&[Timeline::new(0), Timeline::new(1)], Milestone::Running);
        assert_eq!((curve.n(), curve.back_after(10.0)), (2, 0));
        assert_eq!(curve.time_to(Level::P50), Quantile::NotReached);
    }

    /// Three VMs, of which the second process sent the requests of the last two.
    fn resumed(saved_until: Option<f64>) -> PhaseRecord {
        let (zero, settings) = (jiff::Timestamp::UNIX_EPOCH, crate::record::PhaseSettings::default());
        let mut phase = PhaseRecord::new("storm-1".parse().unwrap(), zero, settings, 0);
        phase.goal = Milestone::Running;
        phase.timelines =
            vec![timeline(0.0, Some(4.0)), timeline(7.0, Some(9.0)), timeline(8.0, Some(11.0))].into();
        phase.timelines[0].moments.remove(&Milestone::Requested);
        phase.timelines[0].untimed = true;
        phase.continued = 1;
        if let Some(from) = saved_until {
            let (from, to) = (Offset::from_seconds(from), Offset::from_seconds(6.0));
            phase.watch.gaps.push(crate::record::Gap { from, to, ..Default::default() });
        }
        phase
    }

    #[test]
    fn without_the_time_of_the_first_request_nothing_is_counted_from_the_first_known_one() {
        for saved_until in [None, Some(0.0), Some(5.0)] {
            let mut phase = resumed(saved_until);
            assert_eq!((FirstRequest::of(&phase), request_skew(&phase)), (FirstRequest::Lost, None));
            let curve = Curve::of_phase(&phase);
            assert_eq!([Level::P50, Level::P100].map(|level| curve.time_to(level)), [Quantile::Unknown; 2]);
            assert_eq!((curve.last(), curve.points().count(), curve.n()), (None, 0, 0));
            phase.timelines[2].outcome = Outcome::TimedOut;
            let curve = Curve::of_phase(&phase);
            assert_eq!(curve.time_to(Level::P50), Quantile::Unknown);
            assert_eq!(curve.time_to(Level::P95), Quantile::NotReached, "whenever the first request was");
        }
        let mut phase = resumed(None);
        phase.timelines.truncate(1);
        assert_eq!(FirstRequest::of(&phase), FirstRequest::Lost, "no request is known");
    }

    #[test]
    fn a_request_that_was_lost_later_does_not_hide_the_first_one() {
        let mut phase = resumed(Some(5.0));
        phase.timelines[1] = timeline(1.0, Some(3.0));
        assert_eq!(FirstRequest::of(&phase), FirstRequest::At(Offset::from_seconds(1.0)));
        assert_eq!(request_skew(&phase), Some(Offset::from_seconds(7.0)));
        assert_eq!(Curve::of_phase(&phase).points().collect::<Vec<_>>(), [(2.0, 1), (3.0, 2), (10.0, 3)]);
        phase.timelines[2] = timeline(2.0, Some(11.0));
        assert_eq!(request_skew(&phase), None, "the lost one was the last");
        phase.timelines[0].outcome = Outcome::Excluded;
        assert_eq!(request_skew(&phase), Some(Offset::from_seconds(1.0)));
    }

    #[test]
    fn an_outage_in_a_gap_hides_the_first_sign_only_if_it_may_have_been_the_first() {
        let mut phase = resumed(None);
        phase.continued = 0;
        for (from, first) in [(8.5, Some(7.0)), (6.5, None)] {
            let (from, to) = (Offset::from_seconds(from), Offset::from_seconds(9.0));
            phase.timelines[0].outage = Some(Box::new(crate::outage::Outage {
                sign: crate::outage::Sign::Ended,
                at: to,
                exactness: Exactness::Gap { from, to },
                cause: crate::outage::Cause::Failed,
                left_node: None,
                last_answer: None,
                first_answer: None,
                lost: None,
                unprobed: false,
                noticed: None,
                evicted: None,
            }));
            assert_eq!(FirstRequest::of(&phase).at(), first.map(Offset::from_seconds));
        }
    }
}
