//! Permissions from the roles bound to a service account. Other users may do everything.

use crate::value::Value;

use super::status::Failure;
use crate::faults::Attributes;
use crate::store::kind::{CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES, SERVICE_ACCOUNTS};
use crate::store::{Kind, Object, Store};

/// Prefix of service accounts' user names.
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

/// User name of a service account.
pub(super) fn user_of(namespace: &str, name: &str) -> String {
    format!("{SERVICE_ACCOUNT}{namespace}:{name}")
}

/// Namespace and name of a service account.
fn account(user: &str) -> Option<(&str, &str)> {
    user.strip_prefix(SERVICE_ACCOUNT)?.split_once(':')
}

/// Whether a user exists. Users that are not service accounts always do, and every namespace has the account `default`.
pub(super) fn is_there(store: &Store, user: &str) -> bool {
    account(user).is_none_or(|(namespace, name)| {
        name == "default" || store.get(&SERVICE_ACCOUNTS, namespace, name).is_some()
    })
}

/// Groups of a user.
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

/// Whether a user has a permission.
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

/// Escalation check: a service account may grant only the permissions that it has
///
/// After `pkg/registry/rbac` of Kubernetes 1.36. The verbs `escalate` and `bind` are exceptions.
pub(super) struct Grants<'a> {
    user: &'a str,
    /// Its rules, each with its namespace if not cluster-wide.
    held: Vec<(Option<String>, Value)>,
    /// All roles.
    roles: Vec<Object>,
}

impl<'a> Grants<'a> {
    /// The check for a write of this kind; `None` for users who may do everything, and for other kinds.
    pub(super) fn of(store: &Store, user: &'a str, kind: &'static Kind) -> Option<Self> {
        let all = [&ROLES, &CLUSTER_ROLES, &ROLE_BINDINGS, &CLUSTER_ROLE_BINDINGS];
        if account(user).is_none() || !all.iter().any(|known| known.is(kind)) {
            return None;
        }
        let mut held = Vec::new();
        for (kind, space) in [(&CLUSTER_ROLE_BINDINGS, false), (&ROLE_BINDINGS, true)] {
            for binding in store.list(kind, None).0.iter().filter(|binding| binds(binding, user)) {
                let Some(role) = role(store, binding) else { continue };
                let place = space.then(|| binding.namespace().to_owned());
                held.extend(rules(role.value()).map(|rule| (place.clone(), rule.clone())));
            }
        }
        let list = |kind| store.list(kind, None).0;
        Some(Self { user, held, roles: [list(&ROLES), list(&CLUSTER_ROLES)].concat() })
    }

    fn has(&self, asked: &Attributes<'_>) -> bool {
        let holds = |place: &Option<String>| place.as_deref().is_none_or(|place| place == asked.namespace);
        self.held.iter().any(|(place, rule)| holds(place) && covers(rule, asked))
    }

    /// Refuses a role, or a binding to one, that grants more.
    pub(super) fn check(
        &self,
        kind: &'static Kind,
        before: Option<&Value>,
        after: &Value,
    ) -> Result<(), Failure> {
        let is_binding = kind.is(&ROLE_BINDINGS) || kind.is(&CLUSTER_ROLE_BINDINGS);
        let fields: &[&str] = if is_binding { &["roleRef", "subjects"] } else { &["rules"] };
        if before.is_some_and(|before| fields.iter().all(|field| before[*field] == after[*field])) {
            return Ok(());
        }
        let text = |pointer: &str| after.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (name, namespace) = (text("/metadata/name"), text("/metadata/namespace"));
        let may = |verb, kind: &Kind, name| {
            self.has(&Attributes { verb, group: kind.group, resource: kind.plural, namespace, name })
        };
        let missing = if is_binding {
            let of: &'static Kind = if text("/roleRef/kind") == "Role" { &ROLES } else { &CLUSTER_ROLES };
            let role_name = text("/roleRef/name");
            if may("bind", of, role_name) {
                return Ok(());
            }
            let space = if of.namespaced { namespace } else { "" };
            let is_meant = |role: &&Object| {
                role.name() == role_name && role.namespace() == space && role.value()["kind"] == of.kind
            };
            let role = self.roles.iter().find(is_meant).ok_or_else(|| Failure::not_found(of, role_name))?;
            self.missing(namespace, role.value())
        } else if may("escalate", kind, name) {
            return Ok(());
        } else {
            self.missing(namespace, after)
        };
        if missing.is_empty() {
            return Ok(());
        }
        let groups: Vec<String> = groups(self.user).iter().map(|group| format!("\"{group}\"")).collect();
        let message = format!(
            "user \"{}\" (groups=[{}]) is attempting to grant RBAC permissions not currently held:\n{}",
            self.user,
            groups.join(" "),
            missing.join("\n"),
        );
        Err(Failure::forbidden(kind, name, &message))
    }

