//! A node, as far as its room depends on it.

use std::collections::BTreeMap;
use std::fmt;

use super::quantity::{Amounts, Quantity};

/// A node and the resources in use on it
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Condition `Ready`.
    pub ready: bool,
    /// `spec.unschedulable`.
    pub cordoned: bool,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its taints.
    pub taints: Vec<Taint>,
    /// `status.allocatable`.
    pub allocatable: Amounts,
    /// Requests of the pods on it.
    pub used: Amounts,
}

/// A taint of a node
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taint {
    /// Its key.
    pub key: String,
    /// Its value, often empty.
    pub value: String,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    pub effect: String,
}

/// Reason why a node cannot run any of the VMs, even if empty
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Obstacle {
    /// Its kubelet is not ready.
    NotReady,
    /// It is cordoned.
    Cordoned,
    /// `KubeVirt` does not offer VMs there.
    NoKubeVirt,
    /// It has a taint with this key, which the manifest does not tolerate.
    Tainted(String),
    /// It has another CPU architecture than the VMs.
    Architecture {
        /// Its own.
        node: String,
        /// That of the VMs.
        vm: String,
    },
    /// Its kubelet cannot dedicate CPUs, which the manifest requires.
    NoCpuManager,
    /// It lacks this label of `KubeVirt`'s, by which it shows what the manifest requires of its CPUs.
    Unlabelled(String),
    /// Selector or affinity of the manifest select other nodes.
    NotSelected,
}

impl fmt::Display for Obstacle {
    /// Completes "2 nodes: …".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotReady => f.write_str("not ready"),
            Self::Cordoned => f.write_str("cordoned"),
            Self::NoKubeVirt => f.write_str("not labelled kubevirt.io/schedulable=true"),
            Self::Tainted(key) => write!(f, "taint {key} is not tolerated"),
            Self::Architecture { node, vm } => write!(f, "architecture {node}, the VMs' is {vm}"),
            Self::NoCpuManager => f.write_str("not labelled cpumanager=true, which dedicated CPUs require"),
            Self::Unlabelled(label) => {
                write!(f, "not labelled {label}=true, which the manifest requires")
            }
            Self::NotSelected => f.write_str("excluded by the manifest's node selector or affinity"),
        }
    }
}

impl Node {
    /// Free amount of a resource; zero if the node does not offer it.
    pub fn free(&self, resource: &str) -> Quantity {
        let offered = self.allocatable.get(resource).copied().unwrap_or_default();
        let left = offered - self.used.get(resource).copied().unwrap_or_default();
        left.max(Quantity::ZERO)
    }
}
