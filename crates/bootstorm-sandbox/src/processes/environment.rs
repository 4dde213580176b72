//! Environment and command of a container, derived from its spec as by a kubelet.

use crate::value::Value;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use thiserror::Error;

use crate::model::quantity;
use crate::store::kind::{CONFIG_MAPS, SECRETS};
use crate::store::{Kind, Store};

/// Reason why a container cannot be created yet; the kubelet retries
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Unresolved(pub String);

/// Variables in the order of their definition; a later one of the same name replaces an earlier one
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Environment(Vec<(String, String)>);

impl Environment {
    pub(super) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.0.retain(|(known, _)| known != name);
        self.0.push((name.to_owned(), value.into()));
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &(String, String)> {
        self.0.iter()
    }

    /// Adds the variables of a container.
    pub(super) fn add(&mut self, store: &Store, pod: &Value, container: &Value) -> Result<(), Unresolved> {
        let namespace = pod["metadata"]["namespace"].as_str().unwrap_or_default();
        for source in container["envFrom"].as_array().into_iter().flatten() {
            let prefix = source["prefix"].as_str().unwrap_or_default();
            for (field, kind) in [("configMapRef", &CONFIG_MAPS), ("secretRef", &SECRETS)] {
                if !source[field].is_object() {
                    continue;
                }
                for (key, value) in entries(store, kind, namespace, &source[field])?.unwrap_or_default() {
                    self.set(&format!("{prefix}{key}"), value);
                }
            }
        }
        for variable in container["env"].as_array().into_iter().flatten() {
            let Some(name) = variable["name"].as_str() else { continue };
            let value = match variable.get("valueFrom") {
                Some(from) => from_elsewhere(store, pod, container, from)?,
                None => Some(self.expand(variable["value"].as_str().unwrap_or_default())),
            };
            if let Some(value) = value {
                self.set(name, value);
            }
        }
        Ok(())
    }

    /// Replaces `$(NAME)` by the value of a variable; `$$` stands for a dollar, unknown names stay.
    pub(super) fn expand(&self, text: &str) -> String {
        let mut done = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            done.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                done.push('$');
                rest = after;
                continue;
            }
            let reference = rest.strip_prefix('(').and_then(|inside| inside.split_once(')'));
            match reference {
                Some((name, after)) if self.get(name).is_some() => {
                    done.push_str(self.get(name).unwrap_or_default());
                    rest = after;
                }
                _ => done.push('$'),
            }
        }
        done + rest
    }
}

/// Keys and values of a referenced `ConfigMap` or Secret; empty if it is missing and optional.
pub(super) fn entries(
    store: &Store,
    kind: &'static Kind,
    namespace: &str,
    reference: &Value,
) -> Result<Option<Vec<(String, String)>>, Unresolved> {
    let name = reference["name"].as_str().or_else(|| reference["secretName"].as_str()).unwrap_or_default();
    let Some(object) = store.get(kind, namespace, name) else {
        if reference["optional"] == true {
            return Ok(None);
        }
        return Err(Unresolved(format!("{} \"{name}\" not found", kind.singular)));
    };
    let is_secret = kind.is(&SECRETS);
    let decoded = |value: &Value| {
        let text = value.as_str().unwrap_or_default();
        if is_secret {
            String::from_utf8_lossy(&BASE64.decode(text).unwrap_or_default()).into_owned()
        } else {
            text.to_owned()
        }
    };
    let data = object.value()["data"].as_object().into_iter().flatten();
    Ok(Some(data.map(|(key, value)| (key.to_string(), decoded(value))).collect()))
}

fn from_elsewhere(
    store: &Store,
    pod: &Value,
    container: &Value,
    from: &Value,
) -> Result<Option<String>, Unresolved> {
    let namespace = pod["metadata"]["namespace"].as_str().unwrap_or_default();
    for (field, kind, word) in
        [("configMapKeyRef", &CONFIG_MAPS, "ConfigMap"), ("secretKeyRef", &SECRETS, "Secret")]
    {
        let reference = &from[field];
        if !reference.is_object() {
            continue;
        }
        let key = reference["key"].as_str().unwrap_or_default();
        let Some(entries) = entries(store, kind, namespace, reference)? else { return Ok(None) };
        let found = entries.into_iter().find(|(known, _)| known == key).map(|(_, value)| value);
        if found.is_none() && reference["optional"] != true {
            let name = reference["name"].as_str().unwrap_or_default();
            return Err(Unresolved(format!("couldn't find key {key} in {word} {namespace}/{name}")));
        }
        return Ok(found);
    }
    if let Some(path) = from["fieldRef"]["fieldPath"].as_str() {
        return Ok(Some(field(pod, path)));
    }
    if let Some(resource) = from["resourceFieldRef"]["resource"].as_str() {
        let (list, name) = resource.split_once('.').unwrap_or(("limits", resource));
        let asked = quantity::of(&container["resources"][list][name]).unwrap_or(0.0);
        return Ok(Some(format!("{}", asked.ceil())));
    }
    Ok(None)
}

