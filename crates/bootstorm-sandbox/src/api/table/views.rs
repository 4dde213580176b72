//! The columns of each kind.

use crate::value::{Value, json};

use super::column::{AGE, Column, NAME, age, condition, condition_status, field, shown};
use super::{job, pod};
use crate::store::Kind;
use crate::store::kind as kinds;

/// The columns a kind is shown with.
pub(super) fn of(kind: &Kind) -> Vec<Column> {
    let views: [(&Kind, &[Column]); 20] = [
        (&kinds::VIRTUAL_MACHINES, &VIRTUAL_MACHINES),
        (&kinds::VIRTUAL_MACHINE_INSTANCES, &VIRTUAL_MACHINE_INSTANCES),
        (&kinds::MIGRATIONS, &MIGRATIONS),
        (&kinds::KUBEVIRTS, &PHASED_WITH_AGE_FIRST),
        (&kinds::CDIS, &PHASED_WITH_AGE_FIRST),
        (&kinds::DATA_VOLUMES, &DATA_VOLUMES),
        (&kinds::PODS, &PODS),
        (&kinds::JOBS, &JOBS),
        (&kinds::NODES, &NODES),
        (&kinds::NAMESPACES, &NAMESPACES),
        (&kinds::EVENTS, &EVENTS),
        (&kinds::PERSISTENT_VOLUME_CLAIMS, &CLAIMS),
        (&kinds::PERSISTENT_VOLUMES, &VOLUMES),
        (&kinds::CONFIG_MAPS, &CONFIG_MAPS),
        (&kinds::SECRETS, &SECRETS),
        (&kinds::STORAGE_CLASSES, &STORAGE_CLASSES),
        (&kinds::LEASES, &LEASES),
        (&kinds::CONTROLLER_REVISIONS, &REVISIONS),
        (&kinds::CUSTOM_RESOURCE_DEFINITIONS, &DEFINITIONS),
        (&kinds::SERVICE_ACCOUNTS, &SERVICE_ACCOUNTS),
    ];
    let found = views.iter().find(|(known, _)| known.is(kind));
    found.map_or_else(|| vec![NAME, AGE], |(_, columns)| columns.to_vec())
}

const VIRTUAL_MACHINES: [Column; 4] =
    [NAME, AGE, field("Status", "/status/printableStatus"), condition("Ready", "Ready")];
const VIRTUAL_MACHINE_INSTANCES: [Column; 8] = [
    NAME,
    AGE,
    field("Phase", "/status/phase"),
    field("IP", "/status/interfaces/0/ipAddress"),
    field("NodeName", "/status/nodeName"),
    condition("Ready", "Ready"),
    condition("Live-Migratable", "LiveMigratable").wide(),
    condition("Paused", "Paused").wide(),
];
const MIGRATIONS: [Column; 3] = [NAME, field("Phase", "/status/phase"), field("VMI", "/spec/vmiName")];
const PHASED_WITH_AGE_FIRST: [Column; 3] = [NAME, AGE, field("Phase", "/status/phase")];
const DATA_VOLUMES: [Column; 5] = [
    NAME,
    field("Phase", "/status/phase"),
    field("Progress", "/status/progress"),
    field("Restarts", "/status/restartCount"),
    AGE,
];
const PODS: [Column; 9] = [
    NAME,
    shown("Ready", pod::ready),
    shown("Status", pod::status),
    shown("Restarts", pod::restarts),
    AGE,
    shown("IP", |pod| or_none(pod, "/status/podIP")).wide(),
    shown("Node", |pod| or_none(pod, "/spec/nodeName")).wide(),
    shown("Nominated Node", |pod| or_none(pod, "/status/nominatedNodeName")).wide(),
    shown("Readiness Gates", gates).wide(),
];
const JOBS: [Column; 8] = [
    NAME,
    shown("Status", job::status),
    shown("Completions", job::completions),
    shown("Duration", job::duration),
    AGE,
    shown("Containers", job::containers).wide(),
    shown("Images", job::images).wide(),
    shown("Selector", job::selector).wide(),
];
const NODES: [Column; 6] = [
    NAME,
    shown("Status", node_status),
    shown("Roles", roles),
    AGE,
    field("Version", "/status/nodeInfo/kubeletVersion"),
    field("Internal-IP", "/status/addresses/0/address").wide(),
];
const NAMESPACES: [Column; 3] = [NAME, field("Status", "/status/phase"), AGE];
const EVENTS: [Column; 6] = [
    shown("Last Seen", last_seen),
    field("Type", "/type"),
    field("Reason", "/reason"),
    shown("Object", involved),
    field("Message", "/message"),
    field("Name", "/metadata/name").wide(),
];
const CLAIMS: [Column; 7] = [
    NAME,
    field("Status", "/status/phase"),
    field("Volume", "/spec/volumeName"),
    field("Capacity", "/status/capacity/storage"),
    shown("Access Modes", access_modes),
    field("StorageClass", "/spec/storageClassName"),
    AGE,
];
const VOLUMES: [Column; 8] = [
    NAME,
    field("Capacity", "/spec/capacity/storage"),
    shown("Access Modes", access_modes),
    field("Reclaim Policy", "/spec/persistentVolumeReclaimPolicy"),
    field("Status", "/status/phase"),
    shown("Claim", claim),
    field("StorageClass", "/spec/storageClassName"),
    AGE,
];
const CONFIG_MAPS: [Column; 3] = [NAME, shown("Data", entries), AGE];
const SECRETS: [Column; 4] = [NAME, field("Type", "/type"), shown("Data", entries), AGE];
const STORAGE_CLASSES: [Column; 6] = [
    shown("Name", class_name),
    field("Provisioner", "/provisioner"),
    field("ReclaimPolicy", "/reclaimPolicy"),
    field("VolumeBindingMode", "/volumeBindingMode"),
    field("AllowVolumeExpansion", "/allowVolumeExpansion"),
    AGE,
];
const LEASES: [Column; 3] = [NAME, field("Holder", "/spec/holderIdentity"), AGE];
const REVISIONS: [Column; 3] = [NAME, field("Revision", "/revision"), AGE];
const DEFINITIONS: [Column; 2] = [NAME, age("Created At", "/metadata/creationTimestamp")];
const SERVICE_ACCOUNTS: [Column; 3] =
    [NAME, shown("Secrets", |account| json!(length(&account["secrets"]))), AGE];

