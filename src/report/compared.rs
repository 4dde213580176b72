//! The storm against its baseline, as shown.

use serde::{Deserialize, Serialize};

use super::nodes::NodeBlock;
use crate::observe::{Milestone, Outcome, Timeline};
use crate::probe::Probe;
use crate::record::{PhaseKind, PhaseName, PhaseRecord, PhaseState};
use crate::stats::{
    Advice, Comparison, Evidence, Grade, Growth, Rule, Sample, Stage, Symptoms, Verdict, reason,
};

/// A storm against its baseline
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// The phase that counts as the baseline; absent when the run has none.
    pub baseline: Option<PhaseName>,
    /// The stop before the storm.
    pub stop: Option<PhaseName>,
    /// The storm.
    pub storm: PhaseName,
    /// One comparison per milestone: running, and reachable where it was probed in both phases.
    pub milestones: Vec<Comparison>,
    /// The milestone that the verdict is about.
    pub judged: Milestone,
    /// The verdict; absent when there is not enough to judge.
    pub verdict: Option<Verdict>,
    /// Why there is no verdict.
    pub unjudged: Option<String>,
    /// What held the storm up, as far as the data tells; empty where the verdict is good or nothing points anywhere.
    #[serde(default)]
    pub advice: Vec<Advice>,
}

impl Compared {
    /// Compares two phases.
    pub(super) fn of(
        baseline: Option<&PhaseRecord>,
        storm: &PhaseRecord,
        stop: Option<PhaseName>,
        deciding: Option<Probe>,
    ) -> Self {
        let milestones: Vec<Comparison> = baseline.map_or_else(Vec::new, |baseline| compare(baseline, storm));
        let in_both = milestones.iter().any(|comparison| comparison.milestone == storm.goal);
        let judged = if baseline.is_none() || in_both { storm.goal } else { Milestone::Running };
        let ratio = milestones
            .iter()
            .find(|comparison| comparison.milestone == judged)
            .and_then(|comparison| comparison.mean.ratio)
            // A storm against another one shows how they differ, not how much a storm costs.
            .filter(|_| baseline.is_some_and(|baseline| baseline.name.kind != PhaseKind::Storm));
        let sample = Sample::to_milestone(&storm.timelines, judged, storm.goal);
        let failed = storm.count(Outcome::Failed) + storm.count(Outcome::TimedOut);
        let verdict = Verdict::on(&Evidence { ratio, failed, storm: &sample })
            .filter(|_| storm.state == PhaseState::Done);
        let unjudged = verdict.is_none().then(|| why_unjudged(baseline, storm));
        let advice = verdict.as_ref().filter(|verdict| verdict.grade != Grade::Good);
        let advice =
            advice.map_or_else(Vec::new, |verdict| Advice::on(&symptoms(baseline, storm, verdict, deciding)));
        let baseline = baseline.map(|baseline| baseline.name);
        Self { baseline, stop, storm: storm.name, milestones, judged, verdict, unjudged, advice }
    }
}

fn compare(baseline: &PhaseRecord, storm: &PhaseRecord) -> Vec<Comparison> {
    let passed =
        |phase: &PhaseRecord, milestone| phase.participants().any(|timeline| timeline.has(milestone));
    let shown = [Milestone::Running, Milestone::Reachable, Milestone::Gone].into_iter();
    let shown = shown.filter(|milestone| passed(baseline, *milestone) && passed(storm, *milestone));
    let sides = ((&baseline.timelines[..], baseline.goal), (&storm.timelines[..], storm.goal));
    shown.map(|milestone| Comparison::of(sides.0, sides.1, milestone)).collect()
}

/// What points to a cause.
fn symptoms(
    baseline: Option<&PhaseRecord>,
    storm: &PhaseRecord,
    verdict: &Verdict,
    deciding: Option<Probe>,
) -> Symptoms {
    let rows = storm
        .participants()
        .filter(|timeline| matches!(timeline.outcome, Outcome::Failed | Outcome::TimedOut));
    let reasons = reason::group(rows.map(|timeline| timeline.reason.as_deref())).into_iter();
    let nodes = NodeBlock::all(storm).into_iter();
    let attempts =
        |of: fn(&Timeline) -> u32| storm.timelines.iter().map(|timeline| u64::from(of(timeline))).sum();
    Symptoms {
        is_slow: verdict.finding(Rule::Ratio).is_some_and(|finding| finding.grade != Grade::Good),
        stages: baseline.map_or_else(Vec::new, |baseline| stages(baseline, storm)),
        agent: baseline.and_then(|baseline| agent(baseline, storm)),
        agent_decides: deciding == Some(Probe::Agent),
        reasons: reasons.map(|group| (group.reason, group.members.len())).collect(),
        nodes: nodes
            .filter_map(|node| Some((node.node?, node.summary.arrived, node.summary.mean?)))
            .collect(),
        requests: attempts(|timeline| timeline.attempts),
        throttled: attempts(|timeline| timeline.throttled),
    }
}

