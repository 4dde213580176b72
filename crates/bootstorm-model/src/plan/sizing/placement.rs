//! Constraints on the placement of a VM: selectors, node affinity and tolerations of its manifest.

use std::collections::BTreeMap;

use serde_json::Value;

use super::node::{Node, Obstacle, Taint};
use super::settings::Settings;

/// Label of nodes on which `KubeVirt` can run VMs.
pub const SCHEDULABLE: &str = "kubevirt.io/schedulable";

/// Constraints on the placement of a VM
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Placement {
    selector: Vec<(String, String)>,
    tolerations: Vec<Value>,
    /// Terms of the required node affinity; one of them must hold.
    terms: Vec<Value>,
    /// Whether it also depends on other pods, which is not evaluated.
    pub depends_on_pods: bool,
}

impl Placement {
    /// The placement of a VM manifest.
    pub fn of(manifest: &Value, settings: &Settings) -> Self {
        let spec = &manifest["spec"]["template"]["spec"];
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut selector = settings.node_selector.clone();
        let given = spec["nodeSelector"].as_object().into_iter().flatten();
        selector.extend(given.map(|(key, value)| (key.clone(), text(value))));
        let affinity = &spec["affinity"];
        let required = "requiredDuringSchedulingIgnoredDuringExecution";
        let among_pods = ["podAffinity", "podAntiAffinity"]
            .iter()
            .any(|kind| !list(&affinity[*kind][required]).is_empty());
        let spread = list(&spec["topologySpreadConstraints"]);
        let strict = |one: &Value| one["whenUnsatisfiable"] != "ScheduleAnyway";
        Self {
            selector,
            tolerations: list(&spec["tolerations"]),
            terms: list(&affinity["nodeAffinity"][required]["nodeSelectorTerms"]),
            depends_on_pods: among_pods || spread.iter().any(strict),
        }
    }

    /// Reason why such a VM cannot run on a node, even if empty.
    pub fn obstacle(&self, node: &Node) -> Option<Obstacle> {
        if !node.ready {
            return Some(Obstacle::NotReady);
        }
        let cordon = Taint {
            key: "node.kubernetes.io/unschedulable".into(),
            value: String::new(),
            effect: "NoSchedule".into(),
        };
        if node.cordoned && !self.tolerates(&cordon) {
            return Some(Obstacle::Cordoned);
        }
        if node.labels.get(SCHEDULABLE).is_none_or(|value| value != "true") {
            return Some(Obstacle::NoKubeVirt);
        }
        if let Some(taint) = node.taints.iter().find(|taint| !self.tolerates(taint)) {
            return Some(Obstacle::Tainted(taint.key.clone()));
        }
        let selected = self.selector.iter().all(|(key, value)| node.labels.get(key) == Some(value));
        let liked = self.terms.is_empty() || self.terms.iter().any(|term| holds(term, node));
        (!selected || !liked).then_some(Obstacle::NotSelected)
    }

    fn tolerates(&self, taint: &Taint) -> bool {
        if taint.effect == "PreferNoSchedule" {
            return true;
        }
        self.tolerations.iter().any(|toleration| {
            let text = |field: &str| toleration[field].as_str().unwrap_or_default();
            let exists = text("operator") == "Exists";
            let same_key = text("key") == taint.key || text("key").is_empty() && exists;
            let same_value = exists || text("value") == taint.value;
            let same_effect = text("effect").is_empty() || text("effect") == taint.effect;
            same_key && same_value && same_effect
        })
    }
}

/// Whether a node selector term matches; an empty one never does.
fn holds(term: &Value, node: &Node) -> bool {
    let list = |key: &str| term[key].as_array().map_or(&[][..], Vec::as_slice);
    let (expressions, fields) = (list("matchExpressions"), list("matchFields"));
    let name = BTreeMap::from([("metadata.name".to_owned(), node.name.clone())]);
    !(expressions.is_empty() && fields.is_empty())
        && expressions.iter().all(|one| matches(one, &node.labels))
        && fields.iter().all(|one| matches(one, &name))
}

