//! Resources of one VM: the containers of its launcher pod as virt-controller would render them.
//!
//! Source: `renderresources.go`, `template.go`, `serialconsolelog.go` and `container-disk.go` of `KubeVirt` after
//! v1.9.0.

use serde_json::Value;

use super::overhead;
use super::quantity::{Amounts, Quantity, add};
use super::settings::{Container, Settings};
use super::topology::vcpus;

/// Prefix of the devices that virt-handler offers.
const DEVICES: &str = "devices.kubevirt.io/";

/// Resources of one VM
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// Containers of its launcher pod that run for its whole life; the first one is the guest's.
    pub containers: Vec<Container>,
    /// vCPUs of the guest.
    pub vcpus: u64,
}

impl Needs {
    /// The needs of a VM manifest.
    ///
    /// `None` if an instance type decides the size.
    pub fn of(manifest: &Value, settings: &Settings) -> Option<Self> {
        if manifest["spec"].get("instancetype").is_some_and(|instancetype| !instancetype.is_null()) {
            return None;
        }
        let spec = &manifest["spec"]["template"]["spec"];
        let guaranteed = overhead::is_guaranteed(&spec["domain"]);
        let mut containers = vec![compute(spec, settings)];
        if has_console_log(&spec["domain"]["devices"], settings) {
            containers.push(helper("guest-console-log", ("5m", "35M"), ("15m", "60M"), guaranteed));
        }
        for volume in spec["volumes"].as_array().into_iter().flatten() {
            if volume.get("containerDisk").is_some() {
                let name = format!("volume{}", volume["name"].as_str().unwrap_or_default());
                containers.push(helper(&name, ("1m", "1M"), ("10m", "40M"), guaranteed));
            }
        }
        Some(Self { containers, vcpus: vcpus(&spec["domain"]) })
    }

    /// Requests of the whole pod, which counts as one of `pods`.
    pub fn requests(&self) -> Amounts {
        let mut sum = Amounts::from([("pods".to_owned(), Quantity::whole(1))]);
        for container in &self.containers {
            add(&mut sum, &container.requests);
        }
        sum
    }

    /// Limits of the whole pod.
    pub fn limits(&self) -> Amounts {
        let mut sum = Amounts::new();
        for container in &self.containers {
            add(&mut sum, &container.limits);
        }
        sum
    }
}

fn helper(name: &str, requests: (&str, &str), limits: (&str, &str), guaranteed: bool) -> Container {
    let amounts = |(cpu, memory): (&str, &str)| {
        let of = |text| Quantity::parse(text).unwrap_or_default();
        Amounts::from([("cpu".to_owned(), of(cpu)), ("memory".to_owned(), of(memory))])
    };
    let requests = amounts(if guaranteed { limits } else { requests });
    Container { name: name.to_owned(), requests, limits: amounts(limits) }
}

fn has_console_log(devices: &Value, settings: &Settings) -> bool {
    devices["autoattachSerialConsole"] != false
        && devices["logSerialConsole"].as_bool().unwrap_or(settings.console_log)
}

/// The container that runs the guest.
fn compute(spec: &Value, settings: &Settings) -> Container {
    let domain = &spec["domain"];
    let mut requests = Quantity::map(&domain["resources"]["requests"]);
    let mut limits = Quantity::map(&domain["resources"]["limits"]);
    memory(domain, settings, overhead::memory(spec, settings), &mut requests, &mut limits);
    cpu(domain, settings, &mut requests, &mut limits);
    // Reserved for files of the launcher.
    let own_files = Quantity::parse("50M").unwrap_or_default();
    *requests.entry("ephemeral-storage".into()).or_default() += own_files;
    if let Some(limit) = limits.get_mut("ephemeral-storage") {
        *limit += own_files;
    }
    for device in devices(&domain["devices"], settings) {
        for list in [&mut requests, &mut limits] {
            *list.entry(device.clone()).or_default() += Quantity::whole(1);
        }
    }
    // The API server uses a limit for a missing request.
    for (resource, limit) in &limits {
        requests.entry(resource.clone()).or_insert(*limit);
    }
    Container { name: "compute".into(), requests, limits }
}

