//! Constraints on the placement of a VM: selectors, node affinity and tolerations of its manifest, and the selectors
//! that virt-controller adds to launcher pods.
//!
//! Source: `nodeselectorrenderer.go` and `template.go` in `pkg/virt-controller/services` of `KubeVirt`. A VM's own
//! selectors replace those for all VMs, also the one for the architecture, but not those for dedicated CPUs and for
//! what its CPUs must have. Hyper-V features select nodes only with the feature gate `HypervStrictCheck`, which is off by
//! default.

use std::collections::BTreeMap;

use serde_json::Value;

use super::node::{Node, Obstacle, Taint};
use super::settings::Settings;

/// Label of nodes on which `KubeVirt` can run VMs.
pub const SCHEDULABLE: &str = "kubevirt.io/schedulable";

/// Label of nodes with their CPU architecture.
const ARCHITECTURE: &str = "kubernetes.io/arch";

/// Label of nodes whose kubelet can dedicate CPUs to a pod.
const CPU_MANAGER: &str = "cpumanager";

/// Prefix of labels of nodes with the machine types that they support; releases before 1.5 set none.
const MACHINE_TYPE: &str = "machine-type.node.kubevirt.io/";

/// Labels, each with the value `true`, of nodes that have what a VM requires of CPUs and machine; `spec` is that of the
/// instance.
pub fn hardware_labels(spec: &Value) -> Vec<String> {
    let domain = &spec["domain"];
    let cpu = &domain["cpu"];
    let mut labels = Vec::new();
    // Features select nodes only beside a model.
    if let Some(model) = cpu["model"].as_str().filter(|model| !model.is_empty()) {
        if !matches!(model, "host-model" | "host-passthrough") {
            labels.push(format!("cpu-model.node.kubevirt.io/{model}"));
        }
        let required = |feature: &&Value| matches!(feature["policy"].as_str(), None | Some("" | "require"));
        let features = cpu["features"].as_array().into_iter().flatten().filter(required);
        let names = features.filter_map(|feature| feature["name"].as_str());
        labels.extend(names.map(|name| format!("cpu-feature.node.kubevirt.io/{name}")));
    }
    if let Some(machine) = domain["machine"]["type"].as_str().filter(|machine| !machine.is_empty()) {
        labels.push(format!("{MACHINE_TYPE}{machine}"));
    }
    if cpu["realtime"].is_object() {
        labels.push("kubevirt.io/realtime".to_owned());
    }
    let security = &spec["domain"]["launchSecurity"];
    let is_encrypted = security["sev"]["policy"]["encryptedState"] == true;
    for (is_set, label) in [
        (security["sev"].is_object(), "kubevirt.io/sev"),
        (is_encrypted, "kubevirt.io/sev-es"),
        (security["snp"].is_object(), "kubevirt.io/sev-snp"),
        (security["tdx"].is_object(), "kubevirt.io/tdx"),
    ] {
        if is_set {
            labels.push(label.to_owned());
        }
    }
    labels
}

