//! Binding a claim to a volume.

use crate::value::json;

use super::super::client::{Client, WriteError};
use super::super::cluster::Cluster;
use super::class::class_of;
use crate::model::lock;
use crate::store::kind::{PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES};
use crate::store::{Object, StoreError};

/// Name of the volume behind a claim.
pub fn volume_name(claim_uid: &str) -> String {
    format!("pvc-{claim_uid}")
}

/// Creates the volume of a claim and binds the two.
pub async fn bind(cluster: &Cluster, client: &mut Client, claim: &Object) -> Result<(), WriteError> {
    let name = volume_name(claim.uid());
    let spec = &claim.value()["spec"];
    let class = class_of(client.store(), spec);
    let volume = json!({
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "accessModes": spec["accessModes"], "volumeMode": spec["volumeMode"], "storageClassName": class,
            "persistentVolumeReclaimPolicy": "Delete",
            "claimRef": {
                "apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": claim.name(),
                "namespace": claim.namespace(), "uid": claim.uid(),
            },
            "csi": {"driver": "sandbox.csi.bootstorm.dev", "volumeHandle": name},
        },
        "status": {"phase": "Bound"},
    });
    match client.create(&PERSISTENT_VOLUMES, volume).await {
        Ok(_) | Err(StoreError::AlreadyExists { .. }) => {}
        Err(error) => return Err(WriteError::Refused(error)),
    }
    client
        .patch(&PERSISTENT_VOLUME_CLAIMS, claim, |claim| {
            claim["spec"]["volumeName"] = json!(name);
            if let Some(class) = &class {
                claim["spec"]["storageClassName"] = json!(class);
            }
            claim["status"] = json!({
                "phase": "Bound", "accessModes": claim["spec"]["accessModes"],
                "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
            });
        })
        .await?;
    lock(&cluster.written).insert(claim.uid().into(), cluster.clock.now());
    Ok(())
}
