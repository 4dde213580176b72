//! Policies for new pods beside quotas: service accounts, limit ranges, and the Pod Security level of the namespace.

use crate::value::{Map, Value, json};

use super::kind::{LIMIT_RANGES, NAMESPACES, PODS, SERVICE_ACCOUNTS};
use super::{Contents, StoreError};
use crate::model::quantity;

/// Label with the Pod Security level that a namespace enforces.
const ENFORCED: &str = "pod-security.kubernetes.io/enforce";
/// Label with the version of the level.
const VERSION: &str = "pod-security.kubernetes.io/enforce-version";
/// Capabilities permitted under `baseline`.
const BASELINE: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];
/// Volume kinds permitted under `restricted`.
const VOLUMES: [&str; 9] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

impl Contents {
    /// Applies the defaults of limit ranges, then rejects a pod that its namespace does not permit.
    pub(super) fn check_policy(
        &self,
        namespace: &str,
        name: &str,
        pod: &mut Value,
    ) -> Result<(), StoreError> {
        let refused = |why| StoreError::OverQuota { kind: PODS.qualified(), name: name.to_owned(), why };
        // Every namespace has the account `default`, as it is never deleted.
        if let Some(account) = pod["spec"]["serviceAccountName"].as_str().filter(|name| *name != "default")
            && self.shelf(&SERVICE_ACCOUNTS).get(namespace, account).is_none()
        {
            let why = format!(
                "error looking up service account {namespace}/{account}: serviceaccount \"{account}\" not found"
            );
            return Err(refused(why));
        }
        for range in self.shelf(&LIMIT_RANGES).list(Some(namespace)) {
            let limits = range.value()["spec"]["limits"].as_array();
            for limit in limits.into_iter().flatten() {
                fill(limit, pod);
                if let Some(why) = outside(limit, pod) {
                    return Err(refused(why));
                }
            }
        }
        let Some(found) = self.shelf(&NAMESPACES).get("", namespace) else { return Ok(()) };
        let level = found.label(ENFORCED).unwrap_or("privileged");
        let faults = violations(level, pod);
        if faults.is_empty() {
            return Ok(());
        }
        let version = found.label(VERSION).unwrap_or("latest");
        Err(refused(format!("violates PodSecurity \"{level}:{version}\": {}", faults.join(", "))))
    }
}

/// All containers of a pod.
fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    let list = |name: &str| pod["spec"][name].as_array().map_or(&[][..], Vec::as_slice).iter();
    list("containers").chain(list("initContainers"))
}

/// Sets requests and limits that containers do not name.
fn fill(limit: &Value, pod: &mut Value) {
    if limit["type"] != "Container" {
        return;
    }
    let amounts = |key: &str| limit[key].as_object().cloned().unwrap_or_default();
    let mut defaults = [("limits", amounts("default")), ("requests", amounts("defaultRequest"))];
    // Without a default of its own, a request equals the limit.
    for (resource, amount) in defaults[0].1.clone() {
        defaults[1].1.entry(resource).or_insert(amount);
    }
    for list in ["containers", "initContainers"] {
        let Some(list) = pod.pointer_mut(&format!("/spec/{list}")).and_then(Value::as_array_mut) else {
            continue;
        };
        for container in list.iter_mut().filter_map(Value::as_object_mut) {
            let resources = container.entry("resources").or_insert_with(|| json!({}));
            let Some(resources) = resources.as_object_mut() else { continue };
            for (key, amounts) in &defaults {
                let given = resources.entry(*key).or_insert_with(|| Map::new().into());
                for (resource, amount) in amounts {
                    if let Some(given) = given.as_object_mut() {
                        given.entry(resource.clone()).or_insert_with(|| amount.clone());
                    }
                }
            }
        }
    }
}

/// Reason why a pod is outside the limits of a range.
fn outside(limit: &Value, pod: &Value) -> Option<String> {
    let word = limit["type"].as_str()?;
    let each: Vec<Vec<&Value>> = match word {
        "Container" => containers(pod).map(|one| vec![one]).collect(),
        "Pod" => vec![containers(pod).collect()],
        _ => return None,
    };
    let amounts = |key: &str| limit[key].as_object().into_iter().flatten();
    for group in each {
        let of = |list: &str, resource: &str| -> Option<f64> {
            let amounts = group.iter().filter_map(|one| quantity::of(&one["resources"][list][resource]));
            amounts.reduce(|sum, amount| sum + amount)
        };
        for (resource, most) in amounts("max") {
            let wanted = quantity::of(most)?;
            let shown = most.as_str().unwrap_or_default();
            match of("limits", resource) {
                None => {
                    return Some(format!(
                        "maximum {resource} usage per {word} is {shown}.  No limit is specified"
                    ));
                }
                Some(limit) if limit > wanted => {
                    let limit = super::quota::shown(resource, limit);
                    return Some(format!(
                        "maximum {resource} usage per {word} is {shown}, but limit is {limit}"
                    ));
                }
                Some(_) => {}
            }
        }
        for (resource, least) in amounts("min") {
            let wanted = quantity::of(least)?;
            let shown = least.as_str().unwrap_or_default();
            match of("requests", resource) {
                None => {
                    return Some(format!(
                        "minimum {resource} usage per {word} is {shown}.  No request is specified"
                    ));
                }
                Some(request) if request < wanted => {
                    let request = super::quota::shown(resource, request);
                    return Some(format!(
                        "minimum {resource} usage per {word} is {shown}, but request is {request}"
                    ));
                }
                Some(_) => {}
            }
        }
    }
    None
}

