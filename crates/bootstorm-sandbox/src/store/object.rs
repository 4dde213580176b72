//! One stored version of one object.

use std::sync::{Arc, OnceLock};

use crate::value::Value;
use bytes::Bytes;

use super::delta::{self, Reference};

/// Most objects have at most this many bytes of text.
const MOSTLY: usize = 8 * 1024;

/// A version of an object, shared by its readers
pub type Object = Arc<Stored>;

/// One immutable version of an object
///
/// Stored as values, as text, or both: values are quick to read and take many times the room of the text. A version
/// that is rarely read again is packed.
#[derive(Debug)]
pub struct Stored {
    value: OnceLock<Value>,
    json: OnceLock<Bytes>,
    /// A second encoding, if it was asked for.
    encoded: OnceLock<Bytes>,
    packed: Option<Packed>,
    namespace: Box<str>,
    name: Box<str>,
    uid: Box<str>,
    revision: u64,
}

/// The text of a version, relative to other texts of the same kind
#[derive(Debug, Clone)]
struct Packed {
    bytes: Arc<[u8]>,
    length: usize,
    reference: Arc<[u8]>,
    /// Labels, by which many objects are selected at once.
    labels: Option<Arc<Value>>,
}

impl Packed {
    fn text(&self) -> Vec<u8> {
        delta::unpack(&self.bytes, self.length, &self.reference)
    }
}

impl Stored {
    /// Wraps a complete object; `revision` is written into its metadata.
    pub(super) fn new(mut value: Value, revision: u64) -> Self {
        value["metadata"]["resourceVersion"] = revision.to_string().into();
        let text = |field: &str| Box::from(value["metadata"][field].as_str().unwrap_or_default());
        let (namespace, name, uid) = (text("namespace"), text("name"), text("uid"));
        Self {
            value: OnceLock::from(value),
            json: OnceLock::new(),
            encoded: OnceLock::new(),
            packed: None,
            namespace,
            name,
            uid,
            revision,
        }
    }

    /// The version packed relative to a reference, mostly a tenth of the size of the text.
    pub(super) fn packed(&self, reference: &Reference) -> Self {
        let json = self.json();
        let bytes = reference.pack(&json).into();
        self.with(Packed { bytes, length: json.len(), reference: reference.text().clone(), labels: None })
    }

    /// The version with its labels available; `None` if it is not packed.
    pub(super) fn labelled(&self, labels: Value) -> Option<Self> {
        let labels = Some(Arc::new(labels));
        self.packed.as_ref().map(|packed| self.with(Packed { labels, ..packed.clone() }))
    }

    /// The version without its unpacked form; `None` if it is not packed.
    pub(super) fn cold(&self) -> Option<Self> {
        self.packed.as_ref().map(|packed| self.with(packed.clone()))
    }

    /// Whether its values are available.
    pub(super) fn is_open(&self) -> bool {
        self.value.get().is_some()
    }

    /// Its packed size, and its size as text; `None` if it is not packed.
    pub(super) fn room(&self) -> Option<(usize, usize)> {
        self.packed.as_ref().map(|packed| (packed.bytes.len(), packed.length))
    }

    fn with(&self, packed: Packed) -> Self {
        Self {
            value: OnceLock::new(),
            json: OnceLock::new(),
            encoded: OnceLock::new(),
            packed: Some(packed),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            uid: self.uid.clone(),
            revision: self.revision,
        }
    }

    /// The object as JSON values, which are kept from then on.
    pub fn value(&self) -> &Value {
        self.value.get_or_init(|| self.parse())
    }

    /// Reads the values once; those of a packed version are not kept.
    pub fn read<T>(&self, look: impl FnOnce(&Value) -> T) -> T {
        match self.value.get() {
            Some(value) => look(value),
            None => look(&self.parse()),
        }
    }

    /// A copy of the values; a packed version stays packed.
    pub fn to_value(&self) -> Value {
        self.value.get().cloned().unwrap_or_else(|| self.parse())
    }

    fn parse(&self) -> Value {
        // Our own text always parses.
        match (&self.packed, self.json.get()) {
            (Some(packed), None) => serde_json::from_slice(&packed.text()).unwrap_or_default(),
            _ => serde_json::from_slice(&self.json()).unwrap_or_default(),
        }
    }

