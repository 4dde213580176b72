//! Figures over all VMs, in the terms of the proposed benchmark specification.

use std::collections::BTreeMap;

use serde::Serialize;

use super::records::METRICS;
use crate::phase::PhaseBlock;
use bootstorm_model::stats::round_to_micros;

/// Figures over all participants
#[derive(Serialize)]
pub(super) struct Aggregate {
    total_vms: usize,
    successful_vms: usize,
    failed_vms: usize,
    excluded_vms: usize,
    /// VMs without an outcome, because the phase is not over: our own field, omitted if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pending_vms: Option<usize>,
    /// VMs whose outcome nobody saw: our own field, omitted if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown_vms: Option<usize>,
    /// Successes with an unknown time: our own field, omitted if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown_time_vms: Option<usize>,
    total_duration_seconds: Option<f64>,
    /// `avg_`, `min_`, `max_` and the percentiles of each metric; `null` if unknown.
    #[serde(flatten)]
    metrics: BTreeMap<String, Option<f64>>,
}

impl Aggregate {
    pub(super) fn of(phase: &PhaseBlock) -> Self {
        let counts = &phase.counts;
        let mut metrics = BTreeMap::new();
        for (name, milestone) in METRICS {
            let summary = phase.summary(milestone);
            let values = [
                ("avg", summary.mean),
                ("min", summary.min),
                ("max", summary.max),
                ("p50", summary.p50.seconds()),
                ("p95", summary.p95.seconds()),
                ("p99", summary.p99.seconds()),
            ];
            metrics.extend(
                values.map(|(statistic, value)| (format!("{statistic}_{name}"), value.map(round_to_micros))),
            );
        }
        Self {
            total_vms: counts.participants,
            successful_vms: counts.reached,
            failed_vms: counts.unsuccessful(),
            excluded_vms: counts.excluded,
            pending_vms: if_any(counts.pending),
            unknown_vms: if_any(counts.unknown),
            unknown_time_vms: if_any(phase.summary(phase.goal).unknown),
            total_duration_seconds: phase.spans.took().map(round_to_micros),
            metrics,
        }
    }
}

fn if_any(vms: usize) -> Option<usize> {
    Some(vms).filter(|vms| *vms > 0)
}
