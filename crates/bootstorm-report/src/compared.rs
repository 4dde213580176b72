//! Comparison of the storm with its baseline, for display.

use serde::{Deserialize, Serialize};

use super::graded::Graded;
use super::validity::ValidityBlock;
use bootstorm_model::component::Component;
use bootstorm_model::observe::{Milestone, Outcome, Timeline};
use bootstorm_model::plan::Disk;
use bootstorm_model::record::{
    ClusterFacts, Gauge, Metric, PhaseKind, PhaseName, PhaseRecord, PhaseState, StormKind,
};
use bootstorm_model::stats::{
    Advice, Bottleneck, Breakdown, Bucket, Clues, Comparison, Diagnosis, Evidence, Grade, Limits, Rule,
    Starts, Symptoms, Verdict, Zero,
};

/// Comparison of a storm with its baseline
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// Baseline; absent if the run has none.
    pub baseline: Option<PhaseName>,
    /// Stop before the storm.
    pub stop: Option<PhaseName>,
    /// Storm.
    pub storm: PhaseName,
    /// Comparison of boots, one per milestone: running, and reachable if it was probed in both phases.
    pub milestones: Vec<Comparison>,
    /// The same including the time to fill disks in the baseline, for information; empty if none were filled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub with_filling: Vec<Comparison>,
    /// Judged milestone.
    pub judged: Milestone,
    /// Verdict; absent if there is not enough evidence.
    pub verdict: Option<Verdict>,
    /// Reason why there is no verdict.
    pub unjudged: Option<String>,
    /// Breakdown of the time, and the bottleneck; absent if no VM arrived, and in older reports.
    #[serde(default)]
    pub breakdown: Option<Breakdown>,
    /// Advice; empty if there is no bottleneck, or no evidence for a cause.
    #[serde(default)]
    pub advice: Vec<Advice>,
}

/// A phase of a comparison, with the doubts about its times
#[derive(Debug, Clone, Copy)]
pub(super) struct Side<'a> {
    /// Phase.
    pub(super) phase: &'a PhaseRecord,
    /// How far its times can be trusted.
    pub(super) validity: &'a ValidityBlock,
    /// Whether it is the first boot of its VMs: comparing two storms shows their difference, not the cost of a storm.
    pub(super) first_boot: bool,
}

impl Side<'_> {
    /// Reason why its times cannot be judged.
    fn invalid(&self) -> Option<String> {
        Graded::new(self.phase.name, self.validity).invalid()
    }
}

impl Compared {
    /// Compares two phases. Nothing is judged from invalid times.
    pub(super) fn of(
        baseline: Option<Side<'_>>,
        storm: Side<'_>,
        stop: Option<PhaseName>,
        facts: &ClusterFacts,
    ) -> Self {
        let invalid = storm.invalid().or_else(|| baseline.as_ref().and_then(Side::invalid));
        let first_boot = baseline.as_ref().is_some_and(|side| side.first_boot);
        let (baseline, storm) = (baseline.map(|side| side.phase), storm.phase);
        // Migrating guests pass no milestone of a boot: there is nothing to compare.
        let baseline = baseline.filter(|_| !storm.goal.is_of_migration());
        let unlike = storm.settings.kind.unlike_a_boot();
        let after = Starts::requested(&storm.timelines, storm.goal);
        let boots = baseline.map(|baseline| Starts::boots(&baseline.timelines, baseline.goal));
        let whole = baseline.map(|baseline| Starts::requested(&baseline.timelines, baseline.goal));
        let compared =
            |before: Option<&Starts<'_>>| before.map_or_else(Vec::new, |before| compare(before, &after));
        let milestones = compared(boots.as_ref());
        let fills = boots.is_some_and(|boots| boots.zero == Zero::Filled);
        let with_filling = compared(whole.as_ref().filter(|_| fills));
        let in_both = milestones.iter().any(|comparison| comparison.milestone == storm.goal);
        let judged = if baseline.is_none() || in_both { storm.goal } else { Milestone::Running };
        let unseen = baseline.and_then(|baseline| unseen(baseline, judged, facts));
        let ratio = milestones
            .iter()
            .find(|comparison| comparison.milestone == judged)
            .and_then(|comparison| comparison.mean.ratio)
            .filter(|_| unseen.is_none() && first_boot && unlike.is_none());
        let sample = after.sample(judged);
        let failed = storm.count(Outcome::Failed) + storm.count(Outcome::TimedOut);
        let before = boots.as_ref().map(|boots| boots.sample(judged));
        let verdict = Verdict::on(&Evidence { ratio, baseline: before.as_ref(), failed, storm: &sample })
            .filter(|_| storm.state == PhaseState::Done && invalid.is_none());
        let unjudged = verdict.is_none().then(|| {
            let known =
                invalid.clone().or_else(|| unseen.clone().filter(|_| storm.state == PhaseState::Done));
            let is_unlike = first_boot && storm.state == PhaseState::Done;
            let known = known.or_else(|| unlike.filter(|_| is_unlike).map(str::to_owned));
            known.unwrap_or_else(|| why_unjudged(baseline, first_boot, storm))
        });
        let is_slow = verdict.as_ref().and_then(|verdict| verdict.finding(Rule::Ratio));
        let is_slow = is_slow.is_some_and(|finding| finding.grade != Grade::Good);
        let clues = Clues {
            // A storm is explained relative to a first boot, not to another storm.
            baseline: boots.filter(|_| unseen.is_none() && unlike.is_none()),
            storm: after,
            goal: judged,
            is_slow,
            limits: Limits { migrations: storm.migrations, ..limits(facts) },
        };
        let breakdown = match &invalid {
            Some(why) => Breakdown::unjudged(&clues, why),
            None => Breakdown::of(&clues),
        };
        // Nothing was requested, so no component handles requests at its beginning.
        let is_observed = storm.settings.kind == StormKind::Observed;
        let breakdown = breakdown.filter(|_| storm.state == PhaseState::Done && !is_observed);
        let breakdown = breakdown.map(|breakdown| with_metrics(breakdown, storm));
        let bottleneck = breakdown.as_ref().and_then(|breakdown| breakdown.bottleneck.as_ref());
        let is_good = verdict.as_ref().is_none_or(|verdict| verdict.grade == Grade::Good);
        let advice = match (is_good, bottleneck) {
            _ if invalid.is_some() => Vec::new(),
            (true, None) => Vec::new(),
            _ => Advice::on(&symptoms(storm, bottleneck)),
        };
        Self {
            baseline: baseline.map(|baseline| baseline.name),
            stop,
            storm: storm.name,
            milestones,
            with_filling,
            judged,
            verdict,
            unjudged,
            breakdown,
            advice,
        }
    }

