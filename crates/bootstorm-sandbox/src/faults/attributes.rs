//! What a request is about.

/// What a request is about, as permissions see it
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Attributes<'a> {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: &'a str,
    /// The API group.
    pub group: &'a str,
    /// The plural, with the subresource: `virtualmachines`, `virtualmachines/start`.
    pub resource: &'a str,
    /// The namespace; empty for cluster-wide requests.
    pub namespace: &'a str,
    /// The object's name; empty for collections.
    pub name: &'a str,
}
