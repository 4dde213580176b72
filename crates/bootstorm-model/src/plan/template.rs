//! The VM manifest: the built-in one or the user's, checked before anything is sent.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::foreign::{self, Tool};
use super::openshift::{self, Params};
use super::small::{self, Extra};
use super::{identity, secrets, yaml};

/// Maximum size of a manifest in bytes: it is kept in a Secret, which holds 1 MiB.
pub const MOST_TEMPLATE_BYTES: usize = 1_000_000;

/// Source of the VM manifest
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum TemplateSource {
    /// The built-in manifest, booting a container disk.
    ContainerDisk {
        /// Image of the container disk.
        image: String,
    },
    /// A user's manifest. Its text is kept in a Secret, because it may hold passwords.
    File {
        /// Name of the file, for messages.
        name: String,
        /// SHA-256 of the text, lower-case hex.
        sha256: String,
        /// SHA-256 of the text before random values were generated for it; absent if none were.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        drawn_from: Option<String>,
    },
    /// The built-in manifest, with a disk cloned from a golden image that a `DataSource` names.
    #[serde(rename = "datasource")]
    DataSource {
        /// Namespace of the `DataSource`.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// The built-in manifest, with a disk cloned from a claim, or from the claims of a pool in turn.
    Pvc {
        /// Namespace of the claims.
        namespace: String,
        /// Name of the claim; `golden-{1..10}` is a pool of ten.
        name: String,
    },
    /// The built-in manifest, with a disk restored from a `VolumeSnapshot`.
    Snapshot {
        /// Namespace of the snapshot.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// The built-in manifest, with a disk imported from a registry.
    Registry {
        /// URL of the image, `docker://…`.
        url: String,
    },
    /// The built-in manifest, with a disk imported from a web server.
    Http {
        /// Its URL, without parts that may be passwords.
        url: String,
    },
    /// The built-in manifest, with an empty disk: nothing boots from it.
    Blank,
    /// None: the VMs exist already and belong to others.
    Adopted {
        /// Selection given by the user.
        selection: String,
    },
    /// None: the VMs belong to others and are never changed.
    Observed {
        /// Selection given by the user.
        selection: String,
    },
}

impl TemplateSource {
    /// The flag that selects this source.
    pub fn flag(&self) -> &'static str {
        match self {
            Self::File { .. } => "--filename",
            Self::Adopted { .. } => "--adopt",
            Self::Observed { .. } => "observe",
            _ => "--source",
        }
    }
}

impl TemplateSource {
    /// SHA-256 of the manifest, lower-case hex; for the built-in one, as in this version of the tool.
    pub fn digest(&self) -> String {
        match self {
            Self::File { sha256, .. } => sha256.clone(),
            // There is no manifest; the selection of VMs is compared instead.
            Self::Adopted { selection } | Self::Observed { selection } => Template::digest(selection),
            built_in => {
                let template = built_in.built_in(None);
                Template::digest(&template.map(|found| found.manifest().to_string()).unwrap_or_default())
            }
        }
    }
}

impl fmt::Display for TemplateSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ContainerDisk { image } => write!(f, "container disk {image}"),
            Self::File { name, sha256, .. } => {
                write!(f, "{name} (sha256 {})", sha256.get(..12).unwrap_or(sha256))
            }
            Self::DataSource { namespace, name } => write!(f, "DataSource {namespace}/{name}"),
            Self::Pvc { namespace, name } => write!(f, "claim {namespace}/{name}"),
            Self::Snapshot { namespace, name } => write!(f, "snapshot {namespace}/{name}"),
            Self::Registry { url } | Self::Http { url } => f.write_str(url),
            Self::Blank => f.write_str("a blank disk"),
            Self::Adopted { selection } => write!(f, "adopted {selection}"),
            Self::Observed { selection } => write!(f, "observed {selection}"),
        }
    }
}

