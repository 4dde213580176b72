//! One stored version of one object.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde_json::Value;

/// A version of an object, shared by everybody who reads it
pub type Object = Arc<Stored>;

/// One immutable version of an object
///
/// It is kept as values, as text, or both: values are quick to read and take many times the room of the text.
#[derive(Debug)]
pub struct Stored {
    value: OnceLock<Value>,
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
        Self { value: OnceLock::from(value), namespace, name, uid, revision, json: OnceLock::new() }
    }

    /// The same version, kept as text until somebody asks for its values.
    pub(super) fn folded(&self) -> Self {
        Self {
            value: OnceLock::new(),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            uid: self.uid.clone(),
            revision: self.revision,
            json: OnceLock::from(self.json()),
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
        self.json.get().and_then(|json| serde_json::from_slice(json).ok()).unwrap_or_default()
    }

    /// The object as JSON text, written once however many watchers want it.
    pub fn json(&self) -> Bytes {
        self.json.get_or_init(|| Bytes::from(self.value().to_string())).clone()
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
        let folded = object.folded();
        assert_eq!((folded.value(), folded.json()), (object.value(), object.json()));
        assert_eq!((folded.name(), folded.uid(), folded.revision()), ("a", "c", 7));
    }
}
