//! A node's handling of the sysctls that a pod sets.

use crate::value::Value;

use crate::programs::group_range;

/// Sysctls that a pod may set on any node (k8s 1.32: `SafeSysctlAllowlist`).
const SAFE: [&str; 12] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
];
/// Largest group in a user namespace: kubelets map 65,536 (k8s default).
const LAST_GROUP: i64 = 65_535;

/// Reason why a node rejects a pod, in the kubelet's words.
pub(super) fn refusal(pod: &Value, forbidden: &[String]) -> Option<String> {
    let sysctls = pod["spec"]["securityContext"]["sysctls"].as_array()?;
    let mut names = sysctls.iter().filter_map(|sysctl| sysctl["name"].as_str());
    let refused = names.find(|name| !SAFE.contains(name) || forbidden.iter().any(|one| one == name))?;
    Some(format!("forbidden sysctl: {refused:?} not allowlisted"))
}

/// Reason why the runtime cannot set a pod's sysctls.
pub(super) fn failure(pod: &Value, user_namespaces: bool) -> Option<&'static str> {
    let host_users = pod["spec"]["hostUsers"].as_bool().unwrap_or(!user_namespaces);
    let (_, most) = group_range(pod)?;
    (!host_users && most > LAST_GROUP).then_some(
        "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to start sandbox: failed to create \
         containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start \
         container process: error during container init: write /proc/sys/net/ipv4/ping_group_range: invalid argument",
    )
}

#[cfg(test)]
mod tests {
    use crate::value::json;

    use super::*;

    fn pod(name: &str, value: &str) -> Value {
        json!({"spec": {"securityContext": {"sysctls": [{"name": name, "value": value}]}}})
    }

    #[test]
    fn safe_sysctls_are_set_unless_a_node_forbids_them() {
        let ping = pod("net.ipv4.ping_group_range", "0 65535");
        assert_eq!(refusal(&ping, &[]), None);
        assert_eq!(refusal(&json!({"spec": {}}), &[]), None);
        let said = refusal(&ping, &["net.ipv4.ping_group_range".into()]).unwrap();
        assert_eq!(said, "forbidden sysctl: \"net.ipv4.ping_group_range\" not allowlisted");
        assert!(refusal(&pod("net.core.somaxconn", "1024"), &[]).is_some());
    }

    #[test]
    fn a_user_namespace_has_as_many_groups_as_are_mapped() {
        let all = pod("net.ipv4.ping_group_range", "0 2147483647");
        assert_eq!(failure(&all, false), None);
        assert!(failure(&all, true).unwrap().ends_with("invalid argument"));
        assert_eq!(failure(&pod("net.ipv4.ping_group_range", "0 65535"), true), None);
        let mut own = all;
        own["spec"]["hostUsers"] = json!(false);
        assert!(failure(&own, false).is_some());
        own["spec"]["hostUsers"] = json!(true);
        assert_eq!(failure(&own, true), None);
    }
}
