//! The cordons of a drain: noted before they are set, lifted when it ends, however it ends.

use super::context::Work;
use super::event::Event;
use crate::cluster::evictions::Cordonable;
use crate::cluster::{Cluster, Kind, Trouble};
use bootstorm_model::record::{Cordon, PhaseRecord, RunRecord};

/// Notes the nodes that the drain has to cordon: those that take pods, and those that this run cordoned before.
///
/// Fails where a node does not exist.
pub(super) async fn note(
    work: &Work<'_>,
    phase: &mut PhaseRecord,
    record: &RunRecord,
) -> Result<(), Trouble> {
    if !phase.drains() {
        return Ok(());
    }
    for node in phase.settings.nodes.clone() {
        let found = work.cluster.cordonable(&node).await?.ok_or_else(|| missing(&node))?;
        // Where somebody else keeps pods away, he goes on to.
        let is_ours = found.is_open() || found.is_cordoned_by(&record.run_id);
        match phase.cordons.iter_mut().find(|cordon| cordon.node == node) {
            Some(cordon) if cordon.uid != found.uid() => return Err(missing(&node)),
            Some(cordon) => cordon.lifted = !is_ours,
            None if is_ours => {
                phase.cordons.push(Cordon { node, uid: found.uid().to_owned(), lifted: false });
            }
            None => {}
        }
    }
    Ok(())
}

/// Cordons the nodes that were noted.
pub(super) async fn cordon(cluster: &Cluster, phase: &PhaseRecord, run_id: &str) -> Result<(), Trouble> {
    for cordon in phase.cordons.iter().filter(|cordon| !cordon.lifted) {
        let found = cluster.cordonable(&cordon.node).await?.filter(|found| found.uid() == cordon.uid);
        let found = found.ok_or_else(|| missing(&cordon.node))?;
        if !found.is_cordoned_by(run_id) || found.is_open() {
            cluster.cordon(&cordon.node, &found, run_id).await?;
        }
    }
    Ok(())
}

/// Lets pods onto the nodes again that a drain has cordoned; says which it could not.
pub(super) async fn lift(work: &Work<'_>, phase: &mut PhaseRecord, run_id: &str) {
    for cordon in phase.cordons.iter_mut().filter(|cordon| !cordon.lifted) {
        match work.cluster.uncordon(&cordon.node, &cordon.uid, run_id).await {
            Ok(()) => cordon.lifted = true,
            Err(trouble) => {
                let again = format!("let it take pods again: kubectl uncordon {}", cordon.node);
                (work.events)(&Event::Warning(format!(
                    "node {} stays cordoned: {trouble}; {again}",
                    cordon.node
                )));
            }
        }
    }
}

/// The cordons of a run that nobody has noted as lifted.
pub fn open_cordons(record: &RunRecord) -> Vec<Cordon> {
    let cordons = record.phases.iter().flat_map(|phase| &phase.cordons);
    cordons.filter(|cordon| !cordon.lifted).cloned().collect()
}

/// The nodes that a drain of this run has cordoned, going by the mark that they carry; for runs without a record.
pub async fn marked_cordons(cluster: &Cluster, run_id: &str) -> Result<Vec<Cordon>, Trouble> {
    let nodes = cluster.marked_nodes().await?.into_iter().filter(|node| node.is_cordoned_by(run_id));
    let cordon =
        |node: Cordonable| Cordon { node: node.name().to_owned(), uid: node.uid().to_owned(), lifted: false };
    Ok(nodes.map(cordon).collect())
}

/// Lets pods onto these nodes again, as far as this run has cordoned them.
///
/// Fails at the first node where that cannot be done.
pub async fn uncordon(cluster: &Cluster, cordons: &[Cordon], run_id: &str) -> Result<(), Trouble> {
    for cordon in cordons {
        cluster.uncordon(&cordon.node, &cordon.uid, run_id).await?;
    }
    Ok(())
}

fn missing(node: &str) -> Trouble {
    Trouble::new("drain the node", Kind::NotFound, format!("there is no node {node}, or it was made anew"))
}
