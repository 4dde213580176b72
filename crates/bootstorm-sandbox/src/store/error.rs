//! Why the store turned a write down.

use thiserror::Error;

/// A write the store refused
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StoreError {
    /// There is no such object.
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
    /// The namespace is missing.
    #[error("namespaces \"{namespace}\" not found")]
    NoNamespace {
        /// The namespace asked for.
        namespace: String,
    },
    /// The namespace is going away and takes nothing new.
    #[error(
        "{kind} \"{name}\" is forbidden: unable to create new content in namespace {namespace} because it is being terminated"
    )]
    NamespaceTerminating {
        /// The qualified plural.
        kind: String,
        /// The object's name.
        name: String,
        /// The namespace that is going away.
        namespace: String,
    },
    /// A quota has no room for it.
    #[error("{kind} \"{name}\" is forbidden: {why}")]
    OverQuota {
        /// The qualified plural.
        kind: String,
        /// The object's name.
        name: String,
        /// What the quota says.
        why: String,
    },
    /// The object is not the one the caller meant.
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
        /// What the caller named.
        wanted: String,
        /// What the object has.
        found: String,
    },
}

/// Why an update did not happen
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UpdateError<E> {
    /// There is no such object.
    #[error("not found")]
    NotFound,
    /// The caller's own change said no.
    #[error("{0}")]
    Refused(E),
}

/// The revision asked for has been forgotten; list again
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("too old resource version: {asked} ({oldest})")]
pub struct TooOld {
    /// The revision that was asked for.
    pub asked: u64,
    /// The oldest revision that would have done.
    pub oldest: u64,
}
