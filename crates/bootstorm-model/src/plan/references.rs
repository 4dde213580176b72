//! Objects that a manifest refers to in the namespace of its VM, without which the VM cannot start.

use std::collections::BTreeMap;

use serde_json::Value;

use super::identity::harvester_claims;
use super::small::{Extra, Small};

/// A kind of object that a VM needs in its own namespace
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Needed {
    /// A storage claim.
    Claim,
    /// A `DataVolume`, or the claim that remains of one.
    DataVolume,
    /// A golden image.
    DataSource,
    /// A snapshot of a claim.
    Snapshot,
    /// A service account.
    ServiceAccount,
    /// A small object, which can be copied.
    Small(Small),
}

impl Needed {
    /// Noun for messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::DataVolume => "DataVolume",
            Self::DataSource => "DataSource",
            Self::Snapshot => "snapshot",
            Self::ServiceAccount => "service account",
            Self::Small(small) => small.word(),
        }
    }

    /// Whether it is a disk, or the source of one.
    pub fn is_storage(self) -> bool {
        matches!(self, Self::Claim | Self::DataVolume | Self::DataSource | Self::Snapshot)
    }
}

/// An object that a manifest refers to in the namespace of its VM
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// Kind.
    pub kind: Needed,
    /// Name; may contain `{i}`.
    pub name: String,
    /// Place in the manifest that refers to it, for messages.
    pub wanted_by: String,
}

impl Reference {
    /// The small object, if it is one.
    pub fn extra(&self) -> Option<Extra> {
        match self.kind {
            Needed::Small(kind) => Some(Extra { kind, name: self.name.clone() }),
            _ => None,
        }
    }
}

/// Objects that every namespace of a cluster has.
const EVERYWHERE: [(Needed, &str); 4] = [
    (Needed::ServiceAccount, "default"),
    (Needed::Small(Small::ConfigMap), "kube-root-ca.crt"),
    (Needed::Small(Small::ConfigMap), "openshift-service-ca.crt"),
    (Needed::Small(Small::ConfigMap), "istio-ca-root-cert"),
];
/// Source fields of `DataVolumes` that name Secrets and `ConfigMaps`.
const SECRETS_OF_SOURCES: [&str; 2] = ["secretRef", "secretExtraHeaders"];
const MAPS_OF_SOURCES: [&str; 2] = ["certConfigMap", "extraArgs"];
/// Annotation with the containers that change the definition of the domain, as a JSON list.
const HOOKS: &str = "hooks.kubevirt.io/hookSidecars";

/// Collects references, each once, with every place that refers to it
#[derive(Debug, Default)]
struct Collector(BTreeMap<(Needed, String), Vec<String>>);

impl Collector {
    fn add(&mut self, kind: Needed, name: &Value, wanted_by: &str) {
        let Some(name) = name.as_str().filter(|name| !name.is_empty()) else { return };
        if EVERYWHERE.contains(&(kind, name)) {
            return;
        }
        let wanting = self.0.entry((kind, name.to_owned())).or_default();
        if !wanting.iter().any(|known| known == wanted_by) {
            wanting.push(wanted_by.to_owned());
        }
    }
}

