//! The `ControllerRevision` that records the template of an instance.

use crate::value::json;

use super::super::client::Client;
use super::super::names;
use crate::store::Object;
use crate::store::kind::CONTROLLER_REVISIONS;

/// Name of the revision for the current machine.
pub fn name(vm: &Object) -> String {
    format!("revision-start-vm-{}-{}", vm.uid(), vm.value()["metadata"]["generation"])
}

/// Stores the machine's template under its generation.
pub async fn record(client: &mut Client, vm: &Object) {
    let name = name(vm);
    if client.store().get(&CONTROLLER_REVISIONS, vm.namespace(), &name).is_some() {
        return;
    }
    let revision = json!({
        "metadata": {
            "name": name, "namespace": vm.namespace(), "ownerReferences": [names::owner(vm.value(), vm.uid())],
        },
        "data": {"spec": vm.value()["spec"]},
        "revision": vm.value()["metadata"]["generation"],
    });
    // A failure shows again when the instance is created.
    let _ = client.create(&CONTROLLER_REVISIONS, revision).await;
}

/// Deletes the revisions of a machine without an instance that refers to them.
pub async fn forget(client: &mut Client, vm: &Object) {
    for revision in client.store().owned_by(&CONTROLLER_REVISIONS, vm.uid()) {
        // Gone or not, it is never read again.
        let _ = client.delete(&CONTROLLER_REVISIONS, &revision, None).await;
    }
}
