//! Initial contents of a cluster: namespaces, nodes, storage, `KubeVirt` and CDI.

use std::collections::BTreeMap;

use crate::value::{Value, json};

use super::api::KUBEVIRT_VERSION;
use super::model::profile::StorageClass;
use super::store::kind::{self, Kind};
use super::store::{Store, StoreError, stamp};

const NAMESPACES: [&str; 7] = [
    "default",
    "kube-system",
    "kube-public",
    "kube-node-lease",
    "kubevirt",
    "cdi",
    "openshift-virtualization-os-images",
];
/// Namespace of the golden images.
const IMAGES: &str = "openshift-virtualization-os-images";
const KUBELET: &str = "v1.36.0";
const CDI_VERSION: &str = "v1.66.0";

/// Fills an empty store with a cluster of this many nodes of this size.
pub fn seed(
    store: &Store,
    nodes: usize,
    node_cores: u32,
    node_memory_gib: u32,
    max_pods: u32,
) -> Result<(), StoreError> {
    for name in NAMESPACES {
        store.create(&kind::NAMESPACES, json!({"metadata": {"name": name}}))?;
    }
    for number in 1..=nodes {
        store.create(&kind::NODES, node(number, node_cores, node_memory_gib, max_pods))?;
    }
    for (name, default, binding, strategy) in [
        ("standard", true, "Immediate", "copy"),
        ("local", false, "WaitForFirstConsumer", "copy"),
        ("csi", false, "Immediate", "csi-clone"),
        ("snapshots", false, "Immediate", "snapshot"),
        ("csi-local", false, "WaitForFirstConsumer", "csi-clone"),
    ] {
        store.create(&kind::STORAGE_CLASSES, storage_class(name, default, binding))?;
        store.create(&kind::STORAGE_PROFILES, storage_profile(name, strategy))?;
    }
    for kind in kind::all().iter().filter(|kind| !kind.builtin) {
        store.create(&kind::CUSTOM_RESOURCE_DEFINITIONS, definition(kind))?;
    }
    store.create(&kind::KUBEVIRTS, kubevirt())?;
    store.create(&kind::CDIS, cdi())?;
    for (name, size, preference) in [("fedora", "30Gi", "fedora"), ("rhel9", "30Gi", "rhel.9")] {
        store.create(&kind::PERSISTENT_VOLUME_CLAIMS, image(name, size))?;
        store.create(&kind::DATA_SOURCES, data_source(name, preference))?;
        store.create(&kind::VOLUME_SNAPSHOTS, snapshot(name, size))?;
    }
    for (name, cpu, memory) in [
        ("u1.nano", 1, "512Mi"),
        ("u1.micro", 1, "1Gi"),
        ("u1.small", 1, "2Gi"),
        ("u1.medium", 1, "4Gi"),
        ("u1.large", 2, "8Gi"),
    ] {
        let spec = json!({"cpu": {"guest": cpu}, "memory": {"guest": memory}});
        store.create(&kind::CLUSTER_INSTANCETYPES, json!({"metadata": {"name": name}, "spec": spec}))?;
    }
    for name in ["fedora", "rhel.9"] {
        let spec = json!({"devices": {"preferredDiskBus": "virtio", "preferredInterfaceModel": "virtio"}});
        store.create(&kind::CLUSTER_PREFERENCES, json!({"metadata": {"name": name}, "spec": spec}))?;
    }
    let config = json!({"cniVersion": "0.3.1", "name": "lan", "type": "bridge", "bridge": "br1"}).to_string();
    store.create(
        &kind::NETWORK_ATTACHMENTS,
        json!({"metadata": {"name": "lan", "namespace": "default"}, "spec": {"config": config}}),
    )?;
    Ok(())
}

fn condition(kind: &str, status: &str, reason: &str, message: &str) -> Value {
    let now = stamp();
    json!({"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": now, "lastHeartbeatTime": now})
}

