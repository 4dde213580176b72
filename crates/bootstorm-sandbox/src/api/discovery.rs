//! Discovery: the served kinds, in the old form and aggregated.

use super::payload::Body;
use crate::value::{Value, json};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use super::path::{Discovery, REVIEWS, SUBRESOURCES};
use super::status::Failure;
use super::{accept, answer};
use crate::store::kind;
use crate::store::{Kind, Store};

const VERBS: [&str; 8] = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// A group with its one version and its resources.
struct Group {
    name: &'static str,
    version: &'static str,
    resources: Vec<Resource>,
}

/// One resource in discovery.
struct Resource {
    plural: &'static str,
    singular: &'static str,
    kind: &'static str,
    namespaced: bool,
    verbs: &'static [&'static str],
    short_names: &'static [&'static str],
    categories: &'static [&'static str],
    subresources: Vec<(&'static str, &'static str, &'static [&'static str])>,
}

/// Answers a request for a level of discovery.
pub(super) fn serve(
    level: &Discovery,
    headers: &HeaderMap,
    address: &str,
    store: &Store,
) -> Result<Response<Body>, Failure> {
    let aggregated = accept::aggregated(headers);
    let body = match (level, aggregated) {
        (Discovery::Core, Some(version)) => return Ok(aggregate(version, |group| group.name.is_empty())),
        (Discovery::Groups, Some(version)) => return Ok(aggregate(version, |group| !group.name.is_empty())),
        (Discovery::Core, None) => json!({
            "kind": "APIVersions",
            "versions": ["v1"],
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
        }),
        (Discovery::Groups, None) => {
            let list: Vec<Value> =
                groups().iter().filter(|group| !group.name.is_empty()).map(summary).collect();
            json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": list})
        }
        (Discovery::Group(name), _) => {
            let found =
                groups().into_iter().find(|group| group.name == name && is_defined(group.name, store));
            let mut group = summary(&found.ok_or_else(Failure::page_not_found)?);
            group["kind"] = json!("APIGroup");
            group["apiVersion"] = json!("v1");
            group
        }
        (Discovery::Version { group, version }, _) => {
            let found = groups().into_iter().find(|known| known.name == group && known.version == version);
            resources(&found.ok_or_else(Failure::page_not_found)?)
        }
    };
    Ok(answer::value(StatusCode::OK, &body))
}

/// Whether a group is served: CDI can be removed with the definitions of its kinds.
fn is_defined(group: &str, store: &Store) -> bool {
    let ours = || kind::all().iter().filter(|kind| kind.group == group && group == kind::CDIS.group);
    let defined =
        |kind: &&Kind| store.get(&kind::CUSTOM_RESOURCE_DEFINITIONS, "", &kind.qualified()).is_some();
    ours().next().is_none() || ours().any(|kind| defined(&&**kind))
}

fn groups() -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for kind in kind::all() {
        match groups.iter_mut().find(|group| group.name == kind.group) {
            Some(group) => group.resources.push(stored(kind)),
            None => {
                groups.push(Group { name: kind.group, version: kind.version, resources: vec![stored(kind)] });
            }
        }
    }
    let actions: Vec<_> = ["restart", "start", "stop"].map(|action| (action, "", [].as_slice())).into();
    let machines = Resource { subresources: actions, ..review("virtualmachines", "", "", true) };
    groups.push(Group { name: SUBRESOURCES, version: "v1", resources: vec![machines] });
    let [authorization, authentication] = REVIEWS;
    groups.push(Group {
        name: authentication,
        version: "v1",
        resources: vec![review("selfsubjectreviews", "selfsubjectreview", "SelfSubjectReview", false)],
    });
    groups.push(Group {
        name: authorization,
        version: "v1",
        resources: vec![
            review("selfsubjectaccessreviews", "selfsubjectaccessreview", "SelfSubjectAccessReview", false),
            review("selfsubjectrulesreviews", "selfsubjectrulesreview", "SelfSubjectRulesReview", false),
            review("subjectaccessreviews", "subjectaccessreview", "SubjectAccessReview", false),
        ],
    });
    groups
}

fn stored(kind: &'static Kind) -> Resource {
    let mut subresources: Vec<(&str, &str, &'static [&'static str])> = Vec::new();
    if kind.has_status {
        subresources.push(("status", kind.kind, &["get", "patch", "update"]));
    }
    if kind.is(&kind::PODS) {
        subresources.push(("eviction", "Eviction", &["create"]));
        subresources.push(("exec", "PodExecOptions", &["create", "get"]));
        subresources.push(("log", "Pod", &["get"]));
    }
    Resource {
        plural: kind.plural,
        singular: kind.singular,
        kind: kind.kind,
        namespaced: kind.namespaced,
        verbs: &VERBS,
        short_names: kind.short_names,
        categories: kind.categories,
        subresources,
    }
}

