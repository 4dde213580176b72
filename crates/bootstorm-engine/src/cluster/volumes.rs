//! Watch on `DataVolumes`: when the VMs' disks are ready, and how they were filled.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::call::path;
use super::list::list_once;
use super::metadata::Watched;
use super::watch::Watch;
use super::{Cluster, ClusterError, Kind};
use bootstorm_model::observe::{Volume, VolumeKind};
use bootstorm_model::plan::Target;

/// Annotation with CDI's clone type.
const CLONE_TYPE: &str = "cdi.kubevirt.io/cloneType";

/// Time limit for each page of a list.
const LISTED_WITHIN: Duration = Duration::from_secs(30);

/// A `DataVolume`, with only the used fields decoded
#[derive(Debug, Clone, Deserialize)]
pub struct DataVolume {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    name: String,
    namespace: String,
    uid: String,
    resource_version: String,
    annotations: BTreeMap<String, String>,
    owner_references: Vec<Owner>,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
struct Owner {
    kind: String,
    name: String,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
struct Spec {
    source: BTreeMap<String, Value>,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
struct Status {
    phase: String,
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Condition {
    r#type: String,
    status: String,
    last_transition_time: Option<Timestamp>,
}

impl Watched for DataVolume {
    fn resource_version(&self) -> &str {
        &self.metadata.resource_version
    }
}

impl DataVolume {
    /// How it is filled, from annotation, phase or source; `None` while unknown.
    fn kind(&self) -> Option<VolumeKind> {
        let annotated = match self.metadata.annotations.get(CLONE_TYPE).map(String::as_str) {
            Some("csi-clone" | "csivolumeclone") => Some(VolumeKind::CsiClone),
            Some("snapshot") => Some(VolumeKind::Snapshot),
            // `network` is the name before CDI 1.57.
            Some("copy" | "network") => Some(VolumeKind::HostAssisted),
            _ => None,
        };
        let by_phase = || match self.status.phase.as_str() {
            "CSICloneInProgress" => Some(VolumeKind::CsiClone),
            "SnapshotForSmartCloneInProgress" | "CloneFromSnapshotSourceInProgress" => {
                Some(VolumeKind::Snapshot)
            }
            "CloneInProgress" => Some(VolumeKind::HostAssisted),
            _ => None,
        };
        let by_source = || match self.spec.source.keys().next().map(String::as_str) {
            Some("registry" | "http" | "s3" | "gcs" | "imageio" | "vddk") => Some(VolumeKind::Import),
            Some("blank") => Some(VolumeKind::Blank),
            Some("upload") => Some(VolumeKind::Upload),
            _ => None,
        };
        annotated.or_else(by_phase).or_else(by_source)
    }

    /// The disk converted for the fold; `None` if it was not created for a VM.
    pub fn volume(self) -> Option<Volume> {
        let kind = self.kind();
        let owner =
            self.metadata.owner_references.into_iter().find(|owner| owner.kind == "VirtualMachine")?;
        let ready = self.status.conditions.iter().find(|c| c.r#type == "Ready" && c.status == "True");
        Some(Volume {
            uid: self.metadata.uid,
            target: Target { namespace: self.metadata.namespace, name: owner.name },
            done: self.status.phase == "Succeeded",
            ready_since: ready.and_then(|ready| ready.last_transition_time),
            kind,
            state: format!(
                "DataVolume {} is {}",
                self.metadata.name,
                match self.status.phase.as_str() {
                    "" => "Pending",
                    phase => phase,
                }
            ),
        })
    }
}

/// The watch on the disks of a run, in every namespace or in the one that holds all of its VMs
#[derive(Debug)]
pub struct Volumes {
    watch: Watch<DataVolume>,
    path: String,
    selector: String,
}

impl Volumes {
    /// Opens the watch, in all namespaces unless one is named; no later change is missed.
    ///
    /// Returns the reason instead if the user may not watch disks, or CDI is missing.
    pub async fn open(
        cluster: &Cluster,
        namespace: Option<&str>,
        selector: &str,
    ) -> Result<Result<Self, String>, ClusterError> {
        let path = path("cdi.kubevirt.io/v1beta1", namespace, "datavolumes");
        match Watch::open(cluster, "watch data volumes", path.clone(), selector.into()).await {
            Ok(watch) => Ok(Ok(Self { watch, path, selector: selector.to_owned() })),
            Err(error) if matches!(error.kind, Kind::Forbidden | Kind::NotFound) => Ok(Err(error.message)),
            Err(error) => Err(error),
        }
    }

    /// The watch.
    pub fn watch(&mut self) -> &mut Watch<DataVolume> {
        &mut self.watch
    }

    /// Lists the disks, separately from the watch.
    pub fn list(
        &self,
        cluster: &Cluster,
    ) -> impl Future<Output = Result<Vec<Volume>, ClusterError>> + Send + use<> {
        let (cluster, path, selector) = (cluster.clone(), self.path.clone(), self.selector.clone());
        async move {
            let listed =
                list_once::<DataVolume>(&cluster, "list data volumes", &path, &selector, LISTED_WITHIN);
            let (listed, _) = listed.await?;
            Ok(listed.into_iter().filter_map(|volume| volume.ok()?.volume()).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(annotation: Option<&str>, source: &Value, phase: &str) -> Volume {
        let mut volume = json!({
            "metadata": {"name": "vm-root", "namespace": "p-1", "uid": "u", "ownerReferences": [{"kind": "VirtualMachine", "name": "vm"}]},
            "spec": {"source": source},
            "status": {"phase": phase, "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:04Z"}]},
        });
        if let Some(annotation) = annotation {
            volume["metadata"]["annotations"] = json!({CLONE_TYPE: annotation});
        }
        serde_json::from_value::<DataVolume>(volume).unwrap().volume().unwrap()
    }

    #[test]
    fn the_kind_is_what_cdi_says_or_unknown() {
        let pvc = json!({"pvc": {"name": "a", "namespace": "b"}});
        let cases = [
            (Some("csi-clone"), &pvc, "Succeeded", Some(VolumeKind::CsiClone)),
            (Some("copy"), &pvc, "Succeeded", Some(VolumeKind::HostAssisted)),
            (Some("snapshot"), &pvc, "Succeeded", Some(VolumeKind::Snapshot)),
            (Some("something new"), &pvc, "Succeeded", None),
            (None, &pvc, "CloneInProgress", Some(VolumeKind::HostAssisted)),
            (None, &pvc, "Succeeded", None),
            (None, &json!({"registry": {"url": "docker://x"}}), "Succeeded", Some(VolumeKind::Import)),
            (None, &json!({"blank": {}}), "", Some(VolumeKind::Blank)),
        ];
        for (annotation, source, phase, kind) in cases {
            let volume = read(annotation, source, phase);
            assert_eq!((volume.kind, volume.done), (kind, phase == "Succeeded"), "{annotation:?} {source}");
        }
    }

    #[test]
    fn a_disk_of_no_vm_is_nobodys() {
        let volume = json!({"metadata": {"name": "a"}, "status": null});
        assert!(serde_json::from_value::<DataVolume>(volume).is_err());
        let volume: DataVolume = serde_json::from_value(json!({"metadata": {"name": "a"}})).unwrap();
        assert_eq!(volume.volume(), None);
        let volume = read(None, &json!({"blank": {}}), "Succeeded");
        assert_eq!(
            (volume.target.to_string().as_str(), volume.state.as_str()),
            ("p-1/vm", "DataVolume vm-root is Succeeded")
        );
        assert!(volume.ready_since.is_some());
    }
}
