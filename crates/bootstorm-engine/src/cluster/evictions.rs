//! Evictions of launcher pods, as in `kubectl drain`, and the cordons around them.

use std::collections::HashMap;

use http::Request;
use http::header::CONTENT_TYPE;
use kube::api::GetParams;
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{built, on, path, post_params};
use super::launchers::{Evictable, LAUNCHERS, Pod};
use super::metadata::Metadata;
use super::names::{FIELD_MANAGER, annotation};
use super::pace::{Idempotency, Timed};
use super::scope::Scope;
use super::watch::list_all;
use super::{Cluster, ClusterError, Kind};
use bootstorm_model::plan::Target;

/// Annotation word on a node: the run that cordoned it.
const CORDONED_BY: &str = "cordoned-by";

/// A node, as far as a cordon depends on it
#[derive(Debug, Clone, Deserialize)]
pub struct Cordonable {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
struct Spec {
    unschedulable: bool,
}

/// An instance, as far as an eviction depends on it
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Evicted {
    pub(super) metadata: Metadata,
    #[serde(default)]
    status: Status,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    node_name: String,
    evacuation_node_name: String,
}

impl Evicted {
    /// Whether it runs on that node.
    pub(super) fn is_on(&self, node: &str) -> bool {
        self.status.node_name == node
    }

    /// Whether `KubeVirt` has accepted its eviction: it migrates, or has migrated.
    pub(super) fn is_marked(&self, node: &str) -> bool {
        self.status.evacuation_node_name == node || !self.is_on(node)
    }
}

impl Cordonable {
    /// `metadata.uid`.
    pub fn uid(&self) -> &str {
        &self.metadata.uid
    }

    /// `metadata.name`.
    pub fn name(&self) -> &str {
        &self.metadata.name
    }

    /// UUID of the run that cordoned it.
    pub fn cordoned_by(&self) -> Option<&str> {
        self.metadata.annotations.get(&annotation(CORDONED_BY)).map(String::as_str)
    }

    /// Whether it is schedulable.
    pub fn is_open(&self) -> bool {
        !self.spec.unschedulable
    }

    /// Whether that run cordoned it.
    pub fn is_cordoned_by(&self, run_id: &str) -> bool {
        self.cordoned_by() == Some(run_id)
    }
}

/// The request that evicts the launcher pod of a VM from a node, if it is still that pod.
pub fn evict(target: &Target, instance: &str, node: &str, pod: &Evictable) -> Result<Timed, ClusterError> {
    let doing = "evict the virtual machine";
    let namespace = &target.namespace;
    let body = json!({
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod.name, "namespace": namespace},
        "deleteOptions": {"preconditions": {"uid": pod.uid}},
    });
    let collection = format!("{}/{}/eviction", path("v1", Some(namespace), "pods"), pod.name);
    let request = built(doing, on(&collection).create(&post_params(), body.to_string().into_bytes()))?;
    let (target, instance, node) = (target.clone(), instance.to_owned(), node.to_owned());
    Ok(Timed { doing, request, meaning: Idempotency::Evict { target, instance, node } })
}

impl Cluster {
    /// Launcher pods of instances, by instance UID.
    pub async fn evictable(
        &self,
        scope: &Scope,
    ) -> Result<HashMap<String, Vec<(String, Evictable)>>, ClusterError> {
        let mut found: HashMap<String, Vec<(String, Evictable)>> = HashMap::new();
        for collection in scope.collections_of("v1", "pods") {
            let (pods, _) = list_all::<Pod>(self, "list launcher pods", &collection, LAUNCHERS).await?;
            for (instance, node, pod) in pods.into_iter().filter_map(Pod::evictable) {
                found.entry(instance).or_default().push((node, pod));
            }
        }
        Ok(found)
    }

    /// An instance, if it exists.
    pub(super) async fn evicted(&self, target: &Target) -> Result<Option<Evicted>, ClusterError> {
        let doing = "read the instance of the virtual machine";
        let instances = path("kubevirt.io/v1", Some(&target.namespace), "virtualmachineinstances");
        let request = built(doing, on(&instances).get(&target.name, &GetParams::default()))?;
        match self.ask(doing, &request).await {
            Ok(instance) => Ok(Some(instance)),
            Err(error) if error.kind == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A node, if it exists.
    pub async fn cordonable(&self, node: &str) -> Result<Option<Cordonable>, ClusterError> {
        let doing = "read the node";
        let request = built(doing, on(&path("v1", None, "nodes")).get(node, &GetParams::default()))?;
        match self.ask(doing, &request).await {
            Ok(node) => Ok(Some(node)),
            Err(error) if error.kind == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Nodes that carry the mark of a run that cordoned them.
    pub async fn marked_nodes(&self) -> Result<Vec<Cordonable>, ClusterError> {
        let (mut nodes, _) =
            list_all::<Cordonable>(self, "list nodes", &path("v1", None, "nodes"), "").await?;
        nodes.retain(|node| node.cordoned_by().is_some());
        Ok(nodes)
    }

    /// Cordons a node, and marks it as cordoned by this run.
    pub async fn cordon(&self, node: &str, found: &Cordonable, run_id: &str) -> Result<(), ClusterError> {
        let key = annotation(CORDONED_BY).replace('/', "~1");
        let mut patch = vec![json!({"op": "test", "path": "/metadata/uid", "value": found.uid()})];
        if found.metadata.annotations.is_empty() {
            patch.push(json!({"op": "add", "path": "/metadata/annotations", "value": {}}));
        }
        patch.push(json!({"op": "add", "path": format!("/metadata/annotations/{key}"), "value": run_id}));
        patch.push(json!({"op": "add", "path": "/spec/unschedulable", "value": true}));
        self.patch_node("cordon the node", node, patch).await
    }

    /// Uncordons a node, if it is that node and this run cordoned it; another one is left alone.
    pub async fn uncordon(&self, node: &str, uid: &str, run_id: &str) -> Result<(), ClusterError> {
        let key = annotation(CORDONED_BY).replace('/', "~1");
        let is_ours = |found: &Cordonable| found.uid() == uid && found.is_cordoned_by(run_id);
        let Some(_) = self.cordonable(node).await?.filter(is_ours) else { return Ok(()) };
        let mark = format!("/metadata/annotations/{key}");
        let patch = vec![
            json!({"op": "test", "path": "/metadata/uid", "value": uid}),
            json!({"op": "test", "path": mark, "value": run_id}),
            json!({"op": "remove", "path": mark}),
            json!({"op": "add", "path": "/spec/unschedulable", "value": false}),
        ];
        match self.patch_node("uncordon the node", node, patch).await {
            // An earlier attempt whose answer was lost, or another client, has done it.
            Err(error) if error.kind == Kind::Invalid => match self.cordonable(node).await?.filter(is_ours) {
                Some(_) => Err(error),
                None => Ok(()),
            },
            outcome => outcome,
        }
    }

    async fn patch_node(&self, doing: &str, node: &str, patch: Vec<Value>) -> Result<(), ClusterError> {
        let request =
            Request::patch(format!("{}/{node}?fieldManager={FIELD_MANAGER}", path("v1", None, "nodes")))
                .header(CONTENT_TYPE, "application/json-patch+json")
                .body(Value::Array(patch).to_string().into_bytes())
                .map_err(|error| ClusterError::new(doing, Kind::Invalid, error.to_string()))?;
        self.ask_raw(doing, &request).await.map(|_| ())
    }
}
