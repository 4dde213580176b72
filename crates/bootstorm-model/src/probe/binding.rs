//! What an answer proves, given how the guest is connected.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::Probe;
use crate::plan::sizing::Quantity;

/// An interface on which something other than the guest answers a probe
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hollow {
    /// Name of the interface.
    pub interface: String,
    /// The probe.
    pub probe: Probe,
    /// What answers it.
    pub by: Answerer,
}

/// What answers instead of a guest
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answerer {
    /// The launcher pod: only listed ports are forwarded to the guest.
    Pod,
    /// passt, which accepts connections itself and passes them on later.
    Passt,
    /// QEMU's user network, which does the same.
    Slirp,
}

impl Answerer {
    /// Whether its answer to a probe is mistaken for the guest's.
    ///
    /// passt 0.0~git20230309 and QEMU's user network were seen to complete TCP handshakes and to answer pings for
    /// guests whose CPUs never ran. With a list of ports, `KubeVirt` forwards these and no ICMP; a port that is not
    /// forwarded is refused by the pod, which is no false answer. Neither sends content of its own: an HTTP status and
    /// an SSH banner come from the guest.
    pub fn answers(self, probe: Probe) -> bool {
        match (self, probe) {
            (_, Probe::Agent | Probe::CloudInit | Probe::Http(..) | Probe::Ssh(_)) => false,
            (Self::Pod, probe) => probe == Probe::Ping,
            (Self::Passt | Self::Slirp, _) => true,
        }
    }
}

impl Hollow {
    /// Reason why the answer proves nothing, as a sentence without a full stop.
    pub fn why(&self) -> String {
        let Self { interface, probe, by } = self;
        let connection = match by {
            Answerer::Pod => {
                return format!(
                    "interface {interface} forwards only listed ports, so the pod answers {probe} even if the guest is dead"
                );
            }
            Answerer::Passt => "is bound by passt",
            Answerer::Slirp => "is on QEMU's user network",
        };
        format!("interface {interface} {connection}, which answers {probe} even if the guest is dead")
    }
}