/// Reason why a text is not a usable VM manifest
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TemplateFault {
    /// Larger than a Secret can hold.
    #[error("it has more than {MOST_TEMPLATE_BYTES} bytes, which is more than a Secret can hold")]
    TooLarge,
    /// Not YAML (and so not JSON either). The message gives line and column, and quotes nothing.
    #[error("{0}")]
    Syntax(String),
    /// The file has no document.
    #[error("it holds no document; exactly one VirtualMachine is required")]
    Empty,
    /// The file has other objects, but no VM.
    #[error("it holds no VirtualMachine of kubevirt.io/v1 among its {0} objects")]
    NoMachine(usize),
    /// The file has several VMs.
    #[error("it holds {0} VirtualMachines; exactly one is required, from which all VMs are created")]
    Machines(usize),
    /// The text is a template of another tool.
    #[error("line {line}: it is {}", tool.what())]
    Foreign {
        /// Line of the first template syntax.
        line: usize,
        /// The tool.
        tool: Tool,
    },
    /// An `OpenShift` Template cannot be rendered.
    #[error("{0}")]
    Parameters(String),
    /// The file holds some other object.
    #[error("it is {0}, not a VirtualMachine of kubevirt.io/v1")]
    Kind(String),
    /// Two small objects would have one name in the VMs' namespace.
    #[error(
        "it holds {0} twice; both would have that name in the namespace of each VM, so rename or drop one"
    )]
    Twice(Extra),
    /// The manifest lacks something that every VM needs.
    #[error("{0}")]
    Incomplete(&'static str),
}

/// A validated VM manifest that can be rendered for each target
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    pub(super) manifest: Value,
    /// Claims from which the first disk is cloned, in turn.
    pub(super) pool: Vec<String>,
    pub(super) warnings: Vec<String>,
    /// Small objects in the file beside the VM.
    pub(super) companions: Vec<Value>,
    /// Omissions and changes made while reading it, as sentences.
    pub(super) notices: Vec<String>,
    /// Whether it was rendered from an `OpenShift` Template.
    pub(super) is_rendered: bool,
    /// The text before random values were generated; `None` if there are none.
    pub(super) drawn_from: Option<String>,
}

/// Version of the VMs that are created; `KubeVirt` also serves older ones, whose fields are the same.
const VERSION: &str = "kubevirt.io/v1";
/// Maximum number of objects in a file beside its VM.
const MOST_COMPANIONS: usize = 50;

impl Template {
    /// The built-in manifest: one vCPU, 512 MiB, a container disk, masquerade on the pod network.
    pub fn container_disk(image: &str) -> Self {
        let manifest = json!({
            "apiVersion": "kubevirt.io/v1",
            "kind": "VirtualMachine",
            "metadata": {},
            "spec": {
                "runStrategy": "Always",
                "template": {
                    "metadata": {},
                    "spec": {
                        "terminationGracePeriodSeconds": 30,
                        "domain": {
                            "cpu": {"cores": 1},
                            "memory": {"guest": "512Mi"},
                            "devices": {
                                "disks": [{"name": "root", "disk": {"bus": "virtio"}}],
                                "interfaces": [{"name": "default", "masquerade": {}}],
                                "rng": {}
                            }
                        },
                        "networks": [{"name": "default", "pod": {}}],
                        "volumes": [{"name": "root", "containerDisk": {"image": image}}]
                    }
                }
            }
        });
        Self::of(manifest)
    }

    fn of(manifest: Value) -> Self {
        Self {
            manifest,
            pool: Vec::new(),
            warnings: Vec::new(),
            companions: Vec::new(),
            notices: Vec::new(),
            is_rendered: false,
            drawn_from: None,
        }
    }

    /// Reads a user's manifest, YAML or JSON.
    ///
    /// Fails unless it holds exactly one `VirtualMachine`; syntax errors give line and column.
    pub fn parse(text: &str) -> Result<Self, TemplateFault> {
        Self::parse_with(text, &Params::new())
    }

