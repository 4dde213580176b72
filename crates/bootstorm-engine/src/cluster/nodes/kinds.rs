//! Nodes, grouped by shape.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::Found;
use bootstorm_model::plan::sizing::Quantity;
use bootstorm_model::plan::sizing::placement::SCHEDULABLE;
use bootstorm_model::record::NodeKind;

const GIB: f64 = 1024.0 * 1024.0 * 1024.0;

/// The kinds of nodes, the most frequent first.
pub(super) fn of(nodes: &[Found]) -> Vec<NodeKind> {
    let mut kinds: BTreeMap<NodeKind, (usize, usize)> = BTreeMap::new();
    for node in nodes {
        let (count, schedulable) = kinds.entry(kind(node)).or_default();
        *count += 1;
        *schedulable += usize::from(is_schedulable(node));
    }
    let counted = |(kind, (nodes, schedulable))| NodeKind { nodes, schedulable, ..kind };
    let mut kinds: Vec<NodeKind> = kinds.into_iter().map(counted).collect();
    kinds.sort_by_key(|kind| Reverse(kind.nodes));
    kinds
}

/// Whether `KubeVirt` may place VMs there.
fn is_schedulable(node: &Found) -> bool {
    !node.spec.unschedulable && node.metadata.labels.get(SCHEDULABLE).is_some_and(|value| value == "true")
}

/// Properties that distinguish nodes; counts are zero.
fn kind(node: &Found) -> NodeKind {
    let info = &node.status.info;
    let capacity = |resource: &str| Quantity::of(&node.status.capacity[resource]);
    let word = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    NodeKind {
        nodes: 0,
        schedulable: 0,
        cpu_millis: capacity("cpu").map(|cores| cores.times(1000).units()),
        memory_gib: capacity("memory").map(|bytes| (bytes.units() as f64 / GIB).round() as u64),
        architecture: word(&info.architecture),
        os: word(&info.os_image),
        kernel: word(&info.kernel_version),
        container_runtime: word(&info.container_runtime_version),
        kubelet: word(&info.kubelet_version),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(memory: &str, cordoned: bool) -> Found {
        serde_json::from_value(serde_json::json!({
            "metadata": {"labels": {"kubevirt.io/schedulable": "true"}},
            "spec": {"unschedulable": cordoned},
            "status": {"capacity": {"cpu": "15500m", "memory": memory}, "nodeInfo": {"osImage": "Linux", "kernelVersion": ""}},
        }))
        .unwrap()
    }

    #[test]
    fn nodes_that_differ_by_a_few_bytes_are_alike() {
        let bare = serde_json::from_value(serde_json::json!({"metadata": {}})).unwrap();
        let kinds = of(&[bare, node("67108864Ki", false), node("67108000Ki", true), node("65Gi", false)]);
        let counts: Vec<_> = kinds
            .iter()
            .map(|kind| (kind.nodes, kind.schedulable, kind.memory_gib, kind.cpu_millis))
            .collect();
        assert_eq!(counts[0], (2, 1, Some(64), Some(15_500)));
        assert_eq!(counts[1..], [(1, 0, None, None), (1, 1, Some(65), Some(15_500))]);
        assert_eq!((kinds[0].os.as_deref(), kinds[0].kernel.as_deref()), (Some("Linux"), None));
    }
}
