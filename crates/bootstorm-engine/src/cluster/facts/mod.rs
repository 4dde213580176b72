//! Facts about the cluster: versions, storage, limits, and presence of `KubeVirt` and CDI.

mod limits;
mod mark;
mod settings;
mod storage;

use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apimachinery::pkg::version::Info;
use kube::api::{GetParams, ListParams};
use serde::Deserialize;
use serde_json::Value;

use super::call::{built, on, path};
use super::watch::list_all;
use super::{Cluster, ClusterError, Kind};
use bootstorm_model::plan::Disk;
use bootstorm_model::plan::sizing::Settings;
use bootstorm_model::record::{MigrationLimits, RateLimit, StorageClassFacts, Workers};

/// Key of the taint that Kubernetes gives to cordoned nodes.
pub const CORDON_TAINT: &str = "node.kubernetes.io/unschedulable";

/// The `KubeVirt` object, with only the used fields decoded
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
struct KubeVirt {
    metadata: Generation,
    spec: KubeVirtSpec,
    status: KubeVirtStatus,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
struct Generation {
    generation: Option<i64>,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
struct KubeVirtSpec {
    configuration: Value,
    #[serde(rename = "customizeComponents")]
    customize: Customize,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
struct Customize {
    flags: Value,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct KubeVirtStatus {
    phase: String,
    observed_kube_virt_version: Option<String>,
    default_architecture: String,
}

/// The `CDI` object, with only the used fields decoded
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
#[derive(Debug, Clone, PartialEq)]
pub enum KubeVirtState {
    /// Deployed.
    Deployed {
        /// Version, as far as known.
        version: Option<String>,
        /// Settings that affect the sizes of VMs.
        settings: Settings,
        /// Client rate limits of its components.
        limits: Vec<RateLimit>,
        /// Generation of the object: changes with its settings.
        generation: Option<i64>,
        /// Their numbers of workers, if configured.
        workers: Vec<Workers>,
        /// Limits on concurrent live migrations.
        migrations: MigrationLimits,
        /// Whether it moves all VMs off nodes with the [`CORDON_TAINT`].
        empties_cordoned_nodes: bool,
    },
    /// Present, but not deployed: the phase it reports.
    Unfinished(String),
    /// Not present.
    Absent,
}

impl Cluster {
    /// Version of the API server; also shows that it can be reached and accepts our credentials.
    pub async fn version(&self) -> Result<String, ClusterError> {
        let doing = "reach the API server";
        let request = http::Request::get("/version")
            .body(Vec::new())
            .map_err(|error| ClusterError::new(doing, Kind::Invalid, error.to_string()))?;
        let info: Info = self.ask(doing, &request).await?;
        Ok(info.git_version)
    }

    /// Whether `KubeVirt` is deployed.
    pub async fn kubevirt(&self) -> Result<KubeVirtState, ClusterError> {
        let doing = "look for KubeVirt";
        let collection = path("kubevirt.io/v1", None, "kubevirts");
        let request = built(doing, on(&collection).list(&ListParams::default()))?;
        let found: KubeVirts = match self.ask(doing, &request).await {
            Ok(found) => found,
            Err(error) if error.kind == Kind::NotFound => return Ok(KubeVirtState::Absent),
            Err(error) => return Err(error),
        };
        let Some(kubevirt) = found.items.into_iter().next() else { return Ok(KubeVirtState::Absent) };
        let (configuration, status) = (&kubevirt.spec.configuration, kubevirt.status);
        let version = status.observed_kube_virt_version;
        Ok(match status.phase.as_str() {
            "Deployed" => KubeVirtState::Deployed {
                settings: settings::of(configuration, version.as_deref(), &status.default_architecture)
                    .map_err(|error| ClusterError::new(doing, Kind::Invalid, error.to_string()))?,
                limits: limits::of(configuration, version.as_deref()),
                generation: kubevirt.metadata.generation,
                workers: limits::workers(&kubevirt.spec.customize.flags),
                migrations: limits::migrations(configuration),
                empties_cordoned_nodes: limits::empties_cordoned_nodes(configuration),
                version,
            },
            "" => KubeVirtState::Unfinished("Unknown".into()),
            phase => KubeVirtState::Unfinished(phase.into()),
        })
    }

    /// Whether CDI's kinds are served, so that VMs can have disks of their own. Needs no permission.
    pub async fn has_cdi(&self) -> Result<bool, ClusterError> {
        let doing = "look for CDI";
        let request = http::Request::get("/apis/cdi.kubevirt.io")
            .body(Vec::new())
            .map_err(|error| ClusterError::new(doing, Kind::Invalid, error.to_string()))?;
        match self.ask_raw(doing, &request).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind == Kind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Version of CDI; `None` if it is missing, or may not be read.
    pub async fn cdi_version(&self) -> Result<Option<String>, ClusterError> {
        let path = path("cdi.kubevirt.io/v1beta1", None, "cdis");
        let cdis: Vec<Cdi> = self.optional("look for CDI", &path).await?;
        Ok(cdis.into_iter().next().and_then(|cdi| cdi.status.observed_version))
    }

    /// The storage classes that these disks use, and the default ones; empty if they may not be read.
    pub async fn storage_classes(&self, disks: &[Disk]) -> Result<Vec<StorageClassFacts>, ClusterError> {
        let path = path("storage.k8s.io/v1", None, "storageclasses");
        let classes: Vec<StorageClass> = self.optional("list storage classes", &path).await?;
        Ok(storage::of(classes, disks))
    }

    /// Whether the cluster serves an API group.
    pub async fn serves(&self, group: &str) -> Result<bool, ClusterError> {
        let doing = "look for an API group";
        let request = built(doing, on("/apis").get(group, &GetParams::default()))?;
        match self.ask_raw(doing, &request).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind == Kind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// An optional collection; empty if it may not be read or does not exist.
    async fn optional<T: serde::de::DeserializeOwned>(
        &self,
        doing: &str,
        path: &str,
    ) -> Result<Vec<T>, ClusterError> {
        match list_all(self, doing, path, "").await {
            Ok((items, _)) => Ok(items),
            Err(error) if matches!(error.kind, Kind::Forbidden | Kind::NotFound) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}
