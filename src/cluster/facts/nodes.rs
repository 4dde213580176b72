//! The nodes, like ones together.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Node;

use crate::cluster::quantity;
use crate::record::NodeKind;

/// The kinds of nodes, the most frequent first.
pub(super) fn kinds(nodes: &[Node]) -> Vec<NodeKind> {
    let mut kinds: BTreeMap<NodeKind, (usize, usize)> = BTreeMap::new();
    for node in nodes {
        let (count, schedulable) = kinds.entry(kind(node)).or_default();
        *count += 1;
        *schedulable += usize::from(is_schedulable(node));
    }
    let counted = |(kind, (nodes, schedulable))| NodeKind { nodes, schedulable, ..kind };
    let mut kinds: Vec<NodeKind> = kinds.into_iter().map(counted).collect();
    kinds.sort_by_key(|kind| std::cmp::Reverse(kind.nodes));
    kinds
}

/// Whether `KubeVirt` may place VMs there.
fn is_schedulable(node: &Node) -> bool {
    let labels = node.metadata.labels.as_ref();
    let willing = labels.and_then(|labels| labels.get("kubevirt.io/schedulable"));
    let cordoned = node.spec.as_ref().and_then(|spec| spec.unschedulable).unwrap_or(false);
    willing.is_some_and(|value| value == "true") && !cordoned
}

/// What tells nodes apart; the counts are left at zero.
fn kind(node: &Node) -> NodeKind {
    let status = node.status.as_ref();
    let capacity = |resource: &str| {
        let quantity = status?.capacity.as_ref()?.get(resource)?;
        quantity::value(&quantity.0)
    };
    let info = status.and_then(|status| status.node_info.as_ref());
    let word = |text: &String| (!text.is_empty()).then(|| text.clone());
    NodeKind {
        nodes: 0,
        schedulable: 0,
        cpu_millis: capacity("cpu").map(|cores| (cores * 1000.0).round() as u64),
        memory_gib: capacity("memory").map(|bytes| (bytes / 1024f64.powi(3)).round() as u64),
        architecture: info.and_then(|info| word(&info.architecture)),
        os: info.and_then(|info| word(&info.os_image)),
        kernel: info.and_then(|info| word(&info.kernel_version)),
        container_runtime: info.and_then(|info| word(&info.container_runtime_version)),
        kubelet: info.and_then(|info| word(&info.kubelet_version)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(memory: &str, cordoned: bool) -> Node {
        serde_json::from_value(serde_json::json!({
            "metadata": {"labels": {"kubevirt.io/schedulable": "true"}},
            "spec": {"unschedulable": cordoned},
            "status": {"capacity": {"cpu": "16", "memory": memory}},
        }))
        .unwrap()
    }

    #[test]
    fn nodes_that_differ_by_a_few_bytes_are_alike() {
        let bare = Node::default();
        let kinds = kinds(&[bare, node("67108864Ki", false), node("67108000Ki", true), node("65Gi", false)]);
        let counts: Vec<_> = kinds
            .iter()
            .map(|kind| (kind.nodes, kind.schedulable, kind.memory_gib, kind.cpu_millis))
            .collect();
        assert_eq!(counts[0], (2, 1, Some(64), Some(16_000)));
        assert_eq!(counts[1..], [(1, 0, None, None), (1, 1, Some(65), Some(16_000))]);
    }
}