/// Properties of a pod that its namespace's level forbids, in the API server's words.
fn violations(level: &str, pod: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if !matches!(level, "baseline" | "restricted") {
        return found;
    }
    let spec = &pod["spec"];
    let hosts: Vec<String> = ["hostNetwork", "hostPID", "hostIPC"]
        .iter()
        .filter(|key| spec[**key] == true)
        .map(|key| format!("{key}=true"))
        .collect();
    if !hosts.is_empty() {
        found.push(format!("host namespaces ({})", hosts.join(", ")));
    }
    let named = |is_odd: &dyn Fn(&Value) -> bool| -> Option<String> {
        let names: Vec<String> = containers(pod)
            .filter(|one| is_odd(&one["securityContext"]))
            .map(|one| format!("\"{}\"", one["name"].as_str().unwrap_or_default()))
            .collect();
        let word = if names.len() == 1 { "container" } else { "containers" };
        (!names.is_empty()).then(|| format!("{word} {}", names.join(", ")))
    };
    if let Some(who) = named(&|context| context["privileged"] == true) {
        found.push(format!("privileged ({who} must not set securityContext.privileged=true)"));
    }
    let adds = |context: &Value, allowed: &[&str]| {
        let mut added = context["capabilities"]["add"].as_array().into_iter().flatten();
        added.any(|one| !allowed.iter().any(|known| one == known))
    };
    if level == "baseline" {
        if let Some(who) = named(&|context| adds(context, &BASELINE)) {
            found.push(format!(
                "non-default capabilities ({who} must not include them in securityContext.capabilities.add)"
            ));
        }
        return found;
    }
    if let Some(who) = named(&|context| context["allowPrivilegeEscalation"] != false) {
        found.push(format!(
            "allowPrivilegeEscalation != false ({who} must set securityContext.allowPrivilegeEscalation=false)"
        ));
    }
    let drops_all = |context: &Value| {
        context["capabilities"]["drop"].as_array().is_some_and(|drop| drop.iter().any(|one| one == "ALL"))
    };
    if let Some(who) = named(&|context| !drops_all(context) || adds(context, &["NET_BIND_SERVICE"])) {
        found.push(format!(
            "unrestricted capabilities ({who} must set securityContext.capabilities.drop=[\"ALL\"])"
        ));
    }
    let is_odd = |volume: &&Value| {
        volume
            .as_object()
            .is_some_and(|fields| !fields.keys().all(|key| key == "name" || VOLUMES.contains(&key.as_str())))
    };
    let odd: Vec<&str> = spec["volumes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(is_odd)
        .filter_map(|volume| volume["name"].as_str())
        .collect();
    if !odd.is_empty() {
        found.push(format!("restricted volume types (volumes \"{}\")", odd.join("\", \"")));
    }
    let whole = &spec["securityContext"];
    if whole["runAsNonRoot"] != true
        && let Some(who) = named(&|context| context["runAsNonRoot"] != true)
    {
        found.push(format!("runAsNonRoot != true (pod or {who} must set securityContext.runAsNonRoot=true)"));
    }
    let has_profile = |context: &Value| {
        matches!(context["seccompProfile"]["type"].as_str(), Some("RuntimeDefault" | "Localhost"))
    };
    if !has_profile(whole)
        && let Some(who) = named(&|context| !has_profile(context))
    {
        found.push(format!(
            "seccompProfile (pod or {who} must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")"
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod() -> Value {
        json!({"spec": {
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "volumes": [{"name": "a", "emptyDir": {}}],
            "containers": [{
                "name": "c", "resources": {"requests": {"memory": "1Gi"}},
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
            }],
        }})
    }

    #[test]
    fn levels_refuse_what_they_are_there_for() {
        assert!(violations("restricted", &pod()).is_empty());
        let mut odd = pod();
        odd["spec"]["containers"][0]["securityContext"] = json!({"privileged": true});
        odd["spec"]["volumes"] = json!([{"name": "h", "hostPath": {}}]);
        odd["spec"]["hostNetwork"] = json!(true);
        assert!(violations("privileged", &odd).is_empty());
        let baseline = violations("baseline", &odd);
        assert_eq!(baseline.len(), 2, "{baseline:?}");
        let told = violations("restricted", &odd).join(", ");
        for word in [
            "host namespaces",
            "privileged",
            "allowPrivilegeEscalation",
            "capabilities",
            "restricted volume types",
        ] {
            assert!(told.contains(word), "no {word} in {told}");
        }
    }

    #[test]
    fn a_range_fills_in_what_is_missing_and_refuses_what_is_outside() {
        let range = json!({"type": "Container", "default": {"memory": "2Gi", "cpu": "1"}, "max": {"memory": "2Gi"}, "min": {"memory": "512Mi"}});
        let mut one = pod();
        fill(&range, &mut one);
        let resources = &one["spec"]["containers"][0]["resources"];
        assert_eq!(resources["limits"], json!({"memory": "2Gi", "cpu": "1"}));
        assert_eq!(resources["requests"], json!({"memory": "1Gi", "cpu": "1"}));
        assert_eq!(outside(&range, &one), None);
        let tight = json!({"type": "Container", "max": {"memory": "1Gi"}});
        assert_eq!(
            outside(&tight, &one).unwrap(),
            "maximum memory usage per Container is 1Gi, but limit is 2Gi"
        );
        assert!(outside(&tight, &pod()).unwrap().contains("No limit is specified"));
        let wide = json!({"type": "Pod", "min": {"memory": "4Gi"}});
        assert_eq!(outside(&wide, &one).unwrap(), "minimum memory usage per Pod is 4Gi, but request is 1Gi");
    }
}
