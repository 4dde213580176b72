//! Server-side apply: each manager declares its fields, and owns them.

use std::collections::BTreeSet;

use crate::value::Value;

use super::super::status::{Cause, Failure};
use super::fields::{self, Manager, Path};
use super::{merge, strategic};
use crate::store::Kind;

/// Applies a manager's intent to an object; `null` for one that does not exist yet
///
/// Fields that another manager set to a different value are a conflict unless forced. Fields that the manager applied
/// earlier and no longer mentions are removed, unless another manager owns them, too.
pub(in super::super) fn apply(
    kind: &Kind,
    object: &mut Value,
    intent: &Value,
    manager: &str,
    force: bool,
    subresource: Option<&str>,
) -> Result<(), Failure> {
    let mut intent = intent.clone();
    if let Some(metadata) = intent["metadata"].as_object_mut() {
        metadata.remove("managedFields");
    }
    let wanted = fields::owned_by_content(&intent);
    let mut managers = fields::read(object);
    let subresource = subresource.unwrap_or_default();
    let is_self = |other: &Manager| {
        other.name == manager && other.operation == "Apply" && other.subresource == subresource
    };
    let conflicts = conflicts(object, &intent, &wanted, managers.iter().filter(|other| !is_self(other)));
    if !conflicts.is_empty() && !force {
        return Err(refusal(&conflicts));
    }
    let lost: BTreeSet<Path> = conflicts.into_iter().map(|(_, path)| path).collect();
    for other in &mut managers {
        if !is_self(other) {
            other.fields.retain(|path| !lost.contains(path));
        }
    }
    let had: BTreeSet<Path> =
        managers.iter().filter(|other| is_self(other)).flat_map(|own| own.fields.clone()).collect();
    for path in had.difference(&wanted) {
        if !managers.iter().any(|other| !is_self(other) && other.fields.contains(path)) {
            fields::remove_at(object, path);
        }
    }
    if kind.builtin {
        strategic::merge(object, &intent);
    } else {
        merge(object, &intent);
    }
    let unchanged = had == wanted;
    let time = managers.iter().find(|other| is_self(other)).map(|own| own.time.clone());
    managers.retain(|other| !is_self(other));
    fields::add(&mut managers, manager, "Apply", &kind.api_version(), subresource, wanted);
    // Applying the same again is not a change, so the time of the entry must stay, too.
    if let (true, Some(time), Some(own)) = (unchanged, time, managers.last_mut()) {
        own.time = time;
    }
    managers.sort_by(|a, b| (&a.operation, &a.name).cmp(&(&b.operation, &b.name)));
    fields::write(object, &managers);
    Ok(())
}

fn conflicts<'a>(
    object: &Value,
    intent: &Value,
    wanted: &BTreeSet<Path>,
    others: impl Iterator<Item = &'a Manager>,
) -> Vec<(String, Path)> {
    let mut conflicts = Vec::new();
    for other in others {
        let disputed = wanted.iter().filter(|path| other.fields.contains(*path));
        for path in disputed.filter(|path| fields::value_at(object, path) != fields::value_at(intent, path)) {
            conflicts.push((described(other), path.clone()));
        }
    }
    conflicts
}

fn described(manager: &Manager) -> String {
    let mut text = format!("\"{}\"", manager.name);
    if !manager.subresource.is_empty() {
        text = format!("{text} with subresource \"{}\"", manager.subresource);
    }
    if manager.operation == "Update" { format!("{text} using {}", manager.api_version) } else { text }
}

fn refusal(conflicts: &[(String, Path)]) -> Failure {
    let field = |path: &Path| format!(".{}", path.join("."));
    let message = match conflicts {
        [(who, path)] => format!("Apply failed with 1 conflict: conflict with {who}: {}", field(path)),
        many => {
            let mut message = format!("Apply failed with {} conflicts:", many.len());
            let mut last = None;
            for (who, path) in many {
                if last != Some(who) {
                    message = format!("{message} conflicts with {who}:");
                    last = Some(who);
                }
                message = format!("{message}\n- {}", field(path));
            }
            message
        }
    };
    let causes: Vec<Cause> = conflicts
        .iter()
        .map(|(who, path)| Cause {
            reason: "FieldManagerConflict",
            field: field(path),
            message: format!("conflict with {who}"),
        })
        .collect();
    Failure::new(409, "Conflict", message).because(&causes)
}

#[cfg(test)]
mod tests {
    use crate::value::json;

    use super::*;
    use crate::store::kind::VIRTUAL_MACHINES;

    fn intent(strategy: &str) -> Value {
        json!({"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": {"name": "a"}, "spec": {"runStrategy": strategy}})
    }

    #[test]
    fn a_field_of_somebody_else_is_a_conflict() {
        let mut vm = intent("Halted");
        fields::own(&json!({}), &mut vm, "other-manager", None);
        let failure = apply(&VIRTUAL_MACHINES, &mut vm, &intent("Always"), "me", false, None).unwrap_err();
        assert_eq!(
            failure.status()["message"],
            "Apply failed with 1 conflict: conflict with \"other-manager\" using kubevirt.io/v1: .spec.runStrategy"
        );
        apply(&VIRTUAL_MACHINES, &mut vm, &intent("Always"), "me", true, None).unwrap();
        assert_eq!(vm["spec"]["runStrategy"], "Always");
        assert_eq!(vm["metadata"]["managedFields"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn applying_the_same_again_changes_nothing() {
        let mut vm = json!({});
        apply(&VIRTUAL_MACHINES, &mut vm, &intent("Always"), "me", false, None).unwrap();
        vm["metadata"]["managedFields"][0]["time"] = json!("2026-01-01T00:00:00Z");
        let before = vm.clone();
        apply(&VIRTUAL_MACHINES, &mut vm, &intent("Always"), "me", false, None).unwrap();
        assert_eq!(vm, before);
    }

    #[test]
    fn what_is_no_longer_wanted_goes() {
        let mut vm = json!({"spec": {"kept": 1}});
        let mut first = intent("Always");
        first["metadata"]["labels"] = json!({"a": "b"});
        apply(&VIRTUAL_MACHINES, &mut vm, &first, "me", false, None).unwrap();
        apply(&VIRTUAL_MACHINES, &mut vm, &intent("Always"), "me", false, None).unwrap();
        assert_eq!(vm["metadata"].get("labels"), None);
        assert_eq!(vm["spec"], json!({"kept": 1, "runStrategy": "Always"}));
    }
}
