//! Webhooks of virtual machines: defaults, then validation.

use std::collections::HashSet;

use std::sync::Arc;

use crate::value::{Map, Value, json};

use super::super::status::{Cause, Failure};

const STRATEGIES: [&str; 6] = ["Always", "Halted", "Manual", "RerunOnFailure", "Once", "WaitAsReceiver"];

/// Applies the defaults of the mutating webhook.
pub(super) fn complete(vm: &mut Value, new: bool) {
    let Some(template) = vm["spec"].get_mut("template").filter(|template| template.is_object()) else {
        return;
    };
    fill(template, &["spec", "architecture"], || json!("amd64"));
    fill(template, &["spec", "domain", "machine", "type"], || json!("q35"));
    if new {
        fill(template, &["metadata", "annotations", "kubevirt.io/pci-topology-version"], || json!("v3"));
        for id in ["uuid", "serial"] {
            fill(template, &["spec", "domain", "firmware", id], || json!(uuid::Uuid::new_v4().to_string()));
        }
    }
}

/// Drops fields that are null, as a definition's schema does.
pub(super) fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let fields = Arc::make_mut(fields);
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => Arc::make_mut(items).iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// Sets a default if nothing is set, creating the objects on the way.
fn fill(object: &mut Value, path: &[&str], default: impl FnOnce() -> Value) {
    if object.is_null() {
        *object = Map::new().into();
    }
    // If an object belongs here but something else was written, validation will find it.
    let Some(fields) = object.as_object_mut() else { return };
    match path {
        [] => {}
        [key] => {
            let field = fields.entry(*key).or_insert(Value::Null);
            if field.is_null() || field == "" {
                *field = default();
            }
        }
        [key, rest @ ..] => fill(fields.entry(*key).or_insert(Value::Null), rest, default),
    }
}

/// Rejects what the validating webhook rejects.
pub(super) fn check(vm: &Value) -> Result<(), Failure> {
    let spec = &vm["spec"];
    let mut causes = Vec::new();
    check_strategy(spec, &mut causes);
    if spec["template"].is_object() {
        check_disks(&spec["template"]["spec"], &mut causes);
        check_memory(spec, &mut causes);
    } else {
        causes.push(Cause::invalid("spec.template", "missing virtual machine template."));
    }
    check_templates(vm, &mut causes);
    if causes.is_empty() {
        Ok(())
    } else {
        Err(Failure::denied("virtualmachine-validator.kubevirt.io", &causes))
    }
}

fn check_strategy(spec: &Value, causes: &mut Vec<Cause>) {
    let strategy = spec.get("runStrategy").filter(|value| !value.is_null());
    let running = spec.get("running").filter(|value| !value.is_null());
    match (strategy, running) {
        (Some(_), Some(_)) => causes.push(Cause::invalid(
            "spec.running",
            "Running and RunStrategy are mutually exclusive. Note that Running is deprecated, please use RunStrategy instead",
        )),
        (None, None) => causes.push(Cause::invalid("spec.running", "RunStrategy must be specified")),
        (Some(strategy), None) => {
            let name = strategy.as_str().unwrap_or_default();
            if !STRATEGIES.contains(&name) {
                causes.push(Cause::invalid("spec.runStrategy", format!("Invalid RunStrategy ({name})")));
            }
        }
        (None, Some(_)) => {}
    }
}

fn list<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

fn check_disks(spec: &Value, causes: &mut Vec<Cause>) {
    let mut volumes: Vec<&str> = Vec::new();
    for (place, volume) in list(spec, "/volumes").enumerate() {
        let name = volume["name"].as_str().unwrap_or_default();
        if let Some(earlier) = volumes.iter().position(|known| *known == name) {
            let field = |place: usize| format!("spec.template.spec.volumes[{place}].name");
            let message = format!("{} and {} must not have the same Name.", field(earlier), field(place));
            causes.push(Cause { reason: "FieldValueDuplicate", field: field(place), message });
        }
        volumes.push(name);
    }
    let volumes: HashSet<&str> = volumes.into_iter().collect();
    for (place, disk) in list(spec, "/domain/devices/disks").enumerate() {
        let name = disk["name"].as_str().unwrap_or_default();
        if !volumes.contains(name) {
            let field = format!("spec.template.spec.domain.devices.disks[{place}]");
            causes.push(Cause::invalid(format!("{field}.name"), format!("{field}.Name '{name}' not found.")));
        }
    }
}

fn check_memory(spec: &Value, causes: &mut Vec<Cause>) {
    if spec["instancetype"].is_object() {
        return;
    }
    let domain = &spec["template"]["spec"]["domain"];
    let sources =
        ["/memory/guest", "/memory/hugepages", "/resources/requests/memory", "/resources/limits/memory"];
    if sources.iter().any(|pointer| domain.pointer(pointer).is_some_and(|value| !value.is_null())) {
        return;
    }
    let field = "spec.template.spec.domain";
    causes.push(Cause {
        reason: "FieldValueRequired",
        field: format!("{field}.memory"),
        message: format!(
            "no memory requested, at least one of '{field}.memory.guest', '{field}.memory.hugepages.size' or '{field}.resources.requests.memory' must be set"
        ),
    });
}

