//! Roles for a service account that runs this program, derived from the permissions checked by the preflight.

use std::collections::{BTreeMap, BTreeSet};

use bootstorm_engine::cluster::access::Permission;
use bootstorm_engine::phases::preflight::permissions;

/// Namespace of the records, the prober pods and the Job in the example.
pub const NAMESPACE: &str = "bootstorm";

/// Two YAML documents: permissions in all namespaces, and permissions in the namespace of the records.
pub fn manifests() -> String {
    let (everywhere, here): (Vec<_>, Vec<_>) = permissions::of_any_run(NAMESPACE)
        .into_iter()
        .chain(permissions::of_checks())
        .chain(permissions::of_cleanup())
        .partition(|permission| permission.namespace.is_none());
    let cluster = document("ClusterRole", "  name: bootstorm\n", &everywhere);
    let records = document("Role", &format!("  name: bootstorm\n  namespace: {NAMESPACE}\n"), &here);
    format!("{cluster}---\n{records}")
}

fn document(kind: &str, metadata: &str, permissions: &[Permission]) -> String {
    let mut text =
        format!("apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\nmetadata:\n{metadata}rules:\n");
    for ((group, verbs), resources) in rules(permissions) {
        let quoted =
            |words: Vec<&str>| words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ");
        text.push_str(&format!(
            "  - apiGroups: [\"{group}\"]\n    resources: [{}]\n    verbs: [{}]\n",
            quoted(resources.into_iter().collect()),
            quoted(verbs)
        ));
    }
    text
}

/// Resources of a group with the same verbs form one rule.
fn rules(permissions: &[Permission]) -> BTreeMap<(&'static str, Vec<&'static str>), BTreeSet<&'static str>> {
    let mut verbs: BTreeMap<(&str, &str), Vec<&'static str>> = BTreeMap::new();
    for permission in permissions {
        let verbs = verbs.entry((permission.group, permission.resource)).or_default();
        if !verbs.contains(&permission.verb) {
            verbs.push(permission.verb);
        }
    }
    let mut rules: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for ((group, resource), verbs) in verbs {
        rules.entry((group, verbs)).or_default().insert(resource);
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_with_the_same_verbs_share_a_rule() {
        let one = |verb, resource| Permission { verb, group: "", resource, namespace: None };
        let text = document(
            "Role",
            "  name: x\n",
            &[one("get", "b"), one("list", "b"), one("get", "a"), one("list", "a")],
        );
        assert!(text.ends_with("resources: [\"a\", \"b\"]\n    verbs: [\"get\", \"list\"]\n"), "{text}");
    }

    #[test]
    fn secrets_are_read_in_the_namespace_of_the_records_only() {
        let text = manifests();
        let (everywhere, here) = text.split_once("---\n").unwrap();
        assert!(!everywhere.contains("secrets") && !everywhere.contains("configmaps"), "{everywhere}");
        assert!(here.contains("\"secrets\"") && here.contains("\"pods/exec\""), "{here}");
        assert!(!text.contains('*'), "no rule says everything: {text}");
    }
}