    /// Zero of the baseline's times.
    pub fn from(&self) -> Zero {
        self.milestones.first().map(|comparison| comparison.from).unwrap_or_default()
    }

    /// Zero of the baseline if it is not the request, and how the storm compares with the whole of it.
    pub fn base(&self) -> Option<String> {
        let baseline = self.baseline.filter(|_| self.from() == Zero::Filled)?;
        let whole = self.with_filling.iter().find(|comparison| comparison.milestone == self.judged);
        let whole = whole.and_then(|whole| Some((whole.mean.baseline?, whole.mean.ratio?)));
        let whole = whole.map_or_else(String::new, |(mean, ratio)| {
            format!("; with the filling its mean is {mean:.2}s, and the storm's {ratio:.2} times that (not judged)")
        });
        Some(format!(
            "boot against boot: {baseline} counts from the instant at which a VM's disks are filled{whole}"
        ))
    }

    /// Text in place of a verdict: `not judged: the times of storm-1 are invalid (…)`.
    pub fn not_judged(&self) -> Option<String> {
        self.unjudged.as_ref().filter(|_| self.verdict.is_none()).map(|why| format!("not judged: {why}"))
    }
}

/// Adds Prometheus measurements of the named component: they support or contradict, but decide nothing.
fn with_metrics(mut breakdown: Breakdown, storm: &PhaseRecord) -> Breakdown {
    if let (Some(bottleneck), Some(metrics)) = (&mut breakdown.bottleneck, &storm.metrics) {
        let gauges = figures_of(bottleneck.component).iter().filter_map(|metric| metrics.gauge(*metric));
        let told = gauges.filter_map(Gauge::told).map(|told| format!("Prometheus: {told}"));
        bottleneck.because.extend(told.take(MOST_FIGURES));
    }
    breakdown
}

/// Maximum number of cluster figures shown for a bottleneck.
const MOST_FIGURES: usize = 3;

/// Figures that are evidence for or against a component, the clearest first.
fn figures_of(component: Component) -> &'static [Metric] {
    use Metric::{
        ApiLatency, ApiRejections, CephLatency, ClientWait, CsiLatency, EtcdFsync, NodeCpu, NodeDisk,
        NodeNetwork, QueueDepth, QueueRetries,
    };
    match component {
        Component::Api => &[ApiLatency, ApiRejections, EtcdFsync],
        Component::Queue | Component::Target | Component::Controller => {
            &[QueueDepth, ClientWait, QueueRetries]
        }
        Component::Filling | Component::Attaching => &[CsiLatency, CephLatency, NodeDisk],
        Component::Pods => &[NodeCpu, CsiLatency],
        Component::Images => &[NodeNetwork, NodeDisk],
        Component::Disks | Component::DisksOrProcessors | Component::Launcher => {
            &[NodeDisk, NodeCpu, CephLatency]
        }
        Component::Processors | Component::Node | Component::Domain => &[NodeCpu, NodeDisk],
        Component::Copying => &[NodeNetwork, NodeCpu],
        Component::Network | Component::Guest | Component::Shutdown => &[NodeNetwork, NodeDisk],
        _ => &[],
    }
}

