//! One VM, in the terms of the proposed benchmark specification.

use serde::Serialize;

use crate::row::Row;
use bootstorm_model::observe::{Milestone, Outcome};
use bootstorm_model::stats;

/// Metrics of the draft, each with our milestone.
pub(super) const METRICS: [(&str, Milestone); 5] = [
    ("time_to_vm_created_seconds", Milestone::Accepted),
    ("time_to_vmi_running_seconds", Milestone::Running),
    ("time_to_vmi_ready_seconds", Milestone::Ready),
    ("time_to_guest_ip_seconds", Milestone::Address),
    ("time_to_ping_seconds", Milestone::Reachable),
];

/// One VM
#[derive(Serialize)]
pub(super) struct Record<'a> {
    namespace: &'a str,
    vm_name: &'a str,
    status: &'static str,
    #[serde(rename = "time_to_vm_created_seconds", serialize_with = "stats::maybe_micros")]
    created: Option<f64>,
    #[serde(rename = "time_to_vmi_running_seconds", serialize_with = "stats::maybe_micros")]
    running: Option<f64>,
    #[serde(rename = "time_to_vmi_ready_seconds", serialize_with = "stats::maybe_micros")]
    ready: Option<f64>,
    #[serde(rename = "time_to_guest_ip_seconds", serialize_with = "stats::maybe_micros")]
    address: Option<f64>,
    #[serde(rename = "time_to_ping_seconds", serialize_with = "stats::maybe_micros")]
    reachable: Option<f64>,
    node: Option<&'a str>,
    error: Option<&'a str>,
}

impl<'a> Record<'a> {
    pub(super) fn of(row: &'a Row) -> Self {
        let [created, running, ready, address, reachable] =
            METRICS.map(|(_, milestone)| row.seconds(milestone));
        Self {
            namespace: &row.namespace,
            vm_name: &row.name,
            status: match row.outcome {
                Outcome::Reached => "success",
                Outcome::Failed => "failed",
                Outcome::TimedOut => "timeout",
                Outcome::Unknown => "unknown",
                Outcome::Excluded => "skipped",
                Outcome::Pending => "pending",
            },
            created,
            running,
            ready,
            address,
            reachable,
            node: row.node.as_deref(),
            error: row.reason.as_deref(),
        }
    }
}
