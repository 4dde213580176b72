//! The parts of an instance's status that virt-handler writes.

use crate::value::{Value, json};

use super::super::client::{Client, WriteError};
use super::super::cluster::Cluster;
use super::super::conditions;
use super::super::guests::Launcher;
use super::super::instance::phase;
use super::super::instance::progress::pod_network;
use super::super::key::Key;
use super::super::network::addresses;
use super::super::worker::Outcome;
use crate::store::Object;
use crate::store::kind::VIRTUAL_MACHINE_INSTANCES;

/// Seconds from the agent's connection until its first answers are reported (KV: the poll starts at 10 s).
const AGENT_POLL: f64 = 10.0;

/// The conditions on migration; their transition times stay null, as on a real cluster. `unshared` is a claim that
/// prevents it.
pub fn migratable(vmi: &mut Value, unshared: Option<&str>) {
    let bridge = vmi["spec"]["domain"]["devices"]["interfaces"]
        .as_array()
        .is_some_and(|interfaces| interfaces.iter().any(|interface| interface.get("bridge").is_some()));
    let mut live = json!({"type": "LiveMigratable", "status": "True", "lastProbeTime": null, "lastTransitionTime": null});
    let mut stored = json!({"type": "StorageLiveMigratable", "status": "True", "lastProbeTime": null, "lastTransitionTime": null});
    if let Some(claim) = unshared {
        let message = format!(
            "cannot migrate VMI: PVC {claim} is not shared, live migration requires that all PVCs must be shared (using ReadWriteMany access mode)"
        );
        for (condition, reason) in [(&mut live, "DisksNotLiveMigratable"), (&mut stored, "NotMigratable")] {
            condition["status"] = json!("False");
            condition["reason"] = json!(reason);
            condition["message"] = json!(message);
        }
    } else if bridge && pod_network(vmi).is_some() {
        live["status"] = json!("False");
        live["reason"] = json!("InterfaceNotLiveMigratable");
        live["message"] = json!(
            "cannot migrate VMI which does not use masquerade, bridge with kubevirt.io/allow-pod-bridge-network-live-migration VM annotation or a migratable plugin to connect to the pod network"
        );
    }
    conditions::set(vmi, live);
    conditions::set(vmi, stored);
}

/// Records that the domain runs; the address of the pod is the guest's from now on.
pub fn running(vmi: &mut Value, addresses: &[String], mac: &str, stamp: &str) {
    if vmi["status"]["phase"] != "Scheduled" {
        return;
    }
    phase::enter(vmi, "Running", stamp);
    if let Some(network) = pod_network(vmi) {
        vmi["status"]["interfaces"] = json!([{
            "name": network, "mac": mac, "ipAddress": addresses.first(), "ipAddresses": addresses, "podInterfaceName": "eth0",
            "infoSource": "domain", "queueCount": 1, "linkState": "up",
        }]);
    }
    vmi["status"]["machine"] = json!({"type": "pc-q35-rhel9.6.0"});
    vmi["status"]["selinuxContext"] = json!("none");
    vmi["status"]["migrationMethod"] = json!("BlockMigration");
}

/// Records that the guest was created paused: its phase is Running nevertheless (KV).
pub fn paused(vmi: &mut Value, stamp: &str) {
    conditions::set(
        vmi,
        json!({
            "type": "Paused", "status": "True", "reason": "PausedByUser", "message": "VMI was paused by user",
            "lastProbeTime": stamp, "lastTransitionTime": stamp,
        }),
    );
}

/// Records the agent's connection, and a while later its information.
pub async fn agent(
    cluster: &Cluster,
    client: &mut Client,
    vmi: &Object,
    launcher: &Launcher,
) -> Result<Outcome, WriteError> {
    let value = vmi.value();
    // The information of a connected agent counts: an address that it does not report does not exist.
    let known = match launcher.state().network_at {
        Some(_) => addresses(&launcher.address, cluster.profile.node.dual_stack),
        None => Vec::new(),
    };
    if conditions::is(value, "AgentConnected", "True") {
        // Without an interface there is no address to report.
        let lacks_address = |interface: &Value| interface.get("ipAddress").is_none();
        if value["status"]["interfaces"].get(0).is_some_and(lacks_address) && !known.is_empty() {
            client.patch(&VIRTUAL_MACHINE_INSTANCES, vmi, |vmi| set_addresses(vmi, &known)).await?;
            return Ok(Outcome::Again(0.0));
        }
        if value["status"]["guestOSInfo"].get("id").is_some() {
            return Ok(Outcome::Done);
        }
        // The change to "connected" triggers this at once; the first answers come later.
        let poll = cluster.roll(&launcher.key, &launcher.uid, "agent-poll").between(0.0, AGENT_POLL);
        let wait = launcher.state().agent_at.map_or(0.0, |at| at + poll - cluster.clock.now());
        if wait > 0.0 {
            return Ok(Outcome::Again(wait));
        }
        client.patch(&VIRTUAL_MACHINE_INSTANCES, vmi, guest_info).await?;
        return Ok(Outcome::Done);
    }
    let stamp = cluster.clock.stamp();
    let connect = |vmi: &mut Value| {
        let condition = json!({"type": "AgentConnected", "status": "True", "lastProbeTime": stamp, "lastTransitionTime": null});
        conditions::set(vmi, condition);
        if let Some(interface) = vmi["status"]["interfaces"].get_mut(0) {
            interface["infoSource"] = json!("domain, guest-agent");
            interface["interfaceName"] = json!("eth0");
        }
        set_addresses(vmi, &known);
    };
    client.patch(&VIRTUAL_MACHINE_INSTANCES, vmi, connect).await?;
    Ok(Outcome::Done)
}

/// Writes the known addresses of the guest.
fn set_addresses(vmi: &mut Value, addresses: &[String]) {
    let Some(interface) = vmi["status"]["interfaces"].get_mut(0).and_then(Value::as_object_mut) else {
        return;
    };
    match addresses.first() {
        Some(first) => {
            interface.insert("ipAddress".to_owned(), json!(first));
            interface.insert("ipAddresses".to_owned(), json!(addresses));
        }
        None => {
            interface.remove("ipAddress");
            interface.remove("ipAddresses");
        }
    }
}

fn guest_info(vmi: &mut Value) {
    vmi["status"]["guestOSInfo"] = json!({
        "id": "fedora", "name": "Fedora Linux", "prettyName": "Fedora Linux 41 (Cloud Edition)", "version": "41",
        "versionId": "41", "kernelRelease": "6.11.4-301.fc41.x86_64", "kernelVersion": "#1 SMP PREEMPT_DYNAMIC",
        "machine": "x86_64",
    });
}

/// MAC address of a machine: the same in every incarnation.
pub fn mac(cluster: &Cluster, key: &Key) -> String {
    let bits = cluster.dice.roll(&key.to_string(), 0, "mac").bits().to_be_bytes();
    format!("02:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", bits[0], bits[1], bits[2], bits[3], bits[4])
}
