//! Thresholds: a condition on a figure of a run that makes it a failure.
//!
//! `storm.running.p95>60s`, `failed>1%`, `storm/create.running.mean>2`: the condition states when the run is *bad*. A
//! figure that was not reached is larger than every limit. A figure that does not exist, such as the standard deviation
//! of one VM, leaves its threshold undecided whatever the limit is, and so does a phase whose times are not valid: a
//! gate that could not be measured is not passed.
//!
//! If one phase is divided by another, boots are compared: the time to fill disks is part of neither (see
//! [`super::start`]). Times of a single phase count from the request.

mod grammar;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::observe::{Milestone, Offset, Outcome, Timeline};
use crate::record::PhaseRecord;

use super::{Curve, FirstRequest, Level, Outliers, Quantile, Sample, Starts, request_skew, round_to_micros};

/// Kinds of phases, as named in thresholds
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PhaseWord {
    /// The baseline.
    Create,
    /// A stop.
    Stop,
    /// A storm.
    Storm,
}

/// A phase as named in a threshold: `storm`, the last one, or `storm-2`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// Kind.
    pub kind: PhaseWord,
    /// Number within its kind; absent means the last one.
    pub number: Option<u32>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.kind {
            PhaseWord::Create => "create",
            PhaseWord::Stop => "stop",
            PhaseWord::Storm => "storm",
        };
        match self.number {
            None => f.write_str(word),
            Some(number) => write!(f, "{word}-{number}"),
        }
    }
}

/// The timed span
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Span {
    /// From the request to the goal of the phase.
    Goal,
    /// From the request to a milestone.
    To(Milestone),
    /// From one milestone to another, over the VMs that passed both.
    Between(Milestone, Milestone),
}

/// A statistic of times
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Statistic {
    /// Smallest.
    Min,
    /// Mean of the arrived ones.
    Mean,
    /// Standard deviation of the arrived ones.
    Stddev,
    /// Largest of the arrived ones.
    Max,
    /// Percentile over all, including missing values.
    Percentile(Level),
    /// From the phase's first request until this share of the VMs has arrived.
    Recovery(Level),
}

/// A number of VMs
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Count {
    /// Failed or timed out.
    Failed,
    /// Timed out.
    TimedOut,
    /// Did not take part.
    Excluded,
    /// Undecided.
    Pending,
    /// Reached the goal.
    Reached,
    /// Outliers (see [`Outliers`]).
    Outliers,
}

/// A figure of a phase
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Figure {
    /// A statistic of the VMs' times.
    Time(Span, Statistic),
    /// A number of VMs.
    Vms(Count),
    /// From first to last request.
    Skew,
    /// From beginning to end of the phase.
    Duration,
}

/// Comparison with the limit that breaks the threshold
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `<`
    Below,
    /// `<=`
    AtMost,
}

/// Unit of a limit
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// One phase's seconds ÷ another's.
    Ratio,
    /// A number of VMs.
    Vms,
    /// Percent of the VMs.
    Percent,
}

/// A condition that makes a run a failure
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    /// As the user wrote it.
    pub text: String,
    /// Phase; absent means the one just run or judged.
    pub place: Option<Place>,
    /// Phase by which it is divided.
    pub against: Option<Place>,
    /// Figure.
    pub figure: Figure,
    /// Comparison.
    pub operator: Operator,
    /// Limit.
    pub limit: f64,
    /// Unit of the limit.
    pub unit: Unit,
}

/// Data that a threshold judges
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The phase's timelines.
    pub timelines: &'a [Timeline],
    /// Its goal.
    pub goal: Milestone,
    /// Its end.
    pub ended: Option<Offset>,
    /// Its first request.
    pub first: FirstRequest,
    /// Time from its first to its last request, if known.
    pub skew: Option<Offset>,
}

impl<'a> Facts<'a> {
    /// The data of a phase.
    pub fn of(phase: &'a PhaseRecord) -> Self {
        Self {
            timelines: &phase.timelines,
            goal: phase.goal,
            ended: phase.ended,
            first: FirstRequest::of(phase),
            skew: request_skew(phase),
        }
    }
}

