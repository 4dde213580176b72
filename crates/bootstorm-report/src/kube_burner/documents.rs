//! kube-burner's documents about a job and a VM.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::metric::{LATENCY, SUMMARY, after, millis};
use crate::people::words;
use crate::phase::PhaseBlock;
use crate::row::Row;
use crate::{Report, ThresholdBlock};
use bootstorm_model::observe::{Milestone, Outcome, Source};
use bootstorm_model::record::{PhaseKind, PhaseSettings};
use bootstorm_model::stats::Validity;

/// Writer of a document.
pub(super) const TOOL: &str = "kubectl-bootstorm";

/// The document of a job
///
/// kube-burner merges metadata into the top level of this one; our additional fields are there.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct JobSummary<'a> {
    timestamp: Timestamp,
    end_timestamp: Option<Timestamp>,
    /// Seconds.
    elapsed_time: Option<f64>,
    uuid: &'a str,
    metric_name: &'static str,
    job_config: JobConfig<'a>,
    version: String,
    passed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_errors: Option<String>,
    tool: &'static str,
    run: &'a str,
    goal: &'static str,
    vms: usize,
    reached: usize,
    failed: usize,
    timed_out: usize,
    unknown: usize,
    excluded: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    validity: Option<Validity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    k8s_version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kubevirt_version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_nodes: Option<usize>,
}

/// The part of kube-burner's job that applies to a phase
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JobConfig<'a> {
    job_iterations: usize,
    name: String,
    job_type: &'static str,
    namespace: &'a str,
    /// Nanoseconds.
    #[serde(skip_serializing_if = "is_zero")]
    max_wait_timeout: u64,
    namespaced_iterations: bool,
    gc: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl<'a> JobSummary<'a> {
    pub(super) fn of(report: &'a Report, phase: &'a PhaseBlock) -> Self {
        let counts = &phase.counts;
        let crossed = crossed(&report.thresholds, phase);
        let tool = report.run.tool_version.as_deref();
        let PhaseSettings { timeout_seconds, .. } = phase.settings;
        Self {
            timestamp: phase.began,
            end_timestamp: phase.spans.total.map(|total| after(phase.began, total)),
            elapsed_time: phase.spans.total.map(|total| (total * 1e3).round() / 1e3),
            uuid: &report.run.id,
            metric_name: SUMMARY,
            job_config: JobConfig {
                job_iterations: places(phase).len(),
                name: phase.name.to_string(),
                job_type: if phase.kind == PhaseKind::Create { "create" } else { "kubevirt" },
                namespace: &report.run.name,
                max_wait_timeout: timeout_seconds.saturating_mul(1_000_000_000),
                namespaced_iterations: true,
                gc: false,
            },
            version: tool.map_or_else(|| TOOL.to_owned(), |version| format!("{TOOL} {version}")),
            passed: counts.reached == phase.wanted() && crossed.is_empty(),
            execution_errors: errors(phase, &crossed),
            tool: TOOL,
            run: &report.run.name,
            goal: phase.goal.word(),
            vms: counts.vms,
            reached: counts.reached,
            failed: counts.failed,
            timed_out: counts.timed_out,
            unknown: counts.unknown,
            excluded: counts.excluded,
            validity: phase.validity.as_ref().map(|validity| validity.grade),
            k8s_version: report.cluster.kubernetes_version.as_deref(),
            kubevirt_version: report.cluster.kubevirt_version.as_deref(),
            total_nodes: report.cluster.nodes,
        }
    }
}

/// Thresholds on a phase that were crossed.
fn crossed<'a>(thresholds: &'a [ThresholdBlock], phase: &PhaseBlock) -> Vec<&'a str> {
    let of_phase = |threshold: &&ThresholdBlock| threshold.phase == Some(phase.name) && threshold.fails();
    thresholds.iter().filter(of_phase).map(|threshold| threshold.condition.as_str()).collect()
}

/// Reasons why a phase did not pass, in one line.
fn errors(phase: &PhaseBlock, crossed: &[&str]) -> Option<String> {
    let counts = &phase.counts;
    let missed = [
        (counts.failed, "failed"),
        (counts.timed_out, "timed out"),
        (counts.unknown, "unknown"),
        (counts.excluded - phase.aside, "excluded"),
        (counts.pending, "pending"),
    ];
    let words: Vec<String> =
        missed.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    let mut errors = Vec::new();
    let wanted = phase.wanted();
    if counts.reached != wanted {
        let (count, of) = (wanted.saturating_sub(counts.reached), words::count(wanted, "VM"));
        errors.push(format!("{count} of {of} missed the goal ({}): {}", phase.goal, words.join(", ")));
    }
    errors.extend(crossed.iter().map(|condition| format!("crossed: {condition}")));
    (!errors.is_empty()).then(|| errors.join("; "))
}

