//! Keys of objects in a work queue.

use std::fmt;
use std::sync::Arc;

use crate::store::Stored;

/// Namespace and name of an object; cheap to copy
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Namespace; empty for cluster-wide kinds.
    pub namespace: Arc<str>,
    /// Name.
    pub name: Arc<str>,
}

impl Key {
    /// A key from its two parts.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// The key of a stored object.
    pub fn of(object: &Stored) -> Self {
        Self::new(object.namespace(), object.name())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A work item of the garbage collector
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Work {
    /// The object with this UID is gone: collect its dependents.
    Orphans(Box<str>),
    /// This object may have been created after its owners had gone.
    Newcomer(usize, Key),
    /// This object waits for its dependents, or for their release.
    Owner(usize, Key),
}
