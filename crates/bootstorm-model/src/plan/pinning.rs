//! Node selection for VMs, and its rendering in a manifest.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Path of the required node affinity.
const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";

/// Nodes on which the VMs of a run may run
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pinning {
    /// All VMs run on one node.
    #[serde(skip_serializing_if = "is_false")]
    pub single_node: bool,
    /// Names of the nodes; empty means any. Empty also for a single node that `setup` has yet to choose.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<String>,
    /// How the single node was chosen; absent if the user named it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub choice: Option<Choice>,
    /// Labels that the nodes must have.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub selector: BTreeMap<String, String>,
}

/// How one node was chosen among several
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// Seed of the choice.
    pub seed: u64,
    /// Number of candidate nodes.
    pub among: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Pinning {
    /// Whether VMs may run on any node.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether `setup` has to choose a node.
    pub fn is_open(&self) -> bool {
        self.single_node && self.nodes.is_empty()
    }

    /// Takes over the choice of an earlier `setup` of the same run, unless the user named a node this time.
    pub fn continue_from(&mut self, earlier: &Self) {
        if self.is_open() && earlier.single_node {
            self.nodes.clone_from(&earlier.nodes);
            self.choice = earlier.choice;
        }
    }

    /// Whether a VM on this node is where it should be.
    pub fn allows(&self, node: &str) -> bool {
        self.nodes.is_empty() || self.nodes.iter().any(|name| name == node)
    }

    /// Adds the nodes to a manifest, beside its own node constraints.
    ///
    /// Nodes are selected by `matchFields` on their names, which works whatever hostname labels they have. A term may
    /// hold only one name (Kubernetes validates that), so there is a term for every node, and the manifest's own terms
    /// are repeated in each.
    pub fn apply(&self, vm: &mut Value) {
        if self.is_default() {
            return;
        }
        let Some(spec) = vm.pointer_mut("/spec/template/spec").and_then(Value::as_object_mut) else { return };
        if !self.selector.is_empty() {
            let selector = map(spec, "nodeSelector");
            selector.extend(self.selector.iter().map(|(key, value)| (key.clone(), json!(value))));
        }
        if self.nodes.is_empty() {
            return;
        }
        let required = map(map(map(spec, "affinity"), "nodeAffinity"), REQUIRED);
        let given = required.get("nodeSelectorTerms").and_then(Value::as_array).cloned().unwrap_or_default();
        let bare = vec![json!({})];
        let given = if given.is_empty() { &bare } else { &given };
        let terms = self.nodes.iter().flat_map(|node| given.iter().map(move |term| with_name(term, node)));
        let terms: Vec<Value> = terms.collect();
        required.insert("nodeSelectorTerms".into(), json!(terms));
    }

    /// Each flag with its value.
    pub fn shown(&self) -> [(&'static str, String); 3] {
        let list = |items: Vec<String>| if items.is_empty() { "none".to_owned() } else { items.join(", ") };
        let labels = self.selector.iter().map(|(key, value)| format!("{key}={value}"));
        [
            ("--single-node", if self.single_node { "yes" } else { "no" }.to_owned()),
            ("--node-name", list(self.nodes.clone())),
            ("--node-selector", list(labels.collect())),
        ]
    }
}

impl fmt::Display for Pinning {
    /// `node-2, chosen with seed 42 among 3 nodes with room for all VMs; with labels disk=ssd`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels: Vec<String> = self.selector.iter().map(|(key, value)| format!("{key}={value}")).collect();
        match (self.nodes.as_slice(), labels.is_empty()) {
            ([], true) => f.write_str(if self.single_node { "one node, not chosen yet" } else { "any" }),
            ([], false) => write!(f, "those with labels {}", labels.join(", ")),
            (nodes, _) => f.write_str(&nodes.join(", ")),
        }?;
        if let Some(Choice { seed, among }) = self.choice.filter(|_| !self.nodes.is_empty()) {
            let nodes = if among == 1 { "node" } else { "nodes" };
            write!(f, ", chosen with seed {seed} among {among} {nodes} with room for all VMs")?;
        }
        if !self.nodes.is_empty() && !labels.is_empty() {
            write!(f, "; with labels {}", labels.join(", "))?;
        }
        Ok(())
    }
}

/// A selector term that matches only one node.
fn with_name(term: &Value, node: &str) -> Value {
    let mut term = term.clone();
    if !term.is_object() {
        term = json!({});
    }
    let name = json!({"key": "metadata.name", "operator": "In", "values": [node]});
    match term.get_mut("matchFields").and_then(Value::as_array_mut) {
        Some(fields) => fields.push(name),
        None => term["matchFields"] = json!([name]),
    }
    term
}

