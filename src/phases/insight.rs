//! Following what lies between the milestones: launcher pods and events.

use super::event::Event;
use super::timed::Work;
use crate::cluster::insight::Insight;
use crate::cluster::names::run_id_selector;
use crate::cluster::scope::Scope;
use crate::record::{FORMAT, InsightHealth, PhaseKind, PhaseRecord, RunRecord};

/// Opens the watches where VMs are started and the user wants to know where the time goes.
///
/// What cannot be watched is left out, with a note.
pub(super) async fn open(
    work: &Work<'_>,
    phase: &mut PhaseRecord,
    record: &mut RunRecord,
) -> Option<Insight> {
    if phase.name.kind == PhaseKind::Stop || !phase.settings.explain {
        return None;
    }
    let own = Some(run_id_selector(&record.run_id)).filter(|_| !record.plan.is_adopted());
    let insight = Insight::open(work.cluster, &Scope::of_plan(&record.plan), own.as_deref()).await;
    for note in &insight.missing {
        (work.events)(&Event::Warning(note.clone()));
    }
    let gaps = phase.insight.take().unwrap_or_default().gaps;
    phase.insight =
        Some(InsightHealth { streams: insight.streams(), missing: insight.missing.clone(), gaps });
    record.format = record.format.max(FORMAT);
    Some(insight)
}
