//! The launcher pod of an instance.

use crate::value::{Map, Value, json};

use super::super::machine::volumes::claims;
use super::super::names;
use crate::model::quantity;
use crate::store::Object;

/// The image of virt-launcher.
const IMAGE: &str = "quay.io/kubevirt/virt-launcher:v1.9.0";
/// Memory that a launcher needs beside the guest's, in bytes.
const OVERHEAD: f64 = 288.0 * 1024.0 * 1024.0;
/// User id of launchers (KV).
const USER: u32 = 107;
/// Grace period of a pod beyond that of its guest, in seconds (KV).
const EXTRA_GRACE: i64 = 30;

/// The pod that runs an instance; `hidden` requests a node that does not exist.
pub fn pod(vmi: &Object, hidden: bool, stamp: &str) -> Value {
    let (value, name) = (vmi.value(), vmi.name());
    let spec = &value["spec"];
    let mut labels = value["metadata"]["labels"].as_object().cloned().unwrap_or_default();
    let is_paused = spec["startStrategy"] == "Paused";
    let host = spec["hostname"].as_str().unwrap_or_else(|| name.split('.').next().unwrap_or(name));
    labels.insert("kubevirt.io".to_owned(), json!("virt-launcher"));
    labels.insert(names::CREATED_BY.to_owned(), json!(vmi.uid()));
    labels.insert("vm.kubevirt.io/name".to_owned(), json!(cut(host, 63)));
    labels.insert("vmi.kubevirt.io/id".to_owned(), json!(cut(name, 63)));
    let mut annotations = value["metadata"]["annotations"].as_object().cloned().unwrap_or_default();
    annotations.insert("kubevirt.io/domain".to_owned(), json!(name));
    annotations.insert("kubectl.kubernetes.io/default-container".to_owned(), json!("compute"));
    annotations.insert("kubevirt.io/migrationTransportUnix".to_owned(), json!("true"));
    json!({
        "metadata": {
            "generateName": format!("virt-launcher-{name}-"), "namespace": vmi.namespace(), "labels": labels,
            "annotations": annotations, "ownerReferences": [names::owner(value, vmi.uid())],
        },
        "spec": pod_spec(spec, name, hidden),
        "status": {
            "phase": "Pending", "qosClass": "Burstable",
            // Opened right away by virt-controller, unless the guest is created paused.
            "conditions": [{
                "type": names::UNPAUSED, "status": if is_paused { "False" } else { "True" },
                "reason": if is_paused { "Paused" } else { "NotPaused" },
                "message": if is_paused { "the virtual machine is paused" } else { "the virtual machine is not paused" },
                "lastProbeTime": null, "lastTransitionTime": stamp,
            }],
        },
    })
}

fn pod_spec(spec: &Value, name: &str, hidden: bool) -> Value {
    let grace = spec["terminationGracePeriodSeconds"].as_i64().unwrap_or(30) + EXTRA_GRACE;
    let mut pod = json!({
        "restartPolicy": "Never", "terminationGracePeriodSeconds": grace, "hostname": cut(name, 63),
        "automountServiceAccountToken": false, "enableServiceLinks": false, "schedulerName": "default-scheduler",
        "nodeSelector": node_selector(spec, hidden),
        "readinessGates": [{"conditionType": names::UNPAUSED}],
        "securityContext": {"fsGroup": USER, "runAsGroup": USER, "runAsNonRoot": true, "runAsUser": USER},
        "initContainers": init_containers(spec),
        "containers": [compute(spec)],
        "volumes": volumes(spec),
    });
    for copied in ["affinity", "tolerations", "priorityClassName", "topologySpreadConstraints"] {
        if let Some(value) = spec.get(copied) {
            pod[copied] = value.clone();
        }
    }
    pod
}