fn matches(expression: &Value, found: &BTreeMap<String, String>) -> bool {
    let value = found.get(expression["key"].as_str().unwrap_or_default()).map(String::as_str);
    let wanted: Vec<&str> =
        expression["values"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let listed = value.is_some_and(|value| wanted.contains(&value));
    let numbers = || Some((value?.parse::<i64>().ok()?, wanted.first()?.parse::<i64>().ok()?));
    match expression["operator"].as_str().unwrap_or_default() {
        "In" => listed,
        "NotIn" => !listed,
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => numbers().is_some_and(|(value, bound)| value > bound),
        "Lt" => numbers().is_some_and(|(value, bound)| value < bound),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn node() -> Node {
        let labels = [(SCHEDULABLE, "true"), ("zone", "a"), ("cores", "64")];
        Node {
            name: "node-1".into(),
            ready: true,
            labels: labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            ..Node::default()
        }
    }

    fn obstacle(spec: &Value, node: &Node) -> Option<Obstacle> {
        let vm = json!({"spec": {"template": {"spec": spec}}});
        Placement::of(&vm, &Settings::default()).obstacle(node)
    }

    #[test]
    fn nodes_that_take_no_vm_at_all() {
        let plain = json!({});
        assert_eq!(obstacle(&plain, &node()), None);
        assert_eq!(obstacle(&plain, &Node { ready: false, ..node() }), Some(Obstacle::NotReady));
        assert_eq!(obstacle(&plain, &Node { cordoned: true, ..node() }), Some(Obstacle::Cordoned));
        assert_eq!(obstacle(&plain, &Node { labels: BTreeMap::new(), ..node() }), Some(Obstacle::NoKubeVirt));
    }

    #[test]
    fn taints_are_tolerated_or_not() {
        let taint = |effect: &str| Taint { key: "gpu".into(), value: "yes".into(), effect: effect.into() };
        let tainted = Node { taints: vec![taint("NoSchedule")], ..node() };
        let with = |toleration: Value| obstacle(&json!({"tolerations": [toleration]}), &tainted);
        assert_eq!(obstacle(&json!({}), &tainted), Some(Obstacle::Tainted("gpu".into())));
        assert_eq!(with(json!({"key": "gpu", "value": "yes"})), None);
        assert_eq!(with(json!({"operator": "Exists"})), None);
        assert!(with(json!({"key": "gpu", "value": "no"})).is_some());
        assert!(with(json!({"key": "gpu", "operator": "Exists", "effect": "NoExecute"})).is_some());
        let soft = Node { taints: vec![taint("PreferNoSchedule")], ..node() };
        assert_eq!(obstacle(&json!({}), &soft), None);
    }

    #[test]
    fn selectors_and_affinity_choose() {
        let affinity = |term: Value| json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}});
        let one = |operator: &str, key: &str, values: &[&str]| {
            affinity(json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]}))
        };
        for (spec, fits) in [
            (json!({"nodeSelector": {"zone": "a"}}), true),
            (json!({"nodeSelector": {"zone": "b"}}), false),
            (one("In", "zone", &["a", "b"]), true),
            (one("NotIn", "zone", &["a"]), false),
            (one("Exists", "zone", &[]), true),
            (one("DoesNotExist", "rack", &[]), true),
            (one("Gt", "cores", &["63"]), true),
            (one("Lt", "cores", &["63"]), false),
            (
                affinity(
                    json!({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-1"]}]}),
                ),
                true,
            ),
            (
                affinity(
                    json!({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-2"]}]}),
                ),
                false,
            ),
            (affinity(json!({})), false),
        ] {
            assert_eq!(obstacle(&spec, &node()).is_none(), fits, "{spec}");
        }
    }

    #[test]
    fn what_depends_on_other_pods_is_told() {
        let depends = |spec: Value| {
            let vm = json!({"spec": {"template": {"spec": spec}}});
            Placement::of(&vm, &Settings::default()).depends_on_pods
        };
        assert!(!depends(json!({})));
        let anti = json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{}]}});
        assert!(depends(json!({"affinity": anti})));
        assert!(depends(json!({"topologySpreadConstraints": [{"whenUnsatisfiable": "DoNotSchedule"}]})));
        assert!(!depends(json!({"topologySpreadConstraints": [{"whenUnsatisfiable": "ScheduleAnyway"}]})));
    }
}
