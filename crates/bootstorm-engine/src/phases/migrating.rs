//! State of a storm that moves VMs, beside the instances: migration objects, and limits on concurrent migrations.

use std::collections::HashMap;
use std::time::Duration;

use super::context::PhaseContext;
use super::event::Event;
use crate::cluster::facts::KubeVirtState;
use crate::cluster::migrations::{self, Migrations};
use crate::cluster::scope::Scope;
use crate::cluster::{Cluster, ClusterError};
use bootstorm_model::plan::Target;
use bootstorm_model::record::lifecycle::Step;
use bootstorm_model::record::{PhaseRecord, RunRecord};

/// Time limit for reading `KubeVirt`'s settings, which only explain the times.
const READING: Duration = Duration::from_secs(10);

/// Migrations that exist when a phase begins or resumes
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    /// VMs with an unfinished migration that this phase did not create, and its name.
    pub(super) others: HashMap<Target, String>,
    /// Objects created by this phase, and their UIDs.
    ours: HashMap<Target, String>,
}

impl UnderWay {
    /// Records migrations created by a process that could not save them.
    pub(super) fn note(&self, phase: &mut PhaseRecord, objects: &[Target]) {
        for (timeline, object) in phase.timelines.iter_mut().zip(objects) {
            let Some(uid) = self.ours.get(object).filter(|_| !timeline.is_over()) else { continue };
            timeline.migration.get_or_insert_default().uid = Some(uid.as_str().into());
        }
    }
}

/// Opens the watch on migration objects, and records `KubeVirt`'s limits on concurrent migrations, if available.
pub(super) async fn open(
    work: &PhaseContext<'_>,
    phase: &mut PhaseRecord,
    record: &RunRecord,
) -> Result<Option<Migrations>, ClusterError> {
    if !phase.migrates() && !phase.drains() {
        return Ok(None);
    }
    let scope = Scope::of_plan(&record.plan);
    let ours = phase.migrates().then_some((record.run_id.as_str(), phase.name));
    let opening = Migrations::open(work.cluster, &scope, ours);
    let reading = tokio::time::timeout(READING, work.cluster.kubevirt());
    let (migrations, read) = tokio::join!(opening, reading);
    match read {
        Ok(Ok(KubeVirtState::Deployed { migrations, .. })) => phase.migrations = Some(migrations),
        _ => {
            let note = "how many VMs KubeVirt migrates at a time is unknown: its settings could not be read";
            (work.events)(&Event::Warning(note.to_owned()));
        }
    }
    migrations.map(Some)
}

/// Existing migrations: foreign ones when a phase begins, its own when it is continued.
pub(super) async fn under_way(
    work: &PhaseContext<'_>,
    phase: &PhaseRecord,
    record: &RunRecord,
) -> Result<UnderWay, ClusterError> {
    if !phase.migrates() && !phase.drains() {
        return Ok(UnderWay::default());
    }
    if let Step::Begin(_) = work.step {
        let others = others(work.cluster, phase, record).await?;
        return Ok(UnderWay { others, ..UnderWay::default() });
    }
    if phase.drains() {
        return Ok(UnderWay::default());
    }
    let scope = Scope::of_plan(&record.plan);
    let found = migrations::existing(work.cluster, &scope, &record.run_id, phase.name).await?;
    let ours = found.into_iter().map(|migration| (migration.object, migration.uid)).collect();
    Ok(UnderWay { ours, ..UnderWay::default() })
}

/// VMs with an unfinished migration, and its name; empty unless the phase migrates or evicts VMs.
pub(super) async fn others(
    cluster: &Cluster,
    phase: &PhaseRecord,
    record: &RunRecord,
) -> Result<HashMap<Target, String>, ClusterError> {
    if !phase.migrates() && !phase.drains() {
        return Ok(HashMap::new());
    }
    migrations::under_way(cluster, &Scope::of_plan(&record.plan)).await
}
