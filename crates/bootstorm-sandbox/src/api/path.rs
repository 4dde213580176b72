//! Targets of request paths.

use crate::store::Kind;
use crate::store::kind::{self, NAMESPACES};

/// Target of a path
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// `/version`.
    Version,
    /// `/healthz` and similar.
    Health,
    /// `/api`, `/apis`, and everything below down to a version.
    Discovery(Discovery),
    /// `/openapi/v2`, or a document of `/openapi/v3`.
    OpenApi(String),
    /// A stored kind.
    Resource(Resource),
    /// A review of the caller's own rights, by its plural.
    Review(String),
    /// `KubeVirt`'s own API: the path below its version.
    KubeVirt(Vec<String>),
    /// The sandbox's own paths, outside Kubernetes: the path below `/bootstorm`.
    Admin(Vec<String>),
    /// Not served.
    Unknown,
}

/// A level of discovery
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Discovery {
    Core,
    Groups,
    Group(String),
    Version { group: String, version: String },
}

/// A collection, an object, or a subresource
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resource {
    pub(super) kind: &'static Kind,
    pub(super) namespace: Option<String>,
    pub(super) name: Option<String>,
    pub(super) subresource: Option<String>,
}

impl Resource {
    /// Namespace in the store's form.
    pub(super) fn space(&self) -> &str {
        self.namespace.as_deref().unwrap_or_default()
    }

    /// `pods`, `pods/status`.
    pub(super) fn permission(&self) -> String {
        match &self.subresource {
            Some(subresource) => format!("{}/{subresource}", self.kind.plural),
            None => self.kind.plural.to_owned(),
        }
    }
}

/// Group of `KubeVirt`'s own API.
pub(super) const SUBRESOURCES: &str = "subresources.kubevirt.io";
/// Groups that answer reviews instead of storing objects.
pub(super) const REVIEWS: [&str; 2] = ["authorization.k8s.io", "authentication.k8s.io"];

impl Target {
    pub(super) fn parse(path: &str) -> Self {
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        match segments.as_slice() {
            ["version"] => Self::Version,
            ["bootstorm", rest @ ..] => {
                Self::Admin(rest.iter().map(|segment| (*segment).to_owned()).collect())
            }
            ["healthz" | "livez" | "readyz", ..] => Self::Health,
            ["openapi", rest @ ..] => Self::OpenApi(rest.join("/")),
            ["api"] => Self::Discovery(Discovery::Core),
            ["apis"] => Self::Discovery(Discovery::Groups),
            ["apis", group] => Self::Discovery(Discovery::Group((*group).to_owned())),
            ["api", version] => {
                Self::Discovery(Discovery::Version { group: String::new(), version: (*version).to_owned() })
            }
            ["apis", group, version] => Self::Discovery(Discovery::Version {
                group: (*group).to_owned(),
                version: (*version).to_owned(),
            }),
            ["apis", SUBRESOURCES, "v1" | "v1alpha3", rest @ ..] => {
                Self::KubeVirt(rest.iter().map(|segment| (*segment).to_owned()).collect())
            }
            ["apis", group, "v1", review] if REVIEWS.contains(group) => Self::Review((*review).to_owned()),
            ["api", version, rest @ ..] => resource("", version, rest),
            ["apis", group, version, rest @ ..] => resource(group, version, rest),
            _ => Self::Unknown,
        }
    }
}

fn resource(group: &str, version: &str, segments: &[&str]) -> Target {
    let found = match segments {
        // A namespace's own subresources look like a collection in it.
        ["namespaces", name, subresource @ ("status" | "finalize")] if group.is_empty() => {
            return Target::Resource(Resource {
                kind: &NAMESPACES,
                namespace: None,
                name: Some((*name).to_owned()),
                subresource: Some((*subresource).to_owned()),
            });
        }
        ["namespaces", namespace, plural, rest @ ..] => kind::find(group, version, plural)
            .filter(|kind| kind.namespaced)
            .map(|kind| (kind, Some(*namespace), rest)),
        [plural, rest @ ..] => kind::find(group, version, plural)
            .filter(|kind| !kind.namespaced || rest.is_empty())
            .map(|kind| (kind, None, rest)),
        [] => None,
    };
    let Some((kind, namespace, rest)) = found else { return Target::Unknown };
    let (name, subresource) = match rest {
        [] => (None, None),
        [name] => (Some(*name), None),
        [name, subresource] => (Some(*name), Some(*subresource)),
        _ => return Target::Unknown,
    };
    let owned = |text: Option<&str>| text.map(str::to_owned);
    Target::Resource(Resource {
        kind,
        namespace: owned(namespace),
        name: owned(name),
        subresource: owned(subresource),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(path: &str) -> (String, String, String) {
        match Target::parse(path) {
            Target::Resource(resource) => {
                (resource.permission(), resource.space().to_owned(), resource.name.unwrap_or_default())
            }
            other => (format!("{other:?}"), String::new(), String::new()),
        }
    }

    #[test]
    fn paths_name_resources() {
        let expect = |path: &str, resource: &str, namespace: &str, name: &str| {
            assert_eq!(parsed(path), (resource.to_owned(), namespace.to_owned(), name.to_owned()), "{path}");
        };
        expect("/api/v1/namespaces", "namespaces", "", "");
        expect("/api/v1/namespaces/a", "namespaces", "", "a");
        expect("/api/v1/namespaces/a/status", "namespaces/status", "", "a");
        expect("/api/v1/namespaces/a/pods", "pods", "a", "");
        expect("/api/v1/pods", "pods", "", "");
        expect(
            "/apis/kubevirt.io/v1/namespaces/a/virtualmachines/x/status",
            "virtualmachines/status",
            "a",
            "x",
        );
        expect("/api/v1/nodes/n", "nodes", "", "n");
        expect("/api/v1/pods/x", "Unknown", "", "");
        expect("/apis/kubevirt.io/v1/nothing", "Unknown", "", "");
    }

    #[test]
    fn other_paths_have_their_places() {
        assert_eq!(Target::parse("/apis/"), Target::Discovery(Discovery::Groups));
        assert_eq!(Target::parse("/readyz/ping"), Target::Health);
        assert_eq!(Target::parse("/openapi/v3/api/v1"), Target::OpenApi("v3/api/v1".into()));
        assert!(
            matches!(Target::parse("/apis/subresources.kubevirt.io/v1/version"), Target::KubeVirt(rest) if rest == ["version"])
        );
        assert!(matches!(
            Target::parse("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"),
            Target::Review(_)
        ));
    }
}
