//! A machine's data volumes: created from its templates, and checked before its instance is created.

use crate::value::{Value, json};

use super::super::client::Client;
use super::super::cluster::Cluster;
use super::super::events::MACHINE_CONTROLLER;
use super::super::names;
use crate::faults::Attributes;
use crate::store::kind::{DATA_SOURCES, DATA_VOLUMES, PERSISTENT_VOLUME_CLAIMS};
use crate::store::{Object, Store, StoreError};

/// State of a machine's disks for its status
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Disks {
    /// Whether a data volume has failed.
    pub failed: bool,
    /// Whether a data volume is being filled.
    pub provisioning: bool,
    /// Whether a claim exists without a volume.
    pub unbound: bool,
}

/// Creates missing data volumes; returns the reason if one could not be created.
pub async fn make(cluster: &Cluster, client: &mut Client, vm: &Object) -> Result<(), String> {
    let templates = vm.value()["spec"]["dataVolumeTemplates"].as_array();
    for template in templates.into_iter().flatten() {
        let name = template["metadata"]["name"].as_str().unwrap_or_default();
        let store = client.store();
        // If CDI collects finished data volumes, the claim stands in for them.
        if store.get(&DATA_VOLUMES, vm.namespace(), name).is_some()
            || store.get(&PERSISTENT_VOLUME_CLAIMS, vm.namespace(), name).is_some()
        {
            continue;
        }
        let made = match volume(store, vm, template).and_then(|volume| authorised(cluster, vm, volume)) {
            Ok(volume) => client.create(&DATA_VOLUMES, volume).await.map(|_| ()),
            Err(why) => {
                let denied = why.starts_with("Not authorized");
                let reason = if denied { "UnauthorizedDataVolumeCreate" } else { "FailedDataVolumeCreate" };
                cluster.recorder.warning(MACHINE_CONTROLLER, vm, reason, &why);
                return Err(why);
            }
        };
        match made {
            Ok(()) => {
                let message = format!("Created DataVolume {name}");
                cluster.recorder.normal(MACHINE_CONTROLLER, vm, "SuccessfulDataVolumeCreate", &message);
            }
            Err(StoreError::AlreadyExists { .. }) => {}
            Err(error) => {
                return Err(format!(
                    "Error encountered while creating DataVolumes: failed to create DataVolume: {error}"
                ));
            }
        }
    }
    Ok(())
}

/// The volume, if the machine's service account may clone from the namespace of its source.
fn authorised(cluster: &Cluster, vm: &Object, volume: Value) -> Result<Value, String> {
    let source = &volume["spec"]["source"];
    let from = ["pvc", "snapshot"].iter().find_map(|kind| source[*kind]["namespace"].as_str());
    let Some(from) = from.filter(|from| *from != vm.namespace()) else { return Ok(volume) };
    let wish = Attributes {
        verb: "create",
        group: "cdi.kubevirt.io",
        resource: "datavolumes/source",
        namespace: from,
        name: "",
    };
    if !cluster.permissions.get().is_some_and(|faults| faults.denies(&wish)) {
        return Ok(volume);
    }
    Err(format!(
        "Not authorized to create DataVolume {}: User system:serviceaccount:{}:default has insufficient permissions in clone source namespace {from}",
        volume["metadata"]["name"].as_str().unwrap_or_default(),
        vm.namespace()
    ))
}

/// The data volume of a template; a `sourceRef` is resolved here, as in virt-controller.
fn volume(store: &Store, vm: &Object, template: &Value) -> Result<Value, String> {
    let mut spec = template["spec"].clone();
    if let Some(reference) = template["spec"].get("sourceRef").filter(|reference| reference.is_object()) {
        let name = reference["name"].as_str().unwrap_or_default();
        let namespace = reference["namespace"].as_str().unwrap_or(vm.namespace());
        let Some(source) = store.get(&DATA_SOURCES, namespace, name) else {
            return Err(format!(
                "Error encountered while creating DataVolumes: unable to create DataVolume manifest: datasources.cdi.kubevirt.io \"{name}\" not found"
            ));
        };
        spec["source"] = source.value()["spec"]["source"].clone();
        if let Some(fields) = spec.as_object_mut() {
            fields.remove("sourceRef");
        }
    }
    let mut labels = template["metadata"]["labels"].as_object().cloned().unwrap_or_default();
    labels.insert(names::CREATED_BY.to_owned(), json!(vm.uid()));
    let mut annotations = template["metadata"]["annotations"].as_object().cloned().unwrap_or_default();
    annotations.insert("cdi.kubevirt.io/allowClaimAdoption".to_owned(), json!("true"));
    Ok(json!({
        "metadata": {
            "name": template["metadata"]["name"], "namespace": vm.namespace(), "labels": labels,
            "annotations": annotations, "ownerReferences": [names::owner(vm.value(), vm.uid())],
        },
        "spec": spec,
    }))
}

/// Claims that a machine or instance mounts, and whether each is named by a data volume.
pub fn claims(spec: &Value) -> impl Iterator<Item = (&str, bool)> {
    spec["volumes"].as_array().into_iter().flatten().filter_map(|volume| {
        let claim = volume["persistentVolumeClaim"]["claimName"].as_str().map(|name| (name, false));
        claim.or_else(|| volume["dataVolume"]["name"].as_str().map(|name| (name, true)))
    })
}

/// Whether a data volume lets a machine start.
pub fn usable(volume: &Value) -> bool {
    matches!(
        volume["status"]["phase"].as_str(),
        Some("Succeeded" | "PendingPopulation" | "WaitForFirstConsumer")
    )
}

/// Whether all data volumes of a machine let it start.
pub fn ready(store: &Store, vm: &Object) -> bool {
    claims(&vm.value()["spec"]["template"]["spec"]).all(|(name, _)| {
        let volume = store.get(&DATA_VOLUMES, vm.namespace(), name);
        volume.is_none_or(|volume| usable(volume.value()))
    })
}

/// Checks the disks of a machine.
pub fn view(store: &Store, vm: &Object) -> Disks {
    let mut disks = Disks::default();
    for (name, _) in claims(&vm.value()["spec"]["template"]["spec"]) {
        let claim = store.get(&PERSISTENT_VOLUME_CLAIMS, vm.namespace(), name);
        let bound = claim.as_ref().is_some_and(|claim| claim.value()["status"]["phase"] == "Bound");
        disks.unbound |= claim.is_some() && !bound;
        let Some(volume) = store.get(&DATA_VOLUMES, vm.namespace(), name) else { continue };
        match volume.value()["status"]["phase"].as_str().unwrap_or_default() {
            "Failed" => disks.failed = true,
            "Succeeded" | "PendingPopulation" => {}
            "WaitForFirstConsumer" if !bound => {}
            _ => disks.provisioning = true,
        }
    }
    disks
}
