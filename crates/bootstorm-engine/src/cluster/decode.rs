//! Lenient decoding of JSON objects: null counts as absent, and undecodable objects are named.

use kube::core::Status;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use super::error::clip;
use super::metadata::Metadata;

/// Maximum length of an explanation.
const MOST_TOLD: usize = 300;

/// An object with an unexpected form
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undecodable {
    /// Namespace; empty if unknown.
    pub namespace: String,
    /// Name; empty if unknown.
    pub name: String,
    /// Version; empty if unknown.
    pub version: String,
    /// Difference from the expected form.
    pub why: String,
}

impl std::fmt::Display for Undecodable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.namespace.as_str(), self.name.as_str()) {
            ("", "") => f.write_str("an object")?,
            ("", name) => f.write_str(name)?,
            (namespace, name) => write!(f, "{namespace}/{name}")?,
        }
        write!(f, " cannot be read: {}", self.why)
    }
}

/// Metadata of an object, without the rest
#[derive(Deserialize, Default)]
#[serde(default)]
struct Named {
    metadata: Metadata,
}

/// Decodes an object.
///
/// Go servers write a list without items, and an absent struct, as `null` if the field has no `omitempty`. Fails with
/// the name and version of the object, as far as they can be determined.
pub(super) fn object<T: DeserializeOwned>(text: &str) -> Result<T, Undecodable> {
    let first = match serde_json::from_str(text) {
        Ok(object) => return Ok(object),
        Err(error) => error.to_string(),
    };
    let Ok(mut value) = serde_json::from_str::<Value>(text) else {
        return Err(undecodable(&Value::Null, &first));
    };
    remove_nulls(&mut value);
    T::deserialize(&value).map_err(|error| undecodable(&value, &error.to_string()))
}

fn undecodable(value: &Value, why: &str) -> Undecodable {
    let Named { metadata } = Named::deserialize(value).unwrap_or_default();
    let text = |path: &str, typed: String| {
        let plain = || value.pointer(path).and_then(Value::as_str).map(str::to_owned);
        Some(typed).filter(|typed| !typed.is_empty()).or_else(plain).unwrap_or_default()
    };
    Undecodable {
        namespace: text("/metadata/namespace", metadata.namespace),
        name: text("/metadata/name", metadata.name),
        version: text("/metadata/resourceVersion", metadata.resource_version),
        why: clip(why, MOST_TOLD),
    }
}

fn remove_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(remove_nulls);
        }
        Value::Array(items) => {
            items.retain(|item| !item.is_null());
            items.iter_mut().for_each(remove_nulls);
        }
        _ => {}
    }
}

/// What a watch delivers at once
#[derive(Debug)]
pub(super) enum Heard<T> {
    /// A change of an object.
    Changed {
        /// Object.
        object: T,
        /// Whether it was deleted.
        removed: bool,
    },
    /// A change of an object with an unexpected form.
    Unreadable(Undecodable),
    /// The version up to which everything was delivered.
    Bookmark(String),
    /// The end of the watch.
    Refused {
        /// Whether its version is too old.
        expired: bool,
    },
}

/// A line of a watch, with its object still in JSON
#[derive(Debug, Deserialize)]
struct Line<'a> {
    /// `ADDED`, `MODIFIED`, `DELETED`, `BOOKMARK` or `ERROR`.
    r#type: &'a str,
    /// The object, or a `Status`.
    #[serde(borrow)]
    object: &'a RawValue,
}

/// A line of a watch whose object has the expected form, as nearly all do: decoded in one pass
#[derive(Debug, Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct Typed<'a, T> {
    /// `ADDED`, `MODIFIED` or `DELETED`.
    r#type: &'a str,
    /// Object.
    object: T,
}

/// The object of a bookmark
#[derive(Deserialize)]
struct Bookmark {
    metadata: BookmarkMeta,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BookmarkMeta {
    resource_version: String,
}

/// Reads a line of a watch; `None` if it is none.
pub(super) fn heard<T: DeserializeOwned>(line: &[u8]) -> Option<Heard<T>> {
    if let Some(Typed { r#type, object }) = typed::<T>(line) {
        return Some(Heard::Changed { object, removed: r#type == "DELETED" });
    }
    let Line { r#type, object } = serde_json::from_slice(line).ok()?;
    Some(match r#type {
        "BOOKMARK" => {
            let Bookmark { metadata } = serde_json::from_str(object.get()).ok()?;
            Heard::Bookmark(metadata.resource_version)
        }
        "ERROR" => {
            let status: Option<Status> = serde_json::from_str(object.get()).ok();
            tracing::debug!(?status, "watch ended by the server");
            Heard::Refused { expired: status.is_some_and(|status| status.code == 410) }
        }
        _ => match self::object(object.get()) {
            Ok(object) => Heard::Changed { object, removed: r#type == "DELETED" },
            Err(fault) => Heard::Unreadable(fault),
        },
    })
}

/// Decodes a line about a change of an object; `None` for any other line, and if the object has an unexpected form.
fn typed<T: DeserializeOwned>(line: &[u8]) -> Option<Typed<'_, T>> {
    // Checked as a whole, because each string by itself costs more.
    let line: Typed<'_, T> = match std::str::from_utf8(line) {
        Ok(text) => serde_json::from_str(text).ok()?,
        Err(_) => serde_json::from_slice(line).ok()?,
    };
    matches!(line.r#type, "ADDED" | "MODIFIED" | "DELETED").then_some(line)
}

#[cfg(test)]
mod tests {
    use super::super::changes::Vmi;
    use super::*;

    #[test]
    fn nulls_are_absent_and_the_rest_is_named() {
        let text = r#"{"metadata": {"name": "vm", "namespace": "p-1", "uid": "u", "resourceVersion": "7", "labels": null},
            "status": {"phase": "Running", "interfaces": null, "conditions": [null]}}"#;
        assert!(object::<Vmi>(text).is_ok());
        let odd = r#"{"metadata": {"name": "vm", "namespace": "p-1", "resourceVersion": "7"}, "status": {"phase": 7}}"#;
        let error = object::<Vmi>(odd).unwrap_err();
        assert_eq!((error.name.as_str(), error.version.as_str()), ("vm", "7"));
        assert!(error.to_string().starts_with("p-1/vm cannot be read: invalid type: integer"), "{error}");
        let worse = r#"{"metadata": {"name": "vm", "resourceVersion": "7", "uid": 5}}"#;
        assert_eq!(object::<Vmi>(worse).unwrap_err().version, "7");
        assert_eq!(object::<Vmi>("{").unwrap_err().version, "");
    }

    #[test]
    fn only_changes_of_readable_objects_are_read_in_one_pass() {
        let object = r#"{"kind": "VirtualMachineInstance", "metadata": {"name": "vm", "namespace": "p-1", "uid": "u",
            "resourceVersion": "7", "creationTimestamp": "2026-01-01T00:00:00Z"}, "spec": {"x": [1]}, "status": {"phase": "Running"}}"#;
        for (kind, expected) in [("MODIFIED", true), ("DELETED", true), ("BOOKMARK", false), ("ERROR", false)]
        {
            let line = format!(r#"{{"type": "{kind}", "object": {object}}}"#);
            assert_eq!(
                typed::<Vmi>(line.as_bytes()).map(|line| line.r#type),
                expected.then_some(kind),
                "{kind}"
            );
        }
        assert!(typed::<Vmi>(br#"{"type": "ADDED", "object": {"metadata": {"name": 7}}}"#).is_none());
        assert!(typed::<Vmi>(br#"{"type": "ADDED""#).is_none());
    }
}
