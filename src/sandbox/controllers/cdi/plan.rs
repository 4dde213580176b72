//! How a data volume is filled.

use serde_json::Value;

use crate::sandbox::store::kind::{PERSISTENT_VOLUME_CLAIMS, STORAGE_PROFILES};
use crate::sandbox::store::{Object, Store};

/// The way to the data
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// From a registry or a web server.
    Import,
    /// Nothing but an empty disk.
    Blank,
    /// A client will send it.
    Upload,
    /// A snapshot of the source claim, then a clone of it.
    SnapshotClone,
    /// A clone of a snapshot that is there already.
    FromSnapshot,
    /// The storage clones the claim by itself.
    CsiClone,
    /// Read and written again by pods.
    HostClone,
}

impl Plan {
    /// The plan for a data volume.
    pub fn of(store: &Store, volume: &Object) -> Self {
        let source = &volume.value()["spec"]["source"];
        let has = |kind: &str| source.get(kind).is_some_and(Value::is_object);
        if has("blank") {
            Self::Blank
        } else if has("upload") {
            Self::Upload
        } else if has("snapshot") {
            Self::FromSnapshot
        } else if has("pvc") {
            match strategy(store, volume).as_deref() {
                Some("csi-clone") => Self::CsiClone,
                Some("copy") => Self::HostClone,
                _ => Self::SnapshotClone,
            }
        } else {
            Self::Import
        }
    }

    /// The annotation `cdi.kubevirt.io/cloneType`.
    pub fn clone_type(self) -> Option<&'static str> {
        match self {
            Self::SnapshotClone | Self::FromSnapshot => Some("snapshot"),
            Self::CsiClone => Some("csi-clone"),
            Self::HostClone => Some("copy"),
            Self::Import | Self::Blank | Self::Upload => None,
        }
    }

    /// The phases on the way to Succeeded.
    pub fn phases(self) -> &'static [&'static str] {
        match self {
            Self::Import => &["ImportScheduled", "ImportInProgress"],
            Self::Blank => &["ImportScheduled"],
            Self::Upload => &["UploadScheduled", "UploadReady"],
            Self::SnapshotClone => &[
                "SnapshotForSmartCloneInProgress",
                "CloneFromSnapshotSourceInProgress",
                "PrepClaimInProgress",
                "RebindInProgress",
            ],
            Self::FromSnapshot => {
                &["CloneFromSnapshotSourceInProgress", "PrepClaimInProgress", "RebindInProgress"]
            }
            Self::CsiClone => &["CSICloneInProgress", "PrepClaimInProgress", "RebindInProgress"],
            Self::HostClone => &["CloneScheduled", "CloneInProgress", "RebindInProgress"],
        }
    }

    /// Whether all the data goes through a pod.
    pub fn copies(self) -> bool {
        matches!(self, Self::Import | Self::HostClone)
    }

    /// Why the plan cannot begin yet: its source is not there.
    pub fn obstacle(self, store: &Store, volume: &Object) -> Option<String> {
        let source = &volume.value()["spec"]["source"]["pvc"];
        let name = source["name"].as_str()?;
        let namespace = source["namespace"].as_str().unwrap_or(volume.namespace());
        let there = store.get(&PERSISTENT_VOLUME_CLAIMS, namespace, name);
        there.is_none().then(|| format!("The source pvc {name} doesn't exist"))
    }
}

/// The clone strategy of the target's storage.
fn strategy(store: &Store, volume: &Object) -> Option<String> {
    let class = super::claims::class_of(store, super::claims::wanted(volume.value()))?;
    let profile = store.get(&STORAGE_PROFILES, "", &class)?;
    profile.value()["status"]["cloneStrategy"].as_str().map(str::to_owned)
}
