//! Samples: arrived values, and the numbers of missing and unknown ones.

use crate::observe::{Milestone, Outcome, Timeline};

/// Seconds from `requested` to `milestone`; `None` while either is unknown
///
/// Never negative: a server timestamp is a whole second, truncated, so it may lie up to a second before the request
/// that caused it.
pub fn seconds_to(timeline: &Timeline, milestone: Milestone) -> Option<f64> {
    timeline.seconds_to(milestone).map(|seconds| seconds.max(0.0))
}

/// One VM's time to a milestone, as far as known
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Arrival {
    /// Arrived after this many seconds.
    After(f64),
    /// Did not arrive: longer than anything that arrived.
    Missing,
    /// Not observed, and not waited for: the VM reached its goal after this many seconds without having arrived.
    Later(f64),
    /// Arrived, but the time of its request or of its arrival was lost with the process that knew it.
    Unknown,
    /// It could not be observed whether it arrived in time.
    Undecided,
}

impl Arrival {
    /// Seconds, if known.
    pub fn seconds(self) -> Option<f64> {
        match self {
            Self::After(seconds) => Some(seconds),
            Self::Missing | Self::Later(_) | Self::Unknown | Self::Undecided => None,
        }
    }
}

impl From<Option<f64>> for Arrival {
    /// VMs that did not arrive are missing.
    fn from(seconds: Option<f64>) -> Self {
        seconds.map_or(Self::Missing, Self::After)
    }
}

/// Values that arrived, in ascending order, and the number of missing ones
///
/// A missing value is *censored*: it is larger than every value that arrived, by an unknown amount. An unknown value is
/// neither: its VM arrived after a time that was lost. It is counted beside the sample and takes no part in any
/// statistic. A VM that was not waited for counts as unknown, too, as does one of which nobody knows whether it arrived:
/// a quantile that depends on these is unknown.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sample {
    arrived: Vec<f64>,
    missing: usize,
    unknown: usize,
    undecided: usize,
    /// Lower bounds of the values that were not waited for, ascending.
    later: Vec<f64>,
}

impl Sample {
    /// A sample of values in any order, and the number of missing ones. Values that are not finite count as missing.
    pub fn new(values: impl IntoIterator<Item = f64>, missing: usize) -> Self {
        let arrived = values.into_iter().map(Arrival::After);
        Self::of(arrived.chain(std::iter::repeat_n(Arrival::Missing, missing)))
    }

    /// A sample with one entry per participant. Values that are not finite count as missing.
    pub fn of(arrivals: impl IntoIterator<Item = Arrival>) -> Self {
        let mut sample = Self::default();
        for arrival in arrivals {
            match arrival {
                Arrival::After(value) if value.is_finite() => sample.arrived.push(value),
                Arrival::After(_) | Arrival::Missing => sample.missing += 1,
                Arrival::Later(bound) if bound.is_finite() => sample.later.push(bound),
                Arrival::Later(_) | Arrival::Unknown => sample.unknown += 1,
                Arrival::Undecided => sample.undecided += 1,
            }
        }
        sample.later.sort_unstable_by(f64::total_cmp);
        sample.arrived.sort_unstable_by(f64::total_cmp);
        sample
    }

    /// The seconds that each VM took to a milestone
    ///
    /// Excluded VMs take no part, nor do VMs whose way does not pass the milestone ([`may_pass`]). For the goal of the
    /// phase, only VMs with outcome `reached` count as arrived, so that
    /// `arrived` and `unknown` together are the number of successes; other milestones count for every VM that passed
    /// them.
    pub fn to_milestone<'a>(
        timelines: impl IntoIterator<Item = &'a Timeline>,
        milestone: Milestone,
        goal: Milestone,
    ) -> Self {
        let participants = timelines
            .into_iter()
            .filter(|timeline| timeline.outcome != Outcome::Excluded && may_pass(timeline, milestone, goal));
        Self::of(participants.map(|timeline| arrival(timeline, milestone, goal)))
    }

    /// The values that arrived, ascending.
    pub fn values(&self) -> &[f64] {
        &self.arrived
    }

    /// Number of arrived values.
    pub fn arrived(&self) -> usize {
        self.arrived.len()
    }

    /// Number of missing values.
    pub fn missing(&self) -> usize {
        self.missing
    }

    /// Number of VMs that arrived at an unknown time, were not waited for, or may not have arrived; not part of `n`.
    pub fn unknown(&self) -> usize {
        self.unknown + self.later.len() + self.undecided
    }

    /// Number of VMs of which nobody knows whether they arrived.
    pub fn undecided(&self) -> usize {
        self.undecided
    }

    /// Number of VMs whose place among the others is unknown: they were not waited for, or may not have arrived.
    pub fn open(&self) -> usize {
        self.later.len() + self.undecided
    }

    /// Lower bounds of the values that were not waited for, ascending.
    pub fn later(&self) -> &[f64] {
        &self.later
    }

    /// Size of the sample, including missing values but not unknown ones.
    pub fn n(&self) -> usize {
        self.arrived.len() + self.missing
    }

    /// The sample without its missing values.
    #[must_use]
    pub fn without_missing(&self) -> Self {
        Self {
            arrived: self.arrived.clone(),
            missing: 0,
            unknown: self.unknown(),
            undecided: 0,
            later: Vec::new(),
        }
    }

    /// The smallest value.
    pub fn min(&self) -> Option<f64> {
        self.arrived.first().copied()
    }

    /// The largest arrived value.
    pub fn max(&self) -> Option<f64> {
        self.arrived.last().copied()
    }

    /// Arithmetic mean of the arrived values: `Σx / arrived`.
    pub fn mean(&self) -> Option<f64> {
        let count = self.arrived.len();
        (count > 0).then(|| self.arrived.iter().sum::<f64>() / count as f64)
    }

    /// Sample standard deviation of the arrived values: `√(Σ(x − mean)² / (arrived − 1))`; needs two values.
    pub fn stddev(&self) -> Option<f64> {
        let mean = self.mean().filter(|_| self.arrived.len() > 1)?;
        let squares: f64 = self.arrived.iter().map(|value| (value - mean).powi(2)).sum();
        Some((squares / (self.arrived.len() - 1) as f64).sqrt())
    }
}