/// The map under a key, created if missing.
fn map<'a>(parent: &'a mut Map<String, Value>, key: &str) -> &'a mut Map<String, Value> {
    let place = parent.entry(key).or_insert(Value::Null);
    if !place.is_object() {
        *place = json!({});
    }
    place.as_object_mut().unwrap_or_else(|| unreachable!("made a map above"))
}

/// Reads a list of labels, `KEY=VALUE,KEY=VALUE`.
///
/// Fails with a sentence.
pub fn labels(text: &str) -> Result<Vec<(String, String)>, String> {
    let one = |pair: &str| match pair.trim().split_once('=') {
        Some((key, value)) if is_label_key(key) && is_label_value(value) => {
            Ok((key.to_owned(), value.to_owned()))
        }
        _ => Err(format!("`{}` is not a label, KEY=VALUE", pair.escape_debug())),
    };
    text.split(',').map(one).collect()
}

fn is_label_key(key: &str) -> bool {
    let (domain, name) = key.rsplit_once('/').map_or((None, key), |(domain, name)| (Some(domain), name));
    let is_domain = |domain: &str| {
        domain.len() <= 253 && domain.split('.').all(|part| !part.is_empty() && is_label_value(part))
    };
    !name.is_empty() && is_label_value(name) && domain.is_none_or(is_domain)
}

fn is_label_value(value: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let outer = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    value.len() <= 63
        && value.chars().all(inner)
        && outer(value.chars().next())
        && outer(value.chars().last())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(pinning: &Pinning, spec: &Value) -> Value {
        let mut vm = json!({"spec": {"template": {"spec": spec}}});
        pinning.apply(&mut vm);
        vm["spec"]["template"]["spec"].take()
    }

    fn on(nodes: &[&str]) -> Pinning {
        Pinning { nodes: nodes.iter().map(|name| (*name).to_owned()).collect(), ..Pinning::default() }
    }

    #[test]
    fn each_node_is_a_term_of_its_own() {
        let name = |node: &str| json!({"key": "metadata.name", "operator": "In", "values": [node]});
        let spec = applied(&on(&["a", "b"]), &json!({}));
        let terms = &spec["affinity"]["nodeAffinity"][REQUIRED]["nodeSelectorTerms"];
        assert_eq!(*terms, json!([{"matchFields": [name("a")]}, {"matchFields": [name("b")]}]));
    }

    #[test]
    fn what_the_manifest_demands_still_holds() {
        let ssd = json!({"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]});
        let own = json!({"affinity": {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [ssd, {"matchFields": []}]}}},
            "nodeSelector": {"zone": "a"}});
        let selector = BTreeMap::from([("rack".to_owned(), "7".to_owned())]);
        let spec = applied(&Pinning { selector, ..on(&["a", "b"]) }, &own);
        let terms =
            spec["affinity"]["nodeAffinity"][REQUIRED]["nodeSelectorTerms"].as_array().unwrap().clone();
        assert_eq!(terms.len(), 4);
        assert_eq!(terms[0]["matchExpressions"], ssd["matchExpressions"]);
        assert_eq!(terms[3]["matchFields"][0]["values"], json!(["b"]));
        assert_eq!(spec["nodeSelector"], json!({"zone": "a", "rack": "7"}));
    }

    #[test]
    fn without_wishes_nothing_is_changed() {
        assert_eq!(applied(&Pinning::default(), &json!({"affinity": null})), json!({"affinity": null}));
    }

    #[test]
    fn a_choice_is_kept_when_a_setup_is_continued() {
        let chosen = Pinning { single_node: true, choice: Some(Choice { seed: 7, among: 3 }), ..on(&["b"]) };
        let mut again = Pinning { single_node: true, ..Pinning::default() };
        assert!(again.is_open() && !chosen.is_open());
        again.continue_from(&chosen);
        assert_eq!(again, chosen);
        let mut named = Pinning { single_node: true, ..on(&["a"]) };
        named.continue_from(&chosen);
        assert_eq!(named.nodes, ["a"]);
        assert!(named.allows("a") && !named.allows("b") && Pinning::default().allows("b"));
    }

    #[test]
    fn labels_are_read() {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(labels("disk=ssd, a.io/role=").unwrap(), [pair("disk", "ssd"), pair("a.io/role", "")]);
        for wrong in ["", "disk", "=x", "a=b c", "-a=b", "a/b/c=d", "a=b,"] {
            assert!(labels(wrong).is_err(), "{wrong}");
        }
    }
}
