//! Reconstructs a run from a finished report, as far as possible: enough to judge thresholds and to compare.
//!
//! What a report omits stays missing: restarts, individual gaps of watches, clocks. If a report does not have the times
//! of requests, every request is at the beginning of its phase; [`unspread`] detects this.

use std::collections::BTreeMap;

use crate::phase::PhaseBlock;
use crate::row::Row;
use crate::view::{ClusterBlock, Report};
use bootstorm_model::observe::{Milestone, Offset, Timeline};
use bootstorm_model::plan::{Adoptee, MOST_TARGETS, Plan, Setting, Target, TemplateSource};
use bootstorm_model::probe::ProbePlan;
use bootstorm_model::record::{
    ClusterFacts, FORMAT, Gap, Made, PhaseRecord, RunRecord, Series, SeriesKind, SetupRecord,
};
use bootstorm_model::stats::FirstRequest;

/// Maximum number of VMs in a run.
const MOST_VMS: usize = MOST_TARGETS as usize;

/// The run that a report is about.
pub(super) fn run(report: &Report) -> RunRecord {
    let plan = &report.plan;
    // A report may come from anywhere, and its range is only shown; the number of VMs is what counts.
    let vms = report.phases.iter().map(|phase| phase.rows.len()).max().unwrap_or(plan.vms).clamp(1, MOST_VMS);
    let start = plan.start.clamp(1, u32::MAX / 2);
    RunRecord {
        format: FORMAT,
        run_id: report.run.id.clone(),
        created: report.run.created,
        plan: Plan {
            prefix: report.run.name.clone(),
            start,
            end: start + vms as u32 - 1,
            vm_name: plan.vm_name.clone(),
            layout: plan.layout.clone(),
            pinning: plan.pinning.clone(),
            template: plan.template.clone(),
            overrides: plan.overrides.clone(),
            sealed: None,
            probe: ProbePlan { probes: plan.probes.clone(), ..ProbePlan::default() },
            extras: Vec::new(),
            copy_from: None,
            namespace_labels: BTreeMap::new(),
            namespace_annotations: BTreeMap::new(),
            adopted: adopted(report),
        },
        facts: ClusterFacts { disks: plan.disks.clone(), ..facts(&report.cluster, report) },
        setup: SetupRecord {
            namespaces: report.setup.namespaces,
            took: Offset::from_seconds(report.setup.took),
            batch_size: report.setup.batch_size,
            done: report.setup.done,
        },
        made: Made::default(),
        restored: None,
        cleanup: None,
        after_due: Vec::new(),
        series: series(report),
        observation: None,
        phases: report.phases.iter().map(phase).collect(),
    }
}

/// The search for the largest storm, if there was one.
fn series(report: &Report) -> Vec<Series> {
    let Some(capacity) = &report.capacity else { return Vec::new() };
    let kind = SeriesKind::FindMax {
        goals: capacity.goals.clone(),
        min: capacity.min,
        max: capacity.max,
        budget_seconds: capacity.budget.map(|budget| budget as u64),
        most_storms: capacity.most_storms,
    };
    let first = capacity.storms.iter().map(|storm| storm.phase.number).min().unwrap_or(1);
    vec![Series { first, kind }]
}

/// The names of adopted VMs; their previous state is not part of a report.
fn adopted(report: &Report) -> Vec<Adoptee> {
    if !matches!(report.plan.template, TemplateSource::Adopted { .. } | TemplateSource::Observed { .. }) {
        return Vec::new();
    }
    let adoptee = |row: &Row| Adoptee {
        target: Target { namespace: row.namespace.clone(), name: row.name.clone() },
        uid: String::new(),
        before: Setting::RunStrategy(String::new()),
        on: false,
    };
    let rows = report.phases.iter().map(|phase| &phase.rows).max_by_key(|rows| rows.len());
    rows.into_iter().flatten().take(MOST_VMS).map(adoptee).collect()
}

/// Whether a phase lacks the times of its requests, so that nothing can be counted from the first one.
pub(super) fn unspread(phase: &PhaseBlock) -> bool {
    let is_undated = |row: &Row| row.requested_at.is_none() && !row.milestones.is_empty();
    phase.spans.request_skew.is_none() && phase.rows.iter().any(is_undated)
}

fn facts(cluster: &ClusterBlock, report: &Report) -> ClusterFacts {
    ClusterFacts {
        context: cluster.context.clone(),
        server: cluster.server.clone(),
        kubernetes: cluster.kubernetes_version.clone(),
        kubevirt: cluster.kubevirt_version.clone(),
        cdi: cluster.cdi_version.clone(),
        nodes: cluster.nodes,
        schedulable_nodes: cluster.schedulable_nodes,
        tool: report.run.tool_version.clone(),
        ..ClusterFacts::default()
    }
}