/// A field of a pod, as in the downward API.
pub(super) fn field(pod: &Value, path: &str) -> String {
    if let Some((map, key)) = path.strip_suffix("']").and_then(|path| path.split_once("['")) {
        let pointer = format!("/{}", map.replace('.', "/"));
        return pod.pointer(&pointer).and_then(|map| map[key].as_str()).unwrap_or_default().to_owned();
    }
    if path == "status.podIPs" {
        let all = pod["status"]["podIPs"].as_array().into_iter().flatten();
        return all.filter_map(|one| one["ip"].as_str()).collect::<Vec<_>>().join(",");
    }
    let found = pod.pointer(&format!("/{}", path.replace('.', "/")));
    match found {
        Some(Value::Object(map)) => {
            let lines = map.iter().filter_map(|(key, value)| Some(format!("{key}={:?}", value.as_str()?)));
            lines.collect::<Vec<_>>().join("\n")
        }
        found => found.and_then(Value::as_str).unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use crate::value::json;

    use super::*;
    use crate::store::kind::NAMESPACES;

    fn made(container: &Value) -> Result<Environment, Unresolved> {
        let store = Store::new();
        store.create(&NAMESPACES, json!({"metadata": {"name": "ns"}})).unwrap();
        let map = json!({"metadata": {"name": "map", "namespace": "ns"}, "data": {"a": "1", "b": "2"}});
        store.create(&CONFIG_MAPS, map).unwrap();
        let secret = json!({"metadata": {"name": "s", "namespace": "ns"}, "data": {"p": "Zm9v"}});
        store.create(&SECRETS, secret).unwrap();
        let pod = json!({
            "metadata": {"name": "x", "namespace": "ns", "labels": {"k/y": "3"}},
            "spec": {"nodeName": "n"}, "status": {"podIPs": [{"ip": "1"}, {"ip": "2"}]},
        });
        let mut environment = Environment::default();
        environment.add(&store, &pod, container)?;
        Ok(environment)
    }

    #[test]
    fn variables_come_from_where_the_spec_says() {
        let field =
            |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}});
        let made = made(&json!({
            "resources": {"limits": {"cpu": "1500m"}},
            "envFrom": [{"prefix": "M_", "configMapRef": {"name": "map"}}, {"secretRef": {"name": "none", "optional": true}}],
            "env": [
                field("NAME", "metadata.name"), field("LABEL", "metadata.labels['k/y']"), field("NODE", "spec.nodeName"),
                field("IPS", "status.podIPs"),
                {"name": "P", "valueFrom": {"secretKeyRef": {"name": "s", "key": "p"}}},
                {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
                {"name": "ALL", "value": "$(NAME)-$(P) $$(P) $(NOBODY) $"},
                {"name": "M_a", "value": "replaced"},
            ],
        }))
        .unwrap();
        for (name, value) in [
            ("NAME", "x"),
            ("LABEL", "3"),
            ("NODE", "n"),
            ("IPS", "1,2"),
            ("P", "foo"),
            ("CPU", "2"),
            ("ALL", "x-foo $(P) $(NOBODY) $"),
            ("M_a", "replaced"),
            ("M_b", "2"),
        ] {
            assert_eq!(made.get(name), Some(value), "{name}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let refused = |env: Value| made(&json!({"env": [env]})).unwrap_err().0;
        let missing =
            refused(json!({"name": "A", "valueFrom": {"configMapKeyRef": {"name": "none", "key": "a"}}}));
        assert_eq!(missing, "configmap \"none\" not found");
        let missing = refused(json!({"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "q"}}}));
        assert_eq!(missing, "couldn't find key q in Secret ns/s");
        let optional = json!({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "q", "optional": true}}}]});
        assert_eq!(made(&optional).unwrap().get("A"), None);
    }
}
