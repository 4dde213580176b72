//! Finalizers, annotations and labels of `KubeVirt`.

use crate::value::{Value, json};

/// Finalizer by which virt-controller holds machines and their instances.
pub const MACHINE_FINALIZER: &str = "kubevirt.io/virtualMachineControllerFinalize";
/// Finalizer by which virt-controller holds instances until their pods are gone.
pub const INSTANCE_FINALIZER: &str = "kubevirt.io/foregroundDeleteVirtualMachine";
/// API version in which a controller last saw an object.
pub const LATEST_VERSION: &str = "kubevirt.io/latest-observed-api-version";
/// API version in which an object is stored.
pub const STORAGE_VERSION: &str = "kubevirt.io/storage-observed-api-version";
/// Generation of the machine from which an instance was created.
pub const GENERATION: &str = "kubevirt.io/vm-generation";
/// Label with the node of an instance.
pub const NODE_NAME: &str = "kubevirt.io/nodeName";
/// Label with the UID of the instance for which a pod was created.
pub const CREATED_BY: &str = "kubevirt.io/created-by";
/// Finalizer by which virt-controller holds migrations until they have ended.
pub const MIGRATION_FINALIZER: &str = "kubevirt.io/migrationJobFinalize";
/// Label with the instance of a migration.
pub const MIGRATED: &str = "kubevirt.io/vmi-name";
/// Label with the UID of the migration for which a target pod was created.
pub const MIGRATION_JOB: &str = "kubevirt.io/migrationJobUID";
/// Annotation with the name of that migration.
pub const MIGRATION_NAME: &str = "kubevirt.io/migrationJobName";
/// Label with the node to which an instance migrates.
pub const MIGRATION_TARGET: &str = "kubevirt.io/migrationTargetNodeName";
/// Annotation on a migration created for an eviction, with the node to be left.
pub const EVACUATION: &str = "kubevirt.io/evacuationMigration";
/// Readiness gate of launcher pods.
pub const UNPAUSED: &str = "kubevirt.io/virtual-machine-unpaused";

/// A foreign finalizer, which nothing here removes.
pub const FOREIGN_FINALIZER: &str = "somebody.example/hold";
/// A foreign object in a namespace that must not terminate.
pub const LEFTOVER: &str = "somebody-elses-notes";

/// Records the API versions on a machine or an instance.
pub fn note_versions(object: &mut Value) {
    let annotations = &mut object["metadata"]["annotations"];
    if !annotations.is_object() {
        *annotations = json!({});
    }
    annotations[LATEST_VERSION] = json!("v1");
    annotations[STORAGE_VERSION] = json!("v1");
}

/// Adds a finalizer to an object, once.
pub fn add_finalizer(object: &mut Value, finalizer: &str) {
    match object["metadata"]["finalizers"].as_array_mut() {
        Some(list) if list.iter().any(|held| held == finalizer) => {}
        Some(list) => list.push(json!(finalizer)),
        None => object["metadata"]["finalizers"] = json!([finalizer]),
    }
}

/// Removes a finalizer from an object.
pub fn drop_finalizer(object: &mut Value, finalizer: &str) {
    if let Some(list) = object["metadata"]["finalizers"].as_array_mut() {
        list.retain(|held| held != finalizer);
    }
}

/// The owner reference of a controller on an object that it created.
pub fn owner(object: &Value, uid: &str) -> Value {
    json!({
        "apiVersion": object["apiVersion"], "kind": object["kind"], "name": object["metadata"]["name"], "uid": uid,
        "controller": true, "blockOwnerDeletion": true,
    })
}
