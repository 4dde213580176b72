//! Whether a pod fits on a node.

use crate::value::Value;

use crate::model::quantity;

/// Resources that a pod requests
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Request {
    /// CPU cores.
    pub cpu: f64,
    /// Memory in bytes.
    pub memory: f64,
    /// KVM devices; the other devices of a launcher come in equal number.
    pub devices: f64,
    selector: Vec<(String, String)>,
    tolerations: Vec<Value>,
    terms: Vec<Value>,
    labels: Value,
    /// Labels shared by the pods from which it is to be spread over nodes, as far as possible.
    spread: Vec<(String, Value)>,
}

/// A node, as the scheduler sees it
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Offer {
    /// Pods.
    pub pods: f64,
    /// CPU cores.
    pub cpu: f64,
    /// Memory in bytes.
    pub memory: f64,
    /// KVM devices.
    pub devices: f64,
    name: String,
    labels: Value,
    taints: Vec<Value>,
    cordoned: bool,
}

impl Request {
    /// Requests of a pod.
    pub fn of(pod: &Value) -> Self {
        let spec = &pod["spec"];
        let list_of = |name: &str| spec[name].as_array().map_or(&[][..], Vec::as_slice).iter();
        // Other init containers end before the pod runs, and none requests more than the guest.
        let sidecars = || list_of("initContainers").filter(|one| one["restartPolicy"] == "Always");
        let sum = |resource: &str| -> f64 {
            let one = |container: &Value| {
                let resources = &container["resources"];
                let asked = quantity::of(&resources["requests"][resource]);
                asked.or_else(|| quantity::of(&resources["limits"][resource])).unwrap_or(0.0)
            };
            list_of("containers").chain(sidecars()).map(one).sum()
        };
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let required = &spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
        let selector = spec["nodeSelector"].as_object().into_iter().flatten();
        let spread = list_of("topologySpreadConstraints").filter(|constraint| {
            constraint["topologyKey"] == "kubernetes.io/hostname"
                && constraint["whenUnsatisfiable"] == "ScheduleAnyway"
        });
        let spread = spread.filter_map(|constraint| constraint["labelSelector"]["matchLabels"].as_object());
        Self {
            cpu: sum("cpu"),
            memory: sum("memory"),
            devices: sum("devices.kubevirt.io/kvm"),
            selector: selector
                .map(|(key, value)| (key.to_string(), value.as_str().unwrap_or_default().to_owned()))
                .collect(),
            tolerations: list(&spec["tolerations"]),
            terms: list(&required["nodeSelectorTerms"]),
            labels: pod["metadata"]["labels"].clone(),
            spread: spread.flatten().map(|(key, value)| (key.to_string(), value.clone())).collect(),
        }
    }
}

impl Request {
    /// Whether it is to be spread over nodes.
    pub fn is_spread(&self) -> bool {
        !self.spread.is_empty()
    }

    /// Whether it is to be spread from another pod.
    pub fn is_spread_from(&self, other: &Self) -> bool {
        self.is_spread() && self.spread.iter().all(|(key, value)| other.labels[key] == *value)
    }
}

impl Offer {
    /// Capacity of a node.
    pub fn of(name: &str, node: &Value) -> Self {
        let allocatable = &node["status"]["allocatable"];
        let number = |resource: &str| quantity::of(&allocatable[resource]).unwrap_or(0.0);
        Self {
            pods: number("pods"),
            cpu: number("cpu"),
            memory: number("memory"),
            devices: number("devices.kubevirt.io/kvm"),
            name: name.to_owned(),
            labels: node["metadata"]["labels"].clone(),
            taints: node["spec"]["taints"].as_array().cloned().unwrap_or_default(),
            cordoned: node["spec"]["unschedulable"] == true,
        }
    }

    /// Reason why a pod cannot run on this node regardless of other pods, in the scheduler's words.
    pub fn repels(&self, request: &Request) -> Option<String> {
        if self.cordoned
            && !request.tolerations.iter().any(|it| it["key"] == "node.kubernetes.io/unschedulable")
        {
            return Some("node(s) were unschedulable".to_owned());
        }
        if let Some(taint) = self.taints.iter().find(|taint| !tolerated(taint, &request.tolerations)) {
            let text = |field: &str| taint[field].as_str().unwrap_or_default();
            return Some(format!("node(s) had untolerated taint(s) {{{}: {}}}", text("key"), text("value")));
        }
        let selected = request.selector.iter().all(|(key, value)| self.labels[key] == **value);
        let preferred = request.terms.is_empty() || request.terms.iter().any(|term| self.matches(term));
        (!selected || !preferred).then(|| "node(s) didn't match Pod's node affinity/selector".to_owned())
    }

