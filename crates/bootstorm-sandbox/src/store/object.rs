//! One stored version of one object.

use std::sync::{Arc, OnceLock};

use crate::value::Value;
use bytes::Bytes;

use jiff::Timestamp;

use super::delta::{self, Reference};
use super::kind::Kind;
use super::rules;
use super::text::Text;

/// A version of an object, shared by its readers
pub type Object = Arc<Stored>;

/// One immutable version of an object
///
/// Stored as values, as text, or both: values are quick to read and take many times the room of the text. A version
/// that is rarely read again is packed.
#[derive(Debug)]
pub struct Stored {
    value: OnceLock<Value>,
    json: OnceLock<Text>,
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
    /// Whether nothing owns it, holds it or deletes it.
    is_free: bool,
    /// Its deletion, after which this is its last version.
    ended: Option<Ended>,
}

/// Deletion of a packed object
#[derive(Debug, Clone, Copy)]
struct Ended {
    kind: &'static Kind,
    revision: u64,
    at: Timestamp,
}

impl Packed {
    fn text(&self) -> Vec<u8> {
        match self.ended {
            None => self.unpacked(),
            Some(_) => self.value().to_string().into(),
        }
    }

    fn value(&self) -> Value {
        // Our own text always parses.
        let mut value = serde_json::from_slice(&self.unpacked()).unwrap_or_default();
        if let Some(Ended { kind, revision, at }) = self.ended {
            rules::mark(kind, &mut value, 0, at);
            value["metadata"]["resourceVersion"] = revision.to_string().into();
        }
        value
    }

    fn unpacked(&self) -> Vec<u8> {
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
        let is_free = match &self.packed {
            Some(packed) => packed.is_free,
            None => {
                self.owners().next().is_none() && self.finalizers().next().is_none() && !self.is_deleting()
            }
        };
        let reference = reference.text().clone();
        self.with(Packed { bytes, length: json.len(), reference, labels: None, is_free, ended: None })
    }

    /// The last version of a packed object that is deleted; `None` if it is not packed, or if something owns, holds or
    /// deletes it. Its values are made only when somebody reads them.
    pub(super) fn ended(&self, kind: &'static Kind, revision: u64, at: Timestamp) -> Option<Self> {
        let packed = self.packed.as_ref().filter(|packed| packed.is_free && packed.ended.is_none())?;
        let ended = Some(Ended { kind, revision, at });
        Some(Self { revision, ..self.with(Packed { ended, ..packed.clone() }) })
    }

    fn is_free(&self) -> bool {
        self.packed.as_ref().is_some_and(|packed| packed.is_free)
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
        self.packed.as_ref().map(Packed::value).unwrap_or_default()
    }

    /// The object as JSON text, serialised once however many watchers need it.
    pub fn json(&self) -> Bytes {
        match &self.packed {
            Some(packed) => packed.text().into(),
            None => self.json.get_or_init(|| Text::new(self.value(), None)).bytes().clone(),
        }
    }

    /// The object in another encoding, always the same one; like [`Stored::json`], encoded once.
    pub fn encoded(&self, encode: impl FnOnce(&Value) -> Vec<u8>) -> Bytes {
        if self.packed.is_some() {
            return self.read(encode).into();
        }
        self.encoded.get_or_init(|| encode(self.value()).into()).clone()
    }

    /// Serialises the object, as far as it differs from the version before. Watches and the log need the text anyway;
    /// here nobody waits for it with a lock held.
    pub(super) fn write(&self, before: Option<&Self>) {
        if self.packed.is_none() {
            let before = before.and_then(|before| before.value.get().zip(before.json.get()));
            self.json.get_or_init(|| Text::new(self.value(), before));
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
        match &self.packed {
            Some(packed) if packed.is_free => packed.ended.is_some(),
            _ => self.value()["metadata"]["deletionTimestamp"].is_string(),
        }
    }

    /// The finalizers that still hold it.
    pub fn finalizers(&self) -> impl Iterator<Item = &str> {
        self.value()["metadata"]["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str)
    }

    /// UIDs of its owners.
    pub fn owners(&self) -> impl Iterator<Item = &str> {
        let owners =
            if self.is_free() { None } else { self.value()["metadata"]["ownerReferences"].as_array() };
        owners.into_iter().flatten().filter_map(|owner| owner["uid"].as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::super::kind::CONFIG_MAPS;
    use super::*;
    use crate::value::json;

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
    fn the_end_of_a_packed_object_is_written_when_it_is_read() {
        let at = Timestamp::UNIX_EPOCH;
        let free = json!({"metadata": {"name": "a", "labels": {"x": "y"}}, "data": {"k": "v"}});
        let mut held = free.clone();
        held["metadata"]["finalizers"] = json!(["x"]);
        let mut owned = free.clone();
        owned["metadata"]["ownerReferences"] = json!([{"uid": "o"}]);
        let ended = |value: &Value| {
            let open = Stored::new(value.clone(), 7);
            assert!(open.ended(&CONFIG_MAPS, 8, at).is_none(), "its values are there");
            open.packed(&Reference::default()).ended(&CONFIG_MAPS, 8, at)
        };
        assert!(ended(&held).is_none() && ended(&owned).is_none());
        let last = ended(&free).unwrap();
        assert!(last.is_deleting() && last.ended(&CONFIG_MAPS, 9, at).is_none());
        let mut expected = Stored::new(free, 8).to_value();
        rules::mark(&CONFIG_MAPS, &mut expected, 0, at);
        assert_eq!((last.revision(), last.to_value()), (8, expected.clone()));
        assert_eq!(last.json(), expected.to_string());
        let cold = last.cold().unwrap();
        assert_eq!((cold.revision(), cold.to_value()), (8, expected));
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
