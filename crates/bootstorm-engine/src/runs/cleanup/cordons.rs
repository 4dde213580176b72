//! Uncordons nodes left by a drain before anything of the run is deleted.

use std::collections::BTreeSet;

use super::options::Cleanup;
use crate::cluster::{ClusterError, Kind};
use crate::phases::draining;
use bootstorm_model::failure::Failure;
use bootstorm_model::record::Cordon;

/// Shows the nodes that carry the mark of any run.
const SHOW: &str = "kubectl get nodes -o custom-columns='NAME:.metadata.name,CORDONED_BY:.metadata.annotations.bootstorm\\.dev/cordoned-by'";

impl Cleanup<'_> {
    /// Nodes cordoned by a run without a record.
    ///
    /// If nodes may not be listed, that is reported, and the cleanup continues.
    pub(super) async fn marked_cordons(&self, run_id: &str) -> Result<Vec<Cordon>, Failure> {
        match draining::marked_cordons(self.runs.cluster, run_id).await {
            Ok(cordons) => Ok(cordons),
            Err(ClusterError { kind: Kind::Forbidden, .. }) => {
                self.caller.warn(&format!(
                    "no permission to list nodes; a drain of run {run_id} may have left some cordoned: {SHOW}"
                ));
                Ok(Vec::new())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Uncordons the nodes that the run has cordoned.
    pub(super) async fn lift_cordons(&self, cordons: &[Cordon], run_id: &str) -> Result<(), Failure> {
        for cordon in cordons {
            let lifting = draining::uncordon(self.runs.cluster, std::slice::from_ref(cordon), run_id).await;
            lifting.map_err(|error| {
                Failure::from(error).hint(format!("uncordon it: kubectl uncordon {}", cordon.node))
            })?;
            self.caller.say(&format!("node {} is no longer cordoned by the run", cordon.node));
        }
        Ok(())
    }

    /// Lists nodes that carry the mark of a run without a record, with the command that uncordons them.
    ///
    /// The run is unknown, so they are left alone. Best effort: nothing else of the run exists.
    pub async fn name_strays(&self) {
        let Ok(nodes) = self.runs.cluster.marked_nodes().await else { return };
        if nodes.is_empty() {
            return;
        }
        let Ok(heads) = self.runs.cluster.heads(true).await else { return };
        let known: BTreeSet<&str> = heads.iter().map(|head| head.run_id.as_str()).collect();
        for node in nodes {
            let Some(run_id) = node.cordoned_by().filter(|run_id| !known.contains(run_id)) else { continue };
            self.caller.warn(&format!(
            "node {} was cordoned by run {run_id}, which has no record; if it was this one: kubectl bootstorm cleanup \
             --ns-prefix {} --run-id {run_id}",
            node.name(),
            self.options.prefix
        ));
        }
    }
}
