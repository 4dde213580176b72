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

/// Text of a cloud-init volume, plain or base64.
fn text_of(source: &Value, key: &str) -> Option<String> {
    if let Some(text) = source[key].as_str().filter(|text| !text.is_empty()) {
        return Some(text.to_owned());
    }
    let bytes = BASE64.decode(source[format!("{key}Base64")].as_str()?).ok()?;
    String::from_utf8(bytes).ok()
}

/// Whether network data in either version of its format sets an address without a placeholder.
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
                let version_2 = !is_resolver && many.is_some_and(|all| all.iter().any(of_entry));
                version_1
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
            fill_text(source, "networkData", &|text| addresses(text, index))?;
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

/// Fills the missing octets of IPv4 addresses in network data with the index: `10.9.9.{i}`, `10.9.{i}`.
fn addresses(text: &str, index: Index) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(INDEX) {
        filled.push_str(&rest[..at]);
        let number = u64::from(index.number);
        let octets = octets_before(&filled);
        if octets == 0 {
            filled.push_str(&index.decimal());
        } else {
            let free = 4 - octets;
            if number >= (1 << (8 * free)) - 1 {
                return Err(format!(
                    "the network data: index {number} does not fit into {free} octets of an address; leave out more of them before {{i}}"
                ));
            }
            let bytes = &number.to_be_bytes()[8 - free..];
            filled.push_str(&bytes.iter().map(ToString::to_string).collect::<Vec<_>>().join("."));
        }
        rest = &rest[at + INDEX.len()..];
    }
    filled.push_str(rest);
    Ok(filled)
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
