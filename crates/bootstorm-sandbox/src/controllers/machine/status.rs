//! The status of a machine, derived from its instance and disks.

use crate::value::{Value, json};

use super::super::conditions;
use super::super::names;
use super::crash::StartFailure;
use super::printable;
use super::strategy::Strategy;
use super::volumes::Disks;

/// Updates `vm.status`.
pub fn fill(
    vm: &mut Value,
    instance: Option<&Value>,
    disks: &Disks,
    start_failure: StartFailure,
    failure: Option<&str>,
    stamp: &str,
) {
    let ready = instance.is_some_and(|vmi| conditions::is(vmi, "Ready", "True"));
    let generation = vm["metadata"]["generation"].clone();
    let built = instance
        .and_then(|vmi| vmi["metadata"]["annotations"][names::GENERATION].as_str()?.parse::<u64>().ok());
    match start_failure {
        StartFailure::Keep => {}
        StartFailure::Clear => put(vm, "startFailure", None),
        StartFailure::Set(value) => put(vm, "startFailure", Some(value)),
    }
    // Booleans and counters are left out if they are false or unknown, as by `omitempty`.
    put(vm, "created", instance.is_some().then_some(Value::Bool(true)));
    put(vm, "ready", ready.then_some(Value::Bool(true)));
    put(vm, "observedGeneration", built.map(|built| json!(built)));
    put(vm, "desiredGeneration", instance.is_some().then_some(generation));
    if instance.is_some() {
        put(vm, "runStrategy", Some(json!(Strategy::of(vm).name())));
    }
    if vm["status"].get("volumeSnapshotStatuses").is_none() {
        let snapshots = snapshot_statuses(vm);
        put(vm, "volumeSnapshotStatuses", snapshots);
    }
    fill_conditions(vm, instance, failure, stamp);
    let printable = printable::status(vm, instance, disks);
    put(vm, "printableStatus", Some(json!(printable)));
}

/// States whether the next instance will differ from the running one.
pub fn require_restart(vm: &mut Value, is_required: bool, stamp: &str) {
    let kind = "RestartRequired";
    if !is_required {
        conditions::remove(vm, kind);
    } else if !conditions::is(vm, kind, "True") {
        let message = "a non-live-updatable field was changed in the template spec";
        conditions::mark(vm, kind, "True", "", message, stamp);
    }
}

/// Copies the instance's conditions; without an instance the last copies stay, except for Ready.
fn fill_conditions(vm: &mut Value, instance: Option<&Value>, failure: Option<&str>, stamp: &str) {
    match instance.map(|vmi| (vmi, conditions::find(vmi, "Ready"))) {
        None => conditions::mark(vm, "Ready", "False", "VMINotExists", "VMI does not exist", stamp),
        Some((_, None)) => {
            let message = "VMI is missing the Ready condition";
            conditions::mark(vm, "Ready", "False", "VMIConditionMissing", message, stamp);
        }
        Some((_, Some(ready))) => conditions::set(vm, ready.clone()),
    }
    match failure {
        Some(message) => conditions::mark(vm, "Failure", "True", "FailedCreate", message, stamp),
        None => conditions::remove(vm, "Failure"),
    }
    let Some(vmi) = instance else { return };
    let copies = vmi["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let own =
        |kind: &Value| ["Ready", "Failure", "Initialized", "RestartRequired"].iter().any(|own| kind == own);
    let kept: Vec<Value> = vm["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|known| own(&known["type"]) || copies.iter().any(|copy| copy["type"] == known["type"]))
        .cloned()
        .collect();
    vm["status"]["conditions"] = json!(kept);
    for copy in copies.into_iter().filter(|copy| !own(&copy["type"])) {
        conditions::set(vm, copy);
    }
}

/// The snapshot controller's status of each volume.
fn snapshot_statuses(vm: &Value) -> Option<Value> {
    let volumes = vm["spec"]["template"]["spec"]["volumes"].as_array()?;
    let statuses: Vec<Value> = volumes
        .iter()
        .map(|volume| {
            let name = volume["name"].as_str().unwrap_or_default();
            let claim = volume.get("dataVolume").or_else(|| volume.get("persistentVolumeClaim"));
            let reason = match claim {
                Some(_) => {
                    "No VolumeSnapshotClass: Volume snapshots are not configured for this StorageClass"
                        .to_owned()
                }
                None => format!("Snapshot is not supported for this volumeSource type [{name}]"),
            };
            json!({"name": name, "enabled": false, "reason": reason})
        })
        .collect();
    (!statuses.is_empty()).then(|| json!(statuses))
}

fn put(vm: &mut Value, field: &str, value: Option<Value>) {
    match value {
        Some(value) => vm["status"][field] = value,
        None => {
            if let Some(status) = vm["status"].as_object_mut() {
                status.remove(field);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(vm: &Value, vmi: Option<&Value>) -> Value {
        let mut vm = vm.clone();
        fill(&mut vm, vmi, &Disks::default(), StartFailure::Keep, None, "2026-08-22T10:00:00Z");
        vm
    }

    #[test]
    fn a_stopped_machine_keeps_the_conditions_of_its_last_run() {
        let vm = json!({"metadata": {"generation": 3}, "spec": {"runStrategy": "Always"}});
        let vmi = json!({
            "metadata": {"annotations": {names::GENERATION: "3"}},
            "status": {"phase": "Running", "conditions": [
                {"type": "Ready", "status": "True"}, {"type": "AgentConnected", "status": "True", "lastTransitionTime": null}]},
        });
        let running = filled(&vm, Some(&vmi));
        assert_eq!(running["status"]["printableStatus"], "Running");
        assert_eq!(
            (&running["status"]["created"], &running["status"]["ready"]),
            (&json!(true), &json!(true))
        );
        assert_eq!(running["status"]["observedGeneration"], 3);
        let stopped = filled(&running, None);
        assert_eq!(stopped["status"]["printableStatus"], "Stopped");
        assert!(stopped["status"].get("created").is_none() && stopped["status"].get("ready").is_none());
        assert_eq!(conditions::reason(&stopped, "Ready"), "VMINotExists");
        assert!(conditions::is(&stopped, "AgentConnected", "True"));
    }

    #[test]
    fn a_final_instance_counts_as_created_but_stopped() {
        let vm = json!({"metadata": {"generation": 3}, "spec": {"runStrategy": "Halted"}});
        let vmi = json!({"metadata": {"deletionTimestamp": "x"}, "status": {"phase": "Succeeded"}});
        let vm = filled(&vm, Some(&vmi));
        assert_eq!(vm["status"]["printableStatus"], "Stopped");
        assert_eq!(vm["status"]["created"], true);
        assert_eq!(conditions::reason(&vm, "Ready"), "VMIConditionMissing");
    }
}
