//! UIDs of objects that a run created: names and labels can be copied, UIDs cannot.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// UIDs of objects that a run created, from the server's answers
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Made {
    /// Head of the record; a record with another UID is a copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// The Secret with the user's manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Prober pods, name → UID.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub probers: BTreeMap<String, String>,
    /// Namespaces, name → UID.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub namespaces: BTreeMap<String, String>,
    /// Small objects in the namespaces of VMs, `namespace/plural/name` → UID.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub extras: BTreeMap<String, String>,
    /// Whether a Job and the objects its pods need were or may have been created; recorded before the first request.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub job: bool,
}

impl Made {
    /// Whether no UID is known, as in records of older versions.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
