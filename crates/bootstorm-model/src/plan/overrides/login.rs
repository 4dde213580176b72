//! Keys and user data for the guests. They are secrets, so they are applied once and never stored separately.

use serde_json::{Value, json};

use super::list;
use crate::plan::Template;

/// Maximum number of bytes of user data that `KubeVirt` accepts inside a VM (`cloudInitUserMaxLen`).
const MOST_USER_DATA: usize = 2048;
/// Volume that is added if a manifest has none for cloud-init.
const VOLUME: &str = "cloudinitdisk";
const VOLUMES: &str = "/spec/template/spec/volumes";
/// Kinds of cloud-init volumes.
const KINDS: [&str; 2] = ["cloudInitNoCloud", "cloudInitConfigDrive"];

/// Login for the guests
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Login {
    /// Public keys, one per line.
    pub ssh_keys: Vec<String>,
    /// User data for cloud-init.
    pub user_data: Option<String>,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("ssh_keys", &self.ssh_keys.len()).finish_non_exhaustive()
    }
}

/// The public keys in a text.
///
/// Fails if there are none, or if it holds a private key. The message quotes nothing.
pub fn ssh_keys(text: &str) -> Result<Vec<String>, String> {
    if text.contains("PRIVATE KEY") {
        return Err("it holds a private key; name the public one, which ends in .pub".into());
    }
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let keys: Vec<String> = lines.map(str::to_owned).collect();
    let is_key = |key: &String| {
        let kinds = ["ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-"];
        kinds.iter().any(|kind| key.starts_with(kind)) && key.contains(' ') && !key.contains('\'')
    };
    match keys.iter().position(|key| !is_key(key)) {
        Some(line) => Err(format!("key {} in it is not a public key of OpenSSH", line + 1)),
        None if keys.is_empty() => Err("there is no key in it".into()),
        None => Ok(keys),
    }
}

impl Login {
    /// Whether there is nothing to apply.
    pub fn is_empty(&self) -> bool {
        self.ssh_keys.is_empty() && self.user_data.is_none()
    }

    /// Adds the user data and the keys to a manifest.
    ///
    /// Fails with a sentence that names the flag that cannot be applied, and the reason; it quotes nothing.
    pub fn apply(&self, template: &mut Template) -> Result<(), String> {
        if self.is_empty() {
            return Ok(());
        }
        let flag = if self.user_data.is_some() { "--user-data" } else { "--ssh-key" };
        let source = cloud_init(&mut template.manifest)?;
        if let Some(text) = &self.user_data {
            for other in ["userDataBase64", "secretRef", "userDataSecretRef"] {
                source.remove(other);
            }
            source.insert("userData".into(), json!(text));
        }
        if !self.ssh_keys.is_empty() {
            let hidden = ["userDataBase64", "secretRef", "userDataSecretRef"];
            if let Some(field) = hidden.iter().find(|field| source.contains_key(**field)) {
                return Err(format!(
                    "--ssh-key cannot be applied: the manifest's user data are in {field}; add the key there"
                ));
            }
            let text = source.get("userData").and_then(Value::as_str).unwrap_or("#cloud-config\n");
            let text = with_keys(text, &self.ssh_keys)?;
            source.insert("userData".into(), json!(text));
        }
        let size = source.get("userData").and_then(Value::as_str).map_or(0, str::len);
        if size > MOST_USER_DATA {
            return Err(format!(
                "{flag} cannot be applied: the user data would have {size} bytes, and KubeVirt takes {MOST_USER_DATA}"
            ));
        }
        Ok(())
    }
}

/// The cloud-init source of a manifest, added if missing.
fn cloud_init(vm: &mut Value) -> Result<&mut serde_json::Map<String, Value>, String> {
    let has = |volume: &Value| KINDS.iter().any(|kind| volume.get(*kind).is_some());
    if !list(vm, VOLUMES)?.iter().any(has) {
        // KubeVirt appends a disk for each volume without one, in their order. A disk that is listed here would come
        // before them, and BIOS would boot from it.
        let listed = |vm: &Value, name: &Value| {
            let devices = &vm["spec"]["template"]["spec"]["domain"]["devices"];
            ["disks", "filesystems"].iter().any(|kind| {
                devices[*kind].as_array().into_iter().flatten().any(|device| device["name"] == *name)
            })
        };
        let volumes = list(vm, VOLUMES)?.clone();
        let is_complete = volumes.iter().all(|volume| listed(vm, &volume["name"]));
        list(vm, VOLUMES)?.push(json!({"name": VOLUME, "cloudInitNoCloud": {}}));
        if is_complete {
            list(vm, "/spec/template/spec/domain/devices/disks")?
                .push(json!({"name": VOLUME, "disk": {"bus": "virtio"}}));
        }
    }
    let volume = list(vm, VOLUMES)?.iter_mut().find(|volume| has(volume));
    let source = volume.and_then(Value::as_object_mut).and_then(|volume| {
        let kind = KINDS.into_iter().find(|kind| volume.contains_key(*kind))?;
        let source = volume.get_mut(kind)?;
        if source.is_null() {
            *source = json!({});
        }
        source.as_object_mut()
    });
    source.ok_or_else(|| "the cloud-init volume of the manifest is not a map".into())
}

