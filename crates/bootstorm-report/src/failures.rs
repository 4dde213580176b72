//! Failures by reason, and outliers, for display.

use serde::{Deserialize, Serialize};

use super::row::Row;
use bootstorm_model::observe::{Milestone, Outcome};
use bootstorm_model::plan::Target;
use bootstorm_model::record::PhaseRecord;
use bootstorm_model::stats::{self, Diagnosis, Outliers, reason};

/// VMs that did not reach the goal for the same reason
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureBlock {
    /// Reason; `<n>` and `<id>` stand for numbers and names that differ between the VMs.
    pub reason: String,
    /// Number of VMs.
    pub vms: usize,
    /// Namespace of the first VM.
    pub namespace: String,
    /// Reason of the first VM, verbatim.
    pub example: Option<String>,
}

impl FailureBlock {
    /// Failures of a phase, most frequent reason first.
    pub(super) fn all(rows: &[Row]) -> Vec<Self> {
        let failed: Vec<&Row> =
            rows.iter().filter(|row| matches!(row.outcome, Outcome::Failed | Outcome::TimedOut)).collect();
        Self::grouped(&failed)
    }

    /// These rows by reason, most frequent first.
    pub(super) fn grouped(failed: &[&Row]) -> Vec<Self> {
        let groups = reason::group(failed.iter().map(|row| row.reason.as_deref()));
        let block = |group: stats::ReasonGroup| {
            let first = failed.get(*group.members.first()?)?;
            Some(Self {
                reason: group.reason,
                vms: group.members.len(),
                namespace: first.namespace.clone(),
                example: first.reason.clone(),
            })
        };
        groups.into_iter().filter_map(block).collect()
    }
}

/// VMs that were much slower than the rest on the way to the goal
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OutliersBlock {
    /// The milestone: the goal of the phase; absent in reports from before outliers were detected.
    pub milestone: Option<Milestone>,
    /// Seconds above which a VM is an outlier; unknown if too few VMs arrived.
    #[serde(rename = "limit_seconds", serialize_with = "stats::maybe_micros")]
    pub limit: Option<f64>,
    /// Outliers, slowest first.
    pub vms: Vec<OutlierBlock>,
}

/// A VM that was much slower than the rest
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutlierBlock {
    /// Namespace of the VM.
    pub namespace: String,
    /// Name of the VM.
    pub name: String,
    /// Node on which it ran.
    pub node: Option<String>,
    /// Its time.
    #[serde(serialize_with = "stats::micros")]
    pub seconds: f64,
    /// Ratio to the median.
    #[serde(serialize_with = "stats::micros")]
    pub times_median: f64,
    /// Last Kubernetes warning on its way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

impl OutliersBlock {
    /// The outliers of a phase.
    pub(super) fn of(phase: &PhaseRecord, targets: &[Target]) -> Self {
        let outliers = Outliers::of(&phase.timelines, phase.goal, phase.goal);
        let vms = outliers.found.iter().filter_map(|outlier| {
            let target = targets.get(outlier.target as usize)?;
            let timeline = phase.timelines.iter().find(|timeline| timeline.target == outlier.target)?;
            Some(OutlierBlock {
                namespace: target.namespace.clone(),
                name: target.name.clone(),
                node: timeline.node.clone(),
                seconds: outlier.seconds,
                times_median: outlier.times_median,
                cause: Diagnosis::of_late(timeline),
            })
        });
        Self { milestone: Some(phase.goal), limit: outliers.limit, vms: vms.collect() }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Report, Selection, fixtures};
    use bootstorm_model::observe::{Milestone, Offset};

    #[test]
    fn failures_are_grouped_and_outliers_named_with_their_node() {
        let mut record = fixtures::guide();
        for (index, failed) in [12, 57].into_iter().enumerate() {
            record.phases[2].timelines[failed].reason = Some(format!("no pod after {index}s"));
        }
        let timeline = &mut record.phases[2].timelines[4];
        timeline.see(Milestone::Running, Offset::ZERO);
        timeline.moments.get_mut(&Milestone::Running).unwrap().at = Offset::from_seconds(400.0);
        let storm = &Report::of(&record, &Selection::default()).phases[2];
        assert_eq!(storm.failures.len(), 1);
        assert_eq!((storm.failures[0].reason.as_str(), storm.failures[0].vms), ("no pod after <n>s", 2));
        assert_eq!(storm.failures[0].namespace, "boot-storm-test-13");
        assert_eq!(storm.outliers.vms.len(), 1);
        assert_eq!(storm.outliers.vms[0].namespace, "boot-storm-test-5");
        assert_eq!(storm.outliers.vms[0].node.as_deref(), Some("worker-2"));
    }
}
