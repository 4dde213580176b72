//! The `ControllerRevision` that records the template of an instance.

use crate::value::{Map, Value, json};

use super::super::client::Client;
use super::super::names;
use crate::store::kind::CONTROLLER_REVISIONS;
use crate::store::{Object, Store};

/// Name of the revision for the current machine.
pub fn name(vm: &Object) -> String {
    name_of(vm, &vm.value()["metadata"]["generation"].to_string())
}

fn name_of(vm: &Object, generation: &str) -> String {
    format!("revision-start-vm-{}-{generation}", vm.uid())
}

/// Whether the machine's template has changed since its instance was created, in a field that a running instance
/// cannot take over. Interfaces and networks are not compared.
pub fn is_outdated(store: &Store, vm: &Object, instance: &Value) -> bool {
    let Some(built) = instance["metadata"]["annotations"][names::GENERATION].as_str() else { return false };
    let generation = vm.value()["metadata"]["generation"].to_string();
    if generation == built {
        return false;
    }
    let revision = store.get(&CONTROLLER_REVISIONS, vm.namespace(), &name_of(vm, built));
    let now = &vm.value()["spec"]["template"]["spec"];
    revision.is_some_and(|revision| {
        let before = &revision.value()["data"]["spec"]["template"]["spec"];
        before != now && fixed(before) != fixed(now)
    })
}

/// A template without the fields that a running instance takes over: `vmRolloutStrategy` is `LiveUpdate` by default
/// (`syncRestartRequired` in `pkg/virt-controller/watch/vm/vm.go`).
fn fixed(template: &Value) -> Value {
    let mut template = template.clone();
    // The webhook of machines fills these in on any update. The instance has the same values from its own.
    for (place, value) in [(&["architecture"][..], "amd64"), (&["domain", "machine", "type"], "q35")] {
        let place = place.iter().fold(&mut template, |value, key| &mut value[*key]);
        if place.is_null() {
            *place = json!(value);
        }
    }
    let drop = |value: &mut Value, keys: &[&str]| {
        for key in keys {
            value.as_object_mut().and_then(|fields| fields.remove(key));
        }
    };
    drop(&mut template, &["nodeSelector", "affinity", "tolerations", "networks"]);
    let Some(domain) = template.as_object_mut().and_then(|fields| fields.get_mut("domain")) else {
        return template;
    };
    for (part, key) in [("cpu", "sockets"), ("memory", "guest"), ("devices", "interfaces")] {
        if let Some(part) = domain.as_object_mut().and_then(|fields| fields.get_mut(part)) {
            drop(part, &[key]);
        }
    }
    if domain["memory"].as_object().is_some_and(Map::is_empty) {
        drop(domain, &["memory"]);
    }
    template
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_running_instance_cannot_take_over_requires_a_restart() {
        let before = json!({"domain": {"cpu": {"cores": 1, "sockets": 1}, "memory": {"guest": "1Gi"}}});
        for (now, same) in [
            (json!({"domain": {"cpu": {"cores": 1, "sockets": 2}, "memory": {"guest": "2Gi"}}}), true),
            (json!({"domain": {"cpu": {"cores": 1}}, "nodeSelector": {"a": "b"}}), true),
            (json!({"domain": {"cpu": {"cores": 2, "sockets": 1}, "memory": {"guest": "1Gi"}}}), false),
            (json!({"domain": {"memory": {"guest": "1Gi"}}}), false),
            (json!({"startStrategy": "Paused", "domain": before["domain"]}), false),
        ] {
            assert_eq!(fixed(&before) == fixed(&now), same, "{now}");
        }
    }
}
