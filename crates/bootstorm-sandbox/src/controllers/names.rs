//! Finalizers, annotations and labels of `KubeVirt`.

use serde_json::{Value, json};

/// virt-controller holds machines and their instances by this.
pub const MACHINE_FINALIZER: &str = "kubevirt.io/virtualMachineControllerFinalize";
/// virt-controller holds instances until their pods are gone by this.
pub const INSTANCE_FINALIZER: &str = "kubevirt.io/foregroundDeleteVirtualMachine";
/// The API version a controller has last seen an object in.
pub const LATEST_VERSION: &str = "kubevirt.io/latest-observed-api-version";
/// The API version an object is stored in.
pub const STORAGE_VERSION: &str = "kubevirt.io/storage-observed-api-version";
/// The generation of the machine an instance was made from.
pub const GENERATION: &str = "kubevirt.io/vm-generation";
/// The node of an instance, as a label.
pub const NODE_NAME: &str = "kubevirt.io/nodeName";
/// The identity of the instance a pod was made for, as a label.
pub const CREATED_BY: &str = "kubevirt.io/created-by";
/// virt-controller holds migrations until they are over by this.
pub const MIGRATION_FINALIZER: &str = "kubevirt.io/migrationJobFinalize";
/// The instance that a migration is about, as its label.
pub const MIGRATED: &str = "kubevirt.io/vmi-name";
/// The identity of the migration that a target pod was made for, as a label.
pub const MIGRATION_JOB: &str = "kubevirt.io/migrationJobUID";
/// Its name, as an annotation.
pub const MIGRATION_NAME: &str = "kubevirt.io/migrationJobName";
/// The node to which an instance migrates, as a label.
pub const MIGRATION_TARGET: &str = "kubevirt.io/migrationTargetNodeName";
/// The node that a migration is to leave, as an annotation of one that was made for an eviction.
pub const EVACUATION: &str = "kubevirt.io/evacuationMigration";
/// The readiness gate of launcher pods.
pub const UNPAUSED: &str = "kubevirt.io/virtual-machine-unpaused";

/// Somebody else's finalizer, which nobody here ever takes off.
pub const FOREIGN_FINALIZER: &str = "somebody.example/hold";
/// What somebody else keeps in a namespace that shall not end.
pub const LEFTOVER: &str = "somebody-elses-notes";

/// Notes the API versions on a machine or an instance.
pub fn note_versions(object: &mut Value) {
    let annotations = &mut object["metadata"]["annotations"];
    if !annotations.is_object() {
        *annotations = json!({});
    }
    annotations[LATEST_VERSION] = json!("v1");
    annotations[STORAGE_VERSION] = json!("v1");
}

/// Puts a finalizer on an object, once.
pub fn add_finalizer(object: &mut Value, finalizer: &str) {
    match object["metadata"]["finalizers"].as_array_mut() {
        Some(list) if list.iter().any(|held| held == finalizer) => {}
        Some(list) => list.push(json!(finalizer)),
        None => object["metadata"]["finalizers"] = json!([finalizer]),
    }
}

/// Takes a finalizer off an object.
pub fn drop_finalizer(object: &mut Value, finalizer: &str) {
    if let Some(list) = object["metadata"]["finalizers"].as_array_mut() {
        list.retain(|held| held != finalizer);
    }
}

/// The owner reference of a controller on an object it made.
pub fn owner(object: &Value, uid: &str) -> Value {
    json!({
        "apiVersion": object["apiVersion"], "kind": object["kind"], "name": object["metadata"]["name"], "uid": uid,
        "controller": true, "blockOwnerDeletion": true,
    })
}
