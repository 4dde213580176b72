//! Phases that two runs have in common.

use serde::Serialize;

use super::{Direction, deciding, stats};
use bootstorm_model::observe::{Milestone, Outcome};
use bootstorm_model::probe::Probe;
use bootstorm_model::record::{PhaseKind, PhaseName, PhaseRecord, PhaseState, RunRecord, StormKind};
use bootstorm_model::stats::{ENOUGH_STORMS, FailureShift, Sample, Share, Shift, Side};

/// A kind of phase in two runs
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PhaseShift {
    /// Kind.
    pub phase: PhaseKind,
    /// Kind of its storms.
    #[serde(rename = "storm_kind", skip_serializing_if = "StormKind::is_start")]
    pub storm: StormKind,
    /// Phases of the baseline.
    pub baseline: Vec<PhaseName>,
    /// Phases of the candidate.
    pub candidate: Vec<PhaseName>,
    /// Failed VMs.
    pub failures: FailureShift,
    /// Times to each milestone.
    pub milestones: Vec<MilestoneShift>,
    /// Direction: of the failures and the last milestone.
    pub direction: Direction,
    /// Deciding probe of both.
    #[serde(skip)]
    pub probe: Option<Probe>,
}

/// The times to a milestone in two runs
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MilestoneShift {
    /// Milestone.
    pub milestone: Milestone,
    /// Unknown times of the baseline.
    pub baseline_unknown: usize,
    /// Unknown times of the candidate.
    pub candidate_unknown: usize,
    /// Each statistic.
    pub shifts: Vec<Shift>,
    /// Direction.
    pub direction: Direction,
}

/// Reason why fewer than [`ENOUGH_STORMS`] on a side are not judged.
const TOO_FEW: &str = "a side has fewer than 3 storms, so its times are described but not judged: only repeated \
    storms show how much storms of one cluster differ (storm --repeat 5)";

/// Reason why invalid times are not judged.
const INVALID: &str = "times that are not valid";

/// Finished phases of a kind, without warm-ups. For VMs that were created without a start, their first boot stands in
/// for the creation.
pub(super) fn over(
    record: &RunRecord,
    kind: PhaseKind,
    storm: StormKind,
) -> impl Iterator<Item = &PhaseRecord> {
    let is_of_kind = move |phase: &&PhaseRecord| match kind {
        PhaseKind::Create => record.is_baseline(phase.name),
        PhaseKind::Storm if phase.settings.kind != storm || phase.settings.warm_up => false,
        _ => phase.name.kind == kind && !record.is_baseline(phase.name),
    };
    let is_whole = move |(position, _): &(usize, &PhaseRecord)| !is_of_part(record, *position);
    let whole = record.phases.iter().enumerate().filter(is_whole).map(|(_, phase)| phase);
    whole.filter(is_of_kind).filter(|phase| phase.state == PhaseState::Done)
}

/// Whether a phase is about a part of the VMs: a smaller storm of a search for the largest one, or the stop after it.
fn is_of_part(record: &RunRecord, position: usize) -> bool {
    let is_small = |phase: &PhaseRecord| {
        let settings = &phase.settings;
        settings.share.is_none() && settings.size.is_some_and(|size| size < record.plan.size())
    };
    let phase = &record.phases[position];
    let before = position.checked_sub(1).map(|before| &record.phases[before]);
    is_small(phase) || phase.name.kind == PhaseKind::Stop && before.is_some_and(is_small)
}

/// Whether a run has finished storms that are left out of a comparison for their size.
fn has_parts(record: &RunRecord) -> bool {
    (0..record.phases.len()).any(|position| is_of_part(record, position))
}

/// Finished storms of any kind.
pub(super) fn storms(record: &RunRecord) -> impl Iterator<Item = &PhaseRecord> {
    StormKind::ALL.into_iter().flat_map(|storm| over(record, PhaseKind::Storm, storm))
}

/// Finished phases comparable to the one with that name.
pub(super) fn like(record: &RunRecord, name: PhaseName) -> impl Iterator<Item = &PhaseRecord> {
    let storm = record.phase(name).map(|phase| phase.settings.kind).unwrap_or_default();
    over(record, name.kind, storm)
}

/// Compares the kinds of phases that both runs have, without judging yet; adds to `notes` what could not be compared.
pub(super) fn all(
    first: &RunRecord,
    second: &RunRecord,
    invalid: impl Fn(PhaseKind) -> bool,
    notes: &mut Vec<String>,
) -> Vec<PhaseShift> {
    let mut shifts = Vec::new();
    if has_parts(first) || has_parts(second) {
        notes.push(
            "storms of a part of the VMs (--find-max), and the stops after them, are left out".to_owned(),
        );
    }
    let phases = [(PhaseKind::Create, StormKind::Start), (PhaseKind::Stop, StormKind::Start)];
    let storms = StormKind::ALL.map(|storm| (PhaseKind::Storm, storm));
    for (kind, storm) in phases.into_iter().chain(storms) {
        let (before, after): (Vec<_>, Vec<_>) =
            (over(first, kind, storm).collect(), over(second, kind, storm).collect());
        if before.is_empty() && after.is_empty() {
            continue;
        }
        if before.is_empty() || after.is_empty() {
            let which = if before.is_empty() { "the baseline" } else { "the other run" };
            let word = word(kind, storm);
            notes.push(format!("{word} is not compared: {which} has no finished one"));
            continue;
        }
        if kind == PhaseKind::Storm && before.len().min(after.len()) < ENOUGH_STORMS {
            notes.push(TOO_FEW.into());
        }
        let probe = deciding(first).filter(|probe| deciding(second) == Some(*probe));
        let mut shift = PhaseShift { storm, ..PhaseShift::of(kind, &before, &after, probe) };
        if invalid(kind) {
            shift.forgo(INVALID);
        }
        shifts.push(shift);
    }
    if deciding(first) != deciding(second) {
        notes.push("times to an answer are not compared: the runs were probed in different ways".into());
    }
    shifts
}