    /// The rules of a role that the account lacks, as shown by the API server.
    fn missing(&self, namespace: &str, role: &Value) -> Vec<String> {
        let mut missing = Vec::new();
        for rule in rules(role) {
            let words = |field: &str| -> Vec<&str> {
                rule[field].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
            };
            let names = words("resourceNames");
            let names = if names.is_empty() { vec![""] } else { names };
            for group in words("apiGroups") {
                for resource in words("resources") {
                    for name in &names {
                        let lacks =
                            |verb: &&str| !self.has(&Attributes { verb, group, resource, namespace, name });
                        let verbs: Vec<&str> = words("verbs").into_iter().filter(lacks).collect();
                        if !verbs.is_empty() {
                            missing.push(shown(group, resource, name, &verbs));
                        }
                    }
                }
            }
            for url in words("nonResourceURLs") {
                // No account has paths here, since none are ever checked.
                missing.push(format!("{{NonResourceURLs:[\"{url}\"], Verbs:[{}]}}", quoted(&words("verbs"))));
            }
        }
        missing
    }
}

fn shown(group: &str, resource: &str, name: &str, verbs: &[&str]) -> String {
    let named = if name.is_empty() { String::new() } else { format!(", ResourceNames:[\"{name}\"]") };
    let verbs = quoted(verbs);
    format!("{{APIGroups:[\"{group}\"], Resources:[\"{resource}\"]{named}, Verbs:[{verbs}]}}")
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" ")
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
    use crate::value::json;

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
    fn an_account_is_there_until_it_is_deleted() {
        let store = store();
        assert!(is_there(&store, "a-person") && is_there(&store, "system:serviceaccount:ns:default"));
        assert!(!is_there(&store, USER));
        store.create(&SERVICE_ACCOUNTS, json!({"metadata": {"name": "me", "namespace": "ns"}})).unwrap();
        assert!(is_there(&store, USER));
    }

    #[test]
    fn nobody_gives_away_more_than_they_have() {
        let store = store();
        let role = |rules: Value| json!({"metadata": {"name": "new", "namespace": "ns"}, "rules": rules});
        let rule = |resource: &str, verbs: &[&str]| json!([{"apiGroups": [""], "resources": [resource], "verbs": verbs}]);
        let check = |kind, object: &Value| Grants::of(&store, USER, kind).unwrap().check(kind, None, object);
        assert!(check(&ROLES, &role(rule("secrets", &["get", "list"]))).is_ok());
        let more = role(rule("pods", &["get", "delete"]));
        let refused = check(&ROLES, &more).unwrap_err().status()["message"].as_str().unwrap().to_owned();
        assert_eq!(
            refused,
            "roles.rbac.authorization.k8s.io \"new\" is forbidden: user \"system:serviceaccount:ns:me\" (groups=[\"system:serviceaccounts\" \"system:serviceaccounts:ns\" \"system:authenticated\"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"delete\"]}"
        );
        let grants = Grants::of(&store, USER, &ROLES).unwrap();
        assert!(grants.check(&ROLES, Some(&more), &more).is_ok(), "it is there already");
        assert!(Grants::of(&store, "a-person", &ROLES).is_none());
        let binding = |kind: &str, name: &str| json!({"metadata": {"name": "new", "namespace": "ns"}, "subjects": [], "roleRef": {"kind": kind, "name": name}});
        assert!(check(&ROLE_BINDINGS, &binding("Role", "r")).is_ok());
        assert_eq!(check(&ROLE_BINDINGS, &binding("Role", "none")).unwrap_err().code(), 404);
        let wide = json!({"metadata": {"name": "wide"}, "rules": rule("*", &["*"])});
        store.create(&CLUSTER_ROLES, wide).unwrap();
        assert!(check(&CLUSTER_ROLE_BINDINGS, &binding("ClusterRole", "wide")).is_err());
        store
            .modify(&CLUSTER_ROLES, "", "r", |role| {
                let may = json!({"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterroles"], "verbs": ["bind"]});
                role["rules"].as_array_mut().unwrap().push(may);
            })
            .unwrap();
        assert!(check(&CLUSTER_ROLE_BINDINGS, &binding("ClusterRole", "wide")).is_ok());
    }

    #[test]
    fn what_is_not_allowed_is_denied() {
        assert!(!may(USER, "delete", "pods", "ns") && !may(USER, "get", "pods/exec", "ns"));
        assert!(!may("system:serviceaccount:ns:other", "get", "pods", "ns"));
        assert!(may("a-person", "delete", "nodes", ""));
    }
}