/// The stages that both phases went through.
fn stages(baseline: &PhaseRecord, storm: &PhaseRecord) -> Vec<Growth> {
    let before = Stage::all(&baseline.timelines, baseline.goal);
    let growth = |stage: Stage| {
        let same = before.iter().find(|other| (other.from, other.to) == (stage.from, stage.to))?;
        Some(Growth {
            from: stage.from,
            to: stage.to,
            before: same.summary.mean?,
            after: stage.summary.mean?,
        })
    };
    Stage::all(&storm.timelines, storm.goal).into_iter().filter_map(growth).collect()
}

/// From running to the guest agent, where at least half of the VMs that ran showed one in each phase.
fn agent(baseline: &PhaseRecord, storm: &PhaseRecord) -> Option<Growth> {
    let (from, to) = (Milestone::Running, Milestone::Agent);
    let mean = |phase: &PhaseRecord| {
        let ran: Vec<&Timeline> = phase.participants().filter(|timeline| timeline.has(from)).collect();
        let took =
            ran.iter().filter_map(|timeline| Some(timeline.at(to)?.since(timeline.at(from)?).seconds()));
        let took = Sample::new(took, 0);
        took.mean().filter(|_| took.arrived() * 2 >= ran.len())
    };
    Some(Growth { from, to, before: mean(baseline)?, after: mean(storm)? })
}

fn why_unjudged(baseline: Option<&PhaseRecord>, storm: &PhaseRecord) -> String {
    match baseline {
        _ if storm.state != PhaseState::Done => format!("{} is not over", storm.name),
        None => "there is no baseline to compare with".to_owned(),
        Some(baseline) if baseline.name.kind == PhaseKind::Storm => {
            format!("there is no baseline: {} is a storm too", baseline.name)
        }
        Some(_) if storm.count(Outcome::Reached) == 0 => format!("no VM reached the goal in {}", storm.name),
        Some(baseline) => format!("no VM reached the goal in {}", baseline.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    fn compared(baseline: &PhaseRecord, storm: &PhaseRecord) -> Compared {
        Compared::of(Some(baseline), storm, None, None)
    }

    #[test]
    fn the_goal_is_judged_unless_the_baseline_did_not_have_it() {
        let (probed, plain) = (fixtures::probed(), fixtures::small());
        assert_eq!(compared(&probed.phases[0], &probed.phases[2]).judged, Milestone::Reachable);
        let mixed = compared(&plain.phases[0], &probed.phases[2]);
        assert_eq!((mixed.judged, mixed.milestones.len()), (Milestone::Running, 1));
        assert!(mixed.verdict.is_some());
    }

    #[test]
    fn excluded_vms_do_not_count_against_the_storm() {
        let mut record = fixtures::small();
        record.phases[2].timelines[3].outcome = Outcome::Excluded;
        let verdict = compared(&record.phases[0], &record.phases[2]).verdict.unwrap();
        assert_eq!(verdict.rule, crate::stats::Rule::Ratio);
    }

    #[test]
    fn a_missing_verdict_says_why() {
        let unjudged =
            |record: &crate::record::RunRecord| compared(&record.phases[0], &record.phases[2]).unjudged;
        assert_eq!(unjudged(&fixtures::interrupted(3)).as_deref(), Some("storm-1 is not over"));
        let mut record = fixtures::small();
        for timeline in &mut record.phases[0].timelines {
            timeline.moments.clear();
            timeline.outcome = Outcome::Failed;
        }
        assert_eq!(unjudged(&record).as_deref(), Some("no VM reached the goal in create"));
        assert_eq!(unjudged(&fixtures::small()), None);
    }
}
