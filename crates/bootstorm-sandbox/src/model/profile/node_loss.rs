//! Figures of lost nodes: detection, and the reaction.

use serde::{Deserialize, Serialize};

/// Nodes that are lost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct NodeLoss {
    /// Seconds of silence of its kubelet after which a node is not ready (k8s 1.32 and later; 40 before).
    pub grace: f64,
    /// Default seconds that pods tolerate it (k8s).
    pub toleration: f64,
    /// Seconds of silence of its virt-handler after which instances without a pod are given up (KV).
    pub handler_silence: f64,
    /// Seconds from power-on of a node to its kubelet (estimate; self-test, firmware, system).
    pub boot: f64,
}

impl Default for NodeLoss {
    fn default() -> Self {
        Self { grace: 50.0, toleration: 300.0, handler_silence: 300.0, boot: 120.0 }
    }
}
