//! What an answer means behind the way in which a guest is connected.

use serde_json::Value;

use super::Probe;

/// An interface behind which somebody else answers a probe, whether the guest lives or not
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hollow {
    /// Name of the interface.
    pub interface: String,
    /// The probe.
    pub probe: Probe,
    /// Who answers it.
    pub by: Answerer,
}

/// Who answers in place of a guest
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answerer {
    /// The launcher pod: nothing but listed ports is forwarded to the guest.
    Pod,
    /// passt, which accepts connections itself and passes them on later.
    Passt,
    /// The user network of QEMU, which does the same.
    Slirp,
}

impl Hollow {
    /// Why the answer proves nothing, as a sentence without a full stop.
    pub fn why(&self) -> String {
        let Self { interface, probe, by } = self;
        match by {
            Answerer::Pod => {
                format!(
                    "interface {interface} forwards only listed ports, so the pod answers {probe} even if the guest is dead"
                )
            }
            Answerer::Passt => {
                format!(
                    "interface {interface} is bound by passt, which answers {probe} even if the guest is dead"
                )
            }
            Answerer::Slirp => format!(
                "interface {interface} is on QEMU's user network, which answers {probe} even if the guest is dead"
            ),
        }
    }
}

/// The first of these probes that proves nothing about a guest with this spec, that of a `VirtualMachineInstance`.
///
/// That passt and the user network of QEMU complete TCP handshakes and answer pings for guests whose processors never
/// ran was seen with passt 0.0~git20230309 and QEMU 7.2. With a list of ports, `KubeVirt` forwards these and no ICMP.
pub fn hollow(spec: &Value, probes: &[Probe]) -> Option<Hollow> {
    let interfaces = spec.pointer("/domain/devices/interfaces")?.as_array()?;
    let probed = probes.iter().filter(|probe| probe.needs_prober());
    interfaces.iter().filter(|interface| is_on_pod_network(spec, interface)).find_map(|interface| {
        let name = || interface["name"].as_str().unwrap_or("unnamed").to_owned();
        let by = probed.clone().find_map(|probe| answerer(interface, *probe).map(|by| (*probe, by)));
        by.map(|(probe, by)| Hollow { interface: name(), probe, by })
    })
}

fn answerer(interface: &Value, probe: Probe) -> Option<Answerer> {
    let plugin = interface.pointer("/binding/name").and_then(Value::as_str).unwrap_or_default();
    let is = |fields: &[&str], word: &str| {
        plugin.contains(word) || fields.iter().any(|field| interface.get(*field).is_some())
    };
    if is(&["passt", "passtBinding"], "passt") {
        return Some(Answerer::Passt);
    }
    if is(&["slirp"], "slirp") {
        return Some(Answerer::Slirp);
    }
    let lists = |field: &str| interface[field].as_array().is_some_and(|all| !all.is_empty());
    // A port that is not forwarded is refused by the pod, which is no false answer.
    (probe == Probe::Ping && (lists("ports") || lists("portRanges"))).then_some(Answerer::Pod)
}

/// Whether an interface is on the pod network, which is where its address is probed.
fn is_on_pod_network(spec: &Value, interface: &Value) -> bool {
    let networks = spec["networks"].as_array().into_iter().flatten();
    let own = networks.filter(|network| network["name"] == interface["name"]).collect::<Vec<_>>();
    own.is_empty() || own.iter().any(|network| network.get("pod").is_some())
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
        let passt = spec(&json!({"name": "default", "passt": {}}));
        let found = hollow(&passt, &[Probe::Tcp(22)]).unwrap();
        assert!(found.why().contains("passt, which answers tcp:22"), "{}", found.why());
        let mut second = passt.clone();
        second["networks"] = json!([{"name": "default", "multus": {"networkName": "flat"}}]);
        assert_eq!(hollow(&second, &[Probe::Ping]), None);
        assert_eq!(hollow(&json!({}), &[Probe::Ping]), None);
    }
}
