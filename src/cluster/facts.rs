//! What kind of cluster this is: versions, nodes, and whether `KubeVirt` is there.

use k8s_openapi::api::core::v1::Node;
use k8s_openapi::apimachinery::pkg::version::Info;
use kube::api::ListParams;
use serde::Deserialize;

use super::call::{built, on, path};
use super::watch::list_all;
use super::{Cluster, Kind, Trouble};
use crate::record::ClusterFacts;

/// The `KubeVirt` object, decoded only as far as it is used
#[derive(Debug, Clone, Deserialize, Default)]
struct KubeVirt {
    #[serde(default)]
    status: KubeVirtStatus,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct KubeVirtStatus {
    phase: String,
    observed_kube_virt_version: Option<String>,
}

#[derive(Debug, Deserialize)]
struct KubeVirts {
    items: Vec<KubeVirt>,
}

/// Whether `KubeVirt` can run VMs here
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KubeVirtState {
    /// It is deployed, in this version as far as known.
    Deployed(Option<String>),
    /// It is there, but not deployed: the phase it reports.
    Unfinished(String),
    /// There is none.
    Absent,
}

impl Cluster {
    /// The version of the API server; also shows that it can be reached and knows us.
    pub async fn version(&self) -> Result<String, Trouble> {
        let doing = "reach the API server";
        let request = http::Request::get("/version")
            .body(Vec::new())
            .map_err(|error| Trouble::new(doing, Kind::Invalid, error.to_string()))?;
        let info: Info = self.ask(doing, &request).await?;
        Ok(info.git_version)
    }

    /// Whether `KubeVirt` is deployed.
    pub async fn kubevirt(&self) -> Result<KubeVirtState, Trouble> {
        let doing = "look for KubeVirt";
        let collection = path("kubevirt.io/v1", None, "kubevirts");
        let request = built(doing, on(&collection).list(&ListParams::default()))?;
        let found: KubeVirts = match self.ask(doing, &request).await {
            Ok(found) => found,
            Err(trouble) if trouble.kind == Kind::NotFound => return Ok(KubeVirtState::Absent),
            Err(trouble) => return Err(trouble),
        };
        let Some(kubevirt) = found.items.into_iter().next() else { return Ok(KubeVirtState::Absent) };
        Ok(match kubevirt.status.phase.as_str() {
            "Deployed" => KubeVirtState::Deployed(kubevirt.status.observed_kube_virt_version),
            "" => KubeVirtState::Unfinished("Unknown".into()),
            phase => KubeVirtState::Unfinished(phase.into()),
        })
    }

    /// Everything worth keeping about the cluster. Nodes are optional: reading them takes a permission.
    pub async fn facts(&self) -> Result<ClusterFacts, Trouble> {
        let kubernetes = Some(self.version().await?);
        let kubevirt = match self.kubevirt().await? {
            KubeVirtState::Deployed(version) => version,
            _ => None,
        };
        let nodes: Option<Vec<Node>> =
            match list_all(self, "list nodes", &path("v1", None, "nodes"), "").await {
                Ok((nodes, _)) => Some(nodes),
                Err(trouble) if trouble.kind == Kind::Forbidden => None,
                Err(trouble) => return Err(trouble),
            };
        let schedulable = |node: &&Node| {
            let labels = node.metadata.labels.as_ref();
            let willing = labels.and_then(|labels| labels.get("kubevirt.io/schedulable"));
            let cordoned = node.spec.as_ref().and_then(|spec| spec.unschedulable).unwrap_or(false);
            willing.is_some_and(|value| value == "true") && !cordoned
        };
        Ok(ClusterFacts {
            kubernetes,
            kubevirt,
            nodes: nodes.as_ref().map(Vec::len),
            schedulable_nodes: nodes.as_ref().map(|nodes| nodes.iter().filter(schedulable).count()),
            tool: Some(env!("CARGO_PKG_VERSION").to_owned()),
        })
    }
}
