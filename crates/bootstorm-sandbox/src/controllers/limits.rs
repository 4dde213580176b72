//! Limits on the number and speed of migrations.

use crate::value::Value;

use crate::store::Store;
use crate::store::kind::KUBEVIRTS;

/// `spec.configuration.migrations` of the `KubeVirt` object, or its defaults
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Concurrent migrations.
    pub per_cluster: usize,
    /// Concurrent migrations away from one node.
    pub per_node: usize,
    /// MB per second of one migration; 0 means unlimited.
    pub bandwidth: f64,
    /// Maximum seconds per GiB of one migration.
    pub timeout_per_gib: f64,
}

impl Limits {
    /// Limits in effect.
    pub fn of(store: &Store) -> Self {
        let kubevirt = store.get(&KUBEVIRTS, "kubevirt", "kubevirt");
        let set =
            kubevirt.map_or(Value::Null, |it| it.value()["spec"]["configuration"]["migrations"].clone());
        let number = |field: &str, default: f64| set[field].as_f64().unwrap_or(default);
        Self {
            per_cluster: number("parallelMigrationsPerCluster", 5.0) as usize,
            per_node: number("parallelOutboundMigrationsPerNode", 2.0) as usize,
            bandwidth: crate::model::quantity::of(&set["bandwidthPerMigration"]).unwrap_or(0.0) / 1e6,
            timeout_per_gib: number("completionTimeoutPerGiB", 150.0),
        }
    }
}
