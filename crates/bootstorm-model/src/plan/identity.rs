//! Settings that must differ between VMs: MAC addresses, SMBIOS ids, host names, static addresses.
//!
//! `KubeVirt`'s own clone drops MAC addresses, `firmware.uuid` and `firmware.serial`, so that each VM gets its own. The
//! same is done here, unless they hold the placeholder `{i}`, which is filled with the index of each VM.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde_json::{Map, Value, json};

use super::layout::INDEX;
use super::yaml;

/// Kinds of cloud-init volumes.
const CLOUD_INIT: [&str; 2] = ["cloudInitNoCloud", "cloudInitConfigDrive"];
/// Keys of user data that name the guest.
const HOST_NAMES: [&str; 3] = ["hostname", "fqdn", "local-hostname"];
const SPEC: &str = "/spec/template/spec";
/// Annotations of a VM, and of its instance and pod.
const ANNOTATIONS: [&str; 2] = ["/metadata/annotations", "/spec/template/metadata/annotations"];
/// Ends of the keys of annotations that give a VM its addresses: of Harvester, of OVN-Kubernetes by way of `KubeVirt`,
/// of Kube-OVN (also `NETWORK.NAMESPACE.kubernetes.io/…`), and of Calico.
const ADDRESSES: [&str; 8] = [
    "harvesterhci.io/mac-address",
    "network.harvesterhci.io/ips",
    "network.kubevirt.io/addresses",
    ".kubernetes.io/ip_address",
    ".kubernetes.io/mac_address",
    "cni.projectcalico.org/ipAddrs",
    "cni.projectcalico.org/ipAddrsNoIpam",
    "cni.projectcalico.org/hwAddr",
];

/// The index of a VM, and its minimum number of digits
#[derive(Debug, Clone, Copy, Default)]
pub struct Index {
    /// The index.
    pub number: u32,
    /// Digits.
    pub width: u32,
}

impl Index {
    fn decimal(self) -> String {
        format!("{:0width$}", self.number, width = self.width as usize)
    }
}

/// Drops settings that only one VM may have; returns the names of the dropped ones, as in the manifest.
pub(super) fn drop_shared(vm: &mut Value) -> Vec<String> {
    let mut dropped = Vec::new();
    let is_filled = |value: &Value| value.as_str().is_some_and(|text| text.contains(INDEX));
    let interfaces = vm.pointer_mut(&format!("{SPEC}/domain/devices/interfaces"));
    for interface in interfaces.and_then(Value::as_array_mut).into_iter().flatten() {
        let name = interface["name"].as_str().unwrap_or("?").to_owned();
        take(interface, "macAddress", is_filled, || format!("macAddress of interface {name}"), &mut dropped);
    }
    if let Some(firmware) = vm.pointer_mut(&format!("{SPEC}/domain/firmware")) {
        for key in ["uuid", "serial"] {
            take(firmware, key, is_filled, || format!("firmware.{key}"), &mut dropped);
        }
    }
    if let Some(chassis) = vm.pointer_mut(&format!("{SPEC}/domain/chassis")) {
        take(chassis, "serial", is_filled, || "chassis.serial".into(), &mut dropped);
    }
    if let Some(spec) = vm.pointer_mut(SPEC) {
        take(spec, "hostname", is_filled, || "hostname".into(), &mut dropped);
    }
    for place in ANNOTATIONS {
        let Some(annotations) = vm.pointer_mut(place).and_then(Value::as_object_mut) else { continue };
        annotations.retain(|key, value| {
            let is_kept = !ADDRESSES.iter().any(|end| key.ends_with(end)) || is_filled(value);
            if !is_kept {
                dropped.push(format!("annotation {key}"));
            }
            is_kept
        });
    }
    dropped
}

fn take(
    map: &mut Value,
    key: &str,
    keep: impl Fn(&Value) -> bool,
    what: impl Fn() -> String,
    dropped: &mut Vec<String>,
) {
    let Some(map) = map.as_object_mut() else { return };
    let is_set = map.get(key).is_some_and(|value| !value.is_null() && value != "" && !keep(value));
    if is_set {
        map.remove(key);
        dropped.push(what());
    }
}

