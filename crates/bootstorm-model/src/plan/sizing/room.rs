//! Number of VMs of a kind that fit on the nodes.

use std::collections::BTreeMap;

use super::node::{Node, Obstacle};
use super::placement::Placement;
use super::quantity::{Amounts, Quantity};

/// Room for VMs of one kind
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Room {
    /// Nodes that may run such VMs, in the order given.
    pub nodes: Vec<Place>,
    /// Number of nodes that cannot run any, by reason.
    pub excluded: BTreeMap<Obstacle, usize>,
    /// Request of one VM.
    pub need: Amounts,
}

/// Room on one node
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Name of the node.
    pub node: String,
    /// Number of VMs that fit.
    pub vms: u64,
    /// The resource that runs out first.
    pub short: String,
    /// Free amount.
    pub free: Quantity,
}

impl Room {
    /// Room on `nodes` for VMs that request `need`.
    ///
    /// The VMs of a run are identical, so every node takes as many as its scarcest resource allows.
    pub fn of(nodes: &[Node], placement: &Placement, need: &Amounts) -> Self {
        let mut room = Self { need: need.clone(), ..Self::default() };
        for node in nodes {
            match placement.obstacle(node) {
                Some(obstacle) => *room.excluded.entry(obstacle).or_default() += 1,
                None => room.nodes.push(place(node, need)),
            }
        }
        room
    }

    /// Total number of VMs that fit.
    pub fn vms(&self) -> u64 {
        self.nodes.iter().map(|place| place.vms).fold(0, u64::saturating_add)
    }

    /// The resource that runs out first on most nodes; `None` without nodes.
    pub fn short(&self) -> Option<&str> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for place in &self.nodes {
            *counts.entry(&place.short).or_default() += 1;
        }
        counts.into_iter().max_by_key(|(_, count)| *count).map(|(resource, _)| resource)
    }
}

fn place(node: &Node, need: &Amounts) -> Place {
    let mut scarcest =
        Place { node: node.name.clone(), vms: u64::MAX, short: String::new(), free: Quantity::ZERO };
    for (resource, amount) in need.iter().filter(|(_, amount)| !amount.is_zero()) {
        let free = node.free(resource);
        let vms = free.holds(*amount);
        if vms < scarcest.vms {
            scarcest = Place { vms, short: resource.clone(), free, ..scarcest };
        }
    }
    scarcest
}

#[cfg(test)]
mod tests {
    use super::super::node::Taint;
    use super::super::placement::SCHEDULABLE;
    use super::*;

    fn amounts(list: &[(&str, &str)]) -> Amounts {
        list.iter().map(|(name, amount)| ((*name).to_owned(), Quantity::parse(amount).unwrap())).collect()
    }

    fn node(number: usize, allocatable: &[(&str, &str)], used: &[(&str, &str)]) -> Node {
        Node {
            name: format!("node-{number}"),
            ready: true,
            labels: BTreeMap::from([(SCHEDULABLE.to_owned(), "true".to_owned())]),
            allocatable: amounts(allocatable),
            used: amounts(used),
            ..Node::default()
        }
    }

    fn need() -> Amounts {
        amounts(&[("cpu", "100m"), ("memory", "1Gi"), ("pods", "1")])
    }

    #[test]
    fn the_scarcest_resource_decides_on_each_node() {
        let nodes = [
            node(1, &[("cpu", "64"), ("memory", "40Gi"), ("pods", "250")], &[]),
            node(2, &[("cpu", "64"), ("memory", "256Gi"), ("pods", "110")], &[("pods", "10")]),
            node(3, &[("cpu", "2"), ("memory", "256Gi"), ("pods", "250")], &[("cpu", "1100m")]),
            node(4, &[("cpu", "4"), ("memory", "8Gi")], &[]),
        ];
        let room = Room::of(&nodes, &Placement::default(), &need());
        let found: Vec<_> = room.nodes.iter().map(|place| (place.vms, place.short.as_str())).collect();
        assert_eq!(found, [(40, "memory"), (100, "pods"), (9, "cpu"), (0, "pods")]);
        assert_eq!((room.vms(), room.short()), (149, Some("pods")));
    }

    #[test]
    fn excluded_nodes_are_counted_by_reason() {
        let plenty = [("cpu", "64"), ("memory", "40Gi"), ("pods", "250")];
        let taint = Taint { key: "k".into(), ..Taint::default() };
        let nodes = [
            node(1, &plenty, &[]),
            Node { cordoned: true, ..node(2, &plenty, &[]) },
            Node { cordoned: true, ..node(3, &plenty, &[]) },
            Node { taints: vec![taint], ..node(4, &plenty, &[]) },
        ];
        let room = Room::of(&nodes, &Placement::default(), &need());
        assert_eq!(room.vms(), 40);
        let excluded: Vec<_> = room.excluded.into_iter().map(|(why, n)| (why.to_string(), n)).collect();
        assert_eq!(excluded, [("cordoned".into(), 2), ("taint k is not tolerated".into(), 1)]);
    }

    #[test]
    fn an_overfull_node_has_no_room() {
        let room = Room::of(
            &[node(1, &[("cpu", "1")], &[("cpu", "3")])],
            &Placement::default(),
            &amounts(&[("cpu", "1")]),
        );
        assert_eq!(room.vms(), 0);
        assert_eq!(Room::of(&[], &Placement::default(), &need()).short(), None);
    }
}
