//! One stored version of one object.

use std::cell::RefCell;
use std::io::Read as _;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use flate2::read::DeflateDecoder;
use flate2::{Compress, Compression, FlushCompress, Status};
use serde_json::Value;

thread_local! {
    /// Its tables take a while to make.
    static PACKER: RefCell<Compress> = RefCell::new(Compress::new(Compression::fast(), false));
}

/// A version of an object, shared by everybody who reads it
pub type Object = Arc<Stored>;

/// One immutable version of an object
///
/// It is kept as values, as text, or both: values are quick to read and take many times the room of the text. One that is
/// hardly ever read again is kept as compressed text.
#[derive(Debug)]
pub struct Stored {
    value: OnceLock<Value>,
    packed: Option<Box<[u8]>>,
    namespace: Box<str>,
    name: Box<str>,
    uid: Box<str>,
    revision: u64,
    json: OnceLock<Bytes>,
}

impl Stored {
    /// Wraps a complete object; `revision` is written into its metadata.
    pub(super) fn new(mut value: Value, revision: u64) -> Self {
        value["metadata"]["resourceVersion"] = Value::String(revision.to_string());
        let text = |field: &str| Box::from(value["metadata"][field].as_str().unwrap_or_default());
        let (namespace, name, uid) = (text("namespace"), text("name"), text("uid"));
        Self {
            value: OnceLock::from(value),
            packed: None,
            namespace,
            name,
            uid,
            revision,
            json: OnceLock::new(),
        }
    }

    /// The same version, kept as text until somebody asks for its values.
    pub(super) fn folded(&self) -> Self {
        Self { json: OnceLock::from(self.json()), ..self.empty() }
    }

    /// The same version as compressed text: a fifth of the room of the text, as versions mostly are.
    pub(super) fn packed(&self) -> Self {
        let json = self.json();
        let mut packed = Vec::with_capacity(json.len() / 2 + 128);
        let status = PACKER.with_borrow_mut(|packer| {
            packer.reset();
            packer.compress_vec(&json, &mut packed, FlushCompress::Finish)
        });
        match status {
            Ok(Status::StreamEnd) => Self { packed: Some(packed.into_boxed_slice()), ..self.empty() },
            // Hardly any text is not halved.
            _ => Self { json: OnceLock::from(json), ..self.empty() },
        }
    }

    /// The same version without its content.
    fn empty(&self) -> Self {
        Self {
            value: OnceLock::new(),
            packed: None,
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            uid: self.uid.clone(),
            revision: self.revision,
            json: OnceLock::new(),
        }
    }

    /// The object as JSON values.
    pub fn value(&self) -> &Value {
        self.value.get_or_init(|| self.parse())
    }

    /// A copy of the values; what is kept as text stays so.
    pub fn to_value(&self) -> Value {
        self.value.get().cloned().unwrap_or_else(|| self.parse())
    }

    fn parse(&self) -> Value {
        // Text that we wrote ourselves is always read back.
        serde_json::from_slice(&self.json()).unwrap_or_default()
    }

    /// The object as JSON text, written once however many watchers want it.
    pub fn json(&self) -> Bytes {
        if let (None, Some(packed)) = (self.json.get(), &self.packed) {
            let mut text = Vec::new();
            // What we packed ourselves is always unpacked.
            let _ = DeflateDecoder::new(packed.as_ref()).read_to_end(&mut text);
            return text.into();
        }
        self.json
            .get_or_init(|| Bytes::from(self.value.get().map(Value::to_string).unwrap_or_default()))
            .clone()
    }

    /// The namespace; empty for cluster-wide kinds.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The identity that a namesake does not share.
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

    /// Whether deletion has been asked for.
    pub fn is_deleting(&self) -> bool {
        self.value()["metadata"]["deletionTimestamp"].is_string()
    }

    /// The finalizers that still hold it.
    pub fn finalizers(&self) -> impl Iterator<Item = &str> {
        self.value()["metadata"]["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str)
    }

    /// The identities of its owners.
    pub fn owners(&self) -> impl Iterator<Item = &str> {
        let owners = self.value()["metadata"]["ownerReferences"].as_array();
        owners.into_iter().flatten().filter_map(|owner| owner["uid"].as_str())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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
    fn folding_keeps_everything() {
        let object =
            Stored::new(json!({"metadata": {"name": "a", "uid": "c"}, "spec": {"x": [1, null, "y"]}}), 7);
        for folded in [object.folded(), object.packed(), object.packed().folded(), object.folded().packed()] {
            assert_eq!((folded.json(), folded.to_value()), (object.json(), object.to_value()));
            assert_eq!((folded.value(), folded.json()), (object.value(), object.json()));
            assert_eq!((folded.name(), folded.uid(), folded.revision()), ("a", "c", 7));
        }
    }
}
