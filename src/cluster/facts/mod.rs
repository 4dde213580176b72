//! What kind of cluster this is: versions, nodes, storage, limits, and whether `KubeVirt` is there.

mod limits;
mod nodes;
mod storage;

use k8s_openapi::api::core::v1::Node;
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apimachinery::pkg::version::Info;
use kube::api::ListParams;
use serde::Deserialize;
use serde_json::Value;

use super::call::{built, on, path};
use super::watch::list_all;
use super::{Cluster, Kind, Trouble};
use crate::plan::Disk;
use crate::record::ClusterFacts;

/// The `KubeVirt` object, decoded only as far as it is used
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
struct KubeVirt {
    spec: KubeVirtSpec,
    status: KubeVirtStatus,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
struct KubeVirtSpec {
    configuration: Value,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct KubeVirtStatus {
    phase: String,
    observed_kube_virt_version: Option<String>,
}

/// The `CDI` object, decoded only as far as it is used
#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Cdi {
    status: CdiStatus,
}

#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct CdiStatus {
    observed_version: Option<String>,
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
        let Some(kubevirt) = self.kubevirt_object().await? else { return Ok(KubeVirtState::Absent) };
        Ok(match kubevirt.status.phase.as_str() {
            "Deployed" => KubeVirtState::Deployed(kubevirt.status.observed_kube_virt_version),
            "" => KubeVirtState::Unfinished("Unknown".into()),
            phase => KubeVirtState::Unfinished(phase.into()),
        })
    }

    async fn kubevirt_object(&self) -> Result<Option<KubeVirt>, Trouble> {
        let doing = "look for KubeVirt";
        let collection = path("kubevirt.io/v1", None, "kubevirts");
        let request = built(doing, on(&collection).list(&ListParams::default()))?;
        match self.ask::<KubeVirts>(doing, &request).await {
            Ok(found) => Ok(found.items.into_iter().next()),
            Err(trouble) if trouble.kind == Kind::NotFound => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    /// Everything worth keeping about the cluster, for VMs with these disks.
    ///
    /// Nodes, CDI and storage classes are optional: reading them takes permissions, and CDI may not be there.
    pub async fn facts(&self, disks: Vec<Disk>) -> Result<ClusterFacts, Trouble> {
        let kubernetes = Some(self.version().await?);
        let kubevirt = self.kubevirt_object().await?;
        let version = kubevirt.as_ref().and_then(|object| object.status.observed_kube_virt_version.clone());
        let nodes: Option<Vec<Node>> = self.optional("list nodes", &path("v1", None, "nodes")).await?;
        let classes: Option<Vec<StorageClass>> =
            self.optional("list storage classes", &path("storage.k8s.io/v1", None, "storageclasses")).await?;
        let cdis: Option<Vec<Cdi>> =
            self.optional("look for CDI", &path("cdi.kubevirt.io/v1beta1", None, "cdis")).await?;
        let kinds = nodes.as_deref().map(nodes::kinds).unwrap_or_default();
        Ok(ClusterFacts {
            kubernetes,
            cdi: cdis.and_then(|cdis| cdis.into_iter().next()).and_then(|cdi| cdi.status.observed_version),
            nodes: nodes.as_ref().map(Vec::len),
            schedulable_nodes: nodes.is_some().then(|| kinds.iter().map(|kind| kind.schedulable).sum()),
            node_kinds: kinds,
            storage_classes: classes.map(|classes| storage::of(classes, &disks)).unwrap_or_default(),
            rate_limits: kubevirt
                .map(|object| limits::of(&object.spec.configuration, version.as_deref()))
                .unwrap_or_default(),
            kubevirt: version,
            disks,
            tool: Some(env!("CARGO_PKG_VERSION").to_owned()),
        })
    }

    /// A collection that is not essential; `None` when it may not be read or does not exist.
    async fn optional<T: serde::de::DeserializeOwned>(
        &self,
        doing: &str,
        path: &str,
    ) -> Result<Option<Vec<T>>, Trouble> {
        match list_all(self, doing, path, "").await {
            Ok((items, _)) => Ok(Some(items)),
            Err(trouble) if matches!(trouble.kind, Kind::Forbidden | Kind::NotFound) => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }
}