/// Constraints on the placement of a VM
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Placement {
    selector: BTreeMap<String, String>,
    /// Architecture of its node; `None` if its selector has one, or if the cluster does not tell its default.
    architecture: Option<String>,
    /// Whether its CPUs are dedicated.
    pinned_cpus: bool,
    /// [`hardware_labels`].
    hardware: Vec<String>,
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
        let mut selector: BTreeMap<String, String> = settings.node_selector.iter().cloned().collect();
        let given = spec["nodeSelector"].as_object().into_iter().flatten();
        selector.extend(given.map(|(key, value)| (key.clone(), text(value))));
        let pinned_cpus = spec["domain"]["cpu"]["dedicatedCpuPlacement"] == true;
        if pinned_cpus {
            selector.remove(CPU_MANAGER);
        }
        let own = spec["architecture"].as_str().filter(|own| !own.is_empty());
        let architecture = own.unwrap_or(&settings.architecture).to_lowercase();
        let is_known = !architecture.is_empty() && !selector.contains_key(ARCHITECTURE);
        let architecture = is_known.then_some(architecture);
        let affinity = &spec["affinity"];
        let required = "requiredDuringSchedulingIgnoredDuringExecution";
        let among_pods = ["podAffinity", "podAntiAffinity"]
            .iter()
            .any(|kind| !list(&affinity[*kind][required]).is_empty());
        let spread = list(&spec["topologySpreadConstraints"]);
        let strict = |one: &Value| one["whenUnsatisfiable"] != "ScheduleAnyway";
        Self {
            selector,
            architecture,
            pinned_cpus,
            hardware: hardware_labels(spec),
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
        // Every kubelet labels its node with its architecture: a node without the label shows nothing either way.
        let architectures = self.architecture.as_ref().zip(node.labels.get(ARCHITECTURE));
        if let Some((vm, node)) = architectures.filter(|(vm, node)| vm != node) {
            return Some(Obstacle::Architecture { node: node.clone(), vm: vm.clone() });
        }
        if self.pinned_cpus && node.labels.get(CPU_MANAGER).is_none_or(|value| value != "true") {
            return Some(Obstacle::NoCpuManager);
        }
        let lacks = |label: &&String| node.labels.get(*label).is_none_or(|value| value != "true");
        // Machine types select nodes only where nodes are labelled with them.
        let is_used = |label: &&String| {
            !label.starts_with(MACHINE_TYPE) || node.labels.keys().any(|key| key.starts_with(MACHINE_TYPE))
        };
        if let Some(label) = self.hardware.iter().filter(is_used).find(lacks) {
            return Some(Obstacle::Unlabelled(label.clone()));
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

    fn labelled(labels: &[(&str, &str)]) -> Node {
        let mut node = node();
        node.labels.extend(labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        node
    }

    #[test]
    fn a_node_has_the_architecture_of_the_vm() {
        let (amd, arm) = (labelled(&[(ARCHITECTURE, "amd64")]), labelled(&[(ARCHITECTURE, "arm64")]));
        let other = |node: &str, vm: &str| Obstacle::Architecture { node: node.into(), vm: vm.into() };
        let settings = Settings { architecture: "amd64".into(), ..Settings::default() };
        for spec in [json!({}), json!({"architecture": ""})] {
            let manifest = json!({"spec": {"template": {"spec": spec}}});
            let by_default = Placement::of(&manifest, &settings);
            assert_eq!(by_default.obstacle(&amd), None);
            assert_eq!(by_default.obstacle(&arm), Some(other("arm64", "amd64")));
            assert_eq!(by_default.obstacle(&node()), None, "not labelled");
            assert_eq!(obstacle(&spec, &arm), None, "the default is unknown");
        }
        let own = json!({"architecture": "ARM64"});
        assert_eq!(obstacle(&own, &arm), None);
        assert_eq!(obstacle(&own, &amd), Some(other("amd64", "arm64")));
        let selected = json!({"nodeSelector": {ARCHITECTURE: "arm64"}});
        assert_eq!(obstacle(&selected, &arm), None);
        assert_eq!(obstacle(&selected, &amd), Some(Obstacle::NotSelected));
        let settings = Settings { architecture: "arm64".into(), ..Settings::default() };
        assert_eq!(Placement::of(&json!({}), &settings).obstacle(&arm), None);
    }

    #[test]
    fn dedicated_cpus_need_a_cpu_manager() {
        let dedicated = json!({"domain": {"cpu": {"dedicatedCpuPlacement": true}}});
        assert_eq!(obstacle(&dedicated, &node()), Some(Obstacle::NoCpuManager));
        let without = labelled(&[(CPU_MANAGER, "false")]);
        assert_eq!(obstacle(&dedicated, &without), Some(Obstacle::NoCpuManager));
        assert_eq!(obstacle(&json!({}), &without), None);
        assert_eq!(obstacle(&dedicated, &labelled(&[(CPU_MANAGER, "true")])), None);
        let vain = json!({"nodeSelector": {CPU_MANAGER: "false"}, "domain": dedicated["domain"]});
        assert_eq!(obstacle(&vain, &without), Some(Obstacle::NoCpuManager));
        assert_eq!(obstacle(&vain, &labelled(&[(CPU_MANAGER, "true")])), None);
    }

    #[test]
    fn what_cpus_and_machine_need_is_a_label_of_nodes() {
        let lacking = |label: &str| Some(Obstacle::Unlabelled(label.to_owned()));
        let model = "cpu-model.node.kubevirt.io/Haswell";
        let feature = "cpu-feature.node.kubevirt.io/vmx";
        let cpu = json!({"domain": {"cpu": {
            "model": "Haswell",
            "features": [{"name": "vmx"}, {"name": "pcid", "policy": "optional"}],
        }}});
        assert_eq!(obstacle(&cpu, &node()), lacking(model));
        assert_eq!(obstacle(&cpu, &labelled(&[(model, "true")])), lacking(feature));
        assert_eq!(obstacle(&cpu, &labelled(&[(model, "true"), (feature, "true")])), None);
        let host = json!({"domain": {"cpu": {"model": "host-model", "features": [{"name": "vmx", "policy": "require"}]}}});
        assert_eq!(obstacle(&host, &node()), lacking(feature));
        let features = json!({"domain": {"cpu": {"features": [{"name": "vmx"}]}}});
        assert_eq!(obstacle(&features, &node()), None, "only beside a model");
        let machine = json!({"domain": {"machine": {"type": "pc-q35-rhel7"}}});
        assert_eq!(obstacle(&machine, &node()), None, "nodes of older releases have no such label");
        let other = labelled(&[("machine-type.node.kubevirt.io/q35", "true")]);
        assert_eq!(obstacle(&machine, &other), lacking("machine-type.node.kubevirt.io/pc-q35-rhel7"));
        let sev = json!({"domain": {"launchSecurity": {"sev": {"policy": {"encryptedState": true}}}}});
        assert_eq!(hardware_labels(&sev), ["kubevirt.io/sev", "kubevirt.io/sev-es"]);
        assert_eq!(hardware_labels(&json!({"domain": {"cpu": {"realtime": {}}}})), ["kubevirt.io/realtime"]);
    }

    #[test]
    fn the_vms_own_selector_replaces_that_of_the_cluster() {
        let settings = Settings { node_selector: vec![("zone".into(), "b".into())], ..Settings::default() };
        let of = |spec: Value| {
            Placement::of(&json!({"spec": {"template": {"spec": spec}}}), &settings).obstacle(&node())
        };
        assert_eq!(of(json!({})), Some(Obstacle::NotSelected));
        assert_eq!(of(json!({"nodeSelector": {"zone": "a"}})), None);
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
