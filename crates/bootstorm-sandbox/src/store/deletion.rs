//! How an object is deleted, and what becomes of that.

use super::object::Object;
use super::rules::Propagation;

/// How to delete an object
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// Delete only the object with this identity.
    pub uid: Option<String>,
    /// Delete only this version.
    pub resource_version: Option<String>,
    /// What becomes of its dependents.
    pub propagation: Propagation,
    /// How long a pod may take, instead of what it asked for itself.
    pub grace_period: Option<i64>,
}

/// What became of a deletion
#[derive(Debug, Clone)]
pub enum Deleted {
    /// It is marked, and goes when its finalizers are gone or its kubelet is done.
    Marked(Object),
    /// It is gone; this was its last state.
    Removed(Object),
}

impl Deleted {
    /// The object as it was left.
    pub fn object(&self) -> &Object {
        match self {
            Self::Marked(object) | Self::Removed(object) => object,
        }
    }
}
