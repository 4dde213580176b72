//! A parsed request: its subject and its parameters.

use std::collections::BTreeMap;

use crate::value::Value;
use http::{HeaderMap, Method};
use serde::Deserialize;

use super::body;
use super::path::{Resource, SUBRESOURCES, Target};
use super::query::Query;
use crate::faults::Attributes;
use crate::ledger::Power;
use crate::store::Store;
use crate::store::kind::VIRTUAL_MACHINES;

/// A parsed request
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) target: Target,
    pub(super) query: Query,
    pub(super) user: String,
    pub(super) body: bytes::Bytes,
    /// Name in the body of a creation, which is not in the path.
    newborn: String,
}

/// The only field of a new object that is read before the object is parsed.
#[derive(Deserialize)]
struct Named {
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    name: Option<String>,
}

impl Call {
    pub(super) fn new(
        method: Method,
        headers: HeaderMap,
        target: Target,
        query: Query,
        user: String,
        body: bytes::Bytes,
    ) -> Self {
        let mut call = Self { method, headers, target, query, user, body, newborn: String::new() };
        if let Target::Resource(target) = &call.target
            && call.method == Method::POST
            && target.name.is_none()
        {
            call.newborn = name_in(&call.body).unwrap_or_default();
        }
        call
    }

    /// Verb of a request on a stored kind.
    pub(super) fn verb(&self, target: &Resource) -> &'static str {
        let named = target.name.is_some();
        match self.method {
            Method::GET if self.query.is_on("watch") => "watch",
            Method::GET if named => "get",
            Method::GET => "list",
            Method::POST => "create",
            Method::PUT => "update",
            Method::PATCH => "patch",
            Method::DELETE if named => "delete",
            Method::DELETE => "deletecollection",
            _ => "",
        }
    }

    /// Passes the attributes of a request to `ask`; requests for nothing stored have none.
    pub(super) fn with_attributes<T>(&self, ask: impl FnOnce(&Attributes<'_>) -> T) -> Option<T> {
        match &self.target {
            Target::Resource(target) => {
                let resource = target.permission();
                let name = target.name.as_deref().unwrap_or_default();
                // Requests on a namespace count as made in that namespace.
                let namespace = if target.kind.plural == "namespaces" { name } else { target.space() };
                let group = target.kind.group;
                Some(ask(&Attributes {
                    verb: self.verb(target),
                    group,
                    resource: &resource,
                    namespace,
                    name,
                }))
            }
            Target::KubeVirt(path) => {
                let [_, namespace, plural, name, action] = path.as_slice() else { return None };
                let verb = match self.method {
                    Method::GET => "get",
                    Method::POST => "create",
                    _ => "update",
                };
                let resource = format!("{plural}/{action}");
                Some(ask(&Attributes { verb, group: SUBRESOURCES, resource: &resource, namespace, name }))
            }
            _ => None,
        }
    }

    /// The same, but a creation includes the name of the new object, which permissions never see.
    pub(super) fn with_subject<T>(&self, ask: impl FnOnce(&Attributes<'_>) -> T) -> Option<T> {
        self.with_attributes(|request| {
            if self.newborn.is_empty() {
                return ask(request);
            }
            let namespace = if request.resource == "namespaces" { &self.newborn } else { request.namespace };
            ask(&Attributes { name: &self.newborn, namespace, ..*request })
        })
    }

    /// Change of power requested for a machine; none for a dry run.
    pub(super) fn asked(&self) -> Option<Power> {
        if self.query.is_dry_run() == Ok(true) {
            return None;
        }
        match &self.target {
            Target::KubeVirt(path) => {
                let action = path.get(4).filter(|_| self.method == Method::PUT)?;
                Power::of_action(action)
            }
            Target::Resource(target) if target.kind.is(&VIRTUAL_MACHINES) && target.subresource.is_none() => {
                match self.verb(target) {
                    "create" => Some(Power::Create),
                    "delete" => Some(Power::Delete),
                    "patch" => Power::asked_by_patch(&body::value(&self.body).ok()?),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Labels of the request's subject: of the object, of the new object, or in the selector of a collection.
    pub(super) fn labels(&self, store: &Store) -> BTreeMap<String, String> {
        let own = |value: &Value| -> BTreeMap<String, String> {
            let labels = value["metadata"]["labels"].as_object().into_iter().flatten();
            labels.filter_map(|(key, value)| Some((key.to_string(), value.as_str()?.to_owned()))).collect()
        };
        let stored = |kind, namespace: &str, name: &str| {
            store.get(kind, namespace, name).map(|object| own(object.value())).unwrap_or_default()
        };
        match &self.target {
            Target::KubeVirt(path) => match path.as_slice() {
                [_, namespace, _, name, _] => stored(&VIRTUAL_MACHINES, namespace, name),
                _ => BTreeMap::new(),
            },
            Target::Resource(target) => match &target.name {
                Some(name) => stored(target.kind, target.space(), name),
                None if self.method == Method::POST => {
                    body::value(&self.body).map(|object| own(&object)).unwrap_or_default()
                }
                None => {
                    let selector = self.query.get("labelSelector").unwrap_or_default();
                    let pairs = selector.split(',').filter_map(|pair| pair.split_once('='));
                    let plain = |text: &str| text.trim_start_matches('=').trim().to_owned();
                    pairs.map(|(key, value)| (key.trim().to_owned(), plain(value))).collect()
                }
            },
            _ => BTreeMap::new(),
        }
    }
}

fn name_in(text: &[u8]) -> Option<String> {
    match serde_json::from_slice::<Named>(text) {
        Ok(named) => named.metadata.name,
        // YAML, protocol buffers, or no object at all.
        Err(_) => body::value(text).ok()?["metadata"]["name"].as_str().map(str::to_owned),
    }
}
