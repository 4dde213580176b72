//! The user of a container, and the kernel's permissions.

use crate::value::Value;

/// The sysctl that opens ICMP datagram sockets to a range of groups.
const GROUP_RANGE: &str = "net.ipv4.ping_group_range";

/// Privileges of a process in a container, as far as relevant here
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    /// Whether it has the capability `NET_RAW`: root has it in most runtimes, others never do.
    pub raw: bool,
    /// Whether its group may use ICMP datagram sockets.
    pub datagram: bool,
}

impl User {
    /// Reads the security contexts of a pod and a container.
    pub fn of(pod: &Value, container: &Value) -> Self {
        let of_pod = &pod["spec"]["securityContext"];
        let of_container = &container["securityContext"];
        let id = |field: &str| of_container[field].as_i64().or_else(|| of_pod[field].as_i64()).unwrap_or(0);
        let capabilities = &of_container["capabilities"];
        let has = |list: &str, name: &str| {
            capabilities[list].as_array().is_some_and(|all| all.iter().any(|one| one == name))
        };
        let kept = !has("drop", "ALL") && !has("drop", "NET_RAW") || has("add", "NET_RAW");
        let raw = id("runAsUser") == 0 && (kept || of_container["privileged"] == true);
        let (least, most) = group_range(pod).unwrap_or((1, 0));
        Self { raw, datagram: (least..=most).contains(&id("runAsGroup")) }
    }
}

/// The range of groups that a pod sets, if any.
pub fn group_range(pod: &Value) -> Option<(i64, i64)> {
    let sysctls = pod["spec"]["securityContext"]["sysctls"].as_array()?;
    let set = sysctls.iter().find(|sysctl| sysctl["name"] == GROUP_RANGE)?;
    let (least, most) = set["value"].as_str()?.split_once([' ', '\t'])?;
    Some((least.parse().ok()?, most.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use crate::value::json;

    use super::*;

    #[test]
    fn security_contexts_decide() {
        let container = |security: Value| json!({"name": "c", "securityContext": security});
        let plain = json!({"spec": {}});
        assert_eq!(User::of(&plain, &json!({})), User { raw: true, datagram: false });
        let dropped = container(json!({"capabilities": {"drop": ["ALL"]}}));
        assert!(!User::of(&plain, &dropped).raw);
        let nobody = json!({"spec": {"securityContext": {"runAsUser": 65534, "runAsGroup": 65534,
            "sysctls": [{"name": "net.ipv4.ping_group_range", "value": "0 65535"}]}}});
        assert_eq!(User::of(&nobody, &json!({})), User { raw: false, datagram: true });
        let added = container(json!({"capabilities": {"add": ["NET_RAW"]}}));
        assert!(!User::of(&nobody, &added).raw, "a user other than root has no capability of a container");
        let other = container(json!({"runAsGroup": 70_000}));
        assert!(!User::of(&nobody, &other).datagram);
        assert_eq!(group_range(&nobody), Some((0, 65_535)));
    }
}