fn node_selector(spec: &Value, hidden: bool) -> Value {
    let machine = spec["domain"]["machine"]["type"].as_str().unwrap_or("q35");
    let mut selector = Map::default();
    selector.insert("kubevirt.io/schedulable".to_owned(), json!("true"));
    selector.insert("kubernetes.io/arch".to_owned(), json!(spec["architecture"].as_str().unwrap_or("amd64")));
    // KV: the machine's own selectors replace those, but not the ones below.
    selector.extend(spec["nodeSelector"].as_object().cloned().unwrap_or_default());
    if spec["domain"]["cpu"]["dedicatedCpuPlacement"] == true {
        selector.insert("cpumanager".to_owned(), json!("true"));
    }
    selector.insert(format!("machine-type.node.kubevirt.io/{machine}"), json!("true"));
    // Features select nodes only beside a model (KV).
    let cpu = &spec["domain"]["cpu"];
    if let Some(model) = cpu["model"].as_str() {
        if !matches!(model, "host-model" | "host-passthrough") {
            selector.insert(format!("cpu-model.node.kubevirt.io/{model}"), json!("true"));
        }
        for feature in cpu["features"].as_array().into_iter().flatten() {
            if matches!(feature["policy"].as_str(), None | Some("require")) {
                let name = feature["name"].as_str().unwrap_or_default();
                selector.insert(format!("cpu-feature.node.kubevirt.io/{name}"), json!("true"));
            }
        }
    }
    if hidden {
        selector.insert("sandbox.bootstorm.dev/nowhere".to_owned(), json!("true"));
    }
    selector.into()
}

/// The vCPUs of a guest.
pub fn vcpus(spec: &Value) -> f64 {
    let cpu = &spec["domain"]["cpu"];
    let count = |field: &str| cpu[field].as_f64().unwrap_or(1.0).max(1.0);
    count("sockets") * count("cores") * count("threads")
}

fn compute(spec: &Value) -> Value {
    let guest = quantity::of(&spec["domain"]["memory"]["guest"]).unwrap_or(0.0);
    let asked = &spec["domain"]["resources"]["requests"];
    // cpuAllocationRatio 10 (KV), unless the template requests more.
    let millis = quantity::of(&asked["cpu"]).map_or(vcpus(spec) * 100.0, |cores| cores * 1000.0).ceil();
    let memory = guest.max(quantity::of(&asked["memory"]).unwrap_or(0.0)) + OVERHEAD;
    let devices = json!({"devices.kubevirt.io/kvm": "1", "devices.kubevirt.io/tun": "1", "devices.kubevirt.io/vhost-net": "1"});
    let mut requests = devices.clone();
    requests["cpu"] = json!(format!("{millis}m"));
    requests["memory"] = json!(quantity::mebibytes(memory));
    requests["ephemeral-storage"] = json!("50M");
    let mut container = json!({
        "name": "compute", "image": IMAGE, "imagePullPolicy": "IfNotPresent",
        "command": ["/usr/bin/virt-launcher-monitor", "--qemu-timeout", "240s"],
        "resources": {"limits": devices, "requests": requests},
    });
    container["securityContext"] = confined(&["NET_BIND_SERVICE"]);
    for probe in ["readinessProbe", "livenessProbe"] {
        if let Some(value) = spec.get(probe) {
            container[probe] = value.clone();
        }
    }
    container
}

/// Sets limits that a quota demands and the machine leaves open, as virt-controller does.
pub fn limit(pod: &mut Value, vmi: &Value, demanded: &[&str]) {
    let cores = vcpus(&vmi["spec"]);
    let resources = &mut pod["spec"]["containers"][0]["resources"];
    if demanded.contains(&"limits.cpu") && resources["limits"].get("cpu").is_none() {
        resources["limits"]["cpu"] = json!(quantity::cores(cores));
    }
    if demanded.contains(&"limits.memory") && resources["limits"].get("memory").is_none() {
        // KV: twice the request.
        let memory = 2.0 * quantity::of(&resources["requests"]["memory"]).unwrap_or(0.0);
        resources["limits"]["memory"] = json!(quantity::canonical(memory));
    }
}

/// The security context of a container of a launcher that does not run as root (KV).
fn confined(capabilities: &[&str]) -> Value {
    let mut context = json!({
        "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": true, "runAsUser": USER,
    });
    if !capabilities.is_empty() {
        context["capabilities"]["add"] = json!(capabilities);
    }
    context
}

fn init_containers(spec: &Value) -> Value {
    let mut containers = vec![json!({
        "name": "guest-console-log", "image": IMAGE, "imagePullPolicy": "IfNotPresent", "restartPolicy": "Always",
        "command": ["/usr/bin/virt-tail"],
        "resources": {"requests": {"cpu": "5m", "memory": "35M"}, "limits": {"cpu": "15m", "memory": "60M"}},
        "securityContext": confined(&[]),
    })];
    for volume in spec["volumes"].as_array().into_iter().flatten() {
        if let Some(disk) = volume.get("containerDisk") {
            let name = volume["name"].as_str().unwrap_or_default();
            containers.push(json!({
                "name": format!("volume{name}"), "image": disk["image"], "imagePullPolicy": disk["imagePullPolicy"],
                "command": ["/usr/bin/container-disk"],
                "resources": {"requests": {"cpu": "1m", "memory": "1M"}, "limits": {"cpu": "10m", "memory": "40M"}},
                "securityContext": confined(&[]),
            }));
        }
    }
    json!(containers)
}