fn length(value: &Value) -> usize {
    value.as_array().map_or_else(|| value.as_object().map_or(0, crate::value::Map::len), Vec::len)
}

fn or_none(object: &Value, pointer: &str) -> Value {
    object.pointer(pointer).filter(|value| *value != "").cloned().unwrap_or(json!("<none>"))
}

fn entries(object: &Value) -> Value {
    json!((length(&object["data"]) + length(&object["binaryData"])).to_string())
}

fn gates(pod: &Value) -> Value {
    let Some(gates) = pod["spec"]["readinessGates"].as_array() else { return json!("<none>") };
    let holds = |gate: &&Value| {
        gate["conditionType"].as_str().is_some_and(|kind| condition_status(pod, kind) == "True")
    };
    json!(format!("{}/{}", gates.iter().filter(holds).count(), gates.len()))
}

fn node_status(node: &Value) -> Value {
    let ready = match condition_status(node, "Ready").as_str() {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    };
    if node["spec"]["unschedulable"] == true {
        json!(format!("{ready},SchedulingDisabled"))
    } else {
        json!(ready)
    }
}

fn roles(node: &Value) -> Value {
    let labels = node["metadata"]["labels"].as_object();
    let roles: Vec<&str> = labels
        .into_iter()
        .flatten()
        .filter_map(|(key, _)| key.strip_prefix("node-role.kubernetes.io/"))
        .filter(|role| !role.is_empty())
        .collect();
    if roles.is_empty() { json!("<none>") } else { json!(roles.join(",")) }
}

fn last_seen(event: &Value) -> Value {
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
    let stamps = ["/series/lastObservedTime", "/lastTimestamp", "/eventTime", "/metadata/creationTimestamp"];
    json!(super::age::since(stamps.iter().find_map(|pointer| text(pointer))))
}

fn involved(event: &Value) -> Value {
    let text = |field: &str| event["involvedObject"][field].as_str().unwrap_or_default();
    json!(format!("{}/{}", text("kind").to_lowercase(), text("name")))
}

fn access_modes(object: &Value) -> Value {
    let modes =
        object["status"]["accessModes"].as_array().or_else(|| object["spec"]["accessModes"].as_array());
    let short = |mode: &Value| match mode.as_str() {
        Some("ReadWriteOnce") => "RWO",
        Some("ReadOnlyMany") => "ROX",
        Some("ReadWriteMany") => "RWX",
        Some("ReadWriteOncePod") => "RWOP",
        _ => "?",
    };
    json!(modes.into_iter().flatten().map(short).collect::<Vec<_>>().join(","))
}

fn claim(volume: &Value) -> Value {
    let claim = &volume["spec"]["claimRef"];
    match (claim["namespace"].as_str(), claim["name"].as_str()) {
        (Some(namespace), Some(name)) => json!(format!("{namespace}/{name}")),
        _ => json!(""),
    }
}

fn class_name(class: &Value) -> Value {
    let name = class["metadata"]["name"].as_str().unwrap_or_default();
    let default = &class["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true";
    if default { json!(format!("{name} (default)")) } else { json!(name) }
}