    /// Reads a user's manifest, with values for the parameters of an `OpenShift` Template.
    ///
    /// Fails like [`Template::parse`], and if the Template cannot be rendered with these values.
    pub fn parse_with(text: &str, params: &Params) -> Result<Self, TemplateFault> {
        if text.len() > MOST_TEMPLATE_BYTES {
            return Err(TemplateFault::TooLarge);
        }
        let read = yaml::read(text).map_err(|fault| match foreign::in_text(text) {
            Some((line, tool)) => TemplateFault::Foreign { line, tool },
            None => TemplateFault::Syntax(fault.to_string()),
        })?;
        let warnings = read.warnings.iter().map(ToString::to_string).collect();
        let objects: Vec<Value> =
            read.documents.into_iter().filter(|document| !document.is_null()).flat_map(items).collect();
        let is_rendered = objects.iter().any(openshift::is_template);
        let (objects, drawn_from) = rendered(objects, params)?;
        let mut template = Self { warnings, is_rendered, drawn_from, ..Self::choose(objects)? };
        check_machine(&template.manifest)?;
        if let Some((line, tool)) = foreign::in_manifest(&template.manifest, text) {
            return Err(TemplateFault::Foreign { line, tool });
        }
        template.settle();
        Ok(template)
    }

    /// Extracts the one VM and its companions from the objects of a file.
    fn choose(objects: Vec<Value>) -> Result<Self, TemplateFault> {
        let count = objects.len();
        let (mut machines, others): (Vec<Value>, Vec<Value>) = objects.into_iter().partition(is_machine);
        let mut template = match (machines.len(), others.as_slice()) {
            (1, _) => Self::of(machines.remove(0)),
            (0, []) => return Err(TemplateFault::Empty),
            (0, [only]) => return Err(TemplateFault::Kind(described(only))),
            (0, _) => return Err(TemplateFault::NoMachine(count)),
            (machines, _) => return Err(TemplateFault::Machines(machines)),
        };
        let mut left_out = Vec::new();
        for object in others {
            let extra = Extra::of(&object);
            if let Some(extra) = extra.filter(|_| template.companions.len() < MOST_COMPANIONS) {
                if template.companions.iter().any(|known| Extra::of(known).as_ref() == Some(&extra)) {
                    return Err(TemplateFault::Twice(extra));
                }
                template.companions.push(object);
            } else if object["kind"] == "DataVolume" && template.uses_volume(&object["metadata"]["name"]) {
                template.fold_volume(&object);
            } else {
                let name = object["metadata"]["name"].as_str().unwrap_or("without a name");
                left_out.push(format!("{} {name}", object["kind"].as_str().unwrap_or("an object")));
            }
        }
        if !left_out.is_empty() {
            template.notices.push(format!(
                "left out, since only Secrets, ConfigMaps, networks, instance types, preferences and \
                 DataVolumes of the VM are created beside it: {}",
                printable(&left_out.join(", "))
            ));
        }
        Ok(template)
    }

    fn uses_volume(&self, name: &Value) -> bool {
        let volumes = self.manifest.pointer("/spec/template/spec/volumes").and_then(Value::as_array);
        let uses = |volume: &Value| {
            volume["dataVolume"]["name"] == *name
                || volume["persistentVolumeClaim"]["claimName"] == *name
                || volume["ephemeral"]["persistentVolumeClaim"]["claimName"] == *name
        };
        name.is_string() && volumes.into_iter().flatten().any(uses)
    }

    /// Converts a `DataVolume` from the file into one that is created with each VM.
    fn fold_volume(&mut self, volume: &Value) {
        let Some(spec) = self.manifest.get_mut("spec").and_then(Value::as_object_mut) else { return };
        let templates = spec.entry("dataVolumeTemplates").or_insert_with(|| json!([]));
        if templates.is_null() {
            *templates = json!([]);
        }
        let Some(templates) = templates.as_array_mut() else { return };
        let name = &volume["metadata"]["name"];
        if templates.iter().any(|template| template["metadata"]["name"] == *name) {
            return;
        }
        templates.push(json!({"metadata": volume["metadata"], "spec": volume["spec"]}));
        self.notices.push(format!(
            "DataVolume {} is created for each VM, as one of its dataVolumeTemplates",
            printable(name.as_str().unwrap_or_default())
        ));
    }

