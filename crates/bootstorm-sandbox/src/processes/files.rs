//! Files of a pod made of processes: its volumes, and its access to the API server.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::value::{Value, json};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use bootstorm_model::platform::{only_for_owner, processes::private_folder};

use super::environment::{Environment, Unresolved, entries, field};
use super::guard::Guard;
use super::{Entrance, Processes};
use crate::store::Store;
use crate::store::kind::{CONFIG_MAPS, SECRETS};

/// Path in containers of the pod's service account.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The folder of a pod, removed with it
#[derive(Debug)]
pub struct PodFolder {
    path: PathBuf,
    /// Tokens stored in it.
    tokens: Vec<String>,
    entrance: Arc<dyn Entrance>,
    /// Keeps the parent folder.
    _guard: Arc<Guard>,
}

impl PodFolder {
    /// Creates the folder of a pod with its volumes, its account and a kubeconfig.
    ///
    /// Fails with what is missing; the kubelet retries.
    pub fn make(processes: &Processes, store: &Store, pod: &Value) -> Result<Self, Unresolved> {
        let Some(entrance) = processes.entrance() else {
            return Err(Unresolved("the API server cannot be reached by processes".to_owned()));
        };
        let failed =
            |error: io::Error| Unresolved(format!("the folder of the pod cannot be created: {error}"));
        let guard = processes.guard().map_err(failed)?;
        let uid = pod["metadata"]["uid"].as_str().unwrap_or_default();
        let unique = uuid::Uuid::new_v4().simple().to_string();
        let path = guard.folder().join(format!("{uid}.{}", &unique[..8]));
        private_folder(&path).map_err(failed)?;
        let mut folder = Self { path, tokens: Vec::new(), entrance: entrance.clone(), _guard: guard };
        for name in ["home", "volumes"] {
            private_folder(&folder.path.join(name)).map_err(failed)?;
        }
        let spec = &pod["spec"];
        for volume in spec["volumes"].as_array().into_iter().flatten() {
            folder.add_volume(store, pod, volume)?;
        }
        if spec["automountServiceAccountToken"] != false {
            folder.add_account(pod).map_err(failed)?;
        }
        Ok(folder)
    }

    /// Home of its processes, with their working directory and temporary files.
    pub(super) fn home(&self) -> PathBuf {
        self.path.join("home")
    }

    /// Adds variables for access to the API server.
    pub(super) fn introduce(&self, environment: &mut Environment) {
        let url = self.entrance.url();
        let address = url.trim_start_matches("https://");
        if let Some((host, port)) = address.rsplit_once(':') {
            environment.set("KUBERNETES_SERVICE_HOST", host);
            environment.set("KUBERNETES_SERVICE_PORT", port);
            environment.set("KUBERNETES_SERVICE_PORT_HTTPS", port);
            environment.set("KUBERNETES_PORT", format!("tcp://{address}"));
        }
        let kubeconfig = self.path.join("kubeconfig");
        if kubeconfig.is_file() {
            environment.set("KUBECONFIG", kubeconfig.to_string_lossy());
        }
    }