/// Result of a threshold
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Judged {
    /// The condition does not hold.
    Kept,
    /// The condition holds.
    Crossed,
    /// No valid measurement to judge by; the run fails nevertheless.
    Undecided,
}

impl Judged {
    /// The word used in JSON and tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Crossed => "crossed",
            Self::Undecided => "undecided",
        }
    }

    /// Whether the run is a failure.
    pub fn fails(self) -> bool {
        self != Self::Kept
    }
}

/// Value of a figure
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// Known.
    Known(f64),
    /// Too few VMs arrived: larger than any number.
    NotReached,
    /// No such value.
    Unknown,
}

impl Threshold {
    /// The value in a phase, divided by that of another one if the threshold is a ratio.
    pub fn value(&self, phase: &Facts<'_>, against: Option<&Facts<'_>>) -> Value {
        if let Figure::Vms(count) = self.figure
            && let most @ 1.. =
                may_count(count, phase) + against.map_or(0, |against| may_count(count, against))
        {
            // Whoever could not be observed may be one of them.
            let (least, most) = (vms(count, phase) as f64, (vms(count, phase) + most) as f64);
            let share = |vms: f64| self.in_unit(count, vms, phase);
            return match (share(least), share(most)) {
                (low, high) if against.is_none() && self.judge(low) == self.judge(high) => low,
                _ => Value::Unknown,
            };
        }
        let value = value(self.figure, phase, against.is_some());
        if let (Unit::Percent, Figure::Vms(count), Value::Known(vms)) = (self.unit, self.figure, value) {
            return self.in_unit(count, vms, phase);
        }
        let Some(against) = against else { return value };
        match (value, self::value(self.figure, against, true)) {
            (Value::Known(value), Value::Known(base)) if base > 0.0 => Value::Known(value / base),
            (Value::NotReached, Value::Known(_)) => Value::NotReached,
            _ => Value::Unknown,
        }
    }

    /// A number of VMs, as a percentage if the threshold is one.
    fn in_unit(&self, count: Count, vms: f64, phase: &Facts<'_>) -> Value {
        if self.unit != Unit::Percent {
            return Value::Known(vms);
        }
        let excluded = phase.timelines.iter().filter(|t| t.outcome == Outcome::Excluded).count();
        let of = phase.timelines.len() - if count == Count::Excluded { 0 } else { excluded };
        if of == 0 { Value::Unknown } else { Value::Known(vms * 100.0 / of as f64) }
    }

    /// Applies the threshold to a value, which counts to the microsecond, as reports store it.
    pub fn judge(&self, value: Value) -> Judged {
        let value = match value {
            Value::Known(value) => round_to_micros(value),
            Value::NotReached => f64::INFINITY,
            Value::Unknown => return Judged::Undecided,
        };
        let holds = match self.operator {
            Operator::Above => value > self.limit,
            Operator::AtLeast => value >= self.limit,
            Operator::Below => value < self.limit,
            Operator::AtMost => value <= self.limit,
        };
        if holds { Judged::Crossed } else { Judged::Kept }
    }

    /// Why a phase has no value for it, if it is one of the known reasons.
    pub fn why_unknown(&self, phase: &Facts<'_>) -> Option<String> {
        if self.needs_spread() && (phase.first == FirstRequest::Lost || phase.skew.is_none()) {
            let which =
                if phase.first == FirstRequest::Lost { "the first request was" } else { "requests were" };
            return Some(format!("{which} sent at an unknown time, by a process that was killed"));
        }
        let Figure::Time(Span::To(milestone), _) = self.figure else { return None };
        let vms = Starts::requested(phase.timelines, phase.goal).sample(milestone).later().len();
        let were = if vms == 1 { "VM was" } else { "VMs were" };
        (vms > 0).then(|| format!("{vms} {were} {} without {milestone}, which is not waited for", phase.goal))
    }

    /// Whether it depends on the times at which requests were sent.
    pub fn needs_spread(&self) -> bool {
        matches!(self.figure, Figure::Skew | Figure::Time(_, Statistic::Recovery(_)))
    }

    /// Milestones that must be measured for it.
    pub fn milestones(&self) -> Vec<Milestone> {
        match self.figure {
            Figure::Time(Span::To(milestone), _) => vec![milestone],
            Figure::Time(Span::Between(from, to), _) => vec![from, to],
            _ => Vec::new(),
        }
    }
}