/// Settings that all VMs will share and that cannot be dropped, since they are in the guest's own settings.
///
/// Quotes no values: settings may hold passwords.
pub fn shared(vm: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for volume in list(vm, &format!("{SPEC}/volumes")) {
        let name = volume["name"].as_str().unwrap_or("?");
        let Some(source) = CLOUD_INIT.iter().find_map(|kind| volume.get(*kind)) else { continue };
        if text_of(source, "networkData").is_some_and(|text| has_static_address(&text)) {
            found.push(format!("the static address in the network data of volume {name}"));
        }
        let named = text_of(source, "userData").map(|text| host_name_keys(&text)).unwrap_or_default();
        found.extend(named.iter().map(|key| format!("`{key}` in the user data of volume {name}")));
    }
    found
}

/// Volumes whose network data look for an interface by a MAC address that no interface of the manifest has: guests
/// find no network.
pub fn unmatched(vm: &Value) -> Vec<String> {
    let interfaces = list(vm, &format!("{SPEC}/domain/devices/interfaces"));
    let of_interfaces: Vec<String> =
        interfaces.filter_map(|interface| interface["macAddress"].as_str()).map(normal_mac).collect();
    let is_unmatched = |text: &str| {
        let Ok(read) = yaml::read(text) else { return false };
        let mut wanted = Vec::new();
        read.documents.iter().for_each(|document| wanted_macs(document, &mut wanted));
        wanted.iter().any(|mac| !of_interfaces.contains(mac))
    };
    let volumes = list(vm, &format!("{SPEC}/volumes"));
    let unmatched = volumes.filter(|volume| {
        let source = CLOUD_INIT.iter().find_map(|kind| volume.get(*kind));
        source.and_then(|source| text_of(source, "networkData")).is_some_and(|text| is_unmatched(&text))
    });
    unmatched.map(|volume| volume["name"].as_str().unwrap_or("?").to_owned()).collect()
}

fn normal_mac(text: &str) -> String {
    text.trim().to_lowercase().replace('-', ":")
}

/// MAC addresses by which network data select interfaces: `match.macaddress` of version 2, `mac_address` of version 1,
/// and `ethernet_mac_address` of `OpenStack`'s format.
fn wanted_macs(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| wanted_macs(item, found)),
        Value::Object(map) => {
            let selecting = [
                map.get("match").and_then(|condition| condition.get("macaddress")),
                map.get("mac_address").filter(|_| map.get("type").is_some_and(|kind| kind == "physical")),
                map.get("ethernet_mac_address"),
            ];
            found.extend(selecting.into_iter().flatten().filter_map(Value::as_str).map(normal_mac));
            map.values().for_each(|value| wanted_macs(value, found));
        }
        _ => {}
    }
}

/// Settings in the cloud-init texts of Secrets beside the VM that all VMs share, and placeholders that nothing fills
/// there; names of the Secrets only, no values.
pub(super) fn shared_beside(companions: &[Value]) -> Vec<String> {
    let mut found = Vec::new();
    for secret in companions.iter().filter(|object| object["kind"] == "Secret") {
        let name = secret["metadata"]["name"].as_str().unwrap_or("?");
        let text = |keys: [&str; 2]| {
            keys.into_iter().find_map(|key| {
                let plain = secret["stringData"][key].as_str().map(str::to_owned);
                plain.or_else(|| {
                    let bytes = BASE64.decode(secret["data"][key].as_str()?.trim()).ok()?;
                    String::from_utf8(bytes).ok()
                })
            })
        };
        let (network, user) = (text(["networkData", "networkdata"]), text(["userData", "userdata"]));
        if network.iter().chain(&user).any(|text| text.contains(INDEX)) {
            found.push(format!(
                "{INDEX} in Secret {name} is not filled: all VMs use the same Secret; write the text into the VM itself"
            ));
        }
        if network.is_some_and(|text| has_static_address(&text)) {
            found.push(format!("all VMs will share the static address in Secret {name}"));
        }
        let named = user.map(|text| host_name_keys(&text)).unwrap_or_default();
        found.extend(named.iter().map(|key| format!("all VMs will share `{key}` in Secret {name}")));
    }
    found
}

