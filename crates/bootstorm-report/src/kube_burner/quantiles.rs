//! kube-burner's quantiles: over the VMs that ran, by its own rule.
//!
//! v2.7.3 uses montanaflynn/stats v0.7.1: with `n` values, the one of rank `p · n` if that is a whole number, else the
//! mean of the two around it. So P99 of fewer than 100 VMs lies below the slowest. Whole milliseconds, truncated.

use jiff::Timestamp;
use serde::Serialize;

use super::documents::{Latencies, Latency, TOOL};
use super::metric::{QUANTILES, after};
use crate::Report;
use crate::phase::PhaseBlock;

/// A latency of a VM
type Pick = fn(&Latency<'_>) -> Option<i64>;

/// `quantileName` of each latency; kube-burner itself adds `Pod` even to names that already begin with it. The last one
/// is ours.
const NAMES: [(&str, Pick); 9] = [
    ("VMReady", |vm| latencies(vm).vm_ready_latency),
    ("VMICreated", |vm| latencies(vm).vmi_created_latency),
    ("VMIScheduled", |vm| latencies(vm).vmi_scheduled_latency),
    ("VMIRunning", |vm| latencies(vm).vmi_running_latency),
    ("PodCreated", |vm| latencies(vm).pod_created_latency),
    ("PodPodScheduled", |vm| latencies(vm).pod_scheduled_latency),
    ("PodInitialized", |vm| latencies(vm).pod_initialized_latency),
    ("PodPodReadyToStartContainers", |vm| latencies(vm).pod_ready_to_start_containers_latency),
    ("VMReachable", |vm| vm.reachable()),
];

fn latencies(vm: &Latency<'_>) -> Latencies {
    vm.latencies
}

/// The document of a point that VMs pass, in whole milliseconds
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Quantiles<'a> {
    pub(super) quantile_name: &'static str,
    uuid: &'a str,
    #[serde(flatten)]
    figures: Figures,
    timestamp: Timestamp,
    metric_name: &'static str,
    job_name: String,
    metadata: Metadata<'a>,
}

/// Fields that kube-burner does not have
#[derive(Serialize)]
struct Metadata<'a> {
    tool: &'static str,
    run: &'a str,
    goal: &'static str,
    /// VMs that took part.
    vms: usize,
    /// VMs included in the figures.
    counted: usize,
}

/// The figures of some latencies
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Figures {
    #[serde(rename = "P99")]
    p99: i64,
    #[serde(rename = "P95")]
    p95: i64,
    #[serde(rename = "P50")]
    p50: i64,
    min: i64,
    max: i64,
    avg: i64,
}

impl<'a> Quantiles<'a> {
    /// One for each latency that any VM has.
    pub(super) fn all(report: &'a Report, phase: &PhaseBlock, vms: &[Latency<'_>]) -> Vec<Self> {
        let quantiles = NAMES.iter().filter_map(|(name, pick)| {
            let values: Vec<i64> = vms.iter().filter_map(pick).collect();
            Some(Self {
                quantile_name: name,
                uuid: &report.run.id,
                figures: Figures::of(&values)?,
                timestamp: after(phase.began, phase.spans.total.unwrap_or_default()),
                metric_name: QUANTILES,
                job_name: phase.name.to_string(),
                metadata: Metadata {
                    tool: TOOL,
                    run: &report.run.name,
                    goal: phase.goal.word(),
                    vms: phase.counts.participants,
                    counted: values.len(),
                },
            })
        });
        quantiles.collect()
    }
}

impl Figures {
    /// `None` without a value.
    pub(super) fn of(values: &[i64]) -> Option<Self> {
        let mut sorted: Vec<f64> = values.iter().map(|value| *value as f64).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let (first, last) = (*sorted.first()?, *sorted.last()?);
        let at = |percent: f64| percentile(&sorted, percent) as i64;
        Some(Self {
            p99: at(99.0),
            p95: at(95.0),
            p50: at(50.0),
            min: first as i64,
            max: last as i64,
            avg: (sorted.iter().sum::<f64>() / sorted.len() as f64) as i64,
        })
    }
}

/// Percentile of at least one ascending value, at 50 percent or more.
fn percentile(sorted: &[f64], percent: f64) -> f64 {
    if let [only] = sorted {
        return *only;
    }
    // In this order, to round as the original does.
    let index = percent / 100.0 * sorted.len() as f64;
    let rank = index as usize;
    if index > rank as f64 { f64::midpoint(sorted[rank - 1], sorted[rank]) } else { sorted[rank - 1] }
}