fn node(number: usize, cores: u32, memory_gib: u32, max_pods: u32) -> Value {
    let name = format!("node-{number}");
    let address = format!("192.168.{}.{}", 100 + number / 250, 1 + number % 250);
    let capacity = json!({
        "cpu": cores.to_string(),
        "memory": format!("{memory_gib}Gi"),
        "pods": max_pods.to_string(),
        "ephemeral-storage": "200Gi",
        "devices.kubevirt.io/kvm": "1k",
        "devices.kubevirt.io/tun": "1k",
        "devices.kubevirt.io/vhost-net": "1k",
    });
    let mut node = json!({
        "metadata": {
            "name": name,
            "labels": {
                "beta.kubernetes.io/arch": "amd64",
                "beta.kubernetes.io/os": "linux",
                "cpu-vendor.node.kubevirt.io/Intel": "true",
                "cpumanager": "true",
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubevirt.io/schedulable": "true",
                "machine-type.node.kubevirt.io/q35": "true",
                "node-role.kubernetes.io/worker": "",
            },
            "annotations": {"kubevirt.io/heartbeat": stamp()},
        },
        "spec": {"podCIDR": format!("10.{}.{}.0/24", 244 + number / 256, number % 256)},
        "status": {
            "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}],
            "allocatable": capacity,
            "capacity": capacity,
            "conditions": [
                condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
                condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
                condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
                condition("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
            ],
            "nodeInfo": {
                "architecture": "amd64",
                "bootID": "",
                "containerRuntimeVersion": "cri-o://1.36.0",
                "kernelVersion": "6.12.0",
                "kubeProxyVersion": "",
                "kubeletVersion": KUBELET,
                "machineID": "",
                "operatingSystem": "linux",
                "osImage": "bootstorm sandbox",
                "systemUUID": "",
            },
        },
    });
    // What virt-handler finds on a server of some years.
    let models =
        ["Nehalem", "Westmere", "SandyBridge", "IvyBridge", "Haswell", "Broadwell", "Skylake-Server"];
    let features =
        ["aes", "avx", "avx2", "invtsc", "md-clear", "pcid", "pdpe1gb", "spec-ctrl", "ssbd", "vmx"];
    let of_models = models.map(|model| format!("cpu-model.node.kubevirt.io/{model}"));
    let of_features = features.map(|feature| format!("cpu-feature.node.kubevirt.io/{feature}"));
    for label in of_models.into_iter().chain(of_features) {
        node["metadata"]["labels"][label.as_str()] = json!("true");
    }
    node
}

/// Adds the storage classes of a profile; existing ones only get other storage.
pub fn seed_classes(store: &Store, classes: &BTreeMap<String, StorageClass>) -> Result<(), StoreError> {
    for (name, class) in classes {
        if store.get(&kind::STORAGE_CLASSES, "", name).is_none() {
            store.create(&kind::STORAGE_CLASSES, storage_class(name, false, class.binding.word()))?;
            store.create(&kind::STORAGE_PROFILES, storage_profile(name, class.clone.word()))?;
        }
    }
    Ok(())
}

fn storage_class(name: &str, default: bool, binding: &str) -> Value {
    let mut annotations = json!({});
    if default {
        annotations["storageclass.kubernetes.io/is-default-class"] = json!("true");
        annotations["storageclass.kubevirt.io/is-default-virt-class"] = json!("true");
    }
    json!({
        "metadata": {"name": name, "annotations": annotations},
        "provisioner": "sandbox.bootstorm.dev",
        "reclaimPolicy": "Delete",
        "volumeBindingMode": binding,
        "allowVolumeExpansion": true,
    })
}

fn storage_profile(class: &str, strategy: &str) -> Value {
    json!({
        "metadata": {"name": class, "labels": {"app": "containerized-data-importer"}},
        "spec": {},
        "status": {
            "storageClass": class,
            "provisioner": "sandbox.bootstorm.dev",
            "cloneStrategy": strategy,
            "dataImportCronSourceFormat": "pvc",
            "claimPropertySets": [{"accessModes": ["ReadWriteMany"], "volumeMode": "Block"}],
        },
    })
}

fn definition(kind: &Kind) -> Value {
    let established =
        condition("Established", "True", "InitialNamesAccepted", "the initial names have been accepted");
    let names = json!({
        "plural": kind.plural,
        "singular": kind.singular,
        "kind": kind.kind,
        "listKind": format!("{}List", kind.kind),
        "shortNames": kind.short_names,
        "categories": kind.categories,
    });
    let subresources = if kind.has_status { json!({"status": {}}) } else { json!({}) };
    let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    json!({
        "metadata": {"name": kind.qualified()},
        "spec": {
            "group": kind.group,
            "names": names,
            "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
            "versions": [{"name": kind.version, "served": true, "storage": true, "schema": schema, "subresources": subresources}],
        },
        "status": {"acceptedNames": names, "conditions": [established], "storedVersions": [kind.version]},
    })
}

fn available() -> Vec<Value> {
    vec![
        condition("Created", "True", "AllResourcesCreated", "All resources were created."),
        condition("Available", "True", "AllComponentsReady", "All components are ready."),
        condition("Progressing", "False", "AllComponentsReady", "All components are ready."),
        condition("Degraded", "False", "AllComponentsReady", "All components are ready."),
    ]
}

fn kubevirt() -> Value {
    json!({
        "metadata": {"name": "kubevirt", "namespace": "kubevirt"},
        "spec": {
            "configuration": {"developerConfiguration": {"featureGates": ["CPUManager"]}},
            "imagePullPolicy": "IfNotPresent",
            "workloadUpdateStrategy": {},
        },
        "status": {
            "phase": "Deployed",
            "conditions": available(),
            "defaultArchitecture": "amd64",
            "observedKubeVirtVersion": KUBEVIRT_VERSION,
            "targetKubeVirtVersion": KUBEVIRT_VERSION,
            "operatorVersion": KUBEVIRT_VERSION,
            "observedGeneration": 1,
        },
    })
}

fn cdi() -> Value {
    json!({
        "metadata": {"name": "cdi"},
        "spec": {"imagePullPolicy": "IfNotPresent"},
        "status": {
            "phase": "Deployed",
            "conditions": available(),
            "observedVersion": CDI_VERSION,
            "operatorVersion": CDI_VERSION,
            "targetVersion": CDI_VERSION,
        },
    })
}

fn image(name: &str, size: &str) -> Value {
    json!({
        "metadata": {"name": name, "namespace": IMAGES},
        "spec": {
            "accessModes": ["ReadWriteMany"],
            "resources": {"requests": {"storage": size}},
            "storageClassName": "standard",
            "volumeMode": "Block",
            "volumeName": format!("pvc-{name}"),
        },
        "status": {"phase": "Bound", "accessModes": ["ReadWriteMany"], "capacity": {"storage": size}},
    })
}

fn snapshot(name: &str, size: &str) -> Value {
    json!({
        "metadata": {"name": name, "namespace": IMAGES},
        "spec": {"source": {"persistentVolumeClaimName": name}, "volumeSnapshotClassName": "sandbox"},
        "status": {"readyToUse": true, "restoreSize": size},
    })
}

fn data_source(name: &str, preference: &str) -> Value {
    let labels = json!({
        "instancetype.kubevirt.io/default-instancetype": "u1.medium",
        "instancetype.kubevirt.io/default-preference": preference,
        "template.kubevirt.io/architecture": "amd64",
    });
    let source = json!({"pvc": {"name": name, "namespace": IMAGES}});
    json!({
        "metadata": {"name": name, "namespace": IMAGES, "labels": labels},
        "spec": {"source": source},
        "status": {"conditions": [condition("Ready", "True", "Ready", "DataSource is ready to be consumed")], "source": source},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seeded_cluster_can_run_machines() {
        let store = Store::new();
        seed(&store, 3, 16, 64, 250).unwrap();
        assert_eq!(store.list(&kind::NODES, None).0.len(), 3);
        let node = store.get(&kind::NODES, "", "node-3").unwrap();
        assert_eq!(node.label("kubevirt.io/schedulable"), Some("true"));
        assert_eq!(node.value()["status"]["allocatable"]["devices.kubevirt.io/kvm"], "1k");
        let installed = store.get(&kind::KUBEVIRTS, "kubevirt", "kubevirt").unwrap();
        assert_eq!(installed.value()["status"]["phase"], "Deployed");
        assert!(store.get(&kind::DATA_SOURCES, IMAGES, "fedora").is_some());
    }
}
