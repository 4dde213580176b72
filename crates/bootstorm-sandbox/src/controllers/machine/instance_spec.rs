//! A new instance, as created by virt-controller and completed by the webhooks.

use crate::value::{Value, json};

use super::super::names;
use super::revision;
use crate::store::kind::KUBEVIRTS;
use crate::store::{Object, Store};

/// Default grace period of a guest, in seconds (KV).
const GRACE: i64 = 30;

/// The instance of a machine, with the size of its instance type, if any, and the cluster's eviction strategy.
pub fn instance(vm: &Object, size: Option<&Value>, eviction: &str, stamp: &str) -> Value {
    let template = &vm.value()["spec"]["template"];
    let mut annotations = template["metadata"]["annotations"].as_object().cloned().unwrap_or_default();
    annotations.insert(names::GENERATION.to_owned(), json!(vm.value()["metadata"]["generation"].to_string()));
    let mut metadata = json!({
        "name": vm.name(), "namespace": vm.namespace(), "annotations": annotations,
        "ownerReferences": [names::owner(vm.value(), vm.uid())],
        "finalizers": [names::MACHINE_FINALIZER, names::INSTANCE_FINALIZER],
    });
    if let Some(labels) = template["metadata"].get("labels") {
        metadata["labels"] = labels.clone();
    }
    let mut spec = template["spec"].clone();
    if let Some(size) = size {
        spec["domain"]["cpu"]["sockets"] = size["cpu"]["guest"].clone();
        spec["domain"]["memory"]["guest"] = size["memory"]["guest"].clone();
    }
    fill_spec(&mut spec, eviction);
    let mut status = first_status(&spec, stamp);
    status["virtualMachineRevisionName"] = json!(revision::name(vm));
    json!({"metadata": metadata, "spec": spec, "status": status})
}

/// Status that the webhook gives a new instance.
pub fn first_status(spec: &Value, stamp: &str) -> Value {
    let cpu = &spec["domain"]["cpu"];
    let count = |field: &str| cpu[field].as_u64().unwrap_or(1);
    let guest = &spec["domain"]["memory"]["guest"];
    json!({
        "phase": "Pending",
        "phaseTransitionTimestamps": [{"phase": "Pending", "phaseTransitionTimestamp": stamp}],
        "runtimeUser": 107,
        "currentCPUTopology": {"sockets": count("sockets"), "cores": count("cores"), "threads": count("threads")},
        "memory": {"guestAtBoot": guest, "guestCurrent": guest, "guestRequested": guest},
        "guestOSInfo": {},
    })
}

/// Default eviction strategy of the cluster for instances on a drained node.
pub fn eviction_strategy(store: &Store) -> String {
    let kubevirt = store.get(&KUBEVIRTS, "kubevirt", "kubevirt");
    let set = kubevirt
        .and_then(|it| it.value()["spec"]["configuration"]["evictionStrategy"].as_str().map(str::to_owned));
    set.unwrap_or_else(|| "None".to_owned())
}

/// The defaults of the instance webhook.
pub fn fill_spec(spec: &mut Value, eviction: &str) {
    if !spec.is_object() {
        *spec = json!({});
    }
    let requested = spec["domain"]["resources"]["requests"]["memory"].clone();
    let default = |place: &mut Value, value: Value| {
        if place.is_null() {
            *place = value;
        }
    };
    default(&mut spec["architecture"], json!("amd64"));
    default(&mut spec["domain"]["machine"]["type"], json!("q35"));
    for part in ["sockets", "cores", "threads"] {
        default(&mut spec["domain"]["cpu"][part], json!(1));
    }
    default(&mut spec["domain"]["cpu"]["model"], json!("host-model"));
    let memory = if requested.is_null() { json!("256Mi") } else { requested };
    default(&mut spec["domain"]["memory"]["guest"], memory);
    default(&mut spec["domain"]["features"], json!({"acpi": {"enabled": true}}));
    default(&mut spec["evictionStrategy"], json!(eviction));
    default(&mut spec["terminationGracePeriodSeconds"], json!(GRACE));
    if spec["domain"]["resources"].is_null()
        && let Some(domain) = spec["domain"].as_object_mut()
    {
        domain.insert("resources".to_owned(), json!({}));
    }
    let networked = spec["domain"]["devices"]["autoattachPodInterface"] != json!(false);
    if networked && spec["networks"].is_null() && spec["domain"]["devices"]["interfaces"].is_null() {
        spec["networks"] = json!([{"name": "default", "pod": {}}]);
        spec["domain"]["devices"]["interfaces"] = json!([{"name": "default", "bridge": {}}]);
    }
    fill_disks(spec);
}

/// Adds a disk for a volume without one, and pull policies for container disks.
fn fill_disks(spec: &mut Value) {
    let volumes = spec["volumes"].as_array().cloned().unwrap_or_default();
    let mut disks = spec["domain"]["devices"]["disks"].as_array().cloned().unwrap_or_default();
    for volume in &volumes {
        if !disks.iter().any(|disk| disk["name"] == volume["name"]) {
            disks.push(json!({"name": volume["name"], "disk": {"bus": "virtio"}}));
        }
    }
    if !disks.is_empty() {
        spec["domain"]["devices"]["disks"] = json!(disks);
    }
    for volume in spec["volumes"].as_array_mut().into_iter().flatten() {
        let Some(disk) = volume.get_mut("containerDisk").filter(|disk| disk["imagePullPolicy"].is_null())
        else {
            continue;
        };
        let image = disk["image"].as_str().unwrap_or_default();
        let tag = image.rsplit('/').next().and_then(|last| last.split_once(':')).map(|(_, tag)| tag);
        let moving = !image.contains('@') && tag.is_none_or(|tag| tag == "latest");
        disk["imagePullPolicy"] = json!(if moving { "Always" } else { "IfNotPresent" });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_webhook_fills_in_what_the_template_leaves_open() {
        let mut spec = json!({
            "domain": {"resources": {"requests": {"memory": "1Gi"}}},
            "volumes": [{"name": "root", "containerDisk": {"image": "quay.io/containerdisks/fedora:41"}},
                        {"name": "more", "containerDisk": {"image": "registry:5000/disk"}}],
        });
        fill_spec(&mut spec, "None");
        assert_eq!(spec["domain"]["memory"]["guest"], "1Gi");
        assert_eq!(spec["terminationGracePeriodSeconds"], 30);
        assert_eq!(spec["domain"]["devices"]["disks"].as_array().map(Vec::len), Some(2));
        assert_eq!(spec["domain"]["devices"]["interfaces"][0]["bridge"], json!({}));
        assert_eq!(spec["volumes"][0]["containerDisk"]["imagePullPolicy"], "IfNotPresent");
        assert_eq!(spec["volumes"][1]["containerDisk"]["imagePullPolicy"], "Always");
    }
}
