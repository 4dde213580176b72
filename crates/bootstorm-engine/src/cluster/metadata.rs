//! Common parts of decoded objects.

use std::borrow::Cow;

use jiff::Timestamp;
use litemap::LiteMap;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::names;
use super::protobuf::{Malformed, Message, Part};

/// An object, as far as a watch depends on it
pub trait Watched: DeserializeOwned + Clone + Send + 'static {
    /// Decoder of the kind's message in protocol buffers; none for kinds that are read as JSON only, as all custom
    /// resources are.
    const DECODER: Option<Decoder<Self>> = None;

    /// `metadata.resourceVersion`.
    fn resource_version(&self) -> &str;
}

/// Decodes an object from its message, without its type
pub type Decoder<T> = fn(&[u8]) -> Result<T, Malformed>;

/// `metadata`, with only the used fields decoded
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// Name of the object.
    pub name: String,
    /// Namespace of the object; empty for cluster-wide kinds.
    pub namespace: String,
    /// UID of the object.
    pub uid: String,
    /// Version of the object.
    pub resource_version: String,
    /// Time of creation.
    pub creation_timestamp: Option<Timestamp>,
    /// Time since which it is being deleted.
    pub deletion_timestamp: Option<Timestamp>,
    /// Its labels.
    pub labels: LiteMap<String, String>,
    /// Finalizers.
    pub finalizers: Vec<String>,
    /// Owner references.
    pub owner_references: Vec<Owner>,
    /// Its annotations.
    pub annotations: LiteMap<String, String>,
    /// Managed fields.
    managed_fields: Vec<Manager>,
}

impl Metadata {
    /// Whether this tool wrote the label with the UUID of the run: copies are written by others.
    pub fn is_labelled_by_us(&self) -> bool {
        let is_ours =
            |manager: &Manager| manager.name == names::FIELD_MANAGER && manager.fields_v1.has_run_id();
        self.managed_fields.iter().any(is_ours)
    }

    /// When the object was last written, on the API server's clock.
    pub fn written(&self) -> Option<Timestamp> {
        self.managed_fields.iter().filter_map(|manager| manager.time).max()
    }
}

/// `metadata` as far as a watch on many objects needs it, borrowed from what was received; the rest is skipped
#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Borrowed<'a> {
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) namespace: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) uid: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) resource_version: Cow<'a, str>,
    pub(super) creation_timestamp: Option<Timestamp>,
    pub(super) deletion_timestamp: Option<Timestamp>,
    #[serde(borrow)]
    managed_fields: Vec<Write<'a>>,
}

impl Borrowed<'_> {
    /// When the object was last written, on the API server's clock; not read from messages.
    pub(super) fn written(&self) -> Option<Timestamp> {
        // All have the same format and time zone, so the greatest text is the latest time.
        self.managed_fields.iter().map(|write| &*write.time).max()?.parse().ok()
    }
}

/// The time of one of `metadata.managedFields`: the last write that changed any of them
#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Write<'a> {
    #[serde(borrow)]
    time: Cow<'a, str>,
}

impl<'a> Message<'a> for Borrowed<'a> {
    fn take(&mut self, number: u64, value: Part<'a>) -> Result<(), Malformed> {
        match number {
            1 => self.name = value.text()?,
            3 => self.namespace = value.text()?,
            5 => self.uid = value.text()?,
            6 => self.resource_version = value.text()?,
            8 => self.creation_timestamp = value.time()?,
            9 => self.deletion_timestamp = value.time()?,
            _ => {}
        }
        Ok(())
    }
}

/// One of `status.conditions`, borrowed from the text
#[derive(Debug, Deserialize, Default)]
#[serde(default)]
pub(super) struct BorrowedCondition<'a> {
    #[serde(borrow)]
    pub(super) r#type: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) status: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) reason: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) message: Cow<'a, str>,
    #[serde(rename = "lastTransitionTime")]
    pub(super) since: Option<Timestamp>,
}

impl BorrowedCondition<'_> {
    /// Whether this is that condition, with that status.
    pub(super) fn is(&self, kind: &str, status: &str) -> bool {
        self.r#type == kind && self.status == status
    }
}

/// One of `metadata.managedFields`
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Manager {
    #[serde(rename = "manager")]
    name: String,
    time: Option<Timestamp>,
    fields_v1: Fields,
}

/// `fieldsV1`, as far as it concerns the label with the UUID of the run
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
struct Fields {
    #[serde(rename = "f:metadata")]
    metadata: MetadataFields,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
struct MetadataFields {
    #[serde(rename = "f:labels")]
    labels: LabelFields,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
struct LabelFields {
    #[serde(rename = "f:bootstorm.dev/run-id")]
    run_id: Option<IgnoredAny>,
}

impl Fields {
    fn has_run_id(&self) -> bool {
        self.metadata.labels.run_id.is_some()
    }
}

/// One of `metadata.ownerReferences`
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
pub struct Owner {
    /// Kind of the owner.
    pub kind: String,
    /// Name of the owner.
    pub name: String,
    /// UID of the owner.
    pub uid: String,
    /// Whether the owner is the controller of the object.
    pub controller: bool,
}

/// Any object: its metadata
#[derive(Debug, Clone, Deserialize)]
pub struct Object {
    /// `metadata`.
    pub metadata: Metadata,
}

/// An object that is to go, and what may hold it
#[derive(Debug, Clone, Deserialize)]
pub struct Leaver {
    /// `metadata`.
    pub metadata: LeaverMetadata,
    #[serde(default)]
    status: Status,
}

/// `metadata` of an object that is to go
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct LeaverMetadata {
    /// Name of the object.
    pub name: Box<str>,
    /// Namespace of the object; empty for cluster-wide kinds.
    pub namespace: Box<str>,
    /// UID of the object.
    pub uid: String,
    /// Finalizers.
    pub finalizers: Vec<String>,
    resource_version: Box<str>,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
struct Status {
    conditions: Vec<Condition>,
}

impl Leaver {
    /// `status.conditions`; empty if only the metadata was requested.
    pub fn conditions(&self) -> &[Condition] {
        &self.status.conditions
    }
}

impl Watched for Object {
    fn resource_version(&self) -> &str {
        &self.metadata.resource_version
    }
}

impl Watched for Leaver {
    fn resource_version(&self) -> &str {
        &self.metadata.resource_version
    }
}

/// One of `status.conditions`
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
pub struct Condition {
    /// Type of the condition.
    pub r#type: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// One word.
    pub reason: String,
    /// A sentence.
    pub message: String,
    /// Time since which it has this status.
    #[serde(rename = "lastTransitionTime")]
    pub since: Option<Timestamp>,
}

impl Condition {
    /// Whether this is that condition, with that status.
    pub fn is(&self, kind: &str, status: &str) -> bool {
        self.r#type == kind && self.status == status
    }
}
