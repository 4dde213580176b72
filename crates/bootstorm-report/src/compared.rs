//! The storm against its baseline, as shown.

use serde::{Deserialize, Serialize};

use bootstorm_model::observe::{Milestone, Outcome, Timeline};
use bootstorm_model::record::{ClusterFacts, PhaseKind, PhaseName, PhaseRecord, PhaseState};
use bootstorm_model::stats::{
    Advice, Bottleneck, Breakdown, Bucket, Clues, Comparison, Evidence, Grade, Limits, Rule, Sample,
    Symptoms, Verdict, reason,
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
    /// Where the time went, and what holds the storm up; absent where no VM arrived, and in reports from before.
    #[serde(default)]
    pub breakdown: Option<Breakdown>,
    /// The kinds of causes that the data points to; empty where nothing holds the storm up, or nothing points anywhere.
    #[serde(default)]
    pub advice: Vec<Advice>,
}

impl Compared {
    /// Compares two phases.
    pub(super) fn of(
        baseline: Option<&PhaseRecord>,
        storm: &PhaseRecord,
        stop: Option<PhaseName>,
        facts: &ClusterFacts,
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
        let is_slow = verdict.as_ref().and_then(|verdict| verdict.finding(Rule::Ratio));
        let is_slow = is_slow.is_some_and(|finding| finding.grade != Grade::Good);
        let clues = Clues {
            // A storm is explained against a first boot, not against another storm.
            baseline: baseline.map(|baseline| (baseline.timelines.as_slice(), baseline.goal)),
            storm: (&storm.timelines, storm.goal),
            goal: judged,
            is_slow,
            limits: limits(facts),
        };
        let breakdown = Breakdown::of(&clues).filter(|_| storm.state == PhaseState::Done);
        let bottleneck = breakdown.as_ref().and_then(|breakdown| breakdown.bottleneck.as_ref());
        let is_good = verdict.as_ref().is_none_or(|verdict| verdict.grade == Grade::Good);
        let advice = match (is_good, bottleneck) {
            (true, None) => Vec::new(),
            _ => Advice::on(&symptoms(storm, bottleneck)),
        };
        let baseline = baseline.map(|baseline| baseline.name);
        Self { baseline, stop, storm: storm.name, milestones, judged, verdict, unjudged, breakdown, advice }
    }
}

/// The limits that were in effect, as far as `setup` found them.
fn limits(facts: &ClusterFacts) -> Limits {
    let bucket = |component: &str| {
        let limit = facts.rate_limits.iter().find(|limit| limit.component == component)?;
        Some(Bucket { qps: limit.qps, configured: limit.configured })
    };
    let workers =
        |flag: &str| facts.workers.iter().find(|workers| workers.flag == flag).map(|found| found.count);
    Limits {
        controller: bucket("virt-controller"),
        handler: bucket("virt-handler"),
        instance_workers: workers("vmi-controller-threads"),
        machine_workers: workers("vm-controller-threads"),
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
fn symptoms<'a>(storm: &PhaseRecord, bottleneck: Option<&'a Bottleneck>) -> Symptoms<'a> {
    let rows = storm
        .participants()
        .filter(|timeline| matches!(timeline.outcome, Outcome::Failed | Outcome::TimedOut));
    let reasons = reason::group(rows.map(|timeline| timeline.reason.as_deref())).into_iter();
    let attempts =
        |of: fn(&Timeline) -> u32| storm.timelines.iter().map(|timeline| u64::from(of(timeline))).sum();
    Symptoms {
        bottleneck,
        reasons: reasons.map(|group| (group.reason, group.members.len())).collect(),
        requests: attempts(|timeline| timeline.attempts),
        throttled: attempts(|timeline| timeline.throttled),
    }
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
    use crate::fixtures;

    fn compared(baseline: &PhaseRecord, storm: &PhaseRecord) -> Compared {
        Compared::of(Some(baseline), storm, None, &ClusterFacts::default())
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
        assert_eq!(verdict.rule, bootstorm_model::stats::Rule::Ratio);
    }

    #[test]
    fn a_missing_verdict_says_why() {
        let unjudged = |record: &bootstorm_model::record::RunRecord| {
            compared(&record.phases[0], &record.phases[2]).unjudged
        };
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
