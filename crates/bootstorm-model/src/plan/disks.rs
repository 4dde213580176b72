//! Disks of a VM, as specified in its manifest.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Template;

/// One disk of a VM
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// Name of the volume.
    pub name: String,
    /// Volume source as in the manifest: `containerDisk`, `dataVolume`, `persistentVolumeClaim`, …
    pub kind: String,
    /// Image of a container disk, or source of a data volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Storage class, if the manifest names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
    /// Requested size, as written in the manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// First access mode, if the manifest names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_mode: Option<String>,
    /// `Block` or `Filesystem`, if the manifest names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_mode: Option<String>,
}

impl Disk {
    /// Whether it is backed by a volume, so that its storage class matters.
    pub fn is_on_storage(&self) -> bool {
        matches!(self.kind.as_str(), "dataVolume" | "persistentVolumeClaim")
    }

    /// Whether it is created for the VM and filled before the VM can boot.
    pub fn is_filled(&self) -> bool {
        self.kind == "dataVolume" && self.source.is_some()
    }

    /// Whether it carries settings for the guest instead of data.
    pub fn is_settings(&self) -> bool {
        matches!(
            self.kind.as_str(),
            "cloudInitNoCloud"
                | "cloudInitConfigDrive"
                | "configMap"
                | "secret"
                | "serviceAccount"
                | "sysprep"
                | "downwardAPI"
                | "downwardMetrics"
        )
    }
}

impl Template {
    /// Disks of each VM created from this manifest. Never holds their content.
    pub fn disks(&self) -> Vec<Disk> {
        let volumes = self.manifest().pointer("/spec/template/spec/volumes").and_then(Value::as_array);
        volumes.into_iter().flatten().map(|volume| disk(self.manifest(), volume)).collect()
    }
}

fn disk(manifest: &Value, volume: &Value) -> Disk {
    let kind = volume.as_object().and_then(|keys| keys.keys().find(|key| *key != "name"));
    let kind = kind.cloned().unwrap_or_default();
    let mut disk = Disk { name: text(&volume["name"]).unwrap_or_default(), ..Disk::default() };
    match kind.as_str() {
        "containerDisk" => disk.source = text(&volume["containerDisk"]["image"]),
        "dataVolume" => from_data_volume(&mut disk, manifest, &volume["dataVolume"]["name"]),
        _ => {}
    }
    disk.kind = kind;
    disk
}

/// Fills in values from the data volume template of that name.
fn from_data_volume(disk: &mut Disk, manifest: &Value, name: &Value) {
    let templates = manifest.pointer("/spec/dataVolumeTemplates").and_then(Value::as_array);
    let named = templates.into_iter().flatten().find(|template| template["metadata"]["name"] == *name);
    let Some(spec) = named.map(|template| &template["spec"]) else { return };
    let storage = if spec["storage"].is_object() { &spec["storage"] } else { &spec["pvc"] };
    disk.storage_class = text(&storage["storageClassName"]);
    disk.size = text(&storage["resources"]["requests"]["storage"]);
    disk.access_mode = text(&storage["accessModes"][0]);
    disk.volume_mode = text(&storage["volumeMode"]);
    let kind = text(&spec["sourceRef"]["kind"]);
    let source = spec["source"].as_object().and_then(|keys| keys.keys().next()).cloned();
    disk.source = match (kind, text(&spec["sourceRef"]["name"])) {
        (Some(kind), Some(name)) => Some(format!("{kind} {name}")),
        _ => source,
    };
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_manifest_has_one_container_disk() {
        let disks = Template::container_disk("example.org/disk:1").disks();
        assert_eq!(disks.len(), 1);
        assert_eq!(
            (disks[0].kind.as_str(), disks[0].source.as_deref()),
            ("containerDisk", Some("example.org/disk:1"))
        );
        assert!(!disks[0].is_on_storage());
    }

    #[test]
    fn a_data_volume_is_followed_to_its_template_and_secrets_stay_out() {
        let text = r"
apiVersion: kubevirt.io/v1
kind: VirtualMachine
spec:
  dataVolumeTemplates:
  - metadata: {name: root}
    spec:
      sourceRef: {kind: DataSource, name: rhel9, namespace: images}
      storage:
        storageClassName: fast
        accessModes: [ReadWriteMany]
        volumeMode: Block
        resources: {requests: {storage: 30Gi}}
  template:
    spec:
      volumes:
      - {name: rootdisk, dataVolume: {name: root}}
      - {name: init, cloudInitNoCloud: {userData: 'password: geheim'}}
      - {name: other, persistentVolumeClaim: {claimName: golden}}
";
        let disks = Template::parse(text).unwrap().disks();
        let root = &disks[0];
        assert_eq!(root.source.as_deref(), Some("DataSource rhel9"));
        let storage = [&root.storage_class, &root.size, &root.access_mode, &root.volume_mode];
        assert_eq!(storage.map(|word| word.as_deref().unwrap()), ["fast", "30Gi", "ReadWriteMany", "Block"]);
        assert_eq!(disks.iter().map(Disk::is_on_storage).collect::<Vec<_>>(), [true, false, true]);
        assert!(disks[1].is_settings() && !format!("{disks:?}").contains("geheim"));
    }
}