    /// Drops what no two VMs may share, and connects the VM to the networks from the file.
    fn settle(&mut self) {
        let dropped = identity::drop_shared(&mut self.manifest);
        if !dropped.is_empty() {
            self.notices.push(format!(
                "dropped, since no two VMs may share it, so each VM gets its own: {} (to set it, write {{i}} \
                 for the index)",
                printable(&dropped.join(", "))
            ));
        }
        self.notices.extend(identity::shared_beside(&self.companions).iter().map(|text| printable(text)));
        self.forget_records();
        self.set_version_and_power();
        // KubeVirt reports such a VM as Running, although its CPUs are stopped and nothing boots.
        let spec = self.manifest.pointer_mut("/spec/template/spec").and_then(Value::as_object_mut);
        if let Some(spec) = spec
            && spec.get("startStrategy").is_some_and(|strategy| strategy == "Paused")
        {
            spec.remove("startStrategy");
            self.notices
                .push("dropped: startStrategy Paused, since a guest that is paused never boots".into());
        }
        let home = self.manifest["metadata"]["namespace"].as_str().map(str::to_owned);
        let beside: Vec<String> = self
            .companions
            .iter()
            .filter(|object| small::Small::of(object) == Some(small::Small::Network))
            .filter_map(|object| {
                let namespace = object["metadata"]["namespace"].as_str().or(home.as_deref())?;
                Some(format!("{namespace}/{}", object["metadata"]["name"].as_str()?))
            })
            .collect();
        let networks =
            self.manifest.pointer_mut("/spec/template/spec/networks").and_then(Value::as_array_mut);
        for network in networks.into_iter().flatten() {
            let Some(name) = network.pointer_mut("/multus/networkName") else { continue };
            let own = name.as_str().filter(|whole| beside.iter().any(|known| known == whole));
            if let Some((_, own)) = own.and_then(|whole| whole.split_once('/')) {
                *name = json!(own);
            }
        }
    }

    /// Brings the manifest to the version that is sent, and to the power setting of a storm.
    fn set_version_and_power(&mut self) {
        let Some(fields) = self.manifest.as_object_mut() else { return };
        let version = fields.get("apiVersion").and_then(Value::as_str).unwrap_or_default().to_owned();
        if version != VERSION {
            fields.insert("apiVersion".into(), json!(VERSION));
            self.notices
                .push(format!("{} is sent as {VERSION}, which has the same fields", printable(&version)));
        }
        let spec = self.manifest.get_mut("spec").and_then(Value::as_object_mut);
        let Some(strategy) = spec.and_then(|spec| spec.get_mut("runStrategy")) else { return };
        if let Some(word) = strategy.as_str().filter(|word| !["Always", "Halted"].contains(word)) {
            self.notices.push(format!(
                "replaced: runStrategy {}, since the VMs of a run are Always on, or Halted",
                printable(word)
            ));
            *strategy = json!("Always");
        }
    }

    /// Drops what `KubeVirt` wrote into the spec of an exported VM about objects in the original's namespace.
    fn forget_records(&mut self) {
        // Before 1.5 KubeVirt pins instance type and preference in the spec, by ControllerRevisions that the VM owns.
        for field in ["instancetype", "preference"] {
            let matcher = self.manifest.pointer_mut(&format!("/spec/{field}")).and_then(Value::as_object_mut);
            let pinned = matcher.and_then(|matcher| matcher.remove("revisionName"));
            if pinned.is_some_and(|name| name.as_str().is_some_and(|name| !name.is_empty())) {
                self.notices.push(format!(
                    "dropped: the revisionName of the {field}, since it belongs to the VM that the manifest was \
                     exported from; each VM uses the {field} as it is now"
                ));
            }
        }
        // `virtctl memory-dump` adds its claim to the volumes; the guest has no disk of it.
        let volumes = self.manifest.pointer_mut("/spec/template/spec/volumes").and_then(Value::as_array_mut);
        let Some(volumes) = volumes else { return };
        let mut dropped = Vec::new();
        volumes.retain(|volume| {
            let is_dump = volume.get("memoryDump").is_some_and(Value::is_object);
            if is_dump {
                dropped.push(volume["name"].as_str().unwrap_or("?").to_owned());
            }
            !is_dump
        });
        for name in dropped {
            self.notices.push(format!(
                "dropped: volume {}, since it is a memory dump of the VM that the manifest was exported from",
                printable(&name)
            ));
        }
    }