/// Every object that a manifest refers to in the namespace of its VM and that is not created with the VM.
pub fn of(manifest: &Value) -> Vec<Reference> {
    let mut found = Collector::default();
    let spec = &manifest["spec"]["template"]["spec"];
    let made: Vec<&Value> = array(&manifest["spec"]["dataVolumeTemplates"]).collect();
    let made_names: Vec<&Value> = made.iter().map(|template| &template["metadata"]["name"]).collect();
    for volume in array(&spec["volumes"]) {
        of_volume(volume, &made_names, &mut found);
    }
    for template in made {
        of_template(template, &mut found);
    }
    for credentials in array(&spec["accessCredentials"]) {
        for kind in ["sshPublicKey", "userPassword"] {
            let name = &credentials[kind]["source"]["secret"]["secretName"];
            found.add(Needed::Small(Small::Secret), name, "accessCredentials");
        }
    }
    for network in array(&spec["networks"]) {
        let name = &network["multus"]["networkName"];
        if name.as_str().is_some_and(|name| !name.contains('/')) {
            found.add(Needed::Small(Small::Network), name, &format!("network {}", word(&network["name"])));
        }
    }
    for hook in hooks(manifest) {
        found.add(Needed::Small(Small::ConfigMap), &hook["configMap"]["name"], "hookSidecars");
        found.add(Needed::Claim, &hook["pvc"]["name"], "hookSidecars");
    }
    let boot = &spec["domain"]["firmware"]["kernelBoot"]["container"]["imagePullSecret"];
    found.add(Needed::Small(Small::Secret), boot, "kernelBoot");
    found.add(Needed::ServiceAccount, &spec["serviceAccountName"], "serviceAccountName");
    for (field, kind, small) in [
        ("instancetype", "virtualmachineinstancetype", Small::Instancetype),
        ("preference", "virtualmachinepreference", Small::Preference),
    ] {
        let matcher = &manifest["spec"][field];
        let is_own =
            matcher["kind"].as_str().is_some_and(|found| found.to_lowercase().trim_end_matches('s') == kind);
        if is_own {
            found.add(Needed::Small(small), &matcher["name"], field);
        }
    }
    let by_harvester = harvester_claims(manifest);
    let references = found.0.into_iter().map(|((kind, name), wanted)| Reference {
        kind,
        name,
        wanted_by: wanted.join(", "),
    });
    references.filter(|one| one.kind != Needed::Claim || !by_harvester.contains(&one.name)).collect()
}

/// Hook sidecars of the VMs. Some only have arguments.
fn hooks(manifest: &Value) -> Vec<Value> {
    let annotations = &manifest["spec"]["template"]["metadata"]["annotations"];
    annotations[HOOKS].as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

fn of_volume(volume: &Value, made: &[&Value], found: &mut Collector) {
    let by = format!("volume {}", word(&volume["name"]));
    let is_made = |name: &Value| made.contains(&name);
    for claim in [
        &volume["persistentVolumeClaim"],
        &volume["ephemeral"]["persistentVolumeClaim"],
        &volume["memoryDump"],
    ] {
        if !is_made(&claim["claimName"]) {
            found.add(Needed::Claim, &claim["claimName"], &by);
        }
    }
    if !is_made(&volume["dataVolume"]["name"]) {
        found.add(Needed::DataVolume, &volume["dataVolume"]["name"], &by);
    }
    let secret = Needed::Small(Small::Secret);
    let map = Needed::Small(Small::ConfigMap);
    for kind in ["cloudInitNoCloud", "cloudInitConfigDrive"] {
        for field in ["secretRef", "networkDataSecretRef"] {
            found.add(secret, &volume[kind][field]["name"], &by);
        }
    }
    found.add(secret, &volume["sysprep"]["secret"]["name"], &by);
    found.add(map, &volume["sysprep"]["configMap"]["name"], &by);
    if volume["secret"]["optional"] != true {
        found.add(secret, &volume["secret"]["secretName"], &by);
    }
    if volume["configMap"]["optional"] != true {
        found.add(map, &volume["configMap"]["name"], &by);
    }
    found.add(secret, &volume["containerDisk"]["imagePullSecret"], &by);
    found.add(Needed::ServiceAccount, &volume["serviceAccount"]["serviceAccountName"], &by);
}

fn of_template(template: &Value, found: &mut Collector) {
    let by = format!("disk {}", word(&template["metadata"]["name"]));
    let spec = &template["spec"];
    let own = |source: &Value| source["namespace"].as_str().is_none_or(str::is_empty);
    if own(&spec["sourceRef"]) {
        found.add(Needed::DataSource, &spec["sourceRef"]["name"], &by);
    }
    for (kind, source) in [(Needed::Claim, "pvc"), (Needed::Snapshot, "snapshot")] {
        if own(&spec["source"][source]) {
            found.add(kind, &spec["source"][source]["name"], &by);
        }
    }
    for claim in [&spec["storage"], &spec["pvc"]] {
        for reference in [&claim["dataSource"], &claim["dataSourceRef"]] {
            match reference["kind"].as_str() {
                Some("VolumeSnapshot") => found.add(Needed::Snapshot, &reference["name"], &by),
                Some("PersistentVolumeClaim") => found.add(Needed::Claim, &reference["name"], &by),
                _ => {}
            }
        }
    }
    for source in spec["source"].as_object().into_iter().flatten().map(|(_, source)| source) {
        for field in SECRETS_OF_SOURCES {
            let names = &source[field];
            array(names)
                .chain(Some(names))
                .for_each(|name| found.add(Needed::Small(Small::Secret), name, &by));
        }
        for field in MAPS_OF_SOURCES {
            found.add(Needed::Small(Small::ConfigMap), &source[field], &by);
        }
    }
}

/// How a VM uses an existing claim
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// As a disk of its own, to which it writes.
    Exclusive,
    /// As a disk with `shareable: true`.
    Shareable,
    /// Read-only: a CD-ROM, a disk with `readonly: true`, or the backing of an ephemeral disk.
    ReadOnly,
    /// As a folder shared by virtiofs.
    Folder,
}

