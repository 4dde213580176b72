//! The cordons of a drain: recorded before they are set, lifted when it ends, however it ends.

use std::collections::{HashMap, HashSet};

use super::context::PhaseContext;
use super::event::{Event, Listener};
use crate::cluster::evictions::Cordonable;
use crate::cluster::launchers::Evictable;
use crate::cluster::{Cluster, ClusterError, Kind};
use bootstorm_model::observe::Timeline;
use bootstorm_model::record::lifecycle::Step;
use bootstorm_model::record::{Cordon, PhaseRecord, RunRecord};

/// Records the nodes that the drain has to cordon: schedulable ones, and those that this run cordoned before.
///
/// Fails if a node does not exist when the drain begins. A node that is gone when it continues has no cordon any more,
/// and its VMs are followed like all others.
pub(super) async fn note(
    work: &PhaseContext<'_>,
    phase: &mut PhaseRecord,
    record: &RunRecord,
) -> Result<(), ClusterError> {
    if !phase.drains() {
        return Ok(());
    }
    for node in phase.settings.nodes.clone() {
        let known = phase.cordons.iter_mut().find(|cordon| cordon.node == node);
        let found = work.cluster.cordonable(&node).await?;
        let is_same = |uid: &str| known.as_ref().is_none_or(|cordon| cordon.uid == uid);
        let Some(found) = found.filter(|found| is_same(found.uid())) else {
            if let Step::Begin(_) = work.step {
                return Err(missing(&node));
            }
            let text = format!("node {node} is gone, or was recreated since the drain began");
            (work.events)(&Event::Warning(text));
            if let Some(cordon) = known {
                cordon.lifted = true;
            }
            continue;
        };
        // A cordon set by others stays with them.
        let is_ours = found.is_open() || found.is_cordoned_by(&record.run_id);
        match known {
            Some(cordon) => cordon.lifted = !is_ours,
            None if is_ours => {
                phase.cordons.push(Cordon { node, uid: found.uid().to_owned(), lifted: false });
            }
            None => {}
        }
    }
    Ok(())
}

/// The launcher pod of a VM on the node that it has to leave, and that node; `pods` are by instance UID.
pub(super) fn pod_of<'a>(
    timeline: &Timeline,
    pods: &'a HashMap<String, Vec<(String, Evictable)>>,
) -> Option<&'a (String, Evictable)> {
    let from = timeline.migration.as_ref()?.from.as_deref()?;
    pods.get(timeline.old_instance.as_deref()?)?.iter().find(|(node, _)| node == from)
}

/// Records VMs whose launcher pod is gone, for example because its node was deleted: there is nothing to evict, the
/// beginning is unknown, and their time limit begins now.
pub(super) fn note_without_pod(
    phase: &mut PhaseRecord,
    done: &HashSet<u32>,
    pods: &HashMap<String, Vec<(String, Evictable)>>,
) {
    if !phase.drains() {
        return;
    }
    for timeline in &mut phase.timelines {
        if !timeline.is_over() && !done.contains(&timeline.target) && pod_of(timeline, pods).is_none() {
            timeline.untimed = true;
        }
    }
}

/// Cordons the recorded nodes.
pub(super) async fn cordon(cluster: &Cluster, phase: &PhaseRecord, run_id: &str) -> Result<(), ClusterError> {
    for cordon in phase.cordons.iter().filter(|cordon| !cordon.lifted) {
        let found = cluster.cordonable(&cordon.node).await?.filter(|found| found.uid() == cordon.uid);
        let found = found.ok_or_else(|| missing(&cordon.node))?;
        // A node cordoned by others since it was recorded stays theirs.
        if found.is_open() {
            cluster.cordon(&cordon.node, &found, run_id).await?;
        }
    }
    Ok(())
}

/// Uncordons the nodes that a drain has cordoned; reports failures.
pub(super) async fn lift(work: &PhaseContext<'_>, phase: &mut PhaseRecord, run_id: &str) {
    lift_these(work.cluster, &mut phase.cordons, run_id, work.events).await;
}