fn word(kind: PhaseKind, storm: StormKind) -> &'static str {
    if kind == PhaseKind::Storm && !storm.is_start() { storm.word() } else { kind.word() }
}

impl PhaseShift {
    fn of(kind: PhaseKind, before: &[&PhaseRecord], after: &[&PhaseRecord], probe: Option<Probe>) -> Self {
        let milestones: &[Milestone] = match kind {
            PhaseKind::Stop => &[Milestone::Gone],
            PhaseKind::Storm if before.iter().any(|phase| phase.migrates()) => &[Milestone::Migrated],
            PhaseKind::Storm if before.iter().any(|phase| phase.drains()) => &[Milestone::Moved],
            PhaseKind::Create | PhaseKind::Storm => &[Milestone::Running, Milestone::Reachable],
        };
        let is_observed = |phase: &&PhaseRecord| phase.settings.kind == StormKind::Observed;
        let milestones = if kind == PhaseKind::Storm && before.iter().all(is_observed) {
            &[Milestone::Running, Milestone::Ready, Milestone::Reachable]
        } else {
            milestones
        };
        let has = |phases: &[&PhaseRecord], milestone| phases.iter().all(|phase| phase.goal >= milestone);
        let comparable = milestones.iter().filter(|milestone| {
            has(before, **milestone)
                && has(after, **milestone)
                && (probe.is_some() || **milestone != Milestone::Reachable)
        });
        let milestones: Vec<MilestoneShift> =
            comparable.map(|milestone| MilestoneShift::of(*milestone, before, after)).collect();
        let mut failures = FailureShift::of(&failed(before), &failed(after));
        let are_known = |phase: &&PhaseRecord| phase.count(Outcome::Unknown) == 0;
        if !before.iter().chain(after).all(are_known) {
            // Each of the others may have failed, too.
            failures.p = None;
        }
        Self {
            phase: kind,
            storm: StormKind::Start,
            baseline: before.iter().map(|phase| phase.name).collect(),
            candidate: after.iter().map(|phase| phase.name).collect(),
            direction: Direction::Unjudged,
            failures,
            milestones,
            probe,
        }
    }

    /// The word for its phases.
    pub(super) fn word(&self) -> &'static str {
        word(self.phase, self.storm)
    }

    /// Leaves everything unjudged, with this reason.
    fn forgo(&mut self, why: &'static str) {
        self.failures.p = None;
        for shift in self.milestones.iter_mut().flat_map(|milestone| &mut milestone.shifts) {
            (shift.p, shift.unjudged) = (None, Some(why));
        }
    }

    /// Derives the direction from the failures and the last milestone.
    pub(super) fn conclude(&mut self) {
        for milestone in &mut self.milestones {
            milestone.direction = Direction::of_all(milestone.shifts.iter().map(|shift| shift.direction));
        }
        let last = self.milestones.last().map(|milestone| milestone.direction);
        self.direction = Direction::of_all([Some(self.failures.direction), last].into_iter().flatten());
    }

    /// Values that moved in that direction, one sentence each.
    pub(super) fn reasons(&self, direction: Direction) -> Vec<String> {
        if !matches!(direction, Direction::Better | Direction::Worse) {
            return Vec::new();
        }
        let mut reasons = Vec::new();
        if self.failures.direction == direction {
            let Share { some: first, all: of_first } = self.failures.baseline;
            let Share { some: second, all: of_second } = self.failures.candidate;
            reasons.push(format!(
                "{}: {second} of {of_second} VMs failed, were {first} of {of_first}",
                self.word()
            ));
        }
        let Some(last) = self.milestones.last() else { return reasons };
        let name = match last.milestone {
            Milestone::Reachable => {
                self.probe.map_or_else(|| "reachable".to_owned(), |probe| format!("reachable ({probe})"))
            }
            milestone => milestone.word().to_owned(),
        };
        for shift in last.shifts.iter().filter(|shift| shift.direction == direction) {
            let statistic = shift.statistic;
            let ratio = shift.ratio.value.unwrap_or(1.0);
            reasons.push(format!("{}: {statistic} to {name} took {ratio:.2} times as long", self.word()));
        }
        reasons
    }
}

impl MilestoneShift {
    fn of(milestone: Milestone, before: &[&PhaseRecord], after: &[&PhaseRecord]) -> Self {
        let samples = |phases: &[&PhaseRecord]| -> Vec<Sample> {
            phases.iter().map(|phase| Sample::to_milestone(&phase.timelines, milestone, phase.goal)).collect()
        };
        let (first, second) = (samples(before), samples(after));
        let unknown = |samples: &[Sample]| samples.iter().map(stats::Sample::unknown).sum();
        let shifts = Shift::all(&Side::of(&first), &Side::of(&second));
        Self {
            milestone,
            baseline_unknown: unknown(&first),
            candidate_unknown: unknown(&second),
            direction: Direction::Unjudged,
            shifts,
        }
    }
}

fn failed(phases: &[&PhaseRecord]) -> Vec<Share> {
    let share = |phase: &&PhaseRecord| Share {
        some: phase.count(Outcome::Failed) + phase.count(Outcome::TimedOut),
        all: phase.participants().count(),
    };
    phases.iter().map(share).collect()
}