/// Appends keys to a cloud-config, preserving comments and formatting of the rest.
fn with_keys(text: &str, keys: &[String]) -> Result<String, String> {
    let cannot = |why: &str| Err(format!("--ssh-key cannot be applied: {why}"));
    if !text.trim_start().starts_with("#cloud-config") {
        return cannot("the user data are not a #cloud-config; add the key there");
    }
    let mut lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    if lines.clone().any(|line| line.starts_with("ssh_authorized_keys")) {
        return cannot("the user data list ssh_authorized_keys already; add the key there");
    }
    if lines.next().is_some_and(|line| line.starts_with(['{', '[', '-', ' '])) {
        return cannot("the user data are not a plain map; add the key there");
    }
    let keys: String = keys.iter().map(|key| format!("- '{key}'\n")).collect();
    let end = if text.ends_with('\n') { "" } else { "\n" };
    Ok(format!("{text}{end}ssh_authorized_keys:\n{keys}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3Nza me@host";

    fn login(user_data: Option<&str>) -> Login {
        Login { ssh_keys: vec![KEY.into()], user_data: user_data.map(str::to_owned) }
    }

    fn user_data(template: &Template) -> String {
        let volumes = template.manifest["spec"]["template"]["spec"]["volumes"].as_array().unwrap();
        let init = volumes.iter().find(|volume| volume.get("cloudInitNoCloud").is_some()).unwrap();
        init["cloudInitNoCloud"]["userData"].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_key_comes_into_new_and_into_given_user_data() {
        let mut template = Template::container_disk("x");
        login(None).apply(&mut template).unwrap();
        assert_eq!(user_data(&template), format!("#cloud-config\nssh_authorized_keys:\n- '{KEY}'\n"));
        assert_eq!(
            template.manifest["spec"]["template"]["spec"]["domain"]["devices"]["disks"][1]["name"],
            VOLUME
        );
        let mut template = Template::container_disk("x");
        login(Some("#cloud-config\nuser: me # kept")).apply(&mut template).unwrap();
        assert_eq!(
            user_data(&template),
            format!("#cloud-config\nuser: me # kept\nssh_authorized_keys:\n- '{KEY}'\n")
        );
    }

    #[test]
    fn no_disk_comes_before_those_that_kubevirt_appends() {
        let spec = json!({"spec": {"template": {"spec": {
            "domain": {"devices": {}},
            "volumes": [{"name": "root", "containerDisk": {"image": "x"}}],
        }}}});
        let mut template = Template::container_disk("x");
        template.manifest = spec;
        login(None).apply(&mut template).unwrap();
        let spec = &template.manifest["spec"]["template"]["spec"];
        assert_eq!(spec["domain"]["devices"]["disks"], Value::Null);
        assert_eq!(spec["volumes"][1]["name"], VOLUME);
    }

    #[test]
    fn what_cannot_take_a_key_is_refused_and_not_quoted() {
        for text in [
            "#!/bin/sh\nmarker",
            "#cloud-config\nssh_authorized_keys: [marker]\n",
            "#cloud-config\n{marker: 1}",
        ] {
            let why = login(Some(text)).apply(&mut Template::container_disk("x")).unwrap_err();
            assert!(why.starts_with("--ssh-key cannot") && !why.contains("marker"), "{why}");
        }
        let long = format!("#cloud-config\n# {}\n", "x".repeat(MOST_USER_DATA));
        let why = login(Some(&long)).apply(&mut Template::container_disk("x")).unwrap_err();
        assert!(why.contains("2048"), "{why}");
    }

    #[test]
    fn only_public_keys_are_keys() {
        assert_eq!(ssh_keys(&format!("# mine\n{KEY}\n")).unwrap(), [KEY]);
        let private = "-----BEGIN OPENSSH PRIVATE KEY-----\nmarker\n";
        for text in [private, "", "marker of nothing"] {
            let why = ssh_keys(text).unwrap_err();
            assert!(!why.contains("marker"), "{why}");
        }
    }
}