/// Uncordons the nodes that the run has cordoned in any phase; reports failures.
pub(super) async fn lift_all(cluster: &Cluster, record: &mut RunRecord, events: Listener<'_>) {
    for phase in &mut record.phases {
        lift_these(cluster, &mut phase.cordons, &record.run_id, events).await;
    }
}

async fn lift_these(cluster: &Cluster, cordons: &mut [Cordon], run_id: &str, events: Listener<'_>) {
    for cordon in cordons.iter_mut().filter(|cordon| !cordon.lifted) {
        match cluster.uncordon(&cordon.node, &cordon.uid, run_id).await {
            Ok(()) => cordon.lifted = true,
            Err(error) => events(&stays(&cordon.node, &error.to_string())),
        }
    }
}

/// Reports nodes that may stay cordoned because the cluster did not answer in time.
pub(super) fn report_left(events: Listener<'_>, cordons: &[Cordon]) {
    for cordon in cordons.iter().filter(|cordon| !cordon.lifted) {
        events(&stays(&cordon.node, "the cluster did not answer in time"));
    }
}

fn stays(node: &str, why: &str) -> Event {
    Event::Warning(format!("node {node} stays cordoned: {why}; uncordon it: kubectl uncordon {node}"))
}

/// Cordons of a run that are not recorded as lifted.
pub fn open_cordons(record: &RunRecord) -> Vec<Cordon> {
    let cordons = record.phases.iter().flat_map(|phase| &phase.cordons);
    cordons.filter(|cordon| !cordon.lifted).cloned().collect()
}

/// The nodes that a drain of this run has cordoned, by their mark; for runs without a record.
pub async fn marked_cordons(cluster: &Cluster, run_id: &str) -> Result<Vec<Cordon>, ClusterError> {
    let nodes = cluster.marked_nodes().await?.into_iter().filter(|node| node.is_cordoned_by(run_id));
    let cordon =
        |node: Cordonable| Cordon { node: node.name().to_owned(), uid: node.uid().to_owned(), lifted: false };
    Ok(nodes.map(cordon).collect())
}

/// Uncordons these nodes, as far as this run has cordoned them.
///
/// Fails at the first node for which that is impossible.
pub async fn uncordon(cluster: &Cluster, cordons: &[Cordon], run_id: &str) -> Result<(), ClusterError> {
    for cordon in cordons {
        cluster.uncordon(&cordon.node, &cordon.uid, run_id).await?;
    }
    Ok(())
}

fn missing(node: &str) -> ClusterError {
    ClusterError::new(
        "drain the node",
        Kind::NotFound,
        format!("there is no node {node}, or it was recreated"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use bootstorm_model::observe::MigrationFacts;
    use bootstorm_model::record::{PhaseName, PhaseSettings, StormKind};

    #[test]
    fn a_vm_without_a_pod_to_evict_is_followed_since_nobody_knows_when() {
        let settings = PhaseSettings { kind: StormKind::Drain, ..PhaseSettings::default() };
        let name: PhaseName = "storm-1".parse().unwrap();
        let mut phase = PhaseRecord::new(name, "2026-01-01T00:00:00Z".parse().unwrap(), settings, 4);
        for (timeline, from) in phase.timelines.iter_mut().zip(["a", "b", "a", "a"]) {
            timeline.old_instance = Some(format!("vm-{}", timeline.target).into());
            timeline.migration =
                Some(Box::new(MigrationFacts { from: Some(from.into()), ..Default::default() }));
        }
        let pod = || Evictable { name: "pod".into(), uid: "uid".into() };
        let pods = [0, 1].map(|vm| (format!("vm-{vm}"), vec![("a".to_owned(), pod())])).into();
        note_without_pod(&mut phase, &HashSet::from([2]), &pods);
        let untimed: Vec<bool> = phase.timelines.iter().map(|timeline| timeline.untimed).collect();
        assert_eq!(untimed, [false, true, false, true]);
    }
}
