//! UIDs of objects that a run created: names and labels can be copied, UIDs cannot.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// UIDs of objects, by name or key
///
/// Copies share them until one is changed: a phase has several copies of its record, and a run thousands of namespaces.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct UidsByName(Arc<BTreeMap<String, String>>);

impl Deref for UidsByName {
    type Target = BTreeMap<String, String>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for UidsByName {
    fn deref_mut(&mut self) -> &mut Self::Target {
        Arc::make_mut(&mut self.0)
    }
}

impl From<BTreeMap<String, String>> for UidsByName {
    fn from(uids: BTreeMap<String, String>) -> Self {
        Self(Arc::new(uids))
    }
}

impl From<UidsByName> for BTreeMap<String, String> {
    fn from(uids: UidsByName) -> Self {
        Arc::unwrap_or_clone(uids.0)
    }
}

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
    #[serde(skip_serializing_if = "is_empty")]
    pub namespaces: UidsByName,
    /// Small objects in the namespaces of VMs, `namespace/plural/name` → UID.
    #[serde(skip_serializing_if = "is_empty")]
    pub extras: UidsByName,
    /// Whether a Job and the objects its pods need were or may have been created; recorded before the first request.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub job: bool,
}

fn is_empty(uids: &UidsByName) -> bool {
    uids.0.is_empty()
}

impl Made {
    /// Whether no UID is known, as in records of older versions.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_share_their_uids_until_one_is_changed() {
        let made = Made { namespaces: BTreeMap::from([("a".into(), "1".into())]).into(), ..Made::default() };
        let mut copy = made.clone();
        assert!(Arc::ptr_eq(&made.namespaces.0, &copy.namespaces.0));
        copy.namespaces.insert("b".into(), "2".into());
        assert_eq!(made.namespaces.len(), 1);
        assert_eq!(serde_json::to_value(&copy).unwrap()["namespaces"]["b"], "2");
        assert!(serde_json::to_value(Made::default()).unwrap().get("namespaces").is_none());
    }
}
