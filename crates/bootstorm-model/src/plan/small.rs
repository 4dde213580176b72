//! Small objects that VMs need in their namespaces: Secrets, `ConfigMaps`, networks, namespaced types.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::metadata::{Labels, forget_original};

/// A kind of small object
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Small {
    /// Passwords, keys and cloud-init data.
    Secret,
    /// Settings and answer files.
    ConfigMap,
    /// A Multus network.
    #[serde(rename = "NetworkAttachmentDefinition")]
    Network,
    /// A namespaced instance type.
    #[serde(rename = "VirtualMachineInstancetype")]
    Instancetype,
    /// A namespaced preference.
    #[serde(rename = "VirtualMachinePreference")]
    Preference,
}

impl Small {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::Secret, Self::ConfigMap, Self::Network, Self::Instancetype, Self::Preference];

    /// `kind` of its objects.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Secret => "Secret",
            Self::ConfigMap => "ConfigMap",
            Self::Network => "NetworkAttachmentDefinition",
            Self::Instancetype => "VirtualMachineInstancetype",
            Self::Preference => "VirtualMachinePreference",
        }
    }

    /// API group; empty for the core.
    pub fn group(self) -> &'static str {
        match self {
            Self::Secret | Self::ConfigMap => "",
            Self::Network => "k8s.cni.cncf.io",
            Self::Instancetype | Self::Preference => "instancetype.kubevirt.io",
        }
    }

    /// `apiVersion` of its objects.
    pub fn api_version(self) -> &'static str {
        match self {
            Self::Secret | Self::ConfigMap => "v1",
            Self::Network => "k8s.cni.cncf.io/v1",
            Self::Instancetype | Self::Preference => "instancetype.kubevirt.io/v1beta1",
        }
    }

    /// Name in paths.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Secret => "secrets",
            Self::ConfigMap => "configmaps",
            Self::Network => "network-attachment-definitions",
            Self::Instancetype => "virtualmachineinstancetypes",
            Self::Preference => "virtualmachinepreferences",
        }
    }

    /// Singular name, as in kubectl.
    pub fn singular(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::ConfigMap => "configmap",
            Self::Network => "network-attachment-definition",
            Self::Instancetype => "virtualmachineinstancetype",
            Self::Preference => "virtualmachinepreference",
        }
    }

    /// Noun for messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Secret => "Secret",
            Self::ConfigMap => "ConfigMap",
            Self::Network => "network",
            Self::Instancetype => "instance type",
            Self::Preference => "preference",
        }
    }

    /// Kind of the object in a manifest, if it is one of these.
    pub fn of(manifest: &Value) -> Option<Self> {
        let group = manifest["apiVersion"].as_str()?.split_once('/').map_or("", |(group, _)| group);
        Self::ALL.into_iter().find(|small| manifest["kind"] == small.kind() && small.group() == group)
    }
}

/// A small object that a run creates in each namespace of its VMs
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Extra {
    /// Kind.
    pub kind: Small,
    /// Name.
    pub name: String,
}

impl fmt::Display for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.word(), self.name)
    }
}

impl Extra {
    /// The object in a manifest, if it is a small object with a name.
    pub fn of(manifest: &Value) -> Option<Self> {
        let name = manifest["metadata"]["name"].as_str()?.to_owned();
        Some(Self { kind: Small::of(manifest)?, name })
    }

    /// Key under which its UID in a namespace is recorded.
    pub fn key(&self, namespace: &str) -> String {
        format!("{namespace}/{}/{}", self.kind.plural(), self.name)
    }

    /// Manifest of a copy in a namespace: content of the object, without its origin.
    pub fn copy(&self, original: &Value, namespace: &str, labels: &Labels) -> Value {
        let mut copy = original.clone();
        let Some(fields) = copy.as_object_mut() else { return copy };
        fields.remove("status");
        fields.insert("apiVersion".into(), json!(self.kind.api_version()));
        fields.insert("kind".into(), json!(self.kind.kind()));
        let mut metadata = fields.remove("metadata").and_then(|metadata| match metadata {
            Value::Object(map) => Some(map),
            _ => None,
        });
        let metadata = metadata.get_or_insert_with(Map::new);
        forget_original(metadata);
        metadata.insert("name".into(), json!(self.name));
        metadata.insert("namespace".into(), json!(namespace));
        super::metadata::add_labels(metadata, labels);
        fields.insert("metadata".into(), Value::Object(std::mem::take(metadata)));
        if self.kind == Small::Network
            && let Some(Value::String(config)) = copy.pointer_mut("/spec/config")
        {
            name_network(config, &format!("{namespace}/{}", self.name));
        }
        copy
    }
}

/// Puts the name of a copied network where OVN-Kubernetes compares it with that of its object (`netAttachDefName`).
fn name_network(config: &mut String, name: &str) {
    const FIELD: &str = "netAttachDefName";
    let Ok(mut read) = serde_json::from_str::<Value>(config) else { return };
    let mut is_changed = false;
    let mut set = |plugin: &mut Value| {
        if let Some(field) = plugin.get_mut(FIELD) {
            *field = json!(name);
            is_changed = true;
        }
    };
    set(&mut read);
    read.get_mut("plugins").and_then(Value::as_array_mut).into_iter().flatten().for_each(set);
    if is_changed {
        *config = read.to_string();
    }
}