/// Text of a cloud-init volume, plain or base64.
fn text_of(source: &Value, key: &str) -> Option<String> {
    if let Some(text) = source[key].as_str().filter(|text| !text.is_empty()) {
        return Some(text.to_owned());
    }
    let bytes = BASE64.decode(source[format!("{key}Base64")].as_str()?).ok()?;
    String::from_utf8(bytes).ok()
}

/// Whether network data, in either version of cloud-init's format or in `OpenStack`'s, sets an address without a placeholder.
fn has_static_address(text: &str) -> bool {
    fn look(value: &Value) -> bool {
        let is_fixed = |value: &Value| value.as_str().is_some_and(|text| !text.contains(INDEX));
        match value {
            Value::Array(items) => items.iter().any(look),
            Value::Object(map) => {
                let many = map.get("addresses").and_then(Value::as_array);
                // Entries of version 2 may be maps whose only key is the address.
                let of_entry = |entry: &Value| {
                    is_fixed(entry)
                        || entry.as_object().is_some_and(|map| map.keys().any(|key| !key.contains(INDEX)))
                };
                let is_resolver = map.contains_key("search");
                let version_1 = matches!(map.get("type").and_then(Value::as_str), Some("static" | "static6"))
                    && map.get("address").is_some_and(is_fixed);
                let openstack = matches!(map.get("type").and_then(Value::as_str), Some("ipv4" | "ipv6"))
                    && map.get("ip_address").is_some_and(is_fixed);
                let version_2 = !is_resolver && many.is_some_and(|all| all.iter().any(of_entry));
                version_1
                    || openstack
                    || version_2
                    || map.iter().any(|(key, value)| key != "nameservers" && key != "routes" && look(value))
            }
            _ => false,
        }
    }
    let Ok(read) = yaml::read(text) else { return false };
    read.documents.iter().any(look)
}

/// Top-level keys of user data that name the guest without a placeholder.
fn host_name_keys(text: &str) -> Vec<&'static str> {
    let names = |line: &str, key: &str| {
        line.strip_prefix(key)
            .and_then(|rest| rest.strip_prefix(':'))
            .is_some_and(|value| !value.contains(INDEX))
    };
    HOST_NAMES.into_iter().filter(|key| text.lines().any(|line| names(line, key))).collect()
}

/// Fills `{i}` wherever it stands for the index of a VM.
///
/// Fails with a sentence if the index does not fit.
pub(super) fn fill(vm: &mut Value, index: Index) -> Result<(), String> {
    for interface in list_mut(vm, &format!("{SPEC}/domain/devices/interfaces")) {
        each(interface, &["macAddress"], &mut |text| mac(text, index))?;
    }
    let mut decimal = |text: &str| Ok(text.replace(INDEX, &index.decimal()));
    // A disk that is created with the VM, and the volume that uses it, have one name.
    for template in list_mut(vm, "/spec/dataVolumeTemplates") {
        if let Some(metadata) = template.get_mut("metadata") {
            each(metadata, &["name"], &mut decimal)?;
        }
    }
    if let Some(metadata) = vm.get_mut("metadata").and_then(Value::as_object_mut) {
        rename_harvester_claims(metadata, |old| {
            old.contains(INDEX).then(|| old.replace(INDEX, &index.decimal()))
        });
    }
    for place in ANNOTATIONS {
        let Some(annotations) = vm.pointer_mut(place).and_then(Value::as_object_mut) else { continue };
        for (key, value) in
            annotations.iter_mut().filter(|(key, _)| ADDRESSES.iter().any(|end| key.ends_with(end)))
        {
            if let Value::String(text) = value {
                *text = addresses(text, index).map_err(|why| format!("annotation {key}: {why}"))?;
            }
        }
    }
    let Some(spec) = vm.pointer_mut(SPEC) else { return Ok(()) };
    each(spec, &["hostname", "subdomain"], &mut decimal)?;
    if let Some(firmware) = spec.pointer_mut("/domain/firmware") {
        each(firmware, &["uuid"], &mut |text| uuid(text, index))?;
        each(firmware, &["serial"], &mut decimal)?;
    }
    if let Some(chassis) = spec.pointer_mut("/domain/chassis") {
        each(chassis, &["serial", "asset"], &mut decimal)?;
    }
    for volume in list_mut(spec, "/volumes") {
        for (pointer, key) in [
            ("/persistentVolumeClaim", "claimName"),
            ("/ephemeral/persistentVolumeClaim", "claimName"),
            ("/dataVolume", "name"),
            ("/hostDisk", "path"),
            ("/secret", "secretName"),
            ("/configMap", "name"),
            ("/sysprep/secret", "name"),
            ("/sysprep/configMap", "name"),
        ] {
            if let Some(place) = volume.pointer_mut(pointer) {
                each(place, &[key], &mut decimal)?;
            }
        }
        for kind in CLOUD_INIT {
            let Some(source) = volume.get_mut(kind) else { continue };
            for key in ["secretRef", "networkDataSecretRef"] {
                if let Some(place) = source.get_mut(key) {
                    each(place, &["name"], &mut decimal)?;
                }
            }
            let network =
                |text: &str| addresses(text, index).map_err(|why| format!("the network data: {why}"));
            fill_text(source, "networkData", &network)?;
            fill_text(source, "userData", &|text| Ok(host_names(text, index)))?;
        }
    }
    Ok(())
}

