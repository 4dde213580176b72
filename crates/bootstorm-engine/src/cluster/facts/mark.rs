//! Reads properties that must not change during a run, with three small requests.

use std::time::Duration;

use futures::future::join3;
use kube::api::ListParams;
use serde::Deserialize;

use super::{KubeVirtState, built, on, path};
use crate::cluster::{Cluster, ClusterError};
use bootstorm_model::record::ClusterMark;

/// A cluster that does not answer within this time is skipped: the phase takes precedence.
const PATIENCE: Duration = Duration::from_secs(5);

/// A page of a list, for the length of the whole
#[derive(Debug, Deserialize)]
struct Page {
    metadata: Rest,
    items: Vec<serde::de::IgnoredAny>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Rest {
    remaining_item_count: Option<usize>,
    #[serde(rename = "continue")]
    next: String,
}

impl Cluster {
    /// Versions, settings and number of nodes; absent if they may not be read, or are not answered in time.
    pub async fn mark(&self) -> ClusterMark {
        let looking = join3(self.version(), self.kubevirt(), self.number_of_nodes());
        let Ok((kubernetes, kubevirt, nodes)) = tokio::time::timeout(PATIENCE, looking).await else {
            return ClusterMark::default();
        };
        let (kubevirt, settings) = match kubevirt {
            Ok(KubeVirtState::Deployed { version, generation, .. }) => (version, generation),
            _ => (None, None),
        };
        ClusterMark { kubernetes: kubernetes.ok(), kubevirt, settings, nodes: nodes.ok().flatten() }
    }

    /// Number of nodes, from a list limited to one; `None` if the server does not report the rest.
    async fn number_of_nodes(&self) -> Result<Option<usize>, ClusterError> {
        let doing = "count nodes";
        let params = ListParams::default().limit(1);
        let page: Page =
            self.ask(doing, &built(doing, on(&path("v1", None, "nodes")).list(&params))?).await?;
        let rest = match page.metadata.remaining_item_count {
            None if !page.metadata.next.is_empty() => return Ok(None),
            rest => rest.unwrap_or(0),
        };
        Ok(Some(page.items.len() + rest))
    }
}
