//! What the roles bound to a service account allow. Everybody else may do everything.

use serde_json::Value;

use crate::faults::Attributes;
use crate::store::kind::{CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES};
use crate::store::{Object, Store};

/// How the user names of service accounts begin.
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

/// The user name of a service account.
pub(super) fn user_of(namespace: &str, name: &str) -> String {
    format!("{SERVICE_ACCOUNT}{namespace}:{name}")
}

/// The namespace and the name of a service account.
fn account(user: &str) -> Option<(&str, &str)> {
    user.strip_prefix(SERVICE_ACCOUNT)?.split_once(':')
}

/// The groups that a user is in.
pub(super) fn groups(user: &str) -> Vec<String> {
    match account(user) {
        None => vec!["system:masters".to_owned(), "system:authenticated".to_owned()],
        Some((namespace, _)) => vec![
            "system:serviceaccounts".to_owned(),
            format!("system:serviceaccounts:{namespace}"),
            "system:authenticated".to_owned(),
        ],
    }
}

/// Whether a user may do that.
pub(super) fn allows(store: &Store, user: &str, asked: &Attributes<'_>) -> bool {
    if account(user).is_none() {
        return true;
    }
    let list = |kind, namespace| store.list(kind, namespace).0;
    let everywhere = list(&CLUSTER_ROLE_BINDINGS, None);
    let here =
        if asked.namespace.is_empty() { Vec::new() } else { list(&ROLE_BINDINGS, Some(asked.namespace)) };
    let mut bindings = everywhere.iter().chain(&here).filter(|binding| binds(binding, user));
    bindings.any(|binding| {
        let role = role(store, binding);
        role.is_some_and(|role| rules(role.value()).any(|rule| covers(rule, asked)))
    })
}

fn binds(binding: &Object, user: &str) -> bool {
    let groups = groups(user);
    let subjects = binding.value()["subjects"].as_array().into_iter().flatten();
    subjects.into_iter().any(|subject| {
        let text = |field: &str| subject[field].as_str().unwrap_or_default();
        match text("kind") {
            "ServiceAccount" => user == user_of(text("namespace"), text("name")),
            "User" => user == text("name"),
            "Group" => groups.iter().any(|group| group == text("name")),
            _ => false,
        }
    })
}

fn role(store: &Store, binding: &Object) -> Option<Object> {
    let reference = &binding.value()["roleRef"];
    let name = reference["name"].as_str()?;
    match reference["kind"].as_str()? {
        "ClusterRole" => store.get(&CLUSTER_ROLES, "", name),
        "Role" => store.get(&ROLES, binding.namespace(), name),
        _ => None,
    }
}

fn rules(role: &Value) -> impl Iterator<Item = &Value> {
    role["rules"].as_array().into_iter().flatten()
}

fn covers(rule: &Value, asked: &Attributes<'_>) -> bool {
    let has = |field: &str, wanted: &str| {
        let mut words = rule[field].as_array().into_iter().flatten().filter_map(Value::as_str);
        words.any(|word| word == "*" || word == wanted)
    };
    let named =
        rule["resourceNames"].as_array().is_none_or(Vec::is_empty) || has("resourceNames", asked.name);
    has("apiGroups", asked.group) && has("resources", asked.resource) && has("verbs", asked.verb) && named
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::kind::NAMESPACES;

    const USER: &str = "system:serviceaccount:ns:me";

    fn store() -> Store {
        let store = Store::new();
        let rule = |resource: &str, verbs: &[&str]| json!({"apiGroups": [""], "resources": [resource], "verbs": verbs});
        let subject = json!([{"kind": "ServiceAccount", "namespace": "ns", "name": "me"}]);
        let create = |kind, object| store.create(kind, object).unwrap();
        create(&NAMESPACES, json!({"metadata": {"name": "ns"}}));
        create(&CLUSTER_ROLES, json!({"metadata": {"name": "r"}, "rules": [rule("pods", &["get"])]}));
        create(
            &CLUSTER_ROLE_BINDINGS,
            json!({"metadata": {"name": "b"}, "subjects": subject, "roleRef": {"kind": "ClusterRole", "name": "r"}}),
        );
        create(
            &ROLES,
            json!({"metadata": {"name": "r", "namespace": "ns"}, "rules": [rule("secrets", &["*"])]}),
        );
        create(
            &ROLE_BINDINGS,
            json!({"metadata": {"name": "b", "namespace": "ns"}, "subjects": subject, "roleRef": {"kind": "Role", "name": "r"}}),
        );
        store
    }

    fn may(user: &str, verb: &str, resource: &str, namespace: &str) -> bool {
        allows(&store(), user, &Attributes { verb, group: "", resource, namespace, name: "x" })
    }

    #[test]
    fn a_cluster_role_holds_everywhere_and_a_role_in_its_namespace() {
        assert!(
            may(USER, "get", "pods", "ns")
                && may(USER, "get", "pods", "other")
                && may(USER, "get", "pods", "")
        );
        assert!(may(USER, "list", "secrets", "ns"));
        assert!(!may(USER, "list", "secrets", "other") && !may(USER, "list", "secrets", ""));
    }

    #[test]
    fn what_is_not_allowed_is_denied() {
        assert!(!may(USER, "delete", "pods", "ns") && !may(USER, "get", "pods/exec", "ns"));
        assert!(!may("system:serviceaccount:ns:other", "get", "pods", "ns"));
        assert!(may("a-person", "delete", "nodes", ""));
    }
}
