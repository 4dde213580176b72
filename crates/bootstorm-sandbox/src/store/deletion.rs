//! Deletion of an object: options and result.

use super::object::Object;
use super::rules::Propagation;

/// Options of a deletion
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// Delete only the object with this UID.
    pub uid: Option<String>,
    /// Delete only this version.
    pub resource_version: Option<String>,
    /// Handling of its dependents.
    pub propagation: Propagation,
    /// Grace period of a pod, instead of its own.
    pub grace_period: Option<i64>,
}

/// Result of a deletion
#[derive(Debug, Clone)]
pub enum Deleted {
    /// Marked; removed when its finalizers are gone or its kubelet is done.
    Marked(Object),
    /// Removed; this was its last state.
    Removed(Object),
}

impl Deleted {
    /// The object in its last state.
    pub fn object(&self) -> &Object {
        match self {
            Self::Marked(object) | Self::Removed(object) => object,
        }
    }
}
