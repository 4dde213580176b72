//! The VM manifest: the built-in one or the user's, checked before anything is sent.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{secrets, yaml};

/// The most bytes that a manifest may have: it is kept in a Secret, which holds 1 MiB.
pub const MOST_TEMPLATE_BYTES: usize = 1_000_000;

/// Where the VM manifest comes from
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum TemplateSource {
    /// The built-in manifest, booting a container disk.
    ContainerDisk {
        /// Image of the container disk.
        image: String,
    },
    /// A manifest of the user's. Its text is kept in a Secret, because it may hold passwords.
    File {
        /// Name of the file, for people.
        name: String,
        /// SHA-256 of the text, lower-case hex.
        sha256: String,
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
        /// Its URL, without what may be a password.
        url: String,
    },
    /// The built-in manifest, with an empty disk: nothing boots from it.
    Blank,
    /// There is none: the VMs exist already and are somebody else's.
    Adopted {
        /// Selection given by the user.
        selection: String,
    },
}

impl TemplateSource {
    /// The flag that chooses this source.
    pub fn flag(&self) -> &'static str {
        match self {
            Self::File { .. } => "--filename",
            Self::Adopted { .. } => "--adopt",
            _ => "--source",
        }
    }
}

impl TemplateSource {
    /// SHA-256 of the manifest, lower-case hex; of the built-in one as this version of the tool has it.
    pub fn digest(&self) -> String {
        match self {
            Self::File { sha256, .. } => sha256.clone(),
            // There is no manifest; the same VMs are what can be compared.
            Self::Adopted { selection } => Template::digest(selection),
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
            Self::File { name, sha256 } => {
                write!(f, "{name} (sha256 {})", sha256.get(..12).unwrap_or(sha256))
            }
            Self::DataSource { namespace, name } => write!(f, "DataSource {namespace}/{name}"),
            Self::Pvc { namespace, name } => write!(f, "claim {namespace}/{name}"),
            Self::Snapshot { namespace, name } => write!(f, "snapshot {namespace}/{name}"),
            Self::Registry { url } | Self::Http { url } => f.write_str(url),
            Self::Blank => f.write_str("a blank disk"),
            Self::Adopted { selection } => write!(f, "adopted {selection}"),
        }
    }
}

/// Why a text is not a usable VM manifest
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TemplateFault {
    /// It is larger than a Secret can hold.
    #[error("it has more than {MOST_TEMPLATE_BYTES} bytes, which is more than a Secret can hold")]
    TooLarge,
    /// It is not YAML (and so not JSON either). The message names line and column, and quotes nothing.
    #[error("{0}")]
    Syntax(String),
    /// The file has several documents or none.
    #[error("it holds {0} documents; exactly one VirtualMachine is wanted")]
    Documents(usize),
    /// It is some other object.
    #[error("it is {0}, not a VirtualMachine of kubevirt.io/v1")]
    Kind(String),
    /// It lacks something that every VM needs.
    #[error("{0}")]
    Incomplete(&'static str),
}

/// A VM manifest that was checked and can be rendered for each target
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    pub(super) manifest: Value,
    /// Claims that the first disk is cloned from, in turn.
    pub(super) pool: Vec<String>,
    pub(super) warnings: Vec<String>,
}

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
        Self { manifest, pool: Vec::new(), warnings: Vec::new() }
    }

    /// Reads a user's manifest, YAML or JSON.
    ///
    /// Fails when it is not exactly one `VirtualMachine`; syntax errors name line and column.
    pub fn parse(text: &str) -> Result<Self, TemplateFault> {
        if text.len() > MOST_TEMPLATE_BYTES {
            return Err(TemplateFault::TooLarge);
        }
        let read = yaml::read(text).map_err(|fault| TemplateFault::Syntax(fault.to_string()))?;
        let warnings = read.warnings.iter().map(ToString::to_string).collect();
        let mut documents: Vec<Value> = read.documents.into_iter().filter(|d| !d.is_null()).collect();
        if documents.len() != 1 {
            return Err(TemplateFault::Documents(documents.len()));
        }
        let manifest = documents.remove(0);
        if !manifest.is_object() {
            return Err(TemplateFault::Kind("no object at all".into()));
        }
        let text = |key: &str| manifest.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (version, kind) = (text("apiVersion"), text("kind"));
        if kind != "VirtualMachine" || !version.starts_with("kubevirt.io/") {
            let found = match (version.as_str(), kind.as_str()) {
                ("", "") => "an object without apiVersion and kind".to_owned(),
                (version, kind) => format!("kind `{kind}` of `{version}`"),
            };
            let found: String = found.chars().take(200).collect();
            return Err(TemplateFault::Kind(found.escape_debug().to_string().replace("\\'", "'")));
        }
        if !manifest.pointer("/spec/template/spec").is_some_and(Value::is_object) {
            return Err(TemplateFault::Incomplete("spec.template.spec is missing"));
        }
        let is_map_or_absent = |pointer: &str| {
            manifest.pointer(pointer).is_none_or(|value| value.is_object() || value.is_null())
        };
        if !["/metadata", "/metadata/labels", "/spec/template/metadata", "/spec/template/metadata/labels"]
            .into_iter()
            .all(is_map_or_absent)
        {
            return Err(TemplateFault::Incomplete("metadata and labels must be maps"));
        }
        Ok(Self { manifest, pool: Vec::new(), warnings })
    }

    /// Places of the text that kubectl or another reader takes otherwise, as sentences.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The same manifest with its first disk cloned from these claims in turn.
    #[must_use]
    pub fn with_pool(self, pool: Vec<String>) -> Self {
        Self { pool, ..self }
    }

    /// Texts in the manifest that no message may show, longest first.
    pub fn secrets(&self) -> Vec<String> {
        secrets::pieces(&self.manifest)
    }

    /// The manifest as it was given.
    pub fn manifest(&self) -> &Value {
        &self.manifest
    }

    /// Disks that are made for each VM.
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

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(Template::parse("").unwrap_err(), TemplateFault::Documents(0));
        assert!(matches!(Template::parse("just text").unwrap_err(), TemplateFault::Kind(_)));
        let vm = "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\n";
        assert!(matches!(Template::parse(vm).unwrap_err(), TemplateFault::Incomplete(_)));
        let two = format!("{vm}---\n{vm}");
        assert_eq!(Template::parse(&two).unwrap_err(), TemplateFault::Documents(2));
    }

    #[test]
    fn json_is_read_too() {
        let text = Template::container_disk("example.org/disk:1").manifest().to_string();
        assert!(Template::parse(&text).is_ok());
    }
}
