//! `pods/eviction`: the request of `kubectl drain`, disruption budgets, and `KubeVirt`'s interception.
//!
//! After `pod-eviction-admitter.go` of `KubeVirt` 1.5 and later, and `pkg/registry/core/pod/storage/eviction.go` of
//! Kubernetes.

use crate::value::{Name, Value, json};
use http::{Method, Response, StatusCode};

use super::call::Call;
use super::path::Resource;
use super::payload::Body;
use super::shared::Api;
use super::status::Failure;
use super::{answer, body};
use crate::controllers::conditions;
use crate::controllers::conditions::is_final;
use crate::controllers::machine::instance_spec::eviction_strategy;
use crate::store::kind::{POD_DISRUPTION_BUDGETS, PODS, VIRTUAL_MACHINE_INSTANCES};
use crate::store::{DeleteOptions, Object, Store, seconds};

const WEBHOOK: &str = "virt-launcher-eviction-interceptor.kubevirt.io";

/// Whether a request is an eviction.
pub(super) fn is_eviction(target: &Resource) -> bool {
    target.kind.is(&PODS) && target.subresource.as_deref() == Some("eviction")
}

/// Evicts a pod, or refuses with a reason.
pub(super) fn evict(api: &Api, call: &Call, target: &Resource) -> Result<Response<Body>, Failure> {
    if call.method != Method::POST {
        return Err(Failure::method_not_allowed());
    }
    let eviction = body::object(&call.body)?;
    let name = target.name.as_deref().unwrap_or_default();
    if eviction["metadata"]["name"].as_str().is_some_and(|named| named != name) {
        return Err(Failure::bad_request("name in URL does not match name in Eviction object"));
    }
    let missing = || Failure::not_found(target.kind, name);
    let pod = api.store.get(&PODS, target.space(), name).ok_or_else(missing)?;
    let options = &eviction["deleteOptions"];
    let dry_run = call.query.is_dry_run()?
        || options["dryRun"].as_array().is_some_and(|list| list.contains(&json!("All")));
    intercept(&api.store, &pod, dry_run)?;
    let is_over = is_final(pod.value()) || pod.is_deleting();
    if !is_over && let Some(budget) = broken(&api.store, &pod) {
        return Err(violated(&budget));
    }
    if !dry_run {
        if !is_over {
            let stamp = seconds(api.store.now());
            api.store.modify(&PODS, pod.namespace(), pod.name(), |pod| {
                let (reason, message) = ("EvictionByEvictionAPI", "Eviction API: evicting");
                conditions::mark(pod, conditions::DISRUPTION, "True", reason, message, &stamp);
            });
        }
        let options = DeleteOptions {
            uid: options["preconditions"]["uid"].as_str().map(str::to_owned),
            grace_period: options["gracePeriodSeconds"].as_i64(),
            ..DeleteOptions::default()
        };
        let deleted = api.store.delete(&PODS, pod.namespace(), pod.name(), &options)?;
        api.ledger.write(deleted.object().uid());
    }
    let success =
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
    Ok(answer::value(StatusCode::CREATED, &success))
}

/// virt-api's handling of the eviction of a launcher pod: an instance that is to migrate is marked, and keeps its pod.
fn intercept(store: &Store, pod: &Object, dry_run: bool) -> Result<(), Failure> {
    let value = pod.value();
    if pod.label("kubevirt.io") != Some("virt-launcher") || is_final(value) {
        return Ok(());
    }
    let Some(name) = value["metadata"]["annotations"]["kubevirt.io/domain"].as_str() else { return Ok(()) };
    let denied = |why: &str| {
        let message = format!("admission webhook \"{WEBHOOK}\" denied the request: {why}");
        Failure::new(429, "TooManyRequests", message)
    };
    let Some(vmi) = store.get(&VIRTUAL_MACHINE_INSTANCES, pod.namespace(), name) else {
        let why = format!("virtualmachineinstances.kubevirt.io \"{name}\" not found");
        return Err(denied(&format!("kubevirt failed getting the vmi: {why}")));
    };
    let migrates = conditions::is(vmi.value(), "LiveMigratable", "True");
    match strategy(store, vmi.value()).as_str() {
        "LiveMigrate" if !migrates => {
            let why = "is configured with an eviction strategy but is not live-migratable";
            return Err(denied(&format!("VMI {name} {why}")));
        }
        "LiveMigrate" | "External" => {}
        "LiveMigrateIfPossible" if migrates => {}
        _ => return Ok(()),
    }
    let triggered = format!("Eviction triggered evacuation of VMI \"{}/{name}\"", pod.namespace());
    let status = &vmi.value()["status"];
    if status["evacuationNodeName"].as_str().is_some_and(|node| !node.is_empty()) {
        return Err(denied(&format!("Evacuation in progress: {triggered}")));
    }
    let node = &value["spec"]["nodeName"];
    if status["nodeName"] != *node {
        return Err(denied("Eviction request for target Pod"));
    }
    if !dry_run {
        store.modify(&VIRTUAL_MACHINE_INSTANCES, pod.namespace(), name, |vmi| {
            vmi["status"]["evacuationNodeName"] = node.clone();
        });
    }
    Err(denied(&triggered))
}

