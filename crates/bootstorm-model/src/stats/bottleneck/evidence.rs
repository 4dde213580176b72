//! Evidence for a bottleneck.

use super::is_missing;
use crate::observe::{Milestone, Outcome};
use crate::record::MigrationLimits;
use crate::stats::Starts;

/// A limit of requests to the API server
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// Requests per second, sustained.
    pub qps: f64,
    /// Whether it is configured; otherwise it is the default.
    pub configured: bool,
}

/// Limits in effect, as far as they are known
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Limits {
    /// virt-controller's requests.
    pub controller: Option<Bucket>,
    /// virt-handler's requests, on each node.
    pub handler: Option<Bucket>,
    /// virt-controller's workers for instances, if configured.
    pub instance_workers: Option<u32>,
    /// virt-controller's workers for VMs, if configured.
    pub machine_workers: Option<u32>,
    /// Limits on concurrent live migrations.
    pub migrations: Option<MigrationLimits>,
}

/// Evidence for a bottleneck
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// The baseline, if there is one.
    pub baseline: Option<Starts<'a>>,
    /// The storm.
    pub storm: Starts<'a>,
    /// The judged milestone.
    pub goal: Milestone,
    /// Whether the storm was slow: its ratio is not good.
    pub is_slow: bool,
    /// Limits in effect.
    pub limits: Limits,
}

impl Evidence<'_> {
    /// Number of VMs that did not arrive, and of participants.
    pub(super) fn missing(&self) -> (usize, usize) {
        let timelines = self.storm.timelines;
        let missing = timelines.iter().filter(|timeline| is_missing(timeline)).count();
        let all = timelines.iter().filter(|timeline| timeline.outcome != Outcome::Excluded).count();
        (missing, all)
    }

    /// Mean time that the pods of the storm waited for images.
    pub(super) fn images(&self) -> f64 {
        let pods = self.storm.timelines.iter().filter(|timeline| timeline.has(Milestone::Pod));
        let waited: Vec<f64> = pods.map(|timeline| timeline.pulled_for.seconds()).collect();
        waited.iter().sum::<f64>() / waited.len().max(1) as f64
    }
}
