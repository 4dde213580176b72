//! Client rate limits of `KubeVirt`'s components.

use serde_json::Value;

use bootstorm_model::plan::sizing::Quantity;
use bootstorm_model::record::{MigrationLimits, RateLimit, Workers};

/// Component → its section of `spec.configuration`.
const COMPONENTS: [(&str, &str); 4] = [
    ("virt-api", "apiConfiguration"),
    ("virt-controller", "controllerConfiguration"),
    ("virt-handler", "handlerConfiguration"),
    ("virt-api webhooks", "webhookConfiguration"),
];

/// Flags of virt-controller that set numbers of workers.
const WORKERS: [&str; 2] = ["vm-controller-threads", "vmi-controller-threads"];

/// Default number of concurrent live migrations in a cluster (`KubeVirt` v1.0 to v1.9,
/// `pkg/virt-config/virt-config.go`).
const MIGRATIONS_PER_CLUSTER: u32 = 5;
/// Default number away from one node.
const MIGRATIONS_PER_NODE: u32 = 2;

/// Limits in effect: those set in the `KubeVirt` object, else the known defaults of that version.
pub(super) fn of(configuration: &Value, version: Option<&str>) -> Vec<RateLimit> {
    let limit = |(component, key): &(&str, &str)| {
        let bucket = &configuration[key]["restClient"]["rateLimiter"]["tokenBucketRateLimiter"];
        let set = bucket["qps"].as_f64().zip(bucket["burst"].as_u64());
        let configured = set.is_some();
        let (qps, burst) = set
            .map(|(qps, burst)| (qps, u32::try_from(burst).unwrap_or(u32::MAX)))
            .or_else(|| Some(default(component, release(version?)?)))?;
        Some(RateLimit { component: (*component).to_owned(), qps, burst, configured })
    };
    COMPONENTS.iter().filter_map(limit).collect()
}

/// Numbers of workers set by flags of virt-controller.
pub(super) fn workers(flags: &Value) -> Vec<Workers> {
    let count = |flag: &&str| {
        let value = &flags["controller"][*flag];
        let count = value.as_str().and_then(|text| text.parse().ok()).or(value.as_u64())?;
        let count = u32::try_from(count).ok()?;
        Some(Workers { component: "virt-controller".to_owned(), flag: (*flag).to_owned(), count })
    };
    WORKERS.iter().filter_map(count).collect()
}

/// Limits on concurrent live migrations: those set in the `KubeVirt` object, else its defaults.
pub(super) fn migrations(configuration: &Value) -> MigrationLimits {
    let set = |key: &str| u32::try_from(configuration["migrations"][key].as_u64()?).ok();
    let (cluster, node) = (set("parallelMigrationsPerCluster"), set("parallelOutboundMigrationsPerNode"));
    MigrationLimits {
        per_cluster: cluster.unwrap_or(MIGRATIONS_PER_CLUSTER),
        per_node: node.unwrap_or(MIGRATIONS_PER_NODE),
        configured: cluster.is_some() || node.is_some(),
        bandwidth_bytes: Quantity::of(&configuration["migrations"]["bandwidthPerMigration"])
            .map(Quantity::units)
            .filter(|bytes| *bytes > 0),
    }
}

/// Whether `KubeVirt` moves all VMs off cordoned nodes: by default the key of the taint for that is `kubevirt.io/drain`
/// (`KubeVirt` v1.0 to v1.9, `pkg/virt-config/configuration.go`).
pub(super) fn empties_cordoned_nodes(configuration: &Value) -> bool {
    configuration["migrations"]["nodeDrainTaintKey"] == super::CORDON_TAINT
}

/// Defaults by release: virt-api was raised in 1.7.0 and 1.6.4, virt-handler in 1.7.0.
fn default(component: &str, release: (u32, u32, u32)) -> (f64, u32) {
    match component {
        "virt-api" if release < (1, 6, 4) => (5.0, 10),
        "virt-handler" if release < (1, 7, 0) => (5.0, 10),
        "virt-handler" => (50.0, 100),
        _ => (200.0, 400),
    }
}

/// `v1.6.4-rc.1` → (1, 6, 4)
fn release(version: &str) -> Option<(u32, u32, u32)> {
    let plain = version.trim_start_matches('v').split(['-', '+']).next()?;
    let mut numbers = plain.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(configuration: &Value, version: Option<&str>) -> Vec<(f64, u32, bool)> {
        of(configuration, version).iter().map(|limit| (limit.qps, limit.burst, limit.configured)).collect()
    }

    #[test]
    fn workers_are_those_of_the_flags() {
        let flags = serde_json::json!({"controller": {"vmi-controller-threads": "2", "v": "5"}, "api": {}});
        let found = workers(&flags);
        assert_eq!((found.len(), found[0].flag.as_str(), found[0].count), (1, "vmi-controller-threads", 2));
        assert!(workers(&Value::Null).is_empty());
    }

    #[test]
    fn migrations_at_a_time_are_those_set_or_the_defaults() {
        let found = |configuration: Value| {
            let limits = migrations(&configuration);
            (limits.per_cluster, limits.per_node, limits.configured)
        };
        assert_eq!(found(Value::Null), (5, 2, false));
        assert_eq!(
            found(serde_json::json!({"migrations": {"parallelMigrationsPerCluster": 12}})),
            (12, 2, true)
        );
    }

    #[test]
    fn cordoned_nodes_are_emptied_only_if_their_taint_is_the_key() {
        let empties = |key: &str| {
            empties_cordoned_nodes(&serde_json::json!({"migrations": {"nodeDrainTaintKey": key}}))
        };
        assert!(empties("node.kubernetes.io/unschedulable"));
        assert!(!empties("kubevirt.io/drain") && !empties_cordoned_nodes(&Value::Null));
    }

    #[test]
    fn no_bandwidth_is_no_limit() {
        let found = |set: &str| {
            migrations(&serde_json::json!({"migrations": {"bandwidthPerMigration": set}})).bandwidth_bytes
        };
        assert_eq!((found("64Mi"), found("0"), found("much")), (Some(64 << 20), None, None));
        assert_eq!(migrations(&Value::Null).bandwidth_bytes, None);
    }

    #[test]
    fn defaults_follow_the_version_and_settings_win() {
        let unset = Value::Null;
        let (old, new) = ((5.0, 10, false), (200.0, 400, false));
        assert_eq!(limits(&unset, Some("v1.6.3")), [old, new, old, new]);
        assert_eq!(limits(&unset, Some("v1.6.4")), [new, new, old, new]);
        assert_eq!(limits(&unset, Some("v1.7.0-rc.1")), [new, new, (50.0, 100, false), new]);
        assert_eq!(limits(&unset, Some("devel")), []);
        assert_eq!(limits(&unset, None), []);
        let bucket = serde_json::json!({"qps": 20.5, "burst": 30});
        let set = serde_json::json!({
            "controllerConfiguration": {"restClient": {"rateLimiter": {"tokenBucketRateLimiter": bucket}}}
        });
        assert_eq!(limits(&set, Some("v1.7.0"))[1], (20.5, 30, true));
        assert_eq!(limits(&set, None), [(20.5, 30, true)]);
    }
}