    /// The scarce resource, in the scheduler's words, with `used` in use.
    pub fn lacks(&self, used: &Offer, request: &Request) -> Option<&'static str> {
        if used.pods + 1.0 > self.pods {
            Some("Too many pods")
        } else if used.cpu + request.cpu > self.cpu {
            Some("Insufficient cpu")
        } else if used.memory + request.memory > self.memory {
            Some("Insufficient memory")
        } else if request.devices > 0.0 && used.devices + request.devices > self.devices {
            Some("Insufficient devices.kubevirt.io/kvm")
        } else {
            None
        }
    }

    fn matches(&self, term: &Value) -> bool {
        let expressions = term["matchExpressions"].as_array().into_iter().flatten();
        let fields = term["matchFields"].as_array().into_iter().flatten();
        let label = |key: &str| self.labels.get(key).and_then(Value::as_str).map(str::to_owned);
        let field = |key: &str| (key == "metadata.name").then(|| self.name.clone());
        expressions.map(|one| holds(one, label)).chain(fields.map(|one| holds(one, field))).all(|holds| holds)
    }
}

fn holds(expression: &Value, lookup: impl Fn(&str) -> Option<String>) -> bool {
    let found = lookup(expression["key"].as_str().unwrap_or_default());
    let listed = |value: &str| expression["values"].as_array().into_iter().flatten().any(|one| one == value);
    let number = |text: &str| text.parse::<i64>().ok();
    let bound = expression["values"][0].as_str().and_then(number);
    match expression["operator"].as_str().unwrap_or_default() {
        "In" => found.is_some_and(|value| listed(&value)),
        "NotIn" => !found.is_some_and(|value| listed(&value)),
        "Exists" => found.is_some(),
        "DoesNotExist" => found.is_none(),
        "Gt" => found.as_deref().and_then(number).zip(bound).is_some_and(|(value, bound)| value > bound),
        "Lt" => found.as_deref().and_then(number).zip(bound).is_some_and(|(value, bound)| value < bound),
        _ => false,
    }
}

fn tolerated(taint: &Value, tolerations: &[Value]) -> bool {
    if taint["effect"] == "PreferNoSchedule" {
        return true;
    }
    tolerations.iter().any(|toleration| {
        let key = toleration["key"].as_str().unwrap_or_default();
        let effect = toleration["effect"].as_str().unwrap_or_default();
        let exists = toleration["operator"] == "Exists";
        let same_key = taint["key"] == key || key.is_empty() && exists;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let same_value = exists || text(&toleration["value"]) == text(&taint["value"]);
        same_key && same_value && (effect.is_empty() || taint["effect"] == effect)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;

    fn node(spec: &Value) -> Offer {
        let node = json!({"metadata": {"labels": {"kubernetes.io/hostname": "n1", "zone": "a"}}, "spec": spec,
            "status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110", "devices.kubevirt.io/kvm": "1k"}}});
        Offer::of("n1", &node)
    }

    #[test]
    fn selectors_taints_and_cordons_keep_pods_away() {
        let wants = |spec: Value| Request::of(&json!({"spec": spec}));
        assert_eq!(node(&json!({})).repels(&wants(json!({"nodeSelector": {"zone": "a"}}))), None);
        assert!(node(&json!({})).repels(&wants(json!({"nodeSelector": {"zone": "b"}}))).is_some());
        assert!(node(&json!({"unschedulable": true})).repels(&wants(json!({}))).is_some());
        let tainted = node(&json!({"taints": [{"key": "k", "value": "v", "effect": "NoSchedule"}]}));
        assert!(tainted.repels(&wants(json!({}))).is_some_and(|why| why.contains("{k: v}")));
        assert_eq!(
            tainted.repels(&wants(json!({"tolerations": [{"key": "k", "operator": "Exists"}]}))),
            None
        );
    }

    #[test]
    fn affinity_may_name_the_node() {
        let pinned = |name: &str| {
            Request::of(
                &json!({"spec": {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
                {"nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [name]}]}]}}}}}),
            )
        };
        assert_eq!(node(&json!({})).repels(&pinned("n1")), None);
        assert!(node(&json!({})).repels(&pinned("n2")).is_some());
    }

    #[test]
    fn what_is_short_is_named() {
        let request =
            Request::of(&json!({"spec": {"containers": [{"resources": {"requests": {"memory": "5Gi"}}}]}}));
        let used = Offer { memory: 4.0 * 1024.0_f64.powi(3), ..Offer::default() };
        assert_eq!(node(&json!({})).lacks(&used, &request), Some("Insufficient memory"));
    }
}