/// Whether a VM counts as arrived at `milestone`.
///
/// A VM that reached the goal passed every inevitable milestone, even if it was not observed. Whether it passed any other
/// one is unknown: the phase ends once every VM has reached the goal, and waits for nothing else.
pub fn arrival(timeline: &Timeline, milestone: Milestone, goal: Milestone) -> Arrival {
    let reached = timeline.outcome == Outcome::Reached;
    if milestone == goal && !reached {
        let is_unknown = timeline.outcome == Outcome::Unknown;
        return if is_unknown { Arrival::Undecided } else { Arrival::Missing };
    }
    match seconds_to(timeline, milestone) {
        Some(seconds) => Arrival::After(seconds),
        None if timeline.has(milestone) => Arrival::Unknown,
        None if reached && (milestone == goal || milestone < goal && is_inevitable(milestone, goal)) => {
            Arrival::Unknown
        }
        None if reached => unseen(milestone, seconds_to(timeline, goal)),
        // Whoever could not be observed may have passed it.
        None if timeline.outcome == Outcome::Unknown => Arrival::Undecided,
        None => Arrival::Missing,
    }
}

/// The arrival at a milestone of a VM that reached its goal after these seconds, and was not seen to pass the milestone.
///
/// What guests and their networks do may come after the goal. Everything else lies before it, or is not on the VM's way.
pub(super) fn unseen(milestone: Milestone, goal_after: Option<f64>) -> Arrival {
    use Milestone::{Address, Agent, Reachable, Ready};
    let may_follow = matches!(milestone, Ready | Address | Agent | Reachable);
    goal_after.filter(|_| may_follow).map_or(Arrival::Unknown, Arrival::Later)
}

/// Whether the way of a VM to the goal leads past a milestone.
///
/// In a drain, some VMs migrate and others start again: neither pass the milestones of the others. A VM whose way is not
/// known yet may pass all.
pub fn may_pass(timeline: &Timeline, milestone: Milestone, goal: Milestone) -> bool {
    let migrates = timeline.migration.as_ref().is_some_and(|facts| facts.uid.is_some());
    is_on_way(milestone, goal, migrates, |milestone| timeline.has(milestone))
}

/// Like [`may_pass`], of a VM that has passed some milestones; `migrates` is whether it has a live migration.
fn is_on_way(milestone: Milestone, goal: Milestone, migrates: bool, has: impl Fn(Milestone) -> bool) -> bool {
    use Milestone::{
        Address, Agent, Copying, Gone, Instance, Migrated, Moved, Ready, Running, Scheduled, Stopping, Target,
    };
    if goal != Moved || has(milestone) {
        return true;
    }
    // A VM whose migration failed may be started again.
    let restarts = !has(Migrated) && [Stopping, Gone, Instance].into_iter().any(&has);
    match milestone {
        Instance | Scheduled | Running | Ready | Address | Agent | Stopping | Gone => {
            restarts || !(migrates || has(Migrated))
        }
        Target | Copying | Migrated => !restarts,
        _ => true,
    }
}