fn volumes(spec: &Value) -> Value {
    let mut volumes = vec![
        json!({"name": "private", "emptyDir": {}}),
        json!({"name": "public", "emptyDir": {}}),
        json!({"name": "sockets", "emptyDir": {}}),
    ];
    for (claim, _) in claims(spec) {
        volumes.push(json!({"name": claim, "persistentVolumeClaim": {"claimName": claim}}));
    }
    volumes.extend(settings(spec));
    json!(volumes)
}

/// Secrets and `ConfigMaps` that a launcher mounts, under virt-controller's names.
fn settings(spec: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    let list = |field: &str| spec[field].as_array().into_iter().flatten();
    let secret = |name: String, secret: &Value| json!({"name": name, "secret": {"secretName": secret}});
    for volume in list("volumes") {
        let name = volume["name"].as_str().unwrap_or_default();
        for kind in ["cloudInitNoCloud", "cloudInitConfigDrive"] {
            let source = &volume[kind];
            let user_data = [&source["secretRef"]["name"], &source["userDataSecretRef"]["name"]];
            let user_data = user_data.into_iter().find(|name| name.is_string());
            found.extend(user_data.map(|wanted| secret(format!("{name}-udata"), wanted)));
            let network = Some(&source["networkDataSecretRef"]["name"]).filter(|name| name.is_string());
            found.extend(network.map(|wanted| secret(format!("{name}-ndata"), wanted)));
        }
        let sysprep = &volume["sysprep"];
        if sysprep["secret"]["name"].is_string() {
            found.push(secret(name.to_owned(), &sysprep["secret"]["name"]));
        }
        for source in [&sysprep["configMap"], &volume["configMap"]] {
            if source["name"].is_string() {
                let map = json!({"name": source["name"], "optional": source["optional"] == true});
                found.push(json!({"name": name, "configMap": map}));
            }
        }
        let own = &volume["secret"];
        if own["secretName"].is_string() {
            let secret = json!({"secretName": own["secretName"], "optional": own["optional"] == true});
            found.push(json!({"name": name, "secret": secret}));
        }
    }
    for credentials in list("accessCredentials") {
        for kind in ["sshPublicKey", "userPassword"] {
            let name = &credentials[kind]["source"]["secret"]["secretName"];
            found.extend(name.as_str().map(|text| secret(format!("{text}-access-cred"), name)));
        }
    }
    found
}

fn cut(text: &str, length: usize) -> &str {
    text.char_indices().nth(length).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_asks_for_a_tenth_of_the_cpus_and_all_of_the_memory() {
        let container = compute(&json!({"domain": {"cpu": {"cores": 4}, "memory": {"guest": "1Gi"}}}));
        assert_eq!(container["resources"]["requests"]["cpu"], "400m");
        assert_eq!(container["resources"]["requests"]["memory"], "1312Mi");
    }

    #[test]
    fn a_pod_outlives_the_grace_of_its_guest() {
        let spec =
            pod_spec(&json!({"terminationGracePeriodSeconds": 5, "nodeSelector": {"a": "b"}}), "vm", false);
        assert_eq!(spec["terminationGracePeriodSeconds"], 35);
        assert_eq!(spec["nodeSelector"]["a"], "b");
    }

    #[test]
    fn a_pod_goes_to_nodes_that_can_run_its_guest() {
        let selector = |spec: &Value| node_selector(spec, false);
        let plain = selector(&json!({"domain": {}}));
        assert_eq!((&plain["kubernetes.io/arch"], &plain["cpumanager"]), (&json!("amd64"), &Value::Null));
        let own = selector(&json!({
            "architecture": "amd64", "nodeSelector": {"kubernetes.io/arch": "arm64", "cpumanager": "false"},
            "domain": {"cpu": {"dedicatedCpuPlacement": true}},
        }));
        assert_eq!((&own["kubernetes.io/arch"], &own["cpumanager"]), (&json!("arm64"), &json!("true")));
    }
}
