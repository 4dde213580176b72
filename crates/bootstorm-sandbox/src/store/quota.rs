//! Resource quotas: usage of a namespace's pods, and admission of another one.

use std::collections::{BTreeMap, BTreeSet};

use crate::value::{Name, Value};

use super::kind::{PODS, RESOURCE_QUOTAS};
use super::{Contents, Object, StoreError};
use crate::model::quantity;

/// Resources that every container must specify if a quota counts them.
const DEMANDED: [&str; 6] =
    ["cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"];

/// Usage of a resource by the pods of a namespace, as quotas name it; `None` if pods do not count for it.
pub fn used(resource: &str, pods: &[Object]) -> Option<f64> {
    let alive = pods.iter().filter(|pod| !is_over(pod.value()));
    alive
        .map(|pod| of(resource, pod.value()))
        .try_fold(0.0, |sum, one| Some(sum + one?))
        .filter(|_| counts(resource))
}

/// An amount as in a quota's status.
pub fn shown(resource: &str, amount: f64) -> String {
    if resource.ends_with("cpu") { quantity::cores(amount) } else { quantity::canonical(amount) }
}

fn is_over(pod: &Value) -> bool {
    matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

fn counts(resource: &str) -> bool {
    of(resource, &Value::Null).is_some()
}

/// Usage of a resource by one pod.
fn of(resource: &str, pod: &Value) -> Option<f64> {
    match resource {
        "pods" | "count/pods" => Some(1.0),
        "cpu" | "memory" | "ephemeral-storage" => Some(sum(pod, "requests", resource)),
        _ => match resource.split_once('.')? {
            (_, "storage") => None,
            ("requests", plain) => Some(sum(pod, "requests", plain)),
            ("limits", plain) => Some(sum(pod, "limits", plain)),
            _ => None,
        },
    }
}

/// Containers of a pod that run for its whole life.
fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    let list = |name: &str| pod["spec"][name].as_array().map_or(&[][..], Vec::as_slice).iter();
    list("containers").chain(list("initContainers").filter(|one| one["restartPolicy"] == "Always"))
}

fn sum(pod: &Value, list: &str, resource: &str) -> f64 {
    let one = |container: &Value| {
        let resources = &container["resources"];
        let asked = quantity::of(&resources[list][resource]);
        // A limit stands in for a missing request.
        asked.or_else(|| quantity::of(&resources["limits"][resource])).unwrap_or(0.0)
    };
    containers(pod).map(one).sum()
}

/// Whether a container of the pod does not specify a resource.
fn is_silent(pod: &Value, resource: &str) -> bool {
    let (list, plain) = resource.split_once('.').unwrap_or(("requests", resource));
    containers(pod).any(|container| {
        let resources = &container["resources"];
        resources[list].get(plain).or_else(|| resources["limits"].get(plain)).is_none()
    })
}

impl Contents {
    /// Rejects a pod that exceeds a quota of its namespace.
    pub(super) fn check_quota(&self, namespace: &str, name: &str, pod: &Value) -> Result<(), StoreError> {
        let quotas = self.shelf(&RESOURCE_QUOTAS).list(Some(namespace));
        if quotas.is_empty() {
            return Ok(());
        }
        let pods = self.shelf(&PODS).list(Some(namespace));
        for quota in quotas {
            if let Some(why) = refusal(&quota, &pods, pod) {
                return Err(StoreError::OverQuota { kind: PODS.qualified(), name: name.to_owned(), why });
            }
        }
        Ok(())
    }
}

/// The API server's message about a pod that a quota rejects.
fn refusal(quota: &Object, pods: &[Object], pod: &Value) -> Option<String> {
    let hard = quota.value()["spec"]["hard"].as_object()?;
    let silent: BTreeSet<&str> =
        hard.keys().map(Name::as_str).filter(|key| DEMANDED.contains(key) && is_silent(pod, key)).collect();
    if !silent.is_empty() {
        let list: Vec<&str> = silent.into_iter().collect();
        return Some(format!("failed quota: {}: must specify {}", quota.name(), list.join(",")));
    }
    let mut lists: [BTreeMap<&str, String>; 3] = Default::default();
    for (resource, limit) in hard {
        let (Some(limit), Some(asked)) = (quantity::of(limit), of(resource, pod)) else { continue };
        let taken = used(resource, pods).unwrap_or(0.0);
        // A thousandth of a thousandth is a rounding error of the sum.
        if asked > 0.0 && taken + asked > limit + 1e-6 {
            for (list, amount) in lists.iter_mut().zip([asked, taken, limit]) {
                list.insert(resource, shown(resource, amount));
            }
        }
    }
    let text = |list: &BTreeMap<&str, String>| {
        list.iter().map(|(resource, amount)| format!("{resource}={amount}")).collect::<Vec<_>>().join(",")
    };
    let [requested, used, limited] = &lists;
    (!requested.is_empty()).then(|| {
        format!(
            "exceeded quota: {}, requested: {}, used: {}, limited: {}",
            quota.name(),
            text(requested),
            text(used),
            text(limited)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::Store;
    use super::super::kind::NAMESPACES;
    use super::*;
    use crate::value::json;

    fn store(hard: &Value) -> Store {
        let store = Store::new();
        let quota = json!({"metadata": {"name": "q"}, "spec": {"hard": hard}});
        store.set_namespace_defaults(vec![(&RESOURCE_QUOTAS, quota)]);
        store.create(&NAMESPACES, json!({"metadata": {"name": "a"}})).unwrap();
        store
    }

    fn pod(name: &str, cpu: &str, memory: &str) -> Value {
        let resources = json!({"requests": {"cpu": cpu, "memory": memory}});
        json!({"metadata": {"name": name, "namespace": "a"}, "spec": {"containers": [{"resources": resources}]}})
    }

    #[test]
    fn a_pod_beyond_the_quota_is_refused_in_the_words_of_the_api_server() {
        let store = store(&json!({"requests.memory": "1Gi", "requests.cpu": "1", "pods": "5"}));
        store.create(&PODS, pod("x", "100m", "600Mi")).unwrap();
        let error = store.create(&PODS, pod("y", "950m", "500Mi")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "pods \"y\" is forbidden: exceeded quota: q, requested: requests.cpu=950m,requests.memory=500Mi, used: requests.cpu=100m,requests.memory=600Mi, limited: requests.cpu=1,requests.memory=1Gi"
        );
        store.create(&PODS, pod("z", "900m", "424Mi")).unwrap();
    }

    #[test]
    fn a_pod_that_is_over_gives_its_share_back() {
        let store = store(&json!({"pods": "1"}));
        store.create(&PODS, pod("x", "1", "1Gi")).unwrap();
        assert!(store.create(&PODS, pod("y", "1", "1Gi")).is_err());
        store.modify(&PODS, "a", "x", |pod| pod["status"] = json!({"phase": "Succeeded"}));
        store.create(&PODS, pod("y", "1", "1Gi")).unwrap();
    }

    #[test]
    fn what_a_quota_counts_must_be_said() {
        let store = store(&json!({"limits.memory": "1Gi", "services": "0"}));
        let error = store.create(&PODS, pod("x", "1", "1Gi")).unwrap_err().to_string();
        assert_eq!(error, "pods \"x\" is forbidden: failed quota: q: must specify limits.memory");
    }
}