    /// Small objects from the file, created in each namespace of VMs.
    pub fn companions(&self) -> &[Value] {
        &self.companions
    }

    /// Omissions and changes made while reading it, as sentences.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// Whether it was rendered from an `OpenShift` Template, so that its text differs from the file.
    pub fn is_rendered(&self) -> bool {
        self.is_rendered
    }

    /// SHA-256 of the text before random values were generated; `None` if none were.
    pub fn drawn_from(&self) -> Option<String> {
        self.drawn_from.as_deref().map(Self::digest)
    }

    /// The template as text that reads back as the same template.
    pub fn text(&self) -> String {
        if self.companions.is_empty() {
            return self.manifest.to_string();
        }
        let items: Vec<&Value> = Some(&self.manifest).into_iter().chain(&self.companions).collect();
        json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
    }

    /// Places in the text that kubectl or another reader interprets differently, as sentences.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The same manifest with its first disk cloned from these claims in turn.
    #[must_use]
    pub fn with_pool(self, pool: Vec<String>) -> Self {
        Self { pool, ..self }
    }

    /// Texts of the manifest that must not appear in messages, longest first.
    pub fn secrets(&self) -> Vec<String> {
        let mut pieces = secrets::pieces(&self.manifest);
        pieces.extend(self.companions.iter().flat_map(small::secret_texts));
        pieces.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        pieces.dedup();
        pieces
    }

    /// The manifest as it was given.
    pub fn manifest(&self) -> &Value {
        &self.manifest
    }

    /// Number of disks created for each VM.
    pub fn volumes(&self) -> usize {
        self.manifest.pointer("/spec/dataVolumeTemplates").and_then(Value::as_array).map_or(0, Vec::len)
    }