fn check_templates(vm: &Value, causes: &mut Vec<Cause>) {
    let home = vm["metadata"]["namespace"].as_str().unwrap_or_default();
    for (place, template) in list(&vm["spec"], "/dataVolumeTemplates").enumerate() {
        let field = format!("spec.dataVolumeTemplate[{place}]");
        let name = template["metadata"]["name"].as_str().unwrap_or_default();
        if name.is_empty() {
            let message = format!("'name' field must not be empty for DataVolumeTemplate entry {field}.");
            causes.push(Cause { reason: "FieldValueRequired", field: format!("{field}.name"), message });
            continue;
        }
        let namespace = template["metadata"]["namespace"].as_str().unwrap_or_default();
        if !namespace.is_empty() && namespace != home {
            let message =
                format!("Embedded DataVolume namespace {namespace} differs from VM namespace {home}");
            causes.push(Cause::invalid(format!("{field}.namespace"), message));
        }
        let spec = &template["spec"];
        if spec["pvc"].is_object() == spec["storage"].is_object() {
            let message = "Data volume must specify either pvc or storage, not both or none".to_owned();
            causes.push(Cause::invalid(field.clone(), message));
        }
        let uses = |volume: &Value| {
            volume["dataVolume"]["name"] == name || volume["persistentVolumeClaim"]["claimName"] == name
        };
        if !list(&vm["spec"], "/template/spec/volumes").any(uses) {
            let message = format!(
                "DataVolumeTemplate entry {field} must be referenced in the VMI template's 'volumes' list"
            );
            causes.push(Cause { reason: "FieldValueRequired", field, message });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vm() -> Value {
        json!({"metadata": {"name": "a", "namespace": "n"}, "spec": {"runStrategy": "Halted", "template": {"spec": {
            "domain": {"memory": {"guest": "1Gi"}, "devices": {"disks": [{"name": "root"}]}},
            "volumes": [{"name": "root", "containerDisk": {"image": "x"}}]}}}})
    }

    fn refused(change: impl FnOnce(&mut Value)) -> Vec<(String, String)> {
        let mut vm = vm();
        change(&mut vm);
        let Err(failure) = check(&vm) else { return Vec::new() };
        let status = failure.status();
        let text = |cause: &Value, field: &str| cause[field].as_str().unwrap().to_owned();
        let causes = status["details"]["causes"].as_array().unwrap().clone();
        causes.iter().map(|cause| (text(cause, "field"), text(cause, "message"))).collect()
    }

    #[test]
    fn defaults_are_filled_in_once() {
        let mut vm = vm();
        complete(&mut vm, true);
        let spec = vm["spec"]["template"]["spec"].clone();
        assert_eq!(
            (&spec["architecture"], &spec["domain"]["machine"]["type"]),
            (&json!("amd64"), &json!("q35"))
        );
        assert!(spec["domain"]["firmware"]["uuid"].is_string());
        assert_eq!(
            vm["spec"]["template"]["metadata"]["annotations"]["kubevirt.io/pci-topology-version"],
            "v3"
        );
        let before = vm.clone();
        complete(&mut vm, false);
        assert_eq!(vm, before);
    }

    #[test]
    fn fields_without_a_value_are_not_stored() {
        let mut vm = json!({"spec": {"running": null, "list": [{"a": null, "b": 1}]}});
        drop_nulls(&mut vm);
        assert_eq!(vm, json!({"spec": {"list": [{"b": 1}]}}));
    }

    #[test]
    fn the_run_strategy_is_checked() {
        assert_eq!(refused(|_| ()), []);
        assert_eq!(
            refused(|vm| vm["spec"]["runStrategy"] = json!("Bogus"))[0].1,
            "Invalid RunStrategy (Bogus)"
        );
        assert_eq!(
            refused(|vm| vm["spec"]["runStrategy"] = json!(null))[0].1,
            "RunStrategy must be specified"
        );
        assert!(
            refused(|vm| vm["spec"]["running"] = json!(true))[0].1.starts_with("Running and RunStrategy")
        );
    }

    #[test]
    fn disks_need_volumes() {
        let causes = refused(|vm| {
            vm["spec"]["template"]["spec"]["domain"]["devices"]["disks"][0]["name"] = json!("c");
        });
        let field = "spec.template.spec.domain.devices.disks[0]";
        assert_eq!(causes, [(format!("{field}.name"), format!("{field}.Name 'c' not found."))]);
    }

    #[test]
    fn templates_of_disks_must_be_used() {
        let causes = refused(|vm| {
            vm["spec"]["dataVolumeTemplates"] = json!([{"metadata": {"name": "d"}, "spec": {"storage": {}}}]);
        });
        assert!(causes[0].1.contains("must be referenced"));
    }
}
