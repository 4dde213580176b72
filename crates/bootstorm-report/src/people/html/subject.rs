//! Subject phases of a page, and their colours.

use crate::Report;
use crate::phase::{PhaseBlock, Shown};
use bootstorm_model::observe::Milestone;
use bootstorm_model::record::PhaseKind;
use bootstorm_model::stats::Sample;

/// Role of a phase on a page
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The phase that the storm is compared with.
    Baseline,
    /// The phase that is judged.
    Storm,
    /// A stop, if there is nothing else to show.
    Stop,
}

impl Role {
    /// Class of its lines and bars.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Storm => "storm",
            Self::Stop => "stop",
        }
    }
}

/// A subject phase of a page
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    /// Role.
    pub(super) role: Role,
    /// Results.
    pub(super) phase: &'a PhaseBlock,
}

/// The subject phases of a page, the baseline first
#[derive(Debug, Clone)]
pub(super) struct Subjects<'a>(Vec<Subject<'a>>);

impl<'a> Subjects<'a> {
    /// The compared phases; without a comparison, those shown in full.
    pub(super) fn of(report: &'a Report) -> Self {
        let full = |kind: PhaseKind| {
            report.phases.iter().rev().find(|phase| phase.kind == kind && phase.shown == Shown::Full)
        };
        let (baseline, storm) = match &report.comparison {
            Some(compared) => {
                (compared.baseline.and_then(|name| report.phase(name)), report.phase(compared.storm))
            }
            None => (full(PhaseKind::Create), full(PhaseKind::Storm)),
        };
        let baseline = baseline.filter(|baseline| storm.is_none_or(|storm| storm.name != baseline.name));
        let subject = |role, phase: Option<&'a PhaseBlock>| phase.map(|phase| Subject { role, phase });
        let mut subjects: Vec<Subject<'a>> =
            [subject(Role::Baseline, baseline), subject(Role::Storm, storm)].into_iter().flatten().collect();
        if subjects.is_empty() {
            subjects.extend(subject(Role::Stop, full(PhaseKind::Stop)));
        }
        Self(subjects)
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = Subject<'a>> + Clone {
        self.0.iter().copied()
    }

    /// The subject with that role.
    pub(super) fn role(&self, role: Role) -> Option<Subject<'a>> {
        self.iter().find(|subject| subject.role == role)
    }

    /// The most important phase: the storm, or whatever exists.
    pub(super) fn main(&self) -> Option<Subject<'a>> {
        self.0.last().copied()
    }

    /// Milestones with charts: running and reachable for starts, gone for a stop.
    pub(super) fn milestones(&self) -> Vec<Milestone> {
        let passed = |milestone: &Milestone| {
            self.iter().any(|subject| {
                subject.phase.goal == *milestone || subject.phase.statistics.contains_key(milestone)
            })
        };
        [Milestone::Running, Milestone::Reachable, Milestone::Gone, Milestone::Migrated, Milestone::Moved]
            .into_iter()
            .filter(passed)
            .collect()
    }
}

impl Subject<'_> {
    /// `storm-1`, or `baseline (create)`: role and phase, if they differ.
    pub(super) fn label(&self) -> String {
        match self.role {
            Role::Baseline => format!("baseline ({})", self.phase.title()),
            _ => self.phase.title(),
        }
    }

    /// Seconds from each VM's own request to a milestone.
    pub(super) fn sample(&self, milestone: Milestone) -> Sample {
        self.phase.sample(milestone)
    }

    /// Seconds from the first request of the phase to each VM's arrival at the goal.
    pub(super) fn arrivals(&self) -> Sample {
        self.phase.curve(self.phase.goal).arrivals().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Selection, fixtures};

    #[test]
    fn arrivals_agree_with_the_recovery_of_the_view_model() {
        let report = Report::of(&fixtures::guide(), &Selection::default());
        for subject in Subjects::of(&report).iter() {
            let close = |a: Option<f64>, b: Option<f64>| (a.unwrap() - b.unwrap()).abs() < 2e-6;
            let (arrivals, spans) = (subject.arrivals(), subject.phase.spans);
            assert!(close(arrivals.max(), spans.goal), "{}", subject.label());
            assert_eq!(arrivals.n(), subject.phase.counts.participants);
            let sample = subject.sample(Milestone::Running);
            assert!(close(sample.mean(), subject.phase.summary(Milestone::Running).mean));
        }
    }

    #[test]
    fn there_is_a_subject_for_whatever_was_run() {
        let labels = |record: &bootstorm_model::record::RunRecord| -> Vec<String> {
            let report = Report::of(record, &Selection::default());
            Subjects::of(&report).iter().map(|subject| subject.label()).collect()
        };
        assert_eq!(labels(&fixtures::small()), ["baseline (create)", "storm-1"]);
        assert_eq!(labels(&fixtures::interrupted(2)), ["baseline (create)"]);
        assert_eq!(labels(&fixtures::fresh()), Vec::<String>::new());
        let mut stop_alone = fixtures::small();
        stop_alone.phases.retain(|phase| phase.name.kind == PhaseKind::Stop);
        assert_eq!(labels(&stop_alone), ["stop-1"]);
    }
}
