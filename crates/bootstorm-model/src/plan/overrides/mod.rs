//! Overrides: changes that flags make to a VM manifest, built-in or from a file.

mod disks;
mod guest;
mod login;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Template;

pub use login::{Login, ssh_keys};

/// Overrides of a VM manifest that may be stored
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Overrides {
    /// Storage class of every disk created for a VM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
    /// Size of the boot disk, as a Kubernetes quantity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_size: Option<String>,
    /// Access mode of every disk created for a VM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_mode: Option<String>,
    /// Volume mode of every disk created for a VM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume_mode: Option<String>,
    /// vCPUs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<u32>,
    /// Memory of the guest, as a Kubernetes quantity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// Name of a cluster-wide instance type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instancetype: Option<String>,
    /// Name of a cluster-wide preference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preference: Option<String>,
    /// Networks besides the first one, as `NAMESPACE/NAME` of their definitions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<String>,
    /// Seconds that a guest is given to shut down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub termination_grace_seconds: Option<u64>,
    /// Name of the file with authorised ssh keys. The keys are kept in a Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssh_key: Option<String>,
    /// Name of the file with user data for cloud-init. The data is kept in a Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_data: Option<String>,
}

impl Overrides {
    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Changes a manifest, except for the login.
    ///
    /// Fails with a sentence that names the flag that cannot be applied, and the reason.
    pub fn apply(&self, template: &mut Template) -> Result<(), String> {
        let vm = &mut template.manifest;
        disks::apply(self, vm)?;
        guest::apply(self, vm)
    }

    /// Differences of two sets: flag, value here, value there.
    pub fn pairs(&self, other: &Self) -> Vec<(&'static str, String, String)> {
        self.shown().into_iter().zip(other.shown()).map(|((flag, a), (_, b))| (flag, a, b)).collect()
    }

    /// Each flag with its value, "none" if it was not given.
    pub fn shown(&self) -> [(&'static str, String); 12] {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".into());
        let networks = if self.networks.is_empty() { "none".into() } else { self.networks.join(", ") };
        [
            ("--storage-class", text(&self.storage_class)),
            ("--disk-size", text(&self.disk_size)),
            ("--access-mode", text(&self.access_mode)),
            ("--volume-mode", text(&self.volume_mode)),
            ("--cpu", text(&self.cpu.map(|cpu| cpu.to_string()))),
            ("--memory", text(&self.memory)),
            ("--instancetype", text(&self.instancetype)),
            ("--preference", text(&self.preference)),
            ("--network", networks),
            ("--termination-grace-period", text(&self.termination_grace_seconds.map(|s| format!("{s}s")))),
            ("--ssh-key", text(&self.ssh_key)),
            ("--user-data", text(&self.user_data)),
        ]
    }
}

/// The value at a pointer such as `/spec/template`; missing maps are created.
///
/// Fails if an intermediate value is not a map.
fn place<'a>(value: &'a mut Value, pointer: &str) -> Result<&'a mut Value, String> {
    let mut here = value;
    for key in pointer.split('/').skip(1) {
        if here.is_null() {
            *here = json!({});
        }
        let map = here.as_object_mut().ok_or_else(|| format!("{pointer} of the manifest is not a map"))?;
        here = map.entry(key).or_insert(Value::Null);
    }
    Ok(here)
}

/// The map below a pointer, created if missing.
fn map<'a>(value: &'a mut Value, pointer: &str) -> Result<&'a mut Map<String, Value>, String> {
    let here = place(value, pointer)?;
    if here.is_null() {
        *here = json!({});
    }
    here.as_object_mut().ok_or_else(|| format!("{pointer} of the manifest is not a map"))
}

/// The list below a pointer, created if missing.
fn list<'a>(value: &'a mut Value, pointer: &str) -> Result<&'a mut Vec<Value>, String> {
    let here = place(value, pointer)?;
    if here.is_null() {
        *here = json!([]);
    }
    here.as_array_mut().ok_or_else(|| format!("{pointer} of the manifest is not a list"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::source;

    fn changed(source: &str, overrides: &Overrides) -> Result<Value, String> {
        let mut template = source::parse(source).unwrap().shown.built_in(None).unwrap();
        overrides.apply(&mut template)?;
        Ok(template.manifest)
    }

    #[test]
    fn the_disk_is_changed_where_there_is_one() {
        let overrides = Overrides {
            storage_class: Some("fast".into()),
            disk_size: Some("40Gi".into()),
            access_mode: Some("ReadWriteOnce".into()),
            volume_mode: Some("Filesystem".into()),
            ..Overrides::default()
        };
        let vm = changed("datasource:rhel9", &overrides).unwrap();
        let expected = json!({"storageClassName": "fast", "accessModes": ["ReadWriteOnce"], "volumeMode": "Filesystem",
            "resources": {"requests": {"storage": "40Gi"}}});
        assert_eq!(vm["spec"]["dataVolumeTemplates"][0]["spec"]["storage"], expected);
        let why = changed("containerdisk:x", &overrides).unwrap_err();
        assert!(
            why.starts_with("--storage-class cannot be applied: ") && why.contains("dataVolumeTemplates"),
            "{why}"
        );
    }

    #[test]
    fn sizes_replace_requests_and_an_instancetype_replaces_sizes() {
        let mut template = Template::parse(
            "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nspec: {template: {spec: {domain: {cpu: {sockets: 2, threads: 2}, resources: {requests: {cpu: 1, memory: 2Gi}}}}}}",
        )
        .unwrap();
        let sizes = Overrides { cpu: Some(4), memory: Some("3Gi".into()), ..Overrides::default() };
        sizes.apply(&mut template).unwrap();
        let domain = template.manifest["spec"]["template"]["spec"]["domain"].clone();
        assert_eq!(domain["cpu"], json!({"sockets": 1, "cores": 4, "threads": 1}));
        assert_eq!(domain["memory"]["guest"], "3Gi");
        assert_eq!(domain["resources"]["requests"], json!({"cpu": "4", "memory": "3Gi"}));
        let kind = Overrides { instancetype: Some("u1.small".into()), ..Overrides::default() };
        kind.apply(&mut template).unwrap();
        let domain = &template.manifest["spec"]["template"]["spec"]["domain"];
        assert!(domain.get("cpu").is_none() && domain.get("memory").is_none(), "{domain}");
        assert_eq!(template.manifest["spec"]["instancetype"]["name"], "u1.small");
        assert!(sizes.apply(&mut template).unwrap_err().contains("instance type"));
    }

    #[test]
    fn a_network_comes_besides_the_first_one() {
        let overrides = Overrides { networks: vec!["a/lan".into()], ..Overrides::default() };
        let bare = "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nspec: {template: {spec: {domain: {devices: {}}}}}";
        let mut template = Template::parse(bare).unwrap();
        overrides.apply(&mut template).unwrap();
        let spec = &template.manifest["spec"]["template"]["spec"];
        assert_eq!(spec["networks"][0], json!({"name": "default", "pod": {}}));
        assert_eq!(spec["networks"][1], json!({"name": "net-1", "multus": {"networkName": "a/lan"}}));
        assert_eq!(spec["domain"]["devices"]["interfaces"][1], json!({"name": "net-1", "bridge": {}}));
    }
}