    /// Translates paths below the mounts of a container into host paths.
    pub(super) fn translate(&self, container: &Value, text: &str) -> String {
        let mounts = container["volumeMounts"].as_array().into_iter().flatten();
        let mut places: Vec<(String, PathBuf)> = mounts
            .filter_map(|mount| {
                let volume = self.volume(mount["name"].as_str()?);
                let below = mount["subPath"].as_str().unwrap_or_default();
                let place = if below.is_empty() { volume } else { volume.join(below) };
                Some((mount["mountPath"].as_str()?.trim_end_matches('/').to_owned(), place))
            })
            .collect();
        places.push((ACCOUNT.to_owned(), self.path.join("account")));
        // A mount within a mount hides what is below it.
        places.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
        let mut done = String::new();
        let mut rest = text;
        'next: while !rest.is_empty() {
            let begins = done.chars().next_back().is_none_or(|last| "=,:;'\" \t\n".contains(last));
            for (path, place) in places.iter().filter(|(path, _)| begins && !path.is_empty()) {
                if let Some(after) = rest.strip_prefix(path.as_str())
                    && after.chars().next().is_none_or(|next| "/=,:;'\" \t\n".contains(next))
                {
                    done.push_str(&place.to_string_lossy());
                    rest = after;
                    continue 'next;
                }
            }
            let length = rest.chars().next().map_or(0, char::len_utf8);
            done.push_str(&rest[..length]);
            rest = &rest[length..];
        }
        done
    }

    fn volume(&self, name: &str) -> PathBuf {
        self.path.join("volumes").join(name)
    }

    fn add_volume(&mut self, store: &Store, pod: &Value, volume: &Value) -> Result<(), Unresolved> {
        let Some(name) = volume["name"].as_str().filter(|name| is_plain(name)) else { return Ok(()) };
        let place = self.volume(name);
        let failed = |error: io::Error| Unresolved(format!("volume \"{name}\" cannot be created: {error}"));
        private_folder(&place).map_err(failed)?;
        let namespace = pod["metadata"]["namespace"].as_str().unwrap_or_default();
        let single = [volume];
        let projected = volume["projected"]["sources"].as_array();
        let sources: Vec<&Value> = projected.map_or(single.to_vec(), |list| list.iter().collect());
        for source in sources {
            for (field, kind) in [("configMap", &CONFIG_MAPS), ("secret", &SECRETS)] {
                let reference = &source[field];
                if !reference.is_object() {
                    continue;
                }
                let entries = entries(store, kind, namespace, reference)?.unwrap_or_default();
                put_entries(&place, &entries, &reference["items"]).map_err(failed)?;
            }
            for item in source["downwardAPI"]["items"].as_array().into_iter().flatten() {
                let text = item["fieldRef"]["fieldPath"].as_str().map(|path| self::field(pod, path));
                put(&place, item["path"].as_str().unwrap_or_default(), &text.unwrap_or_default())
                    .map_err(failed)?;
            }
            if let Some(path) = source["serviceAccountToken"]["path"].as_str() {
                let token = self.token(pod);
                put(&place, path, &token).map_err(failed)?;
            }
        }
        Ok(())
    }

    fn token(&mut self, pod: &Value) -> String {
        let account = pod["spec"]["serviceAccountName"].as_str().unwrap_or("default");
        let namespace = pod["metadata"]["namespace"].as_str().unwrap_or_default();
        let token = self.entrance.issue(namespace, account);
        self.tokens.push(token.clone());
        token
    }

    /// Writes the contents of `/var/run/secrets/kubernetes.io/serviceaccount`, and an equivalent kubeconfig.
    fn add_account(&mut self, pod: &Value) -> io::Result<()> {
        let place = self.path.join("account");
        private_folder(&place)?;
        let namespace = pod["metadata"]["namespace"].as_str().unwrap_or_default();
        let token = self.token(pod);
        put(&place, "token", &token)?;
        put(&place, "ca.crt", &self.entrance.authority())?;
        put(&place, "namespace", namespace)?;
        let named = |field: &str, value: Value| json!([{"name": "pod", field: value}]);
        let cluster = json!({
            "server": self.entrance.url(),
            "certificate-authority-data": BASE64.encode(self.entrance.authority()),
        });
        let context = json!({"cluster": "pod", "user": "pod", "namespace": namespace});
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "pod",
            "clusters": named("cluster", cluster),
            "users": named("user", json!({"tokenFile": place.join("token")})),
            "contexts": named("context", context),
        });
        put(&self.path, "kubeconfig", &kubeconfig.to_string())
    }
}

impl Drop for PodFolder {
    fn drop(&mut self) {
        for token in &self.tokens {
            self.entrance.revoke(token);
        }
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Writes the keys of a `ConfigMap` or Secret as files: listed ones under their paths, or all.
fn put_entries(place: &Path, entries: &[(String, String)], items: &Value) -> io::Result<()> {
    let Some(items) = items.as_array() else {
        return entries.iter().try_for_each(|(key, value)| put(place, key, value));
    };
    items.iter().try_for_each(|item| {
        let found = entries.iter().find(|(key, _)| item["key"] == **key);
        found.map_or(Ok(()), |(_, value)| put(place, item["path"].as_str().unwrap_or_default(), value))
    })
}

/// Writes a file below a folder, readable only by its owner.
fn put(folder: &Path, path: &str, text: &str) -> io::Result<()> {
    if path.is_empty() || !path.split('/').all(is_plain) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("\"{path}\" is not a path below a volume"),
        ));
    }
    let place = folder.join(path);
    if let Some(above) = place.parent() {
        fs::create_dir_all(above)?;
    }
    let mut options = OpenOptions::new();
    only_for_owner(options.write(true).create(true).truncate(true)).open(place)?.write_all(text.as_bytes())
}

