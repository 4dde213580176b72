//! Overrides of the disks created for a VM.

use serde_json::{Value, json};

use super::{Overrides, map};

/// Changes the `dataVolumeTemplates`.
///
/// Fails with the flag that has nothing to change, and the reason.
pub(super) fn apply(overrides: &Overrides, vm: &mut Value) -> Result<(), String> {
    let of_all = [
        ("--storage-class", "storageClassName", overrides.storage_class.as_ref().map(|class| json!(class))),
        ("--access-mode", "accessModes", overrides.access_mode.as_ref().map(|mode| json!([mode]))),
        ("--volume-mode", "volumeMode", overrides.volume_mode.as_ref().map(|mode| json!(mode))),
    ];
    for (flag, field, value) in of_all {
        let Some(value) = value else { continue };
        let none = || {
            format!(
                "{flag} cannot be applied: the manifest has no dataVolumeTemplates, so no disk is created \
                 for a VM"
            )
        };
        let templates = vm.pointer_mut("/spec/dataVolumeTemplates").and_then(Value::as_array_mut);
        let templates = templates.filter(|templates| !templates.is_empty()).ok_or_else(none)?;
        for template in templates {
            storage(template)?.insert(field.into(), value.clone());
        }
    }
    let Some(size) = &overrides.disk_size else { return Ok(()) };
    let cannot = |why: &str| format!("--disk-size cannot be applied: {why}");
    let name = boot_volume(vm).ok_or_else(|| cannot("the manifest has no disk to boot from"))?;
    let templates = vm.pointer_mut("/spec/dataVolumeTemplates").and_then(Value::as_array_mut);
    let template =
        templates.into_iter().flatten().find(|template| template["metadata"]["name"] == name.as_str());
    let template = template.ok_or_else(|| {
        cannot("the boot disk does not come from a dataVolumeTemplate, so its size is fixed")
    })?;
    let storage = storage(template)?;
    let mut whole = Value::Object(std::mem::take(storage));
    map(&mut whole, "/resources/requests")?.insert("storage".into(), json!(size));
    if let Value::Object(whole) = whole {
        *storage = whole;
    }
    Ok(())
}

/// The `storage` or `pvc` of a template.
fn storage(template: &mut Value) -> Result<&mut serde_json::Map<String, Value>, String> {
    let which = if template.pointer("/spec/pvc").is_some_and(Value::is_object) {
        "/spec/pvc"
    } else {
        "/spec/storage"
    };
    map(template, which)
}

/// Name of the `DataVolume` or claim that the VM boots from: the lowest bootOrder, or the first disk.
fn boot_volume(vm: &Value) -> Option<String> {
    let spec = vm.pointer("/spec/template/spec")?;
    let disks = spec.pointer("/domain/devices/disks").and_then(Value::as_array);
    let first = disks.into_iter().flatten().min_by_key(|disk| disk["bootOrder"].as_u64().unwrap_or(u64::MAX));
    let volumes = spec["volumes"].as_array()?;
    let volume = match first {
        Some(disk) => volumes.iter().find(|volume| volume["name"] == disk["name"])?,
        // KubeVirt adds a disk for each volume that has none.
        None => volumes.first()?,
    };
    let name =
        volume.pointer("/dataVolume/name").or_else(|| volume.pointer("/persistentVolumeClaim/claimName"));
    Some(name.and_then(Value::as_str).unwrap_or_default().to_owned())
}
