//! Reasons why the store refuses a write.

use thiserror::Error;

/// A write that the store refused
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StoreError {
    /// No such object.
    #[error("{kind} \"{name}\" not found")]
    NotFound {
        /// The qualified plural.
        kind: String,
        /// The object's name.
        name: String,
    },
    /// An object of that name exists.
    #[error("{kind} \"{name}\" already exists")]
    AlreadyExists {
        /// The qualified plural.
        kind: String,
        /// The object's name.
        name: String,
    },
    /// The namespace does not exist.
    #[error("namespaces \"{namespace}\" not found")]
    NoNamespace {
        /// Requested namespace.
        namespace: String,
    },
    /// The namespace is terminating and accepts no new objects.
    #[error(
        "{kind} \"{name}\" is forbidden: unable to create new content in namespace {namespace} because it is being terminated"
    )]
    NamespaceTerminating {
        /// The qualified plural.
        kind: String,
        /// The object's name.
        name: String,
        /// Terminating namespace.
        namespace: String,
    },
    /// A quota is exceeded.
    #[error("{kind} \"{name}\" is forbidden: {why}")]
    OverQuota {
        /// The qualified plural.
        kind: String,
        /// The object's name.
        name: String,
        /// The quota's message.
        why: String,
    },
    /// The object is not the one that the caller referred to.
    #[error(
        "Operation cannot be fulfilled on {kind} \"{name}\": Precondition failed: {field} in precondition: {wanted}, {field} in object meta: {found}"
    )]
    Precondition {
        /// The qualified plural.
        kind: String,
        /// The object's name.
        name: String,
        /// `UID` or `ResourceVersion`.
        field: &'static str,
        /// The caller's value.
        wanted: String,
        /// The object's value.
        found: String,
    },
}

/// Reason why an update did not happen
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UpdateError<E> {
    /// No such object.
    #[error("not found")]
    NotFound,
    /// The caller's own change failed.
    #[error("{0}")]
    Refused(E),
}

/// The requested revision has been forgotten; list again
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("too old resource version: {asked} ({oldest})")]
pub struct TooOld {
    /// Requested revision.
    pub asked: u64,
    /// Oldest available revision.
    pub oldest: u64,
}