/// `boots` excludes the time to fill disks.
fn value(figure: Figure, phase: &Facts<'_>, boots: bool) -> Value {
    match figure {
        Figure::Vms(count) => Value::Known(vms(count, phase) as f64),
        Figure::Skew => known(phase.skew.map(Offset::seconds)),
        // The duration of a phase that has not ended is unbounded.
        Figure::Duration => phase.ended.map_or(Value::NotReached, |ended| {
            // Before the first request, shards and clusters wait for each other.
            Value::Known(ended.since(phase.first.at().unwrap_or(Offset::ZERO)).seconds())
        }),
        Figure::Time(span, Statistic::Recovery(level)) => {
            let milestone = if let Span::To(milestone) = span { milestone } else { phase.goal };
            reached(Curve::of(phase.timelines, milestone, phase.goal, phase.first).time_to(level))
        }
        Figure::Time(span, statistic) => of_sample(&sample(span, phase, boots), statistic),
    }
}

fn sample(span: Span, phase: &Facts<'_>, boots: bool) -> Sample {
    let starts = if boots { Starts::boots } else { Starts::requested };
    let starts = starts(phase.timelines, phase.goal);
    match span {
        Span::Goal => starts.sample(phase.goal),
        Span::To(milestone) => starts.sample(milestone),
        Span::Between(from, to) => {
            let participants =
                phase.timelines.iter().filter(|timeline| timeline.outcome != Outcome::Excluded);
            let lengths = participants
                .filter_map(|timeline| Some(timeline.at(to)?.since(timeline.at(from)?).seconds().max(0.0)));
            Sample::new(lengths, 0)
        }
    }
}

fn of_sample(sample: &Sample, statistic: Statistic) -> Value {
    if sample.arrived() == 0 && sample.missing() > 0 && sample.later().is_empty() {
        return Value::NotReached;
    }
    match statistic {
        Statistic::Min => known(sample.min()),
        Statistic::Mean => known(sample.mean()),
        Statistic::Stddev => known(sample.stddev()),
        Statistic::Max => known(sample.max()),
        Statistic::Percentile(_) | Statistic::Recovery(_) if sample.n() == 0 => Value::Unknown,
        Statistic::Percentile(level) | Statistic::Recovery(level) => reached(Quantile::of(sample, level)),
    }
}

fn vms(count: Count, phase: &Facts<'_>) -> usize {
    let ended = |outcome| phase.timelines.iter().filter(|timeline| timeline.outcome == outcome).count();
    match count {
        Count::Failed => ended(Outcome::Failed) + ended(Outcome::TimedOut),
        Count::TimedOut => ended(Outcome::TimedOut),
        Count::Excluded => ended(Outcome::Excluded),
        Count::Pending => ended(Outcome::Pending),
        Count::Reached => ended(Outcome::Reached),
        Count::Outliers => Outliers::of(phase.timelines, phase.goal, phase.goal).found.len(),
    }
}

/// Number of VMs that may count as well: their outcome is unknown.
fn may_count(count: Count, phase: &Facts<'_>) -> usize {
    match count {
        Count::Failed | Count::TimedOut | Count::Reached => {
            phase.timelines.iter().filter(|timeline| timeline.outcome == Outcome::Unknown).count()
        }
        Count::Excluded | Count::Pending | Count::Outliers => 0,
    }
}

fn known(value: Option<f64>) -> Value {
    value.map_or(Value::Unknown, Value::Known)
}

