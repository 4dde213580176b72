//! Attributes of a request.

/// Attributes of a request, as permissions see them
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Attributes<'a> {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: &'a str,
    /// API group.
    pub group: &'a str,
    /// Plural, with the subresource: `virtualmachines`, `virtualmachines/start`.
    pub resource: &'a str,
    /// Namespace; empty for cluster-wide requests.
    pub namespace: &'a str,
    /// Name of the object; empty for collections.
    pub name: &'a str,
}