/// How a guest is connected, from the spec of a `VirtualMachineInstance`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Wiring {
    domain: Domain,
    networks: Option<Vec<Network>>,
    #[serde(rename = "evictionStrategy")]
    eviction: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Domain {
    devices: Devices,
    memory: Option<Memory>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Memory {
    guest: Value,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Devices {
    interfaces: Option<Vec<Interface>>,
    autoattach_pod_interface: Option<bool>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Interface {
    name: Option<String>,
    binding: Option<Plugin>,
    passt: Option<IgnoredAny>,
    passt_binding: Option<IgnoredAny>,
    slirp: Option<IgnoredAny>,
    ports: Option<Vec<IgnoredAny>>,
    port_ranges: Option<Vec<IgnoredAny>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Plugin {
    name: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Network {
    name: Option<String>,
    pod: Option<IgnoredAny>,
}

impl Wiring {
    /// The guest's memory as the manifest states it (`spec.domain.memory.guest`).
    pub fn memory(&self) -> Option<Quantity> {
        Quantity::of(&self.domain.memory.as_ref()?.guest)
    }

    /// What happens to the guest when its pod is evicted (`spec.evictionStrategy`); virt-api fills in the cluster's
    /// default (`KubeVirt` v1.0 to v1.9, `pkg/defaults/defaults.go`).
    pub fn eviction(&self) -> Option<&str> {
        self.eviction.as_deref()
    }

    /// The interface on the pod network, where a guest is probed, and what answers there instead of the guest.
    pub fn answerer(&self) -> Option<(&str, Answerer)> {
        let interfaces = self.domain.devices.interfaces.iter().flatten();
        let mut on_pod_network = interfaces.filter(|interface| self.is_on_pod_network(interface));
        on_pod_network.find_map(|interface| {
            Some((interface.name.as_deref().unwrap_or("unnamed"), interface.answerer()?))
        })
    }

    /// Whether it names interfaces; otherwise the cluster decides.
    pub fn is_explicit(&self) -> bool {
        self.domain.devices.interfaces.as_ref().is_some_and(|interfaces| !interfaces.is_empty())
    }

    /// Whether no interface is on the pod network, which prober pods use.
    pub fn lacks_pod_network(&self) -> bool {
        let mut interfaces = self.domain.devices.interfaces.iter().flatten();
        if self.is_explicit() {
            return !interfaces.any(|interface| self.is_on_pod_network(interface));
        }
        self.domain.devices.autoattach_pod_interface == Some(false)
    }

    /// The first of these probes that proves nothing about the guest.
    pub fn hollow(&self, probes: &[Probe]) -> Option<Hollow> {
        let (interface, by) = self.answerer()?;
        let probe = probes.iter().copied().find(|probe| by.answers(*probe))?;
        Some(Hollow { interface: interface.to_owned(), probe, by })
    }

    fn is_on_pod_network(&self, interface: &Interface) -> bool {
        let mut own =
            self.networks.iter().flatten().filter(|network| network.name == interface.name).peekable();
        own.peek().is_none() || own.any(|network| network.pod.is_some())
    }
}

impl Interface {
    fn answerer(&self) -> Option<Answerer> {
        let plugin = self.binding.as_ref().map(|plugin| plugin.name.as_str()).unwrap_or_default();
        if self.passt.is_some() || self.passt_binding.is_some() || plugin.contains("passt") {
            return Some(Answerer::Passt);
        }
        if self.slirp.is_some() || plugin.contains("slirp") {
            return Some(Answerer::Slirp);
        }
        let lists = |ports: &Option<Vec<IgnoredAny>>| ports.as_ref().is_some_and(|ports| !ports.is_empty());
        (lists(&self.ports) || lists(&self.port_ranges)).then_some(Answerer::Pod)
    }
}

/// The first of these probes that proves nothing about a guest with this spec, that of a `VirtualMachineInstance`.
pub fn hollow(spec: &Value, probes: &[Probe]) -> Option<Hollow> {
    Wiring::deserialize(spec).ok()?.hollow(probes)
}

/// The first of these probes that needs a prober pod, if none reaches a guest with this spec.
pub fn out_of_reach(spec: &Value, probes: &[Probe]) -> Option<Probe> {
    let probe = probes.iter().copied().find(|probe| probe.needs_prober())?;
    Wiring::deserialize(spec).ok()?.lacks_pod_network().then_some(probe)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spec(interface: &Value) -> Value {
        json!({"domain": {"devices": {"interfaces": [interface]}}, "networks": [{"name": "default", "pod": {}}]})
    }

    #[test]
    fn bindings_that_answer_by_themselves_are_known() {
        let ping = [Probe::Ping, Probe::Agent];
        for (interface, by) in [
            (json!({"name": "default", "binding": {"name": "passt"}}), Some(Answerer::Passt)),
            (json!({"name": "default", "passtBinding": {}}), Some(Answerer::Passt)),
            (json!({"name": "default", "slirp": {}}), Some(Answerer::Slirp)),
            (json!({"name": "default", "binding": {"name": "network-slirp-binding"}}), Some(Answerer::Slirp)),
            (json!({"name": "default", "masquerade": {}, "ports": [{"port": 22}]}), Some(Answerer::Pod)),
            (json!({"name": "default", "masquerade": {}}), None),
            (json!({"name": "default", "bridge": {}}), None),
        ] {
            assert_eq!(hollow(&spec(&interface), &ping).map(|hollow| hollow.by), by, "{interface}");
            assert_eq!(hollow(&spec(&interface), &[Probe::Agent]), None);
        }
    }

    #[test]
    fn ports_and_networks_count() {
        let listed = spec(&json!({"name": "default", "masquerade": {}, "ports": [{"port": 22}]}));
        assert_eq!(hollow(&listed, &[Probe::Tcp(22)]), None);
        assert_eq!(hollow(&listed, &[Probe::Tcp(80)]), None, "the pod refuses it");
        let ranges =
            spec(&json!({"name": "default", "masquerade": {}, "portRanges": [{"from": 1, "to": 9}]}));
        assert_eq!(
            hollow(&ranges, &[Probe::Tcp(22), Probe::Ping]).map(|hollow| hollow.probe),
            Some(Probe::Ping)
        );
        let passt = spec(&json!({"name": "default", "passt": {}}));
        let found = hollow(&passt, &[Probe::Tcp(22)]).unwrap();
        assert!(found.why().contains("passt, which answers tcp:22"), "{}", found.why());
        let mut second = passt.clone();
        second["networks"] = json!([{"name": "default", "multus": {"networkName": "flat"}}]);
        assert_eq!(hollow(&second, &[Probe::Ping]), None);
        assert_eq!(hollow(&json!({}), &[Probe::Ping]), None);
        let bare = json!({"domain": {"devices": {"interfaces": null}}, "networks": null});
        assert_eq!(hollow(&bare, &[Probe::Ping]), None);
        let unlisted = json!({"domain": {"devices": {"interfaces": [{"name": "default", "slirp": {}}]}}});
        assert!(hollow(&unlisted, &[Probe::Ping]).is_some());
    }

    #[test]
    fn a_guest_on_other_networks_only_is_out_of_reach() {
        let spec = |interfaces: serde_json::Value, networks: serde_json::Value| json!({"domain": {"devices": {"interfaces": interfaces}}, "networks": networks});
        let multus = json!([{"name": "lan", "multus": {"networkName": "n/lan"}}]);
        let lan = spec(json!([{"name": "lan", "bridge": {}}]), multus.clone());
        assert_eq!(out_of_reach(&lan, &[Probe::Agent, Probe::Ping]), Some(Probe::Ping));
        assert_eq!(out_of_reach(&lan, &[Probe::Agent, Probe::CloudInit]), None);
        let mut both =
            spec(json!([{"name": "lan", "bridge": {}}, {"name": "default", "masquerade": {}}]), multus);
        both["networks"].as_array_mut().unwrap().push(json!({"name": "default", "pod": {}}));
        assert_eq!(out_of_reach(&both, &[Probe::Ping]), None);
        let none = json!({"domain": {"devices": {"autoattachPodInterface": false}}});
        assert_eq!(out_of_reach(&none, &[Probe::Ssh(22)]), Some(Probe::Ssh(22)));
        for usual in [
            json!({}),
            spec(json!([]), json!([])),
            spec(json!([{"name": "default", "masquerade": {}}]), json!([])),
        ] {
            assert_eq!(out_of_reach(&usual, &[Probe::Ping]), None, "{usual}");
        }
    }
}