fn reached(quantile: Quantile) -> Value {
    match quantile {
        Quantile::At(seconds) => Value::Known(seconds),
        Quantile::NotReached => Value::NotReached,
        Quantile::Unknown => Value::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timelines(running: &[f64], failed: usize) -> Vec<Timeline> {
        let timeline = |seconds: Option<f64>| {
            let mut timeline = Timeline::new(0);
            timeline.see(Milestone::Requested, Offset::from_seconds(1.0));
            timeline.outcome = Outcome::TimedOut;
            if let Some(seconds) = seconds {
                timeline.see(Milestone::Running, Offset::from_seconds(1.0 + seconds));
                timeline.outcome = Outcome::Reached;
            }
            timeline
        };
        let arrived = running.iter().map(|seconds| timeline(Some(*seconds)));
        arrived.chain((0..failed).map(|_| timeline(None))).collect()
    }

    fn facts(timelines: &[Timeline]) -> Facts<'_> {
        let requested = timelines.iter().filter_map(|timeline| timeline.at(Milestone::Requested));
        let (first, last) = (requested.clone().min(), requested.max());
        Facts {
            timelines,
            goal: Milestone::Running,
            ended: None,
            first: first.map_or(FirstRequest::Absent, FirstRequest::At),
            skew: first.zip(last).map(|(first, last)| last.since(first)),
        }
    }

    fn judge(text: &str, running: &[f64], failed: usize) -> (Value, Judged) {
        let threshold: Threshold = text.parse().unwrap();
        let timelines = timelines(running, failed);
        let facts = facts(&timelines);
        let value = threshold.value(&facts, None);
        (value, threshold.judge(value))
    }

    #[test]
    fn the_limit_itself_is_kept_by_above_and_broken_by_at_least() {
        assert_eq!(judge("running.max>3s", &[1.0, 3.0], 0), (Value::Known(3.0), Judged::Kept));
        assert_eq!(judge("running.max>=3s", &[1.0, 3.0], 0), (Value::Known(3.0), Judged::Crossed));
        assert_eq!(judge("running.min<1s", &[1.0, 3.0], 0), (Value::Known(1.0), Judged::Kept));
        assert_eq!(judge("running.min<=1s", &[1.0, 3.0], 0), (Value::Known(1.0), Judged::Crossed));
    }

    #[test]
    fn a_value_that_is_shown_as_the_limit_is_judged_as_the_limit() {
        let threshold: Threshold = "storm/create.running.mean>=1.1".parse().unwrap();
        let quotient = 3.3 / 3.0;
        assert!(quotient < 1.1);
        assert_eq!(threshold.judge(Value::Known(quotient)), Judged::Crossed);
    }

    #[test]
    fn vms_that_could_not_be_observed_may_have_failed_or_not() {
        let mut some = timelines(&[1.0; 8], 1);
        some[0].outcome = Outcome::Unknown;
        let judged = |text: &str| {
            let threshold: Threshold = text.parse().unwrap();
            let value = threshold.value(&facts(&some), None);
            (value, threshold.judge(value))
        };
        assert_eq!(judged("failed>0"), (Value::Known(1.0), Judged::Crossed), "at least one has");
        assert_eq!(judged("failed>1"), (Value::Unknown, Judged::Undecided));
        assert_eq!(judged("failed>2"), (Value::Known(1.0), Judged::Kept), "at most two have");
        assert_eq!(judged("failed>=20%"), (Value::Unknown, Judged::Undecided));
        assert_eq!(judged("reached<8"), (Value::Unknown, Judged::Undecided));
        assert_eq!(judged("pending>0"), (Value::Known(0.0), Judged::Kept));
        // Whether it ran is as unknown as whether it answered.
        some.iter_mut().filter(|one| one.outcome == Outcome::Unknown).for_each(|one| one.moments.clear());
        let threshold: Threshold = "scheduled.p99>1h".parse().unwrap();
        assert_eq!(threshold.value(&facts(&some[..1]), None), Value::Unknown);
    }

    #[test]
    fn what_is_not_reached_breaks_every_upper_limit_and_no_lower_one() {
        assert_eq!(judge("running.p95>1000h", &[1.0, 2.0], 1), (Value::NotReached, Judged::Crossed));
        assert_eq!(judge("running.p50>1000h", &[1.0, 2.0], 1), (Value::Known(2.0), Judged::Kept));
        assert_eq!(judge("running.t100>1000h", &[1.0, 2.0], 1), (Value::NotReached, Judged::Crossed));
        assert_eq!(judge("running.mean>1000h", &[], 3), (Value::NotReached, Judged::Crossed));
        assert_eq!(judge("running.p95<1s", &[1.0, 2.0], 1), (Value::NotReached, Judged::Kept));
        assert_eq!(judge("duration>1h", &[1.0], 0), (Value::NotReached, Judged::Crossed));
    }

    #[test]
    fn what_cannot_be_measured_is_not_passed() {
        assert_eq!(judge("running.stddev>1h", &[1.0], 0), (Value::Unknown, Judged::Undecided));
        assert_eq!(judge("running.p95<1s", &[], 0), (Value::Unknown, Judged::Undecided));
        assert_eq!(judge("failed>50%", &[], 0), (Value::Unknown, Judged::Undecided));
    }

    #[test]
    fn what_was_not_waited_for_is_undecided_as_far_as_it_matters() {
        let mut timelines = timelines(&[5.0; 20], 0);
        for timeline in &mut timelines[..18] {
            timeline.see(Milestone::Agent, Offset::from_seconds(4.0));
        }
        let judged = |text: &str| {
            let threshold: Threshold = text.parse().unwrap();
            let value = threshold.value(&facts(&timelines), None);
            (value, threshold.judge(value), threshold.why_unknown(&facts(&timelines)))
        };
        let why = Some("2 VMs were running without agent, which is not waited for".to_owned());
        assert_eq!(judged("agent.p90>10m"), (Value::Known(3.0), Judged::Kept, why.clone()));
        assert_eq!(judged("agent.p95>10m"), (Value::Unknown, Judged::Undecided, why.clone()));
        assert_eq!(judged("agent.t95>10m").1, Judged::Undecided);
        assert_eq!(judged("agent.max>10m"), (Value::Known(3.0), Judged::Kept, why));
        assert_eq!(judged("running.p95>10m").1, Judged::Kept);
    }

    #[test]
    fn no_recovery_is_judged_without_its_first_request() {
        let timelines = timelines(&[1.0, 2.0], 1);
        let lost = Facts { first: FirstRequest::Lost, skew: None, ..facts(&timelines) };
        for (text, judged) in [
            ("goal.t50>1h", Judged::Undecided),
            ("goal.t100<1h", Judged::Kept),
            ("goal.t100>1h", Judged::Crossed),
            ("skew>1h", Judged::Undecided),
            ("running.p50>1h", Judged::Kept),
        ] {
            let threshold: Threshold = text.parse().unwrap();
            assert_eq!(threshold.judge(threshold.value(&lost, None)), judged, "{text}");
        }
    }

    #[test]
    fn shares_are_of_the_vms_that_took_part() {
        assert_eq!(judge("failed>1%", &[1.0; 99], 1), (Value::Known(1.0), Judged::Kept));
        assert_eq!(judge("failed>1%", &[1.0; 98], 2), (Value::Known(2.0), Judged::Crossed));
        assert_eq!(judge("failed>1", &[1.0; 98], 2), (Value::Known(2.0), Judged::Crossed));
        assert_eq!(judge("reached<100%", &[1.0; 99], 1), (Value::Known(99.0), Judged::Crossed));
    }

    #[test]
    fn ratios_divide_by_the_other_phase() {
        let threshold: Threshold = "storm/create.running.mean>2".parse().unwrap();
        let (storm, create, nobody) =
            (timelines(&[5.0, 5.0], 0), timelines(&[2.0, 2.0], 0), timelines(&[], 2));
        let value = |over, under| threshold.value(&facts(over), Some(&facts(under)));
        assert_eq!(value(&storm, &create), Value::Known(2.5));
        let judged = [2.5, 2.0].map(|value| threshold.judge(Value::Known(value)));
        assert_eq!(judged, [Judged::Crossed, Judged::Kept]);
        assert_eq!(value(&nobody, &create), Value::NotReached);
        assert_eq!(value(&storm, &nobody), Value::Unknown);
    }

    #[test]
    fn ratios_leave_the_filling_of_disks_out() {
        let mut create = timelines(&[20.0, 24.0], 0);
        for timeline in &mut create {
            timeline.see(Milestone::Volume, Offset::from_seconds(17.0));
        }
        let storm = timelines(&[12.0, 12.0], 0);
        let of = |text: &str| text.parse::<Threshold>().unwrap();
        let ratio = of("storm/create.running.mean>2").value(&facts(&storm), Some(&facts(&create)));
        assert_eq!(ratio, Value::Known(2.0));
        assert_eq!(of("create.running.mean>1s").value(&facts(&create), None), Value::Known(22.0));
    }
}
