//! Disks of VMs while they are created, and the goal of a create that starts nothing.

use super::context::PhaseContext;
use super::event::Event;
use crate::cluster::names::run_id_selector;
use crate::cluster::volumes::Volumes;
use crate::cluster::{ClusterError, Kind};
use bootstorm_model::observe::Milestone;
use bootstorm_model::record::{PhaseKind, PhaseRecord, RunRecord};

/// Opens the watch on disks if a create makes any; also returns the number per VM.
///
/// Without permission the milestone is missing, with a note; a create that starts nothing requires it and fails.
pub(super) async fn open(
    work: &PhaseContext<'_>,
    phase: &mut PhaseRecord,
    record: &RunRecord,
) -> Result<Option<(Volumes, usize)>, ClusterError> {
    if phase.name.kind != PhaseKind::Create {
        return Ok(None);
    }
    let halted = phase.settings.halted;
    let disks = work.template.map_or(0, bootstorm_model::plan::Template::volumes);
    if halted {
        phase.goal = if disks == 0 { Milestone::Accepted } else { Milestone::Volume };
    }
    if disks == 0 {
        return Ok(None);
    }
    let (place, selector) = (record.plan.layout.namespace.as_deref(), run_id_selector(&record.run_id));
    match Volumes::open(work.cluster, place, &selector).await? {
        Ok(volumes) => Ok(Some((volumes, disks))),
        Err(why) if halted => Err(ClusterError::new("watch the disks of the VMs", Kind::Forbidden, why)),
        Err(why) => {
            let note = format!("the time to fill the disks is not measured: {why}");
            (work.events)(&Event::Warning(note));
            Ok(None)
        }
    }
}
