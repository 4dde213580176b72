//! Naming an object in a work queue.

use std::fmt;
use std::sync::Arc;

use crate::store::Stored;

/// Namespace and name of an object; cheap to copy around
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The namespace; empty for cluster-wide kinds.
    pub namespace: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

impl Key {
    /// A key out of its two parts.
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

/// Something for the garbage collector to look at
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Work {
    /// The object of this identity is gone: collect what it owned.
    Orphans(Box<str>),
    /// This object may have come after its owners had gone.
    Newcomer(usize, Key),
    /// This object waits for its dependents, or for them to be let go.
    Owner(usize, Key),
}
