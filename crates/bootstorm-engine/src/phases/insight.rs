//! Launcher pods and events, which explain the time between milestones.

use std::time::Duration;

use super::context::PhaseContext;
use super::event::Event;
use crate::cluster::insight::Insight;
use crate::cluster::names::run_id_selector;
use crate::cluster::scope::Scope;
use bootstorm_model::record::{InsightHealth, PhaseKind, PhaseRecord, RunRecord};

/// Time limit for opening optional watches.
const OPENING: Duration = Duration::from_secs(10);

/// Opens the watches if VMs are started and the user wants the breakdown.
///
/// Kinds that cannot be watched are left out, with a note.
pub(super) async fn open(
    work: &PhaseContext<'_>,
    phase: &mut PhaseRecord,
    record: &RunRecord,
) -> Option<Insight> {
    if phase.name.kind == PhaseKind::Stop || !phase.settings.explain {
        return None;
    }
    let own = Some(run_id_selector(&record.run_id)).filter(|_| !record.plan.is_adopted());
    let scope = Scope::of_plan(&record.plan);
    let opening = Insight::open(work.cluster, &scope, own.as_deref());
    let Ok(insight) = tokio::time::timeout(OPENING, opening).await else {
        let note =
            "where the time goes is not measured: launcher pods and events could not be watched in 10s";
        (work.events)(&Event::Warning(note.to_owned()));
        return None;
    };
    for note in &insight.missing {
        (work.events)(&Event::Warning(note.clone()));
    }
    let gaps = phase.insight.take().unwrap_or_default().gaps;
    phase.insight =
        Some(InsightHealth { streams: insight.streams(), missing: insight.missing.clone(), gaps });
    Some(insight)
}
