//! The vCPUs of a guest.

use serde_json::Value;

use super::quantity::Quantity;

/// No guest has more; a wrong number in a manifest must not overflow calculations.
const MOST: u64 = 1 << 20;

/// Sockets × cores × threads, of `spec.domain`.
///
/// If the manifest gives none of them, `KubeVirt`'s webhook derives the sockets from the CPU limit or request.
pub fn vcpus(domain: &Value) -> u64 {
    let given = |field: &str| domain["cpu"][field].as_u64().filter(|count| *count > 0);
    let (sockets, cores, threads) = (given("sockets"), given("cores"), given("threads"));
    if sockets.or(cores).or(threads).is_none() {
        let resources = &domain["resources"];
        let cpu = ["limits", "requests"].iter().find_map(|list| Quantity::of(&resources[*list]["cpu"]));
        return cpu.map_or(1, Quantity::units).clamp(1, MOST);
    }
    [sockets, cores, threads].iter().map(|count| count.unwrap_or(1)).fold(1, u64::saturating_mul).min(MOST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_topology_is_multiplied_out() {
        assert_eq!(vcpus(&json!({})), 1);
        assert_eq!(vcpus(&json!({"cpu": {"cores": 2, "threads": 2, "sockets": 3}})), 12);
        assert_eq!(vcpus(&json!({"cpu": {"cores": 4}, "resources": {"requests": {"cpu": "9"}}})), 4);
        assert_eq!(vcpus(&json!({"cpu": {"model": "x"}, "resources": {"requests": {"cpu": "2500m"}}})), 3);
    }
}