fn phase(block: &PhaseBlock) -> PhaseRecord {
    let mut phase = PhaseRecord::new(block.name, block.began, block.settings.clone(), 0);
    phase.state = block.state;
    phase.goal = block.goal;
    phase.continued = block.continued;
    phase.metrics.clone_from(&block.metrics);
    phase.ended = block.spans.total.map(Offset::from_seconds);
    // Rows are in the same natural order in every phase, so that their positions identify the VMs.
    if !block.waves.is_empty() {
        let mut queue: Vec<(Option<u32>, u32)> =
            block.rows.iter().zip(0..).map(|(row, target)| (row.wave, target)).collect();
        queue.sort_unstable();
        phase.queue = queue.into_iter().map(|(_, target)| target).collect();
    }
    phase.timelines = block.timelines().into();
    phase.watch.gaps = unwatched(block, &phase.timelines);
    phase
}

/// A period without a process, in which requests were lost, if the report shows that the first or last one was not.
fn unwatched(block: &PhaseBlock, timelines: &[Timeline]) -> Vec<Gap> {
    let requested = timelines.iter().filter_map(|timeline| timeline.at(Milestone::Requested));
    let last = requested.max().filter(|_| timelines.iter().any(|timeline| timeline.untimed));
    let (FirstRequest::At(from), Some(last)) = (block.first_request(), last) else { return Vec::new() };
    let after = block.spans.request_skew.is_none();
    vec![Gap { from, to: Offset(last.0.saturating_add(i64::from(after))), ..Gap::default() }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::thresholds::judge;
    use crate::{Selection, fixtures};
    use bootstorm_model::record::PhaseKind;
    use bootstorm_model::stats::{Level, Quantile};

    #[test]
    fn a_report_is_judged_like_the_run_that_it_was_made_of() {
        let record = fixtures::repeated();
        let report = Report::of(&record, &Selection::default());
        let revived = run(&report);
        let thresholds = [
            "storm.goal.p50>1s",
            "storm-1.goal.t50>1s",
            "storm/create.goal.mean>2",
            "failed>0",
            "skew>1s",
            "duration>1s",
            "create.running..goal.p95>1s",
        ];
        let thresholds: Vec<_> = thresholds.iter().filter_map(|text| text.parse().ok()).collect();
        assert!(thresholds.len() >= 6);
        let judged = record.last_of(PhaseKind::Storm).map(|phase| phase.name);
        for (one, other) in
            judge(&thresholds, &record, judged, &[]).iter().zip(judge(&thresholds, &revived, judged, &[]))
        {
            assert_eq!((one.result, one.missing, one.phase), (other.result, other.missing, other.phase));
            let gap = one.value.unwrap_or_default() - other.value.unwrap_or_default();
            assert!(gap.abs() < 1e-5, "{}: {:?} {:?}", one.condition, one.value, other.value);
        }
        assert_eq!(revived.plan.size(), record.plan.size());
        assert!(!report.phases.iter().any(unspread));
    }

    #[test]
    fn what_is_unknown_stays_unknown() {
        let mut record = fixtures::small();
        let timeline = &mut record.phases[2].timelines[0];
        timeline.moments.remove(&Milestone::Requested);
        timeline.untimed = true;
        let report = Report::of(&record, &Selection::default());
        let again = Report::of(&run(&report), &Selection::default());
        assert_eq!(report.phases[2].summary(Milestone::Running).unknown, 1);
        assert_eq!(again.phases[2].summary(Milestone::Running).unknown, 1);
        assert_eq!(again.phases[2].counts, report.phases[2].counts);
        let recovery = report.phases[2].recovery;
        assert!(recovery.start_unknown && recovery.t50 == Quantile::Unknown);
        let mut read: Report = serde_json::from_str(&report.json().unwrap()).unwrap();
        read.complete();
        assert_eq!(read.phases[2].recovery, recovery, "null is not always \u{201c}not reached\u{201d}");
        assert!(!unspread(&read.phases[2]));
        assert_eq!(again.phases[2].recovery, recovery);
    }

    #[test]
    fn a_recovery_with_a_lost_request_is_the_same_after_reading_back() {
        let report = Report::of(&fixtures::continued(), &Selection::default());
        let again = Report::of(&run(&report), &Selection::default());
        let (one, other) = (&report.phases[2], &again.phases[2]);
        assert!(one.recovery.t50.seconds().is_some() && !one.recovery.start_unknown);
        assert_eq!((one.recovery, one.spans.request_skew), (other.recovery, other.spans.request_skew));
        assert_eq!(one.rows, other.rows);
        assert_eq!(one.curve(one.goal).time_to(Level::P100), one.recovery.t100, "plots and tables agree");
    }
}