/// Fails with a sentence if `{i}` cannot be filled for a VM with this index.
pub fn check(vm: &Value, index: Index) -> Result<(), String> {
    fill(&mut vm.clone(), index)
}

fn each(
    map: &mut Value,
    keys: &[&str],
    change: &mut impl FnMut(&str) -> Result<String, String>,
) -> Result<(), String> {
    let Some(map) = map.as_object_mut() else { return Ok(()) };
    for key in keys {
        if let Some(Value::String(text)) = map.get_mut(*key)
            && text.contains(INDEX)
        {
            *text = change(text)?;
        }
    }
    Ok(())
}

/// Changes a text of a cloud-init volume that holds the placeholder, plain or base64.
fn fill_text(
    source: &mut Value,
    key: &str,
    change: &impl Fn(&str) -> Result<String, String>,
) -> Result<(), String> {
    let Some(map) = source.as_object_mut() else { return Ok(()) };
    let encoded = format!("{key}Base64");
    if let Some(Value::String(text)) = map.get_mut(key)
        && text.contains(INDEX)
    {
        *text = change(text)?;
    } else if let Some(Value::String(text)) = map.get_mut(&encoded)
        && let Some(plain) = BASE64.decode(&*text).ok().and_then(|bytes| String::from_utf8(bytes).ok())
        && plain.contains(INDEX)
    {
        *text = BASE64.encode(change(&plain)?);
    }
    Ok(())
}

/// Fills the missing octets of a MAC address with the index: `02:00:00:aa:bb:{i}`, `02:00:00:{i}`.
fn mac(text: &str, index: Index) -> Result<String, String> {
    let cannot = |why: &str| Err(format!("macAddress {text}: {why}"));
    let separator = if text.contains('-') { '-' } else { ':' };
    let parts: Vec<&str> = text.split(separator).collect();
    let is_octet = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_pattern = parts.last() == Some(&INDEX)
        && (2..=6).contains(&parts.len())
        && parts[..parts.len() - 1].iter().all(|part| is_octet(part));
    if !is_pattern {
        return cannot("`{i}` stands for the last octets, as in 02:00:00:aa:bb:{i} or 02:00:00:{i}");
    }
    let free = 6 - (parts.len() - 1);
    let number = u64::from(index.number);
    if number >= 1 << (8 * free) {
        return cannot(&format!(
            "index {number} does not fit into {free} octets; leave out more of them before {{i}}"
        ));
    }
    let octets =
        number.to_be_bytes()[8 - free..].iter().map(|octet| format!("{octet:02x}")).collect::<Vec<_>>();
    let separator = separator.to_string();
    Ok([&parts[..parts.len() - 1], &octets.iter().map(String::as_str).collect::<Vec<_>>()]
        .concat()
        .join(&separator))
}