fn review(plural: &'static str, singular: &'static str, kind: &'static str, namespaced: bool) -> Resource {
    let (short_names, categories, subresources) = (&[], &[], Vec::new());
    Resource { plural, singular, kind, namespaced, verbs: &["create"], short_names, categories, subresources }
}

fn summary(group: &Group) -> Value {
    let version =
        json!({"groupVersion": format!("{}/{}", group.name, group.version), "version": group.version});
    json!({"name": group.name, "versions": [version.clone()], "preferredVersion": version})
}

fn resources(group: &Group) -> Value {
    let mut list = Vec::new();
    for resource in &group.resources {
        if !resource.kind.is_empty() {
            let mut entry = json!({
                "name": resource.plural,
                "singularName": resource.singular,
                "namespaced": resource.namespaced,
                "kind": resource.kind,
                "verbs": resource.verbs,
            });
            for (field, values) in [("shortNames", resource.short_names), ("categories", resource.categories)]
            {
                if !values.is_empty() {
                    entry[field] = json!(values);
                }
            }
            list.push(entry);
        }
        for (subresource, kind, verbs) in &resource.subresources {
            let mut entry = json!({
                "name": format!("{}/{subresource}", resource.plural),
                "singularName": "",
                "namespaced": resource.namespaced,
                "kind": kind,
                "verbs": verbs,
            });
            // kubectl checks here whether it may evict.
            if let Some((group, version)) = elsewhere(kind) {
                (entry["group"], entry["version"]) = (json!(group), json!(version));
            }
            list.push(entry);
        }
    }
    let version = match group.name {
        "" => group.version.to_owned(),
        name => format!("{name}/{}", group.version),
    };
    json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": list})
}

/// Group and version of a subresource's input, if they differ from those of its resource.
fn elsewhere(kind: &str) -> Option<(&'static str, &'static str)> {
    (kind == "Eviction").then_some(("policy", "v1"))
}

fn aggregate(version: &str, wanted: impl Fn(&Group) -> bool) -> Response<Body> {
    let items: Vec<Value> = groups().iter().filter(|group| wanted(group)).map(whole).collect();
    let list = json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": format!("apidiscovery.k8s.io/{version}"),
        "metadata": {},
        "items": items,
    });
    let mut response = answer::value(StatusCode::OK, &list);
    // Clients check here which form they got.
    let media = format!("application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList");
    if let Ok(media) = HeaderValue::from_str(&media) {
        response.headers_mut().insert(header::CONTENT_TYPE, media);
    }
    response
}

fn whole(group: &Group) -> Value {
    let response = |kind: &str| {
        let (group, version) = elsewhere(kind).unwrap_or((group.name, group.version));
        json!({"group": group, "version": version, "kind": kind})
    };
    let resource = |resource: &Resource| {
        let mut entry = json!({
            "resource": resource.plural,
            "scope": if resource.namespaced { "Namespaced" } else { "Cluster" },
            "singularResource": resource.singular,
            "verbs": resource.verbs,
        });
        if resource.kind.is_empty() {
            // Only its subresources are served.
            entry["verbs"] = json!([]);
        } else {
            entry["responseKind"] = response(resource.kind);
        }
        for (field, values) in [("shortNames", resource.short_names), ("categories", resource.categories)] {
            if !values.is_empty() {
                entry[field] = json!(values);
            }
        }
        let below = resource.subresources.iter().map(|(subresource, kind, verbs)| {
            json!({"subresource": subresource, "responseKind": response(kind), "verbs": verbs})
        });
        entry["subresources"] = below.collect();
        entry
    };
    let resources: Vec<Value> = group.resources.iter().map(resource).collect();
    json!({
        "metadata": {"name": group.name, "creationTimestamp": null},
        "versions": [{"version": group.version, "resources": resources, "freshness": "Current"}],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_listed_once() {
        let listed: usize =
            groups().iter().flat_map(|group| &group.resources).filter(|one| one.verbs.len() > 1).count();
        assert_eq!(listed, kind::all().len());
    }

    #[test]
    fn the_actions_are_listed_without_a_parent() {
        let groups = groups();
        let group = groups.iter().find(|group| group.name == SUBRESOURCES).unwrap();
        let names: Vec<Value> =
            resources(group)["resources"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
        assert_eq!(names, ["virtualmachines/restart", "virtualmachines/start", "virtualmachines/stop"]);
    }
}