/// Namespaces of a phase in order, each with its index from 0.
fn places(phase: &PhaseBlock) -> BTreeMap<&str, usize> {
    let mut places = BTreeMap::new();
    for row in &phase.rows {
        let next = places.len();
        places.entry(row.namespace.as_str()).or_insert(next);
    }
    places
}

/// The document of a VM, in whole milliseconds from its request
///
/// Points that this tool does not observe, or defines differently, are omitted: `vmiPending`, `vmiScheduling`,
/// `podContainersReady`, `podReady`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Latency<'a> {
    /// Time of its request.
    timestamp: Timestamp,
    #[serde(flatten)]
    pub(super) latencies: Latencies,
    metric_name: &'static str,
    uuid: &'a str,
    pub(super) namespace: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) vm_name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    vmi_name: &'a str,
    node_name: &'a str,
    job_name: String,
    metadata: Metadata<'a>,
    job_iteration: usize,
    replica: usize,
}

/// The latencies of a VM, by field name
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names are kube-burner's")]
pub(super) struct Latencies {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pod_created_latency: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pod_scheduled_latency: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pod_initialized_latency: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pod_ready_to_start_containers_latency: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) vmi_created_latency: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) vmi_scheduled_latency: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) vmi_running_latency: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) vm_ready_latency: Option<i64>,
}

/// Fields that kube-burner does not have
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    tool: &'static str,
    run: &'a str,
    goal: &'static str,
    outcome: &'static str,
    /// Milliseconds until the guest answered its probe.
    #[serde(skip_serializing_if = "Option::is_none")]
    vm_reachable_latency: Option<i64>,
    /// Milestones based on a server timestamp (±1 s), or noticed late.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_seen: Vec<&'static str>,
    /// Whether `timestamp` is the beginning of the phase because the time of the request is unknown.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    request_time_unknown: bool,
}

impl<'a> Latency<'a> {
    /// VMs of a phase whose instances ran after a known time.
    pub(super) fn all(report: &'a Report, phase: &'a PhaseBlock) -> Vec<Self> {
        let places = places(phase);
        let mut replicas: BTreeMap<&str, usize> = BTreeMap::new();
        let mut all = Vec::new();
        for row in &phase.rows {
            let replica = replicas.entry(&row.namespace).or_default();
            *replica += 1;
            let ran = row.outcome != Outcome::Excluded && row.seconds(Milestone::Running).is_some();
            if ran {
                let iteration = places.get(row.namespace.as_str()).copied().unwrap_or_default();
                all.push(Self::of(report, phase, row, (iteration, *replica)));
            }
        }
        all
    }

    fn of(report: &'a Report, phase: &PhaseBlock, row: &'a Row, place: (usize, usize)) -> Self {
        let is_odd = |source: Source| source != Source::Seen;
        let not_seen = row.milestones.iter().filter(|(_, mark)| is_odd(mark.source));
        Self {
            timestamp: after(phase.began, row.requested_at.unwrap_or_default()),
            latencies: Latencies::of(row),
            metric_name: LATENCY,
            uuid: &report.run.id,
            namespace: &row.namespace,
            vm_name: &row.name,
            vmi_name: &row.name,
            node_name: row.node.as_deref().unwrap_or_default(),
            job_name: phase.name.to_string(),
            metadata: Metadata {
                tool: TOOL,
                run: &report.run.name,
                goal: phase.goal.word(),
                outcome: row.outcome.word(),
                vm_reachable_latency: reachable(row),
                not_seen: not_seen.map(|(milestone, _)| milestone.word()).collect(),
                request_time_unknown: row.requested_at.is_none(),
            },
            job_iteration: place.0,
            replica: place.1,
        }
    }

    /// Milliseconds until the guest answered.
    pub(super) fn reachable(&self) -> Option<i64> {
        self.metadata.vm_reachable_latency
    }
}

fn reachable(row: &Row) -> Option<i64> {
    row.seconds(Milestone::Reachable).map(millis)
}

impl Latencies {
    fn of(row: &Row) -> Self {
        let at = |milestone| row.seconds(milestone).map(millis);
        Self {
            pod_created_latency: at(Milestone::Pod),
            pod_scheduled_latency: at(Milestone::Placed),
            pod_initialized_latency: at(Milestone::Initialized),
            pod_ready_to_start_containers_latency: at(Milestone::Prepared),
            vmi_created_latency: at(Milestone::Instance),
            vmi_scheduled_latency: at(Milestone::Scheduled),
            vmi_running_latency: at(Milestone::Running),
            vm_ready_latency: at(Milestone::Ready),
        }
    }
}