/// Whether every VM on its way passes it; other milestones depend on the guest, or may be skipped.
fn is_inevitable(milestone: Milestone, goal: Milestone) -> bool {
    use Milestone::{Accepted, Copying, Instance, Migrated, Moved, Pod, Running, Scheduled, Target};
    if goal == Moved {
        return matches!(
            milestone,
            Accepted | Instance | Pod | Scheduled | Running | Target | Copying | Migrated
        );
    }
    if goal == Migrated {
        return matches!(milestone, Accepted | Pod | Target | Copying);
    }
    matches!(milestone, Accepted | Instance | Pod | Scheduled | Running)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Offset;

    #[test]
    fn missing_values_count_but_do_not_move_the_mean() {
        let sample = Sample::new([4.0, 2.0, f64::NAN], 1);
        assert_eq!((sample.n(), sample.arrived(), sample.missing()), (4, 2, 2));
        assert_eq!(sample.mean(), Some(3.0));
        assert_eq!((sample.min(), sample.max()), (Some(2.0), Some(4.0)));
        assert!((sample.stddev().unwrap() - std::f64::consts::SQRT_2).abs() < 1e-12);
    }

    #[test]
    fn nothing_arrived_and_a_single_value_have_no_spread() {
        assert_eq!(Sample::new([], 3).mean(), None);
        assert_eq!(Sample::new([5.0], 0).stddev(), None);
    }

    fn timeline(outcome: Outcome, running: f64) -> Timeline {
        let mut timeline = Timeline::new(0);
        timeline.see(Milestone::Requested, Offset::from_seconds(1.0));
        timeline.fill(Milestone::Running, Offset::from_seconds(running));
        timeline.outcome = outcome;
        timeline
    }

    #[test]
    fn at_the_goal_only_successes_arrive_and_excluded_vms_take_no_part() {
        let timelines = [
            timeline(Outcome::Reached, 3.0),
            timeline(Outcome::TimedOut, 9.0),
            timeline(Outcome::Excluded, 2.0),
        ];
        let goal = Sample::to_milestone(&timelines, Milestone::Running, Milestone::Running);
        assert_eq!((goal.values(), goal.missing()), (&[2.0][..], 1));
        let passed = Sample::to_milestone(&timelines, Milestone::Running, Milestone::Reachable);
        assert_eq!((passed.values(), passed.missing()), (&[2.0, 8.0][..], 0));
    }

    #[test]
    fn a_vm_whose_request_was_lost_is_neither_a_value_nor_missing() {
        let mut lost = timeline(Outcome::Reached, 7.0);
        lost.moments.remove(&Milestone::Requested);
        let timelines = [timeline(Outcome::Reached, 3.0), lost, timeline(Outcome::TimedOut, 9.0)];
        let sample = Sample::to_milestone(&timelines, Milestone::Running, Milestone::Running);
        assert_eq!((sample.values(), sample.missing(), sample.unknown(), sample.n()), (&[2.0][..], 1, 1, 2));
    }

    #[test]
    fn a_success_passed_what_cannot_be_gone_round_though_nobody_saw_it() {
        let sample = |outcome, milestone| {
            let sample = Sample::to_milestone(&[timeline(outcome, 3.0)], milestone, Milestone::Running);
            (sample.missing(), sample.unknown())
        };
        assert_eq!(sample(Outcome::Reached, Milestone::Pod), (0, 1));
        assert_eq!(sample(Outcome::TimedOut, Milestone::Pod), (1, 0));
        assert_eq!(sample(Outcome::Reached, Milestone::Agent), (0, 1), "nobody waited for its agent");
        assert_eq!(sample(Outcome::TimedOut, Milestone::Agent), (1, 0));
    }

    #[test]
    fn in_a_drain_each_vm_counts_only_on_its_own_way() {
        use Milestone::{
            Copying, Gone, Instance, Migrated, Moved, Pod, Requested, Running, Scheduled, Target,
        };
        let vm = |passed: &[Milestone]| {
            let mut timeline = Timeline::new(0);
            for (second, milestone) in passed.iter().enumerate() {
                timeline.see(*milestone, Offset::from_seconds(second as f64));
            }
            timeline.outcome = if timeline.has(Moved) { Outcome::Reached } else { Outcome::TimedOut };
            timeline
        };
        let facts = crate::observe::MigrationFacts { uid: Some("m".into()), ..Default::default() };
        let mut migrated = vm(&[Requested, Pod, Target, Copying, Migrated, Moved]);
        migrated.migration = Some(Box::new(facts.clone()));
        // Its target pod and the beginning of the copy were not observed.
        let mut hasty = vm(&[Requested, Migrated, Moved]);
        hasty.migration = Some(Box::new(facts.clone()));
        let mut copying = vm(&[Requested, Pod, Target]);
        copying.migration = Some(Box::new(facts));
        let restarted = vm(&[Requested, Gone, Instance, Pod, Running, Moved]);
        let waiting = vm(&[Requested]);
        let timelines = [migrated, hasty, copying, restarted, waiting];
        let counted = |milestone| {
            let sample = Sample::to_milestone(&timelines, milestone, Moved);
            (sample.arrived(), sample.missing(), sample.unknown())
        };
        assert_eq!(counted(Running), (1, 1, 0), "the restarted one, and the one that waits");
        assert_eq!(counted(Instance), (1, 1, 0));
        assert_eq!(counted(Scheduled), (0, 1, 1), "the restarted one passed it unobserved");
        assert_eq!(counted(Target), (2, 1, 1));
        assert_eq!(counted(Copying), (1, 2, 1));
        assert_eq!(counted(Migrated), (2, 2, 0));
        assert_eq!(counted(Pod), (3, 1, 1), "both ways lead past it");
        assert_eq!(counted(Moved), (3, 2, 0));
    }

    #[test]
    fn a_stamp_before_the_request_counts_as_zero() {
        assert_eq!(seconds_to(&timeline(Outcome::Reached, 0.4), Milestone::Running), Some(0.0));
    }
}