fn memory(
    domain: &Value,
    settings: &Settings,
    overhead: Quantity,
    requests: &mut Amounts,
    limits: &mut Amounts,
) {
    let guest = Quantity::of(&domain["memory"]["guest"]);
    let page = domain["memory"]["hugepages"]["pageSize"].as_str();
    let some = |amount: Option<&Quantity>| amount.copied().filter(|amount| !amount.is_zero());
    let from_guest = || {
        let guest = guest.or_else(|| Quantity::parse(page?)).unwrap_or_default();
        guest.times(100).divided(settings.memory_overcommit)
    };
    let wanted =
        some(requests.get("memory")).or_else(|| some(limits.get("memory"))).unwrap_or_else(from_guest);
    let mut plain = wanted;
    if let Some(page) = page {
        // The guest's memory is in huge pages; anything requested beyond that stays ordinary memory.
        let huge = guest.map_or(wanted, |guest| guest.min(wanted));
        plain = wanted - huge;
        for list in [&mut *requests, &mut *limits] {
            list.insert(format!("hugepages-{page}"), huge);
        }
        if let Some(limit) = limits.get_mut("memory") {
            *limit = if *limit > huge { *limit - huge } else { Quantity::ZERO };
        }
    }
    let overcommitted = page.is_none() && domain["resources"]["overcommitGuestOverhead"] == true;
    requests.insert("memory".into(), if overcommitted { plain } else { plain + overhead });
    if let Some(limit) = limits.get_mut("memory") {
        *limit += overhead;
    }
}

fn cpu(domain: &Value, settings: &Settings, requests: &mut Amounts, limits: &mut Amounts) {
    let threads = domain["ioThreads"]["supplementalPoolThreadCount"].as_u64().unwrap_or(0);
    let count = vcpus(domain).saturating_add(threads);
    if domain["cpu"]["dedicatedCpuPlacement"] == true {
        let emulator = u64::from(domain["cpu"]["isolateEmulatorThread"] == true);
        for list in [&mut *requests, &mut *limits] {
            list.insert("cpu".into(), Quantity::whole(count.saturating_add(emulator)));
        }
        if let Some(memory) = requests.get("memory") {
            limits.insert("memory".into(), *memory);
        }
    } else {
        let share = Quantity::whole(count).divided(settings.cpu_allocation_ratio);
        requests.entry("cpu".into()).or_insert(share);
    }
}