/// The instance's own strategy, or the cluster's.
fn strategy(store: &Store, vmi: &Value) -> String {
    let own = vmi["spec"]["evictionStrategy"].as_str().map(str::to_owned);
    own.unwrap_or_else(|| eviction_strategy(store))
}

/// A budget, with its current numbers
struct Budget {
    name: String,
    needed: i64,
    healthy: i64,
}

/// The first budget that the loss of a pod would violate.
fn broken(store: &Store, pod: &Object) -> Option<Budget> {
    let (budgets, _) = store.list(&POD_DISRUPTION_BUDGETS, Some(pod.namespace()));
    if budgets.is_empty() {
        return None;
    }
    let (pods, _) = store.list(&PODS, Some(pod.namespace()));
    budgets.iter().filter(|budget| covers(budget.value(), pod)).find_map(|budget| {
        let covered: Vec<&Object> =
            pods.iter().filter(|one| covers(budget.value(), one) && !is_final(one.value())).collect();
        let is_healthy = |one: &&&Object| !one.is_deleting() && conditions::is(one.value(), "Ready", "True");
        let healthy = covered.iter().filter(is_healthy).count() as i64;
        let spec = &budget.value()["spec"];
        let expected = covered.len() as i64;
        let needed = match (share(&spec["minAvailable"], expected), share(&spec["maxUnavailable"], expected))
        {
            (Some(needed), _) => needed,
            (None, Some(spare)) => expected - spare,
            (None, None) => 0,
        };
        let name = budget.name().to_owned();
        (healthy <= needed).then_some(Budget { name, needed, healthy })
    })
}

/// Whether a budget applies to a pod. An empty selector matches all pods, a missing one none.
fn covers(budget: &Value, pod: &Object) -> bool {
    let selector = &budget["spec"]["selector"];
    let has = |(key, value): (&Name, &Value)| pod.label(key) == value.as_str();
    let meets = |one: &Value| {
        let (key, label) = (&one["key"], one["key"].as_str().and_then(|key| pod.label(key)));
        let is_listed = label.is_some_and(|label| {
            one["values"].as_array().is_some_and(|values| values.iter().any(|value| value == label))
        });
        key.is_string()
            && match one["operator"].as_str().unwrap_or_default() {
                "In" => is_listed,
                "NotIn" => !is_listed,
                "Exists" => label.is_some(),
                "DoesNotExist" => label.is_none(),
                _ => false,
            }
    };
    selector.is_object()
        && selector["matchLabels"].as_object().is_none_or(|labels| labels.iter().all(has))
        && selector["matchExpressions"].as_array().is_none_or(|list| list.iter().all(meets))
}

/// A number of pods, or a share of them, rounded up.
fn share(value: &Value, of: i64) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => {
            let percent: i64 = text.strip_suffix('%')?.parse().ok()?;
            Some((of * percent + 99) / 100)
        }
        _ => None,
    }
}

fn violated(budget: &Budget) -> Failure {
    let Budget { name, needed, healthy } = budget;
    let message =
        format!("The disruption budget {name} needs {needed} healthy pods and has {healthy} currently");
    Failure::new(429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.")
        .detail("causes", json!([{"reason": "DisruptionBudget", "message": message}]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_rounded_up() {
        assert_eq!(share(&json!(2), 10), Some(2));
        assert_eq!(share(&json!("50%"), 3), Some(2));
        assert_eq!(share(&json!("0%"), 3), Some(0));
        assert_eq!(share(&json!("many"), 3), None);
    }
}