/// Fills the missing digits of a UUID with the index, in hexadecimal.
fn uuid(text: &str, index: Index) -> Result<String, String> {
    const LENGTH: usize = 36;
    let known = text.replace(INDEX, "");
    let digits =
        LENGTH.checked_sub(known.len()).filter(|digits| (1..=12).contains(digits) && text.ends_with(INDEX));
    let fits =
        |digits: &usize| u64::from(index.number) < 1_u64.checked_shl(4 * *digits as u32).unwrap_or(u64::MAX);
    let Some(digits) = digits.filter(fits) else {
        return Err(format!(
            "firmware.uuid {text}: `{{i}}` stands for up to 12 last digits that are missing"
        ));
    };
    Ok(format!("{known}{:0digits$x}", index.number))
}

/// Fills the missing octets of IPv4 and MAC addresses in a text with the index: `10.9.9.{i}`, `10.9.{i}`,
/// `02:00:00:{i}`.
fn addresses(text: &str, index: Index) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    let number = u64::from(index.number);
    let cannot = |free: usize| {
        Err(format!(
            "index {number} does not fit into {free} octets of an address; leave out more of them before {{i}}"
        ))
    };
    while let Some(at) = rest.find(INDEX) {
        filled.push_str(&rest[..at]);
        match (octets_before(&filled), mac_before(&filled)) {
            (0, None) => filled.push_str(&index.decimal()),
            (0, Some((octets, separator))) => {
                let free = 6 - octets;
                if number >= 1 << (8 * free) {
                    return cannot(free);
                }
                let bytes = &number.to_be_bytes()[8 - free..];
                let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                filled.push_str(&bytes.join(separator));
            }
            (octets, _) => {
                let free = 4 - octets;
                if number >= (1 << (8 * free)) - 1 {
                    return cannot(free);
                }
                let bytes = &number.to_be_bytes()[8 - free..];
                filled.push_str(&bytes.iter().map(ToString::to_string).collect::<Vec<_>>().join("."));
            }
        }
        rest = &rest[at + INDEX.len()..];
    }
    filled.push_str(rest);
    Ok(filled)
}

/// Octets of a MAC address at the end of a text, each with its separator: two to five, of two digits as no IPv6 address
/// begins.
fn mac_before(text: &str) -> Option<(usize, &'static str)> {
    let from = text.rfind(|c: char| !c.is_ascii_hexdigit() && c != ':' && c != '-').map_or(0, |at| at + 1);
    let separator = if text.ends_with('-') { "-" } else { ":" };
    let octets: Vec<&str> = text[from..].strip_suffix(separator)?.split(separator).collect();
    let is_octet = |octet: &&str| octet.len() == 2 && octet.bytes().all(|byte| byte.is_ascii_hexdigit());
    ((2..=5).contains(&octets.len()) && octets.iter().all(is_octet)).then_some((octets.len(), separator))
}

/// The octets of an IPv4 address at the end of a text, each with its dot: at most three.
fn octets_before(text: &str) -> usize {
    let from = text.rfind(|c: char| !c.is_ascii_digit() && c != '.').map_or(0, |at| at + 1);
    let address = &text[from..];
    let octets: Vec<&str> = address.split('.').collect();
    let is_octet = |octet: &&str| octet.parse::<u8>().is_ok();
    let count = octets.len() - 1;
    if address.ends_with('.') && count <= 3 && octets[..count].iter().all(is_octet) { count } else { 0 }
}

/// Replaces the placeholder only in the lines of user data that name the guest: scripts have braces of their own.
fn host_names(text: &str, index: Index) -> String {
    let is_name = |line: &str| HOST_NAMES.iter().any(|key| line.starts_with(&format!("{key}:")));
    let one =
        |line: &str| if is_name(line) { line.replace(INDEX, &index.decimal()) } else { line.to_owned() };
    text.split_inclusive('\n').map(one).collect()
}

fn list<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

fn list_mut<'a>(value: &'a mut Value, pointer: &str) -> impl Iterator<Item = &'a mut Value> + use<'a> {
    value.pointer_mut(pointer).and_then(Value::as_array_mut).into_iter().flatten()
}

