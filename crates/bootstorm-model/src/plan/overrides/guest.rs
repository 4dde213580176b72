//! Overrides of a guest's size, networks and shutdown time.

use serde_json::{Value, json};

use super::{Overrides, list, map};

const DOMAIN: &str = "/spec/template/spec/domain";

/// Changes the VM.
///
/// Fails with the flag that cannot be applied, and the reason.
pub(super) fn apply(overrides: &Overrides, vm: &mut Value) -> Result<(), String> {
    if let Some(name) = &overrides.instancetype {
        // An instance type and sizes in the manifest exclude each other.
        let domain = map(vm, DOMAIN)?;
        domain.remove("cpu");
        domain.remove("memory");
        for key in ["requests", "limits"] {
            let amounts = domain.get_mut("resources").and_then(|resources| resources.get_mut(key));
            if let Some(amounts) = amounts.and_then(Value::as_object_mut) {
                amounts.retain(|resource, _| resource != "cpu" && resource != "memory");
            }
        }
        map(vm, "/spec")?.insert("instancetype".into(), json!({"name": name}));
    }
    if let Some(name) = &overrides.preference {
        map(vm, "/spec")?.insert("preference".into(), json!({"name": name}));
    }
    let sized = vm.pointer("/spec/instancetype").is_some_and(Value::is_object);
    for (flag, given) in [("--cpu", overrides.cpu.is_some()), ("--memory", overrides.memory.is_some())] {
        if given && sized {
            return Err(format!("{flag} cannot be applied: an instance type decides the size of these VMs"));
        }
    }
    if let Some(cpu) = overrides.cpu {
        let place = map(vm, &format!("{DOMAIN}/cpu"))?;
        place.insert("cores".into(), json!(cpu));
        for key in ["sockets", "threads"] {
            // Existing values only: a manifest may leave the rest to KubeVirt.
            if let Some(value) = place.get_mut(key) {
                *value = json!(1);
            }
        }
        ask_for(vm, "cpu", &cpu.to_string());
    }
    if let Some(memory) = &overrides.memory {
        map(vm, &format!("{DOMAIN}/memory"))?.insert("guest".into(), json!(memory));
        ask_for(vm, "memory", memory);
    }
    if let Some(seconds) = overrides.termination_grace_seconds {
        map(vm, "/spec/template/spec")?.insert("terminationGracePeriodSeconds".into(), json!(seconds));
    }
    overrides.networks.iter().enumerate().try_for_each(|(index, network)| add_network(vm, index + 1, network))
}

/// Adjusts existing requests and limits to the guest's size.
fn ask_for(vm: &mut Value, resource: &str, amount: &str) {
    for list in ["requests", "limits"] {
        if let Some(value) = vm.pointer_mut(&format!("{DOMAIN}/resources/{list}/{resource}")) {
            *value = json!(amount);
        }
    }
}

/// Adds an interface on a Multus network; names the pod network if the manifest left it implicit.
fn add_network(vm: &mut Value, number: usize, network: &str) -> Result<(), String> {
    let interfaces = format!("{DOMAIN}/devices/interfaces");
    let networks = "/spec/template/spec/networks";
    if list(vm, networks)?.is_empty() && list(vm, &interfaces)?.is_empty() {
        list(vm, networks)?.push(json!({"name": "default", "pod": {}}));
        list(vm, &interfaces)?.push(json!({"name": "default", "masquerade": {}}));
    }
    let taken = |name: &str, all: &[Value]| all.iter().any(|one| one["name"] == name);
    let mut name = format!("net-{number}");
    while taken(&name, list(vm, networks)?) {
        name.push_str("-x");
    }
    list(vm, networks)?.push(json!({"name": name, "multus": {"networkName": network}}));
    list(vm, &interfaces)?.push(json!({"name": name, "bridge": {}}));
    Ok(())
}
