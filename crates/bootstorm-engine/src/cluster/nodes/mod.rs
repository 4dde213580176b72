//! The nodes, and the requests of pods on them.

mod kinds;

use std::collections::{BTreeMap, HashMap};

use kube::api::ListParams;
use serde::Deserialize;
use serde_json::Value;

use crate::cluster::call::path;
use crate::cluster::launchers::LAUNCHERS;
use crate::cluster::metadata::{Condition, Metadata};
use crate::cluster::scope::Scope;
use crate::cluster::watch::{each_page, list_all};
use crate::cluster::{Cluster, ClusterError};
use bootstorm_model::plan::Target;
use bootstorm_model::plan::sizing::pod::{Part, requests};
use bootstorm_model::plan::sizing::quantity::add;
use bootstorm_model::plan::sizing::{Amounts, Node, Quantity, Taint};
use bootstorm_model::record::NodeKind;

/// A node, with only the used fields decoded
#[derive(Debug, Deserialize)]
struct Found {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Spec {
    unschedulable: bool,
    taints: Vec<FoundTaint>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct FoundTaint {
    key: String,
    value: String,
    effect: String,
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Status {
    allocatable: Value,
    capacity: Value,
    conditions: Vec<Condition>,
    #[serde(rename = "nodeInfo")]
    info: Info,
}

#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Info {
    architecture: String,
    os_image: String,
    kernel_version: String,
    container_runtime_version: String,
    kubelet_version: String,
}

/// A pod, decoded only as far as it occupies room
#[derive(Debug, Deserialize)]
struct Pod {
    #[serde(default)]
    spec: PodSpec,
}

/// A launcher pod, decoded only as far as it occupies room
#[derive(Debug, Deserialize)]
struct Launcher {
    metadata: Metadata,
    #[serde(default)]
    spec: PodSpec,
}

/// Requests of a VM's launcher pod, and its node
#[derive(Debug, Clone, PartialEq)]
pub struct Footprint {
    /// The VM.
    pub target: Target,
    /// Node of its pod.
    pub node: String,
    /// Requests of the pod, the pod itself included.
    pub requests: Amounts,
}

impl Launcher {
    /// `None` for a pod that has no node, is being deleted, or is not owned by a VMI.
    fn footprint(self) -> Option<Footprint> {
        let owner =
            self.metadata.owner_references.iter().find(|owner| owner.kind == "VirtualMachineInstance")?;
        let stays = self.metadata.deletion_timestamp.is_none() && !self.spec.node_name.is_empty();
        let target = Target { namespace: self.metadata.namespace.clone(), name: owner.name.clone() };
        stays.then(|| Footprint { requests: self.spec.requests(), target, node: self.spec.node_name })
    }
}

#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct PodSpec {
    node_name: String,
    containers: Vec<Container>,
    init_containers: Vec<Container>,
    overhead: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Container {
    restart_policy: String,
    resources: Resources,
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Resources {
    requests: BTreeMap<String, String>,
}

/// The nodes of a cluster
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Nodes {
    /// Every node, without its pods.
    pub all: Vec<Node>,
    /// Grouped by shape, the most frequent first.
    pub kinds: Vec<NodeKind>,
}

/// Requests of the pods on each node, by node name
pub type Usage = HashMap<String, Amounts>;

impl From<Found> for Node {
    fn from(found: Found) -> Self {
        let taint = |taint: FoundTaint| Taint { key: taint.key, value: taint.value, effect: taint.effect };
        Self {
            name: found.metadata.name,
            ready: found.status.conditions.iter().any(|condition| condition.is("Ready", "True")),
            cordoned: found.spec.unschedulable,
            labels: found.metadata.labels.into_iter().collect(),
            taints: found.spec.taints.into_iter().map(taint).collect(),
            allocatable: Quantity::map(&found.status.allocatable),
            used: Amounts::new(),
        }
    }
}

impl PodSpec {
    fn requests(&self) -> Amounts {
        let part = |container: &Container| Part {
            requests: amounts(&container.resources.requests),
            sidecar: container.restart_policy == "Always",
        };
        let init: Vec<Part> = self.init_containers.iter().map(part).collect();
        let containers: Vec<Part> = self.containers.iter().map(part).collect();
        let mut sum = requests(&init, &containers, &amounts(&self.overhead));
        sum.insert("pods".into(), Quantity::whole(1));
        sum
    }
}

fn amounts(given: &BTreeMap<String, String>) -> Amounts {
    given.iter().filter_map(|(name, amount)| Some((name.clone(), Quantity::parse(amount)?))).collect()
}

impl Cluster {
    /// Every node.
    pub async fn nodes(&self) -> Result<Nodes, ClusterError> {
        let (found, _) = list_all::<Found>(self, "list nodes", &path("v1", None, "nodes"), "").await?;
        let kinds = kinds::of(&found);
        Ok(Nodes { kinds, all: found.into_iter().map(Node::from).collect() })
    }

    /// Requests of all pods that have not ended, per node.
    pub async fn usage(&self) -> Result<Usage, ClusterError> {
        let alive = ListParams::default().fields("status.phase!=Succeeded,status.phase!=Failed");
        let take = |usage: &mut Usage, pods: Vec<Pod>| {
            for pod in pods.iter().filter(|pod| !pod.spec.node_name.is_empty()) {
                add(usage.entry(pod.spec.node_name.clone()).or_default(), &pod.spec.requests());
            }
        };
        each_page(self, "list pods", &path("v1", None, "pods"), alive, take).await
    }

    /// Requests of the launcher pods in a scope that have not ended.
    pub async fn footprints(&self, scope: &Scope) -> Result<Vec<Footprint>, ClusterError> {
        let alive =
            ListParams::default().labels(LAUNCHERS).fields("status.phase!=Succeeded,status.phase!=Failed");
        let mut found = Vec::new();
        for collection in scope.collections_of("v1", "pods") {
            let take = |all: &mut Vec<Footprint>, pods: Vec<Launcher>| {
                all.extend(pods.into_iter().filter_map(Launcher::footprint));
            };
            found.extend(each_page(self, "list launcher pods", &collection, alive.clone(), take).await?);
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_node_is_read() {
        let found: Found = serde_json::from_value(json!({
            "metadata": {"name": "n", "labels": {"kubevirt.io/schedulable": "true"}},
            "spec": {"unschedulable": true, "taints": [{"key": "k", "effect": "NoSchedule"}]},
            "status": {"allocatable": {"cpu": "63500m", "memory": "250Gi"}, "conditions": [{"type": "Ready", "status": "True"}]},
        }))
        .unwrap();
        let node = Node::from(found);
        assert!(node.ready && node.cordoned);
        assert_eq!(node.taints[0].key, "k");
        assert_eq!(node.free("cpu"), Quantity::milli(63_500));
    }

    #[test]
    fn a_pod_is_read() {
        let pod: Pod = serde_json::from_value(json!({"spec": {
            "nodeName": "n",
            "containers": [{"resources": {"requests": {"cpu": "100m"}}}, {"name": "bare"}],
            "initContainers": [{"restartPolicy": "Always", "resources": {"requests": {"cpu": "5m"}}}],
        }}))
        .unwrap();
        let requests = pod.spec.requests();
        assert_eq!((requests["cpu"], requests["pods"]), (Quantity::milli(105), Quantity::whole(1)));
    }
}