/// How a manifest uses the claims and `DataVolumes` that it names: name of the claim, volume, use.
pub fn uses(manifest: &Value) -> Vec<(String, String, Use)> {
    let spec = &manifest["spec"]["template"]["spec"];
    let made: Vec<&Value> = array(&manifest["spec"]["dataVolumeTemplates"])
        .map(|template| &template["metadata"]["name"])
        .collect();
    let mut found = Vec::new();
    for volume in array(&spec["volumes"]) {
        let (claim, is_backing) = match &volume["ephemeral"]["persistentVolumeClaim"]["claimName"] {
            Value::String(_) => (&volume["ephemeral"]["persistentVolumeClaim"]["claimName"], true),
            _ if volume["dataVolume"]["name"].is_string() => (&volume["dataVolume"]["name"], false),
            _ => (&volume["persistentVolumeClaim"]["claimName"], false),
        };
        let Some(name) = claim.as_str().filter(|_| !made.contains(&claim)) else { continue };
        let disk = array(&spec["domain"]["devices"]["disks"]).find(|disk| disk["name"] == volume["name"]);
        let mut filesystems = array(&spec["domain"]["devices"]["filesystems"]);
        let is_read_only = |disk: &Value| {
            disk.get("cdrom").is_some_and(|cdrom| cdrom["readonly"] != false)
                || disk["disk"]["readonly"] == true
                || disk["lun"]["readonly"] == true
        };
        let how = if is_backing
            || volume["persistentVolumeClaim"]["readOnly"] == true
            || disk.is_some_and(is_read_only)
        {
            Use::ReadOnly
        } else if disk.is_some_and(|disk| disk["shareable"] == true) {
            Use::Shareable
        } else if disk.is_none() && filesystems.any(|folder| folder["name"] == volume["name"]) {
            Use::Folder
        } else {
            Use::Exclusive
        };
        found.push((name.to_owned(), word(&volume["name"]).to_owned(), how));
    }
    found
}