/// Renames the claims that Harvester creates for a VM from its annotation, using `rename`; returns the changes.
pub(super) fn rename_harvester_claims(
    metadata: &mut Map<String, Value>,
    mut rename: impl FnMut(&str) -> Option<String>,
) -> Vec<(String, String)> {
    let mut renamed = Vec::new();
    let annotations = metadata.get_mut("annotations").and_then(Value::as_object_mut);
    let Some(Value::String(text)) = annotations.and_then(|map| map.get_mut(HARVESTER_CLAIMS)) else {
        return renamed;
    };
    let Ok(mut claims) = serde_json::from_str::<Value>(text) else { return renamed };
    for claim in claims.as_array_mut().into_iter().flatten() {
        let Some(old) = claim["metadata"]["name"].as_str().map(str::to_owned) else { continue };
        if let Some(new) = rename(&old) {
            claim["metadata"]["name"] = json!(new);
            renamed.push((old, new));
        }
    }
    *text = claims.to_string();
    renamed
}

/// Annotation from which Harvester creates the claims of a VM.
pub const HARVESTER_CLAIMS: &str = "harvesterhci.io/volumeClaimTemplates";

/// Names of the claims that Harvester creates for a VM.
pub fn harvester_claims(vm: &Value) -> Vec<String> {
    let text = vm["metadata"]["annotations"][HARVESTER_CLAIMS].as_str().unwrap_or_default();
    let claims = serde_json::from_str::<Value>(text).unwrap_or_default();
    let names =
        claims.as_array().into_iter().flatten().filter_map(|claim| claim["metadata"]["name"].as_str());
    names.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(number: u32) -> Index {
        Index { number, width: 1 }
    }

    fn vm() -> Value {
        json!({"spec": {"template": {"spec": {
            "hostname": "web",
            "domain": {
                "devices": {"interfaces": [{"name": "default", "masquerade": {}}, {"name": "lan", "macAddress": "02:00:00:aa:bb:02"}]},
                "firmware": {"uuid": "63ef9194-4737-428a-81fd-98f1fae35896", "serial": "s", "bootloader": {"efi": {}}},
                "chassis": {"serial": "c", "sku": "kept"},
            },
            "volumes": [{"name": "x", "cloudInitNoCloud": {
                "userData": "#cloud-config\nhostname: web\n",
                "networkDataBase64": BASE64.encode("version: 2\nethernets: {eth0: {addresses: [10.9.9.9/24]}}\n"),
            }}],
        }}}})
    }

    #[test]
    fn what_one_vm_may_have_is_dropped_and_named() {
        let mut vm = vm();
        let dropped = drop_shared(&mut vm);
        assert_eq!(
            dropped,
            ["macAddress of interface lan", "firmware.uuid", "firmware.serial", "chassis.serial", "hostname"]
        );
        let spec = &vm["spec"]["template"]["spec"];
        assert_eq!(spec["domain"]["firmware"], json!({"bootloader": {"efi": {}}}));
        assert_eq!(spec["domain"]["chassis"], json!({"sku": "kept"}));
        assert_eq!(spec["domain"]["devices"]["interfaces"][1], json!({"name": "lan"}));
        assert!(drop_shared(&mut vm).is_empty());
        assert_eq!(
            shared(&vm),
            ["the static address in the network data of volume x", "`hostname` in the user data of volume x"]
        );
    }

    #[test]
    fn placeholders_are_kept_and_filled() {
        let mut vm = vm();
        let spec = &mut vm["spec"]["template"]["spec"];
        spec["hostname"] = json!("web-{i}");
        spec["domain"]["devices"]["interfaces"][1]["macAddress"] = json!("02:00:00:aa:{i}");
        spec["domain"]["firmware"] = json!({"uuid": "63ef9194-4737-428a-81fd-{i}", "serial": "no-{i}"});
        spec["volumes"] = json!([
            {"name": "x", "cloudInitNoCloud": {
                "userData": "#cloud-config\nhostname: web-{i}\nruncmd: ['echo ${i} {i}']\n",
                "networkData": "version: 2\nethernets: {eth0: {addresses: [\"10.9.{i}/16\"], gateway4: 10.9.0.1}}\n",
                "secretRef": {"name": "init-{i}"}}},
            {"name": "d", "persistentVolumeClaim": {"claimName": "disk-{i}"}},
        ]);
        assert_eq!(drop_shared(&mut vm), ["chassis.serial"]);
        assert!(shared(&vm).is_empty());
        fill(&mut vm, Index { number: 300, width: 4 }).unwrap();
        let spec = &vm["spec"]["template"]["spec"];
        assert_eq!(spec["hostname"], "web-0300");
        assert_eq!(spec["domain"]["devices"]["interfaces"][1]["macAddress"], "02:00:00:aa:01:2c");
        assert_eq!(
            spec["domain"]["firmware"],
            json!({"uuid": "63ef9194-4737-428a-81fd-00000000012c", "serial": "no-0300"})
        );
        let init = &spec["volumes"][0]["cloudInitNoCloud"];
        assert_eq!(init["userData"], "#cloud-config\nhostname: web-0300\nruncmd: ['echo ${i} {i}']\n");
        assert!(init["networkData"].as_str().unwrap().contains("\"10.9.1.44/16\""), "{init}");
        assert_eq!(init["secretRef"]["name"], "init-0300");
        assert_eq!(spec["volumes"][1]["persistentVolumeClaim"]["claimName"], "disk-0300");
    }

    #[test]
    fn addresses_in_annotations_belong_to_one_vm() {
        let annotations = json!({
            "harvesterhci.io/mac-address": "{\"default\":\"52:54:00:12:34:56\"}",
            "lan.shop.kubernetes.io/ip_address": "10.0.0.{i}",
            "note": "kept",
        });
        let mut vm = json!({
            "metadata": {"annotations": annotations},
            "spec": {"template": {"metadata": {"annotations": {
                "network.kubevirt.io/addresses": "{\"default\":[\"10.1.2.3\"]}",
                "lan.shop.kubernetes.io/mac_address": "52:54:00:{i}",
            }}}},
        });
        assert_eq!(
            drop_shared(&mut vm),
            ["annotation harvesterhci.io/mac-address", "annotation network.kubevirt.io/addresses"]
        );
        fill(&mut vm, at(258)).unwrap_err();
        fill(&mut vm, at(20)).unwrap();
        assert_eq!(
            vm["metadata"]["annotations"],
            json!({"lan.shop.kubernetes.io/ip_address": "10.0.0.20", "note": "kept"})
        );
        assert_eq!(
            vm["spec"]["template"]["metadata"]["annotations"],
            json!({"lan.shop.kubernetes.io/mac_address": "52:54:00:00:00:14"})
        );
    }

    #[test]
    fn network_data_that_look_for_an_interface_have_to_find_one() {
        let with = |mac: Value, network: &str| {
            let mut vm = vm();
            let spec = &mut vm["spec"]["template"]["spec"];
            spec["domain"]["devices"]["interfaces"][1]["macAddress"] = mac;
            spec["volumes"][0] = json!({"name": "x", "cloudInitNoCloud": {"networkData": network}});
            drop_shared(&mut vm);
            vm
        };
        let two = "version: 2\nethernets: {lan: {match: {macaddress: '02:00:00:AA:BB:{i}'}, set-name: lan}}";
        let found = with(json!("02:00:00:aa:bb:{i}"), two);
        assert!(unmatched(&found).is_empty());
        let mut filled = found;
        fill(&mut filled, at(17)).unwrap();
        assert!(filled.to_string().contains("02:00:00:AA:BB:11"), "{filled}");
        assert!(unmatched(&filled).is_empty());
        let one = "version: 1\nconfig: [{type: physical, name: lan, mac_address: '02:00:00:aa:bb:02'}]";
        assert_eq!(unmatched(&with(json!("02:00:00:aa:bb:02"), one)), ["x"]);
        let set = "version: 2\nethernets: {lan: {match: {name: 'enp*'}, macaddress: '02:00:00:aa:bb:02'}}";
        assert!(unmatched(&with(Value::Null, set)).is_empty());
    }

    #[test]
    fn what_secrets_beside_the_vm_share_is_told_without_values() {
        let secret = |name: &str, key: &str, text: &str| json!({"kind": "Secret", "metadata": {"name": name}, "data": {key: BASE64.encode(text)}});
        let found = shared_beside(&[
            secret("nd", "networkdata", "version: 2\nethernets: {eth0: {addresses: [10.1.1.5/24]}}"),
            secret("ud", "userdata", "#cloud-config\nhostname: web\n"),
            secret("own", "userdata", "#cloud-config\nhostname: web-{i}\n"),
            secret("other", "password", "hostname: web"),
        ]);
        assert_eq!(
            found[..2],
            [
                "all VMs will share the static address in Secret nd",
                "all VMs will share `hostname` in Secret ud"
            ]
        );
        assert!(found.len() == 3 && found[2].starts_with("{i} in Secret own is not filled"), "{found:?}");
    }

    #[test]
    fn an_index_that_does_not_fit_is_refused() {
        assert_eq!(mac("02:00:00:aa:bb:{i}", at(255)).unwrap(), "02:00:00:aa:bb:ff");
        assert!(mac("02:00:00:aa:bb:{i}", at(256)).unwrap_err().contains("does not fit into 1 octets"));
        for wrong in ["{i}", "02:00:00:00:00:00:{i}", "02:0:{i}", "02:{i}:00", "02:00:00:aa:bb:0{i}"] {
            assert!(mac(wrong, at(1)).is_err(), "{wrong}");
        }
        assert!(
            uuid("{i}", at(1)).is_err() && uuid("63ef9194-4737-428a-81fd-98f1fae3589{i}", at(16)).is_err()
        );
        assert_eq!(addresses("a: 10.0.0.{i}", at(254)).unwrap(), "a: 10.0.0.254");
        assert!(addresses("a: 10.0.0.{i}", at(255)).is_err());
        assert_eq!(addresses("a: fd00::{i}", at(12)).unwrap(), "a: fd00::12");
        assert_eq!(addresses("a: fd00:10:20:{i}", at(12)).unwrap(), "a: fd00:10:20:12");
        assert_eq!(addresses("a: 02-00-00-{i}", at(258)).unwrap(), "a: 02-00-00-00-01-02");
    }

    #[test]
    fn static_addresses_of_both_versions_are_seen_and_resolvers_are_none() {
        for (text, is_static) in [
            ("version: 2\nethernets: {eth0: {addresses: [10.9.9.9/24]}}", true),
            ("version: 2\nethernets: {eth0: {addresses: [{10.9.9.9/24: {label: a}}]}}", true),
            ("network: {version: 2, ethernets: {eth0: {addresses: [10.9.9.9/24]}}}", true),
            (
                "version: 1\nconfig: [{type: physical, name: eth0, subnets: [{type: static, address: 10.1.1.1/24}]}]",
                true,
            ),
            ("version: 2\nethernets: {eth0: {dhcp4: true, nameservers: {addresses: [10.0.0.2]}}}", false),
            (
                "version: 1\nconfig: [{type: physical, name: eth0, subnets: [{type: dhcp}]}, {type: nameserver, address: 1.1.1.1}]",
                false,
            ),
            ("version: 2\nethernets: {eth0: {addresses: [\"10.9.9.{i}/24\"]}}", false),
            ("{\"networks\": [{\"id\": \"n\", \"type\": \"ipv4\", \"ip_address\": \"10.1.1.5\"}]}", true),
            ("no: [yaml", false),
        ] {
            assert_eq!(has_static_address(text), is_static, "{text}");
        }
    }

    #[test]
    fn the_claims_of_harvester_are_renamed_in_its_annotation() {
        let mut vm = json!({"metadata": {"annotations": {HARVESTER_CLAIMS: "[{\"metadata\":{\"name\":\"web-disk-0\"}}]"}}});
        assert_eq!(harvester_claims(&vm), ["web-disk-0"]);
        let metadata = vm["metadata"].as_object_mut().unwrap();
        let renamed = rename_harvester_claims(metadata, |old| Some(old.replace("web", "vm-3")));
        assert_eq!(renamed, [("web-disk-0".to_owned(), "vm-3-disk-0".to_owned())]);
        assert_eq!(harvester_claims(&vm), ["vm-3-disk-0"]);
    }
}