    /// The object as JSON text, serialised once however many watchers need it.
    pub fn json(&self) -> Bytes {
        if let (None, Some(packed)) = (self.json.get(), &self.packed) {
            return packed.text().into();
        }
        self.json.get_or_init(|| self.value.get().map(text).unwrap_or_default().into()).clone()
    }

    /// The object in another encoding, always the same one; like [`Stored::json`], encoded once.
    pub fn encoded(&self, encode: impl FnOnce(&Value) -> Vec<u8>) -> Bytes {
        if self.packed.is_some() {
            return self.read(encode).into();
        }
        self.encoded.get_or_init(|| encode(self.value()).into()).clone()
    }

    /// Serialises the object. Watches and the log need the text anyway; here nobody waits for it with a lock held.
    pub(super) fn write(&self) {
        if self.packed.is_none() {
            self.json();
        }
    }

    /// `metadata.labels` if available.
    pub fn ready_labels(&self) -> Option<&Value> {
        match (self.value.get(), &self.packed) {
            (Some(value), _) => Some(&value["metadata"]["labels"]),
            (None, Some(packed)) => packed.labels.as_deref(),
            (None, None) => None,
        }
    }

    /// The namespace; empty for cluster-wide kinds.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The UID, which differs between objects of the same name.
    pub fn uid(&self) -> &str {
        &self.uid
    }

    /// The resource version as a number.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The value of a label.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.value()["metadata"]["labels"].get(key)?.as_str()
    }

    /// All labels with text values.
    pub fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        let labels = self.value()["metadata"]["labels"].as_object();
        labels.into_iter().flatten().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
    }

    /// Whether deletion has been requested.
    pub fn is_deleting(&self) -> bool {
        self.value()["metadata"]["deletionTimestamp"].is_string()
    }

    /// The finalizers that still hold it.
    pub fn finalizers(&self) -> impl Iterator<Item = &str> {
        self.value()["metadata"]["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str)
    }

    /// UIDs of its owners.
    pub fn owners(&self) -> impl Iterator<Item = &str> {
        let owners = self.value()["metadata"]["ownerReferences"].as_array();
        owners.into_iter().flatten().filter_map(|owner| owner["uid"].as_str())
    }
}

/// The JSON text of a value.
fn text(value: &Value) -> Vec<u8> {
    let mut text = Vec::with_capacity(MOSTLY);
    // Writing values into memory cannot fail.
    let _ = serde_json::to_writer(&mut text, value);
    text.shrink_to_fit();
    text
}

#[cfg(test)]
mod tests {
    use crate::value::json;

    use super::*;

    #[test]
    fn what_is_asked_often_is_at_hand() {
        let object = Stored::new(
            json!({"metadata": {"name": "a", "namespace": "b", "uid": "c", "labels": {"x": "y"}, "ownerReferences": [{"uid": "o"}]}}),
            7,
        );
        assert_eq!((object.namespace(), object.name(), object.uid(), object.revision()), ("b", "a", "c", 7));
        assert_eq!(object.label("x"), Some("y"));
        assert_eq!(object.owners().collect::<Vec<_>>(), ["o"]);
        assert_eq!(object.value()["metadata"]["resourceVersion"], "7");
        assert!(!object.is_deleting());
    }

    #[test]
    fn packing_keeps_everything() {
        let object = Stored::new(
            json!({"metadata": {"name": "a", "uid": "c", "labels": {"x": "y"}}, "spec": {"x": [1, null, "y"]}}),
            7,
        );
        let like =
            Stored::new(json!({"metadata": {"name": "b", "uid": "d"}, "spec": {"x": [1, null, "y"]}}), 6);
        for reference in [Vec::new(), like.json().to_vec(), vec![b'x'; 200_000]] {
            let reference = Reference::new(reference.into());
            let packed = object.packed(&reference);
            for packed in [
                packed.cold().unwrap(),
                packed.packed(&reference),
                packed.labelled(json!({"x": "y"})).unwrap(),
                packed,
            ] {
                assert_eq!((packed.json(), packed.to_value()), (object.json(), object.to_value()));
                assert_eq!(packed.read(Value::clone), *object.value());
                assert!(packed.value.get().is_none(), "a look keeps nothing");
                assert_eq!((packed.value(), packed.json()), (object.value(), object.json()));
                assert_eq!((packed.name(), packed.uid(), packed.revision()), ("a", "c", 7));
                assert_eq!(packed.ready_labels(), Some(&json!({"x": "y"})));
            }
        }
    }
}
