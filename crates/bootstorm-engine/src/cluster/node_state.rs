//! State of nodes, as far as outages depend on it: ready, cordoned.

use serde::Deserialize;

use super::metadata::{Condition, Metadata, Watched};
use super::watch::{View, Watch};
use super::{Cluster, ClusterError};
use bootstorm_model::outage::NodeFacts;

/// A node, with only the used fields decoded
#[derive(Debug, Clone, Deserialize)]
pub struct NodeState {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
struct Spec {
    unschedulable: bool,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
struct Status {
    conditions: Vec<Condition>,
}

impl Watched for NodeState {
    fn resource_version(&self) -> &str {
        &self.metadata.resource_version
    }
}

impl NodeState {
    /// Name.
    pub fn name(&self) -> &str {
        &self.metadata.name
    }

    /// Its state. A node without the condition `Ready` has not started, and is not ready.
    pub fn facts(&self) -> NodeFacts {
        let ready = self.status.conditions.iter().find(|condition| condition.r#type == "Ready");
        NodeFacts {
            ready: ready.is_some_and(|condition| condition.status == "True"),
            since: ready.and_then(|condition| condition.since),
            cordoned: self.spec.unschedulable,
        }
    }
}

impl Cluster {
    /// Watches all nodes.
    pub async fn watch_nodes(&self) -> Result<Watch<NodeState>, ClusterError> {
        let view = View { path: "/api/v1/nodes".into(), ..View::default() };
        Watch::on(self, "watch nodes", view).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_ready_only_where_it_says_so() {
        let node = |status: &str, cordoned: bool| -> NodeState {
            serde_json::from_value(serde_json::json!({
                "metadata": {"name": "n1"}, "spec": {"unschedulable": cordoned},
                "status": {"conditions": [{"type": "Ready", "status": status,
                    "lastTransitionTime": "2026-01-01T00:00:00Z"}]}
            }))
            .unwrap()
        };
        assert!(node("True", false).facts().ready);
        for status in ["False", "Unknown"] {
            let facts = node(status, true).facts();
            assert!(!facts.ready && facts.cordoned && facts.since.is_some(), "{status}");
        }
        let bare: NodeState = serde_json::from_str(r#"{"metadata": {"name": "n2"}}"#).unwrap();
        assert_eq!((bare.name(), bare.facts()), ("n2", NodeFacts::default()));
    }
}