/// Whether this is a single path component.
fn is_plain(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\\', '\0'])
}

#[cfg(test)]
mod tests {
    use super::super::tests_support::Door;
    use super::*;
    use crate::store::kind::NAMESPACES;

    fn made(pod: &Value) -> (Processes, PodFolder, Arc<Door>) {
        let store = Store::new();
        store.create(&NAMESPACES, json!({"metadata": {"name": "ns"}})).unwrap();
        let map =
            json!({"metadata": {"name": "map", "namespace": "ns"}, "data": {"plan.yaml": "a: 1", "b": "2"}});
        store.create(&CONFIG_MAPS, map).unwrap();
        let (processes, door) = (Processes::default(), Arc::new(Door::default()));
        processes.set_entrance(door.clone());
        let folder = PodFolder::make(&processes, &store, pod).unwrap();
        (processes, folder, door)
    }

    fn pod() -> Value {
        json!({"metadata": {"name": "x", "namespace": "ns", "uid": "u"}, "spec": {"serviceAccountName": "me", "volumes": [
            {"name": "plan", "configMap": {"name": "map", "items": [{"key": "plan.yaml", "path": "deep/plan.yaml"}]}},
            {"name": "scratch", "emptyDir": {}},
        ]}})
    }

    #[test]
    fn a_pod_finds_its_volumes_and_its_account() {
        let (processes, folder, door) = made(&pod());
        let container = json!({"volumeMounts": [
            {"name": "plan", "mountPath": "/etc/plan"}, {"name": "scratch", "mountPath": "/etc/plan/scratch/"},
        ]});
        let real = |text: &str| folder.translate(&container, text);
        let plan = real("/etc/plan/deep/plan.yaml");
        assert_eq!(fs::read_to_string(&plan).unwrap(), "a: 1");
        assert_eq!(real("--plan=/etc/plan/deep/plan.yaml"), format!("--plan={plan}"));
        assert!(Path::new(&real("/etc/plan/scratch")).is_dir());
        assert_eq!(real("/etc/planned /x/etc/plan"), "/etc/planned /x/etc/plan");
        let token = fs::read_to_string(real(&format!("{ACCOUNT}/token"))).unwrap();
        assert_eq!(door.issued(), [("ns/me".to_owned(), token)]);
        let mut environment = Environment::default();
        folder.introduce(&mut environment);
        assert_eq!(
            environment.expand("$(KUBERNETES_SERVICE_HOST):$(KUBERNETES_SERVICE_PORT)"),
            "127.0.0.1:6443"
        );
        let kubeconfig = PathBuf::from(environment.expand("$(KUBECONFIG)"));
        assert!(fs::read_to_string(&kubeconfig).unwrap().contains("account/token"));
        drop(folder);
        assert!(!kubeconfig.exists() && door.issued().is_empty());
        drop(processes);
    }

    #[test]
    fn nothing_is_written_outside_of_the_folder() {
        let mut odd = pod();
        odd["spec"]["volumes"][0]["configMap"]["items"][0]["path"] = json!("../../out");
        let store = Store::new();
        store.create(&NAMESPACES, json!({"metadata": {"name": "ns"}})).unwrap();
        let map = json!({"metadata": {"name": "map", "namespace": "ns"}, "data": {"plan.yaml": "a: 1"}});
        store.create(&CONFIG_MAPS, map).unwrap();
        let processes = Processes::default();
        processes.set_entrance(Arc::new(Door::default()));
        let refused = PodFolder::make(&processes, &store, &odd).unwrap_err();
        assert!(refused.0.contains("is not a path below a volume"), "{refused}");
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_look_into_it() {
        use std::os::unix::fs::PermissionsExt;
        let (_processes, folder, _door) = made(&pod());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder.path), mode(&folder.path.join("kubeconfig"))), (0o700, 0o600));
    }
}