/// Maximum number of small objects that a run creates in a namespace.
const MOST_EXTRAS: usize = 100;

/// Fails with a sentence if such objects cannot exist. Names become paths, so stored ones are checked too.
pub fn check(extras: &[Extra], copy_from: Option<&str>) -> Result<(), String> {
    if extras.len() > MOST_EXTRAS {
        return Err(format!(
            "{} small objects beside each VM are too many, at most {MOST_EXTRAS} are allowed",
            extras.len()
        ));
    }
    let is_inner =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    let is_name = |name: &str| {
        (1..=253).contains(&name.len()) && name.bytes().all(is_inner) && !name.starts_with(['.', '-'])
    };
    if let Some(odd) = extras.iter().find(|extra| !is_name(&extra.name)) {
        return Err(format!("`{}` cannot name a {}", odd.name.escape_debug(), odd.kind.word()));
    }
    match copy_from.and_then(|name| Some((name, super::prefix::dns_label_fault(name)?))) {
        Some((name, fault)) => {
            Err(format!("--copy-from `{}` cannot be a namespace: {fault}", name.escape_debug()))
        }
        None => Ok(()),
    }
}

/// The manifest without its content, for a dry run.
pub fn hide_content(mut manifest: Value) -> Value {
    for (key, value) in manifest.as_object_mut().into_iter().flatten() {
        if !matches!(key.as_str(), "apiVersion" | "kind" | "metadata") {
            *value = json!(super::secrets::HIDDEN);
        }
    }
    manifest
}

/// Texts of a small object that must not appear in messages.
pub fn secret_texts(manifest: &Value) -> Vec<String> {
    use base64::Engine as _;
    let mut found = Vec::new();
    let values = |key: &str| manifest[key].as_object().into_iter().flat_map(Map::values);
    for text in
        values("data").chain(values("stringData")).chain(values("binaryData")).filter_map(Value::as_str)
    {
        found.push(text.to_owned());
        if let Ok(bytes) = base64::prelude::BASE64_STANDARD.decode(text)
            && let Ok(plain) = String::from_utf8(bytes)
        {
            found.extend(plain.lines().map(|line| line.trim().to_owned()));
            found.push(plain);
        }
    }
    found.retain(|text| text.len() >= super::secrets::SHORTEST_PIECE);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_says_nothing_about_where_it_came_from() {
        let original = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": {"userdata": "Zm9vYmFyYmF6"},
            "metadata": {
                "name": "init", "namespace": "shop", "uid": "u", "resourceVersion": "7", "finalizers": ["a/b"],
                "ownerReferences": [{"uid": "o"}], "labels": {"tier": "web", "argocd.argoproj.io/instance": "shop"},
                "annotations": {"argocd.argoproj.io/tracking-id": "shop:/Secret:shop/init", "note": "kept"},
            },
        });
        let extra = Extra::of(&original).unwrap();
        let copy = extra.copy(&original, "p-1", &vec![("run".into(), "p".into())]);
        assert_eq!(
            copy["metadata"],
            json!({"name": "init", "namespace": "p-1", "labels": {"tier": "web", "run": "p"}, "annotations": {"note": "kept"}})
        );
        assert_eq!((&copy["data"], &copy["type"]), (&original["data"], &original["type"]));
        assert_eq!(extra.key("p-1"), "p-1/secrets/init");
        assert!(!hide_content(copy.clone()).to_string().contains("Zm9v"));
        assert!(secret_texts(&copy).contains(&"foobarbaz".to_owned()));
    }

    #[test]
    fn a_copied_network_of_ovn_kubernetes_names_itself() {
        let copied = |config: &str| {
            let original = json!({
                "apiVersion": "k8s.cni.cncf.io/v1", "kind": "NetworkAttachmentDefinition",
                "metadata": {"name": "lan", "namespace": "shop"}, "spec": {"config": config},
            });
            let copy = Extra::of(&original).unwrap().copy(&original, "p-1", &Vec::new());
            copy["spec"]["config"].as_str().unwrap().to_owned()
        };
        let own = r#"{"type":"ovn-k8s-cni-overlay","name":"l2","netAttachDefName":"shop/lan"}"#;
        let read: Value = serde_json::from_str(&copied(own)).unwrap();
        assert_eq!((&read["netAttachDefName"], &read["name"]), (&json!("p-1/lan"), &json!("l2")));
        let chained = r#"{"plugins":[{"netAttachDefName":"shop/lan"},{"type":"tuning"}]}"#;
        assert!(copied(chained).contains("p-1/lan"));
        let bridge = "{\"type\": \"bridge\",\n \"bridge\": \"br1\"}";
        assert_eq!(copied(bridge), bridge);
    }

    #[test]
    fn only_small_kinds_are_small() {
        for (version, kind, is_small) in [
            ("v1", "Secret", true),
            ("k8s.cni.cncf.io/v1", "NetworkAttachmentDefinition", true),
            ("instancetype.kubevirt.io/v1", "VirtualMachinePreference", true),
            ("bitnami.com/v1alpha1", "Secret", false),
            ("v1", "PersistentVolumeClaim", false),
        ] {
            let found = Small::of(&json!({"apiVersion": version, "kind": kind}));
            assert_eq!(found.is_some(), is_small, "{version} {kind}");
        }
    }
}