/// Files of nodes that a manifest uses as disks, and that VMs on the same node would share: volume and path.
pub fn host_disks(manifest: &Value) -> Vec<(String, String)> {
    let volumes = array(&manifest["spec"]["template"]["spec"]["volumes"]);
    let owned = volumes.filter(|volume| volume["hostDisk"]["shared"] != true);
    let named = owned.filter_map(|volume| {
        let path = volume["hostDisk"]["path"].as_str()?;
        Some((word(&volume["name"]).to_owned(), path.to_owned()))
    });
    named.collect()
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn manifest() -> Value {
        json!({"spec": {
            "instancetype": {"name": "own-type", "kind": "VirtualMachineInstancetype"},
            "preference": {"name": "wide"},
            "dataVolumeTemplates": [
                {"metadata": {"name": "root"}, "spec": {"sourceRef": {"kind": "DataSource", "name": "gold"}}},
                {"metadata": {"name": "data"}, "spec": {"source": {"http": {"url": "u", "secretRef": "login", "certConfigMap": "ca", "secretExtraHeaders": ["header"]}}}},
                {"metadata": {"name": "restored"}, "spec": {"storage": {"dataSourceRef": {"kind": "VolumeSnapshot", "name": "friday"}}}},
                {"metadata": {"name": "copy"}, "spec": {"source": {"pvc": {"name": "far", "namespace": "elsewhere"}}}},
            ],
            "template": {"spec": {
                "accessCredentials": [{"sshPublicKey": {"source": {"secret": {"secretName": "keys"}}}}],
                "networks": [{"name": "a", "multus": {"networkName": "own-lan"}}, {"name": "b", "multus": {"networkName": "default/lan"}}],
                "domain": {"devices": {"disks": [
                    {"name": "share", "shareable": true, "disk": {}}, {"name": "iso", "cdrom": {"bus": "sata"}}, {"name": "mine", "disk": {}},
                ], "filesystems": [{"name": "folder", "virtiofs": {}}]}},
                "volumes": [
                    {"name": "r", "dataVolume": {"name": "root"}}, {"name": "mine", "persistentVolumeClaim": {"claimName": "disk"}},
                    {"name": "share", "persistentVolumeClaim": {"claimName": "both"}}, {"name": "iso", "dataVolume": {"name": "setup-iso"}},
                    {"name": "back", "ephemeral": {"persistentVolumeClaim": {"claimName": "base"}}},
                    {"name": "folder", "persistentVolumeClaim": {"claimName": "files"}},
                    {"name": "init", "cloudInitNoCloud": {"secretRef": {"name": "init"}, "networkDataSecretRef": {"name": "net"}}},
                    {"name": "prep", "sysprep": {"configMap": {"name": "answers"}}},
                    {"name": "maybe", "secret": {"secretName": "maybe", "optional": true}},
                    {"name": "account", "serviceAccount": {"serviceAccountName": "robot"}},
                    {"name": "ca", "configMap": {"name": "kube-root-ca.crt"}},
                ],
            }},
        }})
    }

    #[test]
    fn everything_in_the_vms_own_namespace_is_found_and_nothing_else() {
        let found: Vec<String> = of(&manifest())
            .iter()
            .map(|one| format!("{} {}: {}", one.kind.word(), one.name, one.wanted_by))
            .collect();
        assert_eq!(
            found,
            [
                "claim base: volume back",
                "claim both: volume share",
                "claim disk: volume mine",
                "claim files: volume folder",
                "DataVolume setup-iso: volume iso",
                "DataSource gold: disk root",
                "snapshot friday: disk restored",
                "service account robot: volume account",
                "Secret header: disk data",
                "Secret init: volume init",
                "Secret keys: accessCredentials",
                "Secret login: disk data",
                "Secret net: volume init",
                "ConfigMap answers: volume prep",
                "ConfigMap ca: disk data",
                "network own-lan: network a",
                "instance type own-type: instancetype",
            ]
        );
    }

    #[test]
    fn the_way_a_claim_is_used_decides_whether_it_can_be_shared() {
        let found = uses(&manifest());
        let expected = [
            ("disk", Use::Exclusive),
            ("both", Use::Shareable),
            ("setup-iso", Use::ReadOnly),
            ("base", Use::ReadOnly),
            ("files", Use::Folder),
        ];
        let found: Vec<(&str, Use)> = found.iter().map(|(name, _, how)| (name.as_str(), *how)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn claims_that_harvester_makes_are_made_with_the_vm() {
        let vm = json!({
            "metadata": {"annotations": {"harvesterhci.io/volumeClaimTemplates": "[{\"metadata\":{\"name\":\"web-0\"}}]"}},
            "spec": {"template": {"spec": {"volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "web-0"}}]}}},
        });
        assert!(of(&vm).is_empty());
    }

    #[test]
    fn hook_sidecars_and_vddk_need_their_config_maps() {
        let hooks = r#"[{"args": ["--version", "v1alpha2"], "configMap": {"name": "hook", "key": "a.sh"}}]"#;
        let manifest = json!({"spec": {
            "dataVolumeTemplates": [{"metadata": {"name": "d"}, "spec": {"source": {"vddk": {"extraArgs": "args"}}}}],
            "template": {"metadata": {"annotations": {HOOKS: hooks}}, "spec": {}},
        }});
        let found: Vec<(Needed, String)> =
            of(&manifest).into_iter().map(|one| (one.kind, one.name)).collect();
        let map = Needed::Small(Small::ConfigMap);
        assert_eq!(found, [(map, "args".to_owned()), (map, "hook".to_owned())]);
    }
}
