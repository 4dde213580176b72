//! Method of filling a data volume.

use crate::value::Value;

use crate::model::quantity;
use crate::store::kind::{PERSISTENT_VOLUME_CLAIMS, STORAGE_PROFILES, VOLUME_SNAPSHOTS};
use crate::store::{Kind, Object, Store};

/// Bytes of a GiB.
const GIB: f64 = 1_073_741_824.0;
/// Size of the disk, in GiB, to which the profile's image refers.
pub const IMAGE_GIB: f64 = 30.0;

/// Method of filling
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// From a registry or a web server.
    Import,
    /// Nothing but an empty disk.
    Blank,
    /// Uploaded by a client.
    Upload,
    /// A snapshot of the source claim, then a clone of it.
    SnapshotClone,
    /// A clone of an existing snapshot.
    FromSnapshot,
    /// Cloned by the storage itself.
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

    /// Phases before Succeeded.
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

    /// Whether all the data passes through a pod.
    pub fn copies(self) -> bool {
        matches!(self, Self::Import | Self::HostClone)
    }

    /// Reason why the plan cannot begin yet: its source is missing.
    pub fn obstacle(self, store: &Store, volume: &Object) -> Option<String> {
        if self == Self::FromSnapshot {
            let snapshot = source(volume, "snapshot", &VOLUME_SNAPSHOTS, store);
            let ready = |snapshot: &Object| snapshot.value()["status"]["readyToUse"] == true;
            return match snapshot {
                (name, None) => Some(format!("The source snapshot {name} doesn't exist")),
                (name, Some(found)) if !ready(&found) => {
                    Some(format!("The source snapshot {name} is not ready"))
                }
                _ => None,
            };
        }
        self.clone_type()?;
        match source(volume, "pvc", &PERSISTENT_VOLUME_CLAIMS, store) {
            (name, None) => Some(format!("The source pvc {name} doesn't exist")),
            (name, Some(claim)) if claim.value()["status"]["phase"] != "Bound" => {
                Some(format!("The source pvc {name} is not bound"))
            }
            _ => None,
        }
    }
}

/// The name of a data volume's source, and the source itself.
fn source(volume: &Object, kind: &str, stored: &'static Kind, store: &Store) -> (String, Option<Object>) {
    let source = &volume.value()["spec"]["source"][kind];
    let name = source["name"].as_str().unwrap_or_default();
    let namespace = source["namespace"].as_str().unwrap_or(volume.namespace());
    (name.to_owned(), store.get(stored, namespace, name))
}

/// Size in GiB of the data that fills a data volume: that of the source claim, or its own.
pub fn gib(store: &Store, volume: &Object) -> f64 {
    let wanted = &super::class::wanted(volume.value())["resources"]["requests"]["storage"];
    let (_, claim) = source(volume, "pvc", &PERSISTENT_VOLUME_CLAIMS, store);
    let copied = claim.and_then(|claim| quantity::of(&claim.value()["status"]["capacity"]["storage"]));
    let bytes = copied.or_else(|| quantity::of(wanted)).unwrap_or(IMAGE_GIB * GIB);
    bytes / GIB
}

/// The clone strategy of the target's storage.
fn strategy(store: &Store, volume: &Object) -> Option<String> {
    let class = super::class::class_of(store, super::class::wanted(volume.value()))?;
    let profile = store.get(&STORAGE_PROFILES, "", &class)?;
    profile.value()["status"]["cloneStrategy"].as_str().map(str::to_owned)
}