    /// SHA-256 of a text, lower-case hex.
    pub fn digest(text: &str) -> String {
        Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
            use fmt::Write;
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

/// The objects of a document: those of a list, or the document itself.
fn items(document: Value) -> Vec<Value> {
    let kind = document["kind"].as_str().unwrap_or_default().to_owned();
    let Some(of) = kind.strip_suffix("List") else { return vec![document] };
    let version = document["apiVersion"].clone();
    match document {
        Value::Object(mut map) if map.get("items").is_some_and(Value::is_array) => {
            let Some(Value::Array(mut items)) = map.remove("items") else { return Vec::new() };
            // Items of a typed list may omit their kind.
            for item in items.iter_mut().filter(|item| item.is_object() && item["kind"].is_null()) {
                item["kind"] = json!(of);
                item["apiVersion"] = version.clone();
            }
            items
        }
        other => vec![other],
    }
}

/// The objects with `OpenShift` Templates rendered; and the text without random values, if there were any.
fn rendered(objects: Vec<Value>, params: &Params) -> Result<(Vec<Value>, Option<String>), TemplateFault> {
    if !objects.iter().any(openshift::is_template) {
        return match params.keys().next() {
            None => Ok((objects, None)),
            Some(name) => Err(TemplateFault::Parameters(format!(
                "--param {name}: the file holds no OpenShift Template"
            ))),
        };
    }
    let mut all = Vec::new();
    let mut has_drawn = false;
    let source = json!([objects, params]);
    for object in objects {
        if !openshift::is_template(&object) {
            all.push(object);
            continue;
        }
        let (filled, drawn) =
            openshift::render(&object, params, &mut rand::rng()).map_err(TemplateFault::Parameters)?;
        has_drawn |= drawn;
        all.extend(filled);
    }
    Ok((all, has_drawn.then(|| source.to_string())))
}

fn is_machine(object: &Value) -> bool {
    object["kind"] == "VirtualMachine"
        && object["apiVersion"].as_str().is_some_and(|version| version.starts_with("kubevirt.io/"))
}

/// Description of an object, for messages.
fn described(object: &Value) -> String {
    if !object.is_object() {
        return "no object at all".into();
    }
    let text = |key: &str| object[key].as_str().unwrap_or_default();
    match (text("apiVersion"), text("kind")) {
        ("", "") => "an object without apiVersion and kind".to_owned(),
        (version, kind) => printable(&format!("kind `{kind}` of `{version}`")),
    }
}

fn printable(text: &str) -> String {
    let text: String = text.chars().take(400).collect();
    text.escape_debug().to_string().replace("\\'", "'").replace("\\\"", "\"")
}

/// Fails if a VM lacks something that every VM needs.
fn check_machine(manifest: &Value) -> Result<(), TemplateFault> {
    if !manifest.pointer("/spec/template/spec").is_some_and(Value::is_object) {
        return Err(TemplateFault::Incomplete("spec.template.spec is missing"));
    }
    let is_map_or_absent =
        |pointer: &str| manifest.pointer(pointer).is_none_or(|value| value.is_object() || value.is_null());
    if !["/metadata", "/metadata/labels", "/spec/template/metadata", "/spec/template/metadata/labels"]
        .into_iter()
        .all(is_map_or_absent)
    {
        return Err(TemplateFault::Incomplete("metadata and labels must be maps"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = "apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: vm}
spec: {runStrategy: Always, template: {spec: {domain: {devices: {}}}}}
";

    #[test]
    fn older_versions_and_other_strategies_are_replaced_and_said() {
        let given =
            MINIMAL.replace("kubevirt.io/v1", "kubevirt.io/v1alpha3").replace("Always", "RerunOnFailure");
        let template = Template::parse(&given).unwrap();
        assert_eq!(template.manifest()["apiVersion"], "kubevirt.io/v1");
        assert_eq!(template.manifest()["spec"]["runStrategy"], "Always");
        assert_eq!(template.notices().len(), 2, "{:?}", template.notices());
        assert!(Template::parse(&template.text()).unwrap().notices().is_empty(), "said once");
        assert!(Template::parse(MINIMAL).unwrap().notices().is_empty());
    }

    #[test]
    fn two_objects_of_one_name_are_refused() {
        let secret = |namespace: &str| {
            format!("---\napiVersion: v1\nkind: Secret\nmetadata: {{name: x, namespace: {namespace}}}\n")
        };
        let one = format!("{MINIMAL}{}", secret("a"));
        assert_eq!(Template::parse(&one).unwrap().companions().len(), 1);
        let fault = Template::parse(&format!("{one}{}", secret("b"))).unwrap_err();
        assert!(fault.to_string().starts_with("it holds Secret x twice"), "{fault}");
    }

    #[test]
    fn syntax_errors_name_line_and_column() {
        let error = Template::parse("kind: VirtualMachine\nspec: [1,\n  2: }\n").unwrap_err();
        let message = error.to_string();
        assert!(message.contains("line") && message.contains("column"), "{message}");
    }

    #[test]
    fn other_objects_are_refused() {
        let error = Template::parse("apiVersion: v1\nkind: Pod\n").unwrap_err();
        assert_eq!(error.to_string(), "it is kind `Pod` of `v1`, not a VirtualMachine of kubevirt.io/v1");
        assert_eq!(Template::parse("").unwrap_err(), TemplateFault::Empty);
        assert!(matches!(Template::parse("just text").unwrap_err(), TemplateFault::Kind(_)));
        let vm = "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\n";
        assert!(matches!(Template::parse(vm).unwrap_err(), TemplateFault::Incomplete(_)));
        let two = format!("{vm}---\n{vm}");
        assert_eq!(Template::parse(&two).unwrap_err(), TemplateFault::Machines(2));
        let pods = "apiVersion: v1\nkind: Pod\n---\napiVersion: v1\nkind: Service\n";
        assert_eq!(Template::parse(pods).unwrap_err(), TemplateFault::NoMachine(2));
    }

    const BUNDLE: &str = "
apiVersion: v1
kind: Secret
metadata: {name: init, namespace: shop}
stringData: {userdata: 'password: MARKER'}
---
apiVersion: k8s.cni.cncf.io/v1
kind: NetworkAttachmentDefinition
metadata: {name: lan, namespace: shop}
spec: {config: '{}'}
---
apiVersion: v1
kind: List
items:
- apiVersion: kubevirt.io/v1
  kind: VirtualMachine
  metadata: {name: web, namespace: shop}
  spec:
    template:
      spec:
        domain: {devices: {interfaces: [{name: lan, macAddress: '02:00:00:00:00:01'}]}}
        networks: [{name: lan, multus: {networkName: shop/lan}}]
        volumes:
        - {name: root, dataVolume: {name: web-root}}
        - {name: init, cloudInitNoCloud: {secretRef: {name: init}}}
- apiVersion: cdi.kubevirt.io/v1beta1
  kind: DataVolume
  metadata: {name: web-root}
  spec: {source: {blank: {}}, storage: {resources: {requests: {storage: 1Gi}}}}
- {apiVersion: v1, kind: Service, metadata: {name: web}}
";

    #[test]
    fn what_stands_beside_the_vm_is_sorted() {
        let template = Template::parse(BUNDLE).unwrap();
        let beside: Vec<String> =
            template.companions().iter().filter_map(Extra::of).map(|extra| extra.to_string()).collect();
        assert_eq!(beside, ["Secret init", "network lan"]);
        assert_eq!(template.manifest()["spec"]["dataVolumeTemplates"][0]["metadata"]["name"], "web-root");
        assert_eq!(
            template.manifest()["spec"]["template"]["spec"]["networks"][0]["multus"]["networkName"],
            "lan"
        );
        let notices = template.notices().join("\n");
        for told in
            ["Service web", "DataVolume web-root is created for each VM", "macAddress of interface lan"]
        {
            assert!(notices.contains(told), "{notices}");
        }
        assert!(template.secrets().iter().any(|piece| piece.contains("MARKER")));
        let again = Template::parse(&template.text()).unwrap();
        assert_eq!((again.manifest(), again.companions()), (template.manifest(), template.companions()));
    }

    #[test]
    fn a_list_of_machines_need_not_say_what_its_items_are() {
        let list =
            "apiVersion: kubevirt.io/v1\nkind: VirtualMachineList\nitems: [{spec: {template: {spec: {}}}}]\n";
        assert!(Template::parse(list).is_ok());
    }

    #[test]
    fn templates_of_other_tools_are_named() {
        for (text, tool) in [
            (
                "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nspec: {template: {spec: {guest: \"{{.mem}}\"}}}",
                Tool::Go,
            ),
            ("{% if x %}\nkind: VirtualMachine\n{% endif %}\n", Tool::Jinja),
            (
                "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nspec: {template: {spec: {cores: $<X>}}}",
                Tool::Variables,
            ),
        ] {
            let text = text.replace("$<X>", "\"${X}\"");
            let fault = Template::parse(&text).unwrap_err();
            assert!(matches!(fault, TemplateFault::Foreign { tool: found, .. } if found == tool), "{fault}");
        }
    }

    #[test]
    fn an_openshift_template_is_rendered() {
        let text = "apiVersion: template.openshift.io/v1\nkind: Template\nparameters: [{name: CORES, value: '2'}, {name: PW, generate: expression, from: '[a-z]{8}'}]\nobjects:\n- apiVersion: kubevirt.io/v1\n  kind: VirtualMachine\n  spec: {template: {spec: {domain: {cpu: {cores: '${{CORES}}'}}, volumes: [{name: i, cloudInitNoCloud: {userData: '${PW}'}}]}}}\n";
        let params = Params::from([("CORES".to_owned(), "4".to_owned())]);
        let [one, two] = [(); 2].map(|()| Template::parse_with(text, &params).unwrap());
        assert_eq!(one.manifest()["spec"]["template"]["spec"]["domain"]["cpu"]["cores"], 4);
        assert!(
            one.text() != two.text() && one.drawn_from() == two.drawn_from() && one.drawn_from().is_some()
        );
        let plain = "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nspec: {template: {spec: {}}}\n";
        assert!(matches!(Template::parse_with(plain, &params).unwrap_err(), TemplateFault::Parameters(_)));
    }

    #[test]
    fn json_is_read_too() {
        let text = Template::container_disk("example.org/disk:1").manifest().to_string();
        assert!(Template::parse(&text).is_ok());
    }
}