/// The devices of a launcher, one piece each.
fn devices(devices: &Value, settings: &Settings) -> Vec<String> {
    let interfaces = devices["interfaces"].as_array().map_or(&[][..], Vec::as_slice);
    // Without a list, the webhook adds one interface on the pod network.
    let default_interface = interfaces.is_empty() && devices["autoattachPodInterface"] != false;
    let is_virtio = |one: &Value| matches!(one["model"].as_str(), None | Some("" | "virtio"));
    let mut found = Vec::new();
    if !settings.emulation {
        found.push(format!("{DEVICES}kvm"));
    }
    if default_interface || !interfaces.is_empty() {
        found.push(format!("{DEVICES}tun"));
    }
    if (default_interface || interfaces.iter().any(is_virtio)) && !settings.emulation {
        found.push(format!("{DEVICES}vhost-net"));
    }
    if devices["autoattachVSOCK"] == true {
        found.push(format!("{DEVICES}vhost-vsock"));
    }
    for list in ["gpus", "hostDevices"] {
        let given = devices[list].as_array().into_iter().flatten();
        found.extend(given.filter_map(|device| device["deviceName"].as_str().map(str::to_owned)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Template;
    use serde_json::json;

    fn compute_of(domain: &Value) -> Container {
        compute(&json!({"domain": domain}), &Settings::default())
    }

    fn amount(list: &Amounts, resource: &str) -> String {
        list.get(resource).map_or_else(|| "-".into(), ToString::to_string)
    }

    #[test]
    fn the_built_in_vm() {
        let template = Template::container_disk("example.org/disk:1");
        let needs = Needs::of(template.manifest(), &Settings::default()).unwrap();
        let guest = &needs.containers[0];
        assert_eq!(
            (amount(&guest.requests, "cpu"), amount(&guest.requests, "memory")),
            ("100m".into(), "800Mi".into())
        );
        let pod = needs.requests();
        assert_eq!(amount(&pod, "cpu"), "106m");
        assert_eq!(amount(&pod, "pods"), "1");
        for device in ["kvm", "tun", "vhost-net"] {
            assert_eq!(amount(&pod, &format!("devices.kubevirt.io/{device}")), "1");
        }
    }

    #[test]
    fn cpu_requests() {
        let cpu = |domain: Value| amount(&compute_of(&domain).requests, "cpu");
        assert_eq!(cpu(json!({"cpu": {"cores": 4}})), "400m");
        assert_eq!(cpu(json!({"cpu": {"cores": 20}})), "2");
        assert_eq!(cpu(json!({"cpu": {"cores": 4}, "resources": {"requests": {"cpu": "3"}}})), "3");
        assert_eq!(cpu(json!({"resources": {"limits": {"cpu": "2"}}})), "200m");
        let pinned =
            json!({"cpu": {"cores": 4, "dedicatedCpuPlacement": true, "isolateEmulatorThread": true}});
        assert_eq!(cpu(pinned.clone()), "5");
        assert_eq!(amount(&compute_of(&pinned).limits, "cpu"), "5");
        let dense = Settings { cpu_allocation_ratio: 16, ..Settings::default() };
        let spec = json!({"domain": {"cpu": {"cores": 4}}});
        assert_eq!(amount(&compute(&spec, &dense).requests, "cpu"), "250m");
    }

    #[test]
    fn memory_requests() {
        let memory = |domain: Value| amount(&compute_of(&domain).requests, "memory");
        assert_eq!(memory(json!({"memory": {"guest": "1Gi"}})), "1312Mi");
        // An explicit request wins, plus its page tables: 288 + 2 MiB.
        assert_eq!(
            memory(json!({"memory": {"guest": "2Gi"}, "resources": {"requests": {"memory": "1Gi"}}})),
            "1314Mi"
        );
        assert_eq!(memory(json!({"resources": {"limits": {"memory": "1Gi"}}})), "1312Mi");
        let frugal = json!({"memory": {"guest": "1Gi"}, "resources": {"overcommitGuestOverhead": true}});
        assert_eq!(memory(frugal), "1Gi");
        let huge = compute_of(&json!({"memory": {"guest": "4Gi", "hugepages": {"pageSize": "2Mi"}}}));
        assert_eq!(amount(&huge.requests, "hugepages-2Mi"), "4Gi");
        assert_eq!(amount(&huge.requests, "memory"), "288Mi");
        let overcommit = Settings { memory_overcommit: 200, ..Settings::default() };
        let spec = json!({"domain": {"memory": {"guest": "1Gi"}}});
        assert_eq!(amount(&compute(&spec, &overcommit).requests, "memory"), "800Mi");
    }

    #[test]
    fn emulation_needs_neither_kvm_nor_vhost() {
        let emulated = Settings { emulation: true, ..Settings::default() };
        assert_eq!(devices(&json!({}), &emulated), ["devices.kubevirt.io/tun"]);
        let slow =
            json!({"interfaces": [{"name": "a", "model": "e1000"}], "gpus": [{"deviceName": "x.com/gpu"}]});
        let found = devices(&slow, &Settings::default());
        assert_eq!(found, ["devices.kubevirt.io/kvm", "devices.kubevirt.io/tun", "x.com/gpu"]);
        let none = json!({"autoattachPodInterface": false});
        assert_eq!(devices(&none, &Settings::default()), ["devices.kubevirt.io/kvm"]);
    }

    #[test]
    fn an_instance_type_decides_for_itself() {
        let vm = json!({"spec": {"instancetype": {"name": "u1.small"}, "template": {"spec": {}}}});
        assert_eq!(Needs::of(&vm, &Settings::default()), None);
    }

    #[test]
    fn nonsense_does_not_end_the_program() {
        let vm = json!({"spec": {"template": {"spec": {"domain": {"cpu": {"cores": u64::MAX, "threads": u64::MAX},
            "memory": {"guest": "999999999999E"}, "resources": {"requests": "none"}}}}}});
        assert!(Needs::of(&vm, &Settings::default()).is_some());
    }
}