/// Maximum share of unknown boots in a baseline.
const UNKNOWN: f64 = 0.25;

/// Reason why the boots of a baseline are unknown: it filled disks, at unknown times.
fn unseen(baseline: &PhaseRecord, judged: Milestone, facts: &ClusterFacts) -> Option<String> {
    let fills = baseline.name.kind == PhaseKind::Create && facts.disks.iter().any(Disk::is_filled);
    let boots = Starts::boots(&baseline.timelines, baseline.goal);
    if fills && boots.zero == Zero::Requested {
        return Some(format!("when the disks of {} were filled was not observed", baseline.name));
    }
    let sample = boots.sample(judged);
    let arrived = sample.arrived() + sample.unknown();
    let many = boots.zero == Zero::Filled && sample.unknown() as f64 > UNKNOWN * arrived as f64;
    many.then(|| {
        format!(
            "when the disks of {} of {arrived} VMs in {} were filled is not known",
            sample.unknown(),
            baseline.name
        )
    })
}

/// Limits in effect, as far as `setup` found them.
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
        migrations: None,
    }
}

fn compare(baseline: &Starts<'_>, storm: &Starts<'_>) -> Vec<Comparison> {
    let passed = |starts: &Starts<'_>, milestone| {
        let mut participants =
            starts.timelines.iter().filter(|timeline| timeline.outcome != Outcome::Excluded);
        participants.any(|timeline| timeline.has(milestone))
    };
    let shown = [Milestone::Running, Milestone::Reachable, Milestone::Gone].into_iter();
    let shown = shown.filter(|milestone| passed(baseline, *milestone) && passed(storm, *milestone));
    shown.map(|milestone| Comparison::of(baseline, storm, milestone)).collect()
}

/// Symptoms that indicate a cause.
fn symptoms<'a>(storm: &PhaseRecord, bottleneck: Option<&'a Bottleneck>) -> Symptoms<'a> {
    let diagnoses =
        storm.participants().filter_map(|timeline| Diagnosis::of_failed(timeline, storm.goal)).collect();
    let attempts =
        |of: fn(&Timeline) -> u32| storm.timelines.iter().map(|timeline| u64::from(of(timeline))).sum();
    Symptoms {
        bottleneck,
        diagnoses,
        requests: attempts(|timeline| timeline.attempts),
        // Disruption budgets also refuse evictions with 429; those are not throttling.
        throttled: if storm.drains() { 0 } else { attempts(|timeline| timeline.throttled) },
    }
}

fn why_unjudged(baseline: Option<&PhaseRecord>, first_boot: bool, storm: &PhaseRecord) -> String {
    match baseline {
        _ if storm.state != PhaseState::Done => format!("{} is not over", storm.name),
        None => "there is no baseline to compare with".to_owned(),
        Some(baseline) if !first_boot => {
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
    use bootstorm_model::stats::Validity;

    fn compared(baseline: &PhaseRecord, storm: &PhaseRecord) -> Compared {
        let validity = ValidityBlock { grade: Validity::Valid, findings: Vec::new(), client: None };
        let side = |phase, first_boot| Side { phase, validity: &validity, first_boot };
        Compared::of(Some(side(baseline, true)), side(storm, false), None, &ClusterFacts::default())
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
    fn a_restart_is_shown_beside_the_first_boot_and_not_judged_by_it() {
        let mut record = fixtures::small();
        record.phases[2].settings.kind = bootstorm_model::record::StormKind::Restart;
        let compared = compared(&record.phases[0], &record.phases[2]);
        assert_eq!(compared.verdict, None);
        assert!(!compared.milestones.is_empty());
        let why = compared.not_judged().unwrap();
        assert_eq!(why, "not judged: the times of a restart include the shutdown of its guests");
    }

    #[test]
    fn figures_of_the_cluster_are_mentioned_and_decide_nothing() {
        let mut record = fixtures::small();
        for timeline in &mut record.phases[2].timelines {
            for (milestone, moment) in &mut timeline.moments {
                moment.at.0 += if *milestone >= Milestone::Running { 60_000_000 } else { 0 };
            }
        }
        let without = compared(&record.phases[0], &record.phases[2]);
        let named = |compared: &Compared| compared.breakdown.clone().unwrap().bottleneck.unwrap();
        let before = named(&without);
        record.phases[2].metrics = Some(fixtures::metrics());
        let with = compared(&record.phases[0], &record.phases[2]);
        let after = named(&with);
        assert_eq!((after.component, &with.verdict), (before.component, &without.verdict));
        let added = &after.because[before.because.len()..];
        assert_eq!(added, ["Prometheus: node CPU peaked at 97 % (worker-1)"], "{:?}", after.component);
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
