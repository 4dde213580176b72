//! Kubeconfigs as kubectl reads them: all differences between its client library and kube's.
//!
//! Files are read, checked and merged here; kube gets one kubeconfig without empty values, whose data it can decode.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use kube::config::{AuthInfo, Cluster, Kubeconfig, NamedAuthInfo, NamedCluster, NamedContext};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use thiserror::Error;

use bootstorm_model::plan::yaml;
use bootstorm_model::platform;

/// Base64 as in Go: bits beyond the last byte are ignored, padding is not.
const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&ALPHABET, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));
/// Values that are paths, relative to the folder of their file.
const PATHS: [&str; 4] = ["certificate-authority", "client-certificate", "client-key", "tokenFile"];
/// Values that are base64.
const DATA: [&str; 3] = ["certificate-authority-data", "client-certificate-data", "client-key-data"];

/// Reason why no kubeconfig is usable; quotes none of its values
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum KubeconfigFault {
    /// None of the files exists.
    #[error("{} does not exist", .0.display())]
    Missing(PathBuf),
    /// No path is configured.
    #[error("no home directory")]
    NoHome,
    /// A file is unusable.
    #[error("{}: {why}", .path.display())]
    Unusable {
        /// File.
        path: PathBuf,
        /// Error.
        why: String,
    },
}

/// Reads the named file, or those of `KUBECONFIG`, or the default one.
///
/// A missing file in the list is skipped; the first file that defines a name wins.
pub(super) fn load(explicit: Option<&Path>) -> Result<Kubeconfig, KubeconfigFault> {
    if let Some(path) = explicit {
        return read(path)?.ok_or_else(|| KubeconfigFault::Missing(path.to_path_buf()));
    }
    let mut merged: Option<Kubeconfig> = None;
    let paths = paths()?;
    for path in &paths {
        if let Some(next) = read(path)? {
            merged = Some(match merged {
                Some(first) => merge(first, next),
                None => next,
            });
        }
    }
    merged.ok_or_else(|| KubeconfigFault::Missing(paths.into_iter().next().unwrap_or_default()))
}

fn paths() -> Result<Vec<PathBuf>, KubeconfigFault> {
    let listed = std::env::var_os("KUBECONFIG").unwrap_or_default();
    let mut seen = HashSet::new();
    let paths: Vec<PathBuf> = std::env::split_paths(&listed)
        .filter(|path| !path.as_os_str().is_empty() && seen.insert(path.clone()))
        .collect();
    if !paths.is_empty() {
        return Ok(paths);
    }
    let home = std::env::home_dir().ok_or(KubeconfigFault::NoHome)?;
    Ok(vec![home.join(".kube").join("config")])
}

/// Maximum size of a kubeconfig: thousands of clusters with certificates.
const MOST_BYTES: u64 = 32 * 1024 * 1024;
/// Maximum size of a token file.
const MOST_TOKEN_BYTES: u64 = 1024 * 1024;

/// Reads one file; `None` if it does not exist.
fn read(path: &Path) -> Result<Option<Kubeconfig>, KubeconfigFault> {
    let unusable = |why: String| KubeconfigFault::Unusable { path: path.to_path_buf(), why };
    let text = match platform::read_text(path, MOST_BYTES) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(error.to_string())),
    };
    let folder = std::path::absolute(path).ok();
    let folder = folder.as_deref().and_then(Path::parent).unwrap_or(Path::new("."));
    parse(&text, folder).map(Some).map_err(unusable)
}

/// Reads the text of a file in a folder. As in kubectl, only the first document counts.
fn parse(text: &str, folder: &Path) -> Result<Kubeconfig, String> {
    let document = yaml::read(text).map_err(|fault| fault.to_string())?.documents.into_iter().next();
    let mut root = match document {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(root)) => root,
        Some(_) => return Err("it is not a map".into()),
    };
    for (key, known) in [("kind", "Config"), ("apiVersion", "v1")] {
        let found = root.get(key).and_then(Value::as_str).unwrap_or_default();
        if !found.is_empty() && found != known {
            return Err(format!("its {key} is not {known}"));
        }
    }
    let clusters = entries(&mut root, "clusters", "cluster", folder)?;
    let users = entries(&mut root, "users", "user", folder)?;
    let contexts = entries(&mut root, "contexts", "context", folder)?;
    let current = match root.remove("current-context") {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) => Some(name).filter(|name| !name.is_empty()),
        Some(_) => return Err(not_text("current-context")),
    };
    Ok(Kubeconfig {
        clusters: typed::<NamedCluster>("clusters", clusters)?,
        auth_infos: typed::<NamedAuthInfo>("users", users)?,
        contexts: typed::<NamedContext>("contexts", contexts)?,
        current_context: current,
        ..Kubeconfig::default()
    })
}

/// The entries of a list, each with its name and its values in kube's form.
fn entries(
    root: &mut Map<String, Value>,
    list: &str,
    inner: &str,
    folder: &Path,
) -> Result<Vec<Value>, String> {
    let found = match root.remove(list) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(found)) => found,
        Some(_) => return Err(format!("its {list} is not a list")),
    };
    let mut names = HashSet::new();
    let mut entries = Vec::new();
    for mut entry in found {
        let name = match entry.get("name") {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(name)) => name.clone(),
            Some(_) => return Err(not_text(&format!("a name in its {list}"))),
        };
        let mut values = match entry.get_mut(inner).map(Value::take) {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(values)) => values,
            Some(_) => return Err(format!("{inner} \"{name}\" is not a map")),
        };
        settle(&mut values, folder).map_err(|why| format!("{inner} \"{name}\": {why}"))?;
        if inner == "context" {
            values.entry("cluster").or_insert_with(|| json!(""));
        }
        if !names.insert(name.clone()) {
            return Err(format!("its {list} have the name \"{name}\" twice"));
        }
        entries.push(json!({"name": name, inner: values}));
    }
    Ok(entries)
}

/// Drops empty values, makes paths absolute, and writes data in the encoding that kube expects.
fn settle(values: &mut Map<String, Value>, folder: &Path) -> Result<(), String> {
    values.retain(|_, value| !value.is_null() && value != "");
    for key in PATHS {
        if let Some(Value::String(path)) = values.get_mut(key) {
            *path = absolute(folder, path);
        }
    }
    if let Some(Value::String(command)) = values.get_mut("exec").and_then(|exec| exec.get_mut("command")) {
        // A bare name is searched for in the PATH.
        if command.contains('/') || command.contains(std::path::MAIN_SEPARATOR) {
            *command = absolute(folder, command);
        }
    }
    for key in DATA {
        if let Some(Value::String(data)) = values.get_mut(key) {
            let decoded = LENIENT.decode(data.replace(['\r', '\n'], ""));
            *data = STANDARD.encode(decoded.map_err(|error| format!("{key} {}", no_base64(data, &error)))?);
        }
    }
    Ok(())
}

fn no_base64(data: &str, error: &base64::DecodeError) -> &'static str {
    if data.contains([' ', '\t']) {
        return "holds blanks, which base64 does not allow; write lines under `|`, not under `>`";
    }
    if data.contains(['-', '_']) {
        return "is base64 for URLs (with - and _); the standard alphabet is required";
    }
    match error {
        base64::DecodeError::InvalidPadding => "is base64 without its padding (=)",
        _ => "is not base64",
    }
}

fn absolute(folder: &Path, path: &str) -> String {
    folder.join(path).to_str().map_or_else(|| path.to_owned(), str::to_owned)
}

fn typed<T: DeserializeOwned>(list: &str, entries: Vec<Value>) -> Result<Vec<T>, String> {
    let read = |entry: Value| {
        let name = entry["name"].as_str().unwrap_or_default().to_owned();
        serde_json::from_value(entry).map_err(|_| not_text(&format!("a value of \"{name}\" in its {list}")))
    };
    entries.into_iter().map(read).collect()
}

/// Only a few values in a kubeconfig are not texts; a number or a bool elsewhere lacks its quotes.
fn not_text(what: &str) -> String {
    format!("{what} is of another type than expected; a text such as 010, 1e3, on or n needs quotes")
}

/// Merges files: the first one to define a name wins.
fn merge(mut first: Kubeconfig, next: Kubeconfig) -> Kubeconfig {
    fn add<T>(list: &mut Vec<T>, more: Vec<T>, name: impl Fn(&T) -> &str) {
        for entry in more {
            if !list.iter().any(|known| name(known) == name(&entry)) {
                list.push(entry);
            }
        }
    }
    add(&mut first.clusters, next.clusters, |entry| &entry.name);
    add(&mut first.auth_infos, next.auth_infos, |entry| &entry.name);
    add(&mut first.contexts, next.contexts, |entry| &entry.name);
    first.current_context = first.current_context.or(next.current_context);
    first
}

/// Settles a user's authentication as kubectl does; fails with kubectl's reason if it would.
pub(super) fn settle_user(name: &str, user: &mut AuthInfo) -> Result<(), String> {
    use secrecy::ExposeSecret;
    let is_set = |secret: &Option<secrecy::SecretString>| {
        secret.as_ref().is_some_and(|secret| !secret.expose_secret().is_empty())
    };
    if !is_set(&user.token) {
        user.token = None;
    }
    let has_password = user.username.is_some() || is_set(&user.password);
    if user.token.is_some() && has_password {
        return Err(format!(
            "more than one authentication method found for {name}; found [token basicAuth], only one is allowed"
        ));
    }
    let both = |what: &str| Err(format!("{what}-data and {what} are both specified for {name}"));
    if user.client_certificate.is_some() || user.client_certificate_data.is_some() {
        if user.client_certificate.is_some() && user.client_certificate_data.is_some() {
            return both("client-certificate");
        }
        if user.client_key.is_some() && user.client_key_data.is_some() {
            return both("client-key");
        }
        if user.client_key.is_none() && user.client_key_data.is_none() {
            return Err(format!("client-key-data or client-key must be specified for {name}"));
        }
    } else {
        // A key without a certificate is meaningless.
        (user.client_key, user.client_key_data) = (None, None);
    }
    for path in [&user.client_certificate, &user.client_key].into_iter().flatten() {
        std::fs::File::open(path).map_err(|error| format!("{path} cannot be read: {error}"))?;
    }
    let is_more = user.impersonate_groups.is_some()
        || user.impersonate_uid.is_some()
        || user.impersonate_user_extra.is_some();
    if is_more && user.impersonate.is_none() {
        return Err(format!("requesting uid, groups or user-extra for {name} without impersonating a user"));
    }
    if has_password {
        user.username.get_or_insert_default();
        user.password.get_or_insert_with(|| String::new().into());
    }
    if let Some(path) = user.token_file.take() {
        // A token file takes precedence over the token beside it. Refused tokens are read again.
        let read = platform::read_text(Path::new(&path), MOST_TOKEN_BYTES);
        let read = read.map(|token| token.trim().to_owned());
        match read {
            Ok(token) if !token.is_empty() => user.token = Some(token.into()),
            _ if user.token.is_some() => {}
            Ok(_) => return Err(format!("tokenFile {path} is empty")),
            Err(error) => return Err(format!("tokenFile {path} cannot be read: {error}")),
        }
    }
    Ok(())
}

/// Settles the connection to a cluster; `is_insecure` is the flag.
pub(super) fn settle_cluster(name: &str, cluster: &mut Cluster, is_insecure: bool) -> Result<(), String> {
    let has_authority =
        cluster.certificate_authority.is_some() || cluster.certificate_authority_data.is_some();
    if cluster.certificate_authority.is_some() && cluster.certificate_authority_data.is_some() {
        return Err(format!(
            "certificate-authority-data and certificate-authority are both specified for {name}"
        ));
    }
    if let Some(path) = &cluster.certificate_authority {
        std::fs::File::open(path)
            .map_err(|error| format!("certificate-authority {path} cannot be read: {error}"))?;
    }
    if is_insecure {
        (cluster.certificate_authority, cluster.certificate_authority_data) = (None, None);
        cluster.insecure_skip_tls_verify = Some(true);
    } else if cluster.insecure_skip_tls_verify == Some(true) && has_authority {
        return Err(format!(
            "insecure-skip-tls-verify and a certificate authority are both specified for {name}"
        ));
    }
    if let Some(server) = &mut cluster.server {
        let uses_tls = has_authority || cluster.insecure_skip_tls_verify == Some(true);
        *server = with_scheme(server, uses_tls);
    }
    Ok(())
}

/// An address without a scheme is https if any certificate setting is present.
pub(super) fn with_scheme(server: &str, uses_tls: bool) -> String {
    if server.contains("://") {
        return server.to_owned();
    }
    format!("{}://{server}", if uses_tls { "https" } else { "http" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Kubeconfig, String> {
        parse(text, Path::new("/etc/kube"))
    }

    #[test]
    fn empty_values_are_absent_and_paths_belong_to_the_folder_of_the_file() {
        let text = "
current-context: ''
clusters:
- {name: c, cluster: {server: '', certificate-authority: ca.crt, proxy-url: '', tls-server-name: null}}
users:
- {name: u, user: {token: '', tokenFile: ../token, client-key: /key, exec: {command: ./plugin}}}
- {name: v, user: {exec: {command: plugin}}}
contexts:
- {name: x, context: {user: '', namespace: ''}}
";
        let kubeconfig = parsed(text).unwrap();
        let cluster = kubeconfig.clusters[0].cluster.as_ref().unwrap();
        assert_eq!((&cluster.server, &cluster.proxy_url, &cluster.tls_server_name), (&None, &None, &None));
        assert_eq!(cluster.certificate_authority.as_deref(), Some("/etc/kube/ca.crt"));
        let users: Vec<&AuthInfo> = kubeconfig.auth_infos.iter().flat_map(|user| &user.auth_info).collect();
        assert!(users[0].token.is_none());
        assert_eq!(users[0].token_file.as_deref(), Some("/etc/kube/../token"));
        assert_eq!(users[0].client_key.as_deref(), Some("/key"));
        let command = |user: &AuthInfo| user.exec.as_ref().and_then(|exec| exec.command.clone());
        assert_eq!(command(users[0]).as_deref(), Some("/etc/kube/./plugin"));
        assert_eq!(command(users[1]).as_deref(), Some("plugin"));
        let context = kubeconfig.contexts[0].context.as_ref().unwrap();
        assert_eq!((&context.user, &context.namespace), (&None, &None));
        assert_eq!(kubeconfig.current_context, None);
    }

    #[test]
    fn the_first_file_that_names_something_wins() {
        let first = parsed("current-context: ''\nusers: [{name: u, user: {username: bob}}]\n").unwrap();
        let next = "current-context: x\nusers: [{name: u, user: {token: t}}, {name: v, user: {token: t}}]\n";
        let merged = merge(first, parsed(next).unwrap());
        assert_eq!(merged.current_context.as_deref(), Some("x"));
        let names: Vec<&str> = merged.auth_infos.iter().map(|user| user.name.as_str()).collect();
        assert_eq!(names, ["u", "v"]);
        assert!(merged.auth_infos[0].auth_info.as_ref().unwrap().token.is_none());
    }

    #[test]
    fn data_is_decoded_as_go_decodes_it() {
        let with = |data: &str| {
            let text = format!("clusters:\n- name: c\n  cluster:\n    certificate-authority-data: {data}\n");
            parsed(&text).map(|found| found.clusters[0].cluster.clone().unwrap().certificate_authority_data)
        };
        assert_eq!(with("|\n      YWJj\n      ZGVm\n").unwrap().as_deref(), Some("YWJjZGVm"));
        assert_eq!(with("YR==").unwrap().as_deref(), Some("YQ=="));
        for (data, why) in [
            (">-\n      YWJj\n      ZGVm\n", "blanks"),
            ("' YWJj'", "blanks"),
            ("YQ", "padding"),
            ("'_-8='", "for URLs"),
            ("'Y*Jj'", "not base64"),
        ] {
            let told = with(data).unwrap_err();
            assert!(
                told.starts_with("cluster \"c\": certificate-authority-data") && told.contains(why),
                "{told}"
            );
        }
    }

    #[test]
    fn what_kubectl_refuses_is_refused_without_quoting_it() {
        for (text, why) in [
            ("users: [{name: u, user: {token: 0123}}]\n", "needs quotes"),
            ("contexts: [{name: x, context: {namespace: n}}]\n", "needs quotes"),
            ("clusters: [{name: c}, {name: c}]\n", "the name \"c\" twice"),
            ("kind: Pod\n", "its kind is not Config"),
            ("[]\n", "not a map"),
            ("users: {}\n", "not a list"),
            ("users: [{name: u, user: {token: SECRET}]\n", "line 1"),
        ] {
            let told = parsed(text).unwrap_err();
            assert!(told.contains(why) && !told.contains("SECRET") && !told.contains("83"), "{told}");
        }
    }

    #[test]
    fn one_way_to_log_in_is_chosen_as_kubectl_chooses() {
        let settled = |user: &str| {
            let text = format!("users: [{{name: u, user: {{{user}}}}}]\n");
            let mut user = parsed(&text).unwrap().auth_infos.remove(0).auth_info.unwrap();
            settle_user("u", &mut user).map(|()| user)
        };
        assert!(
            settled("token: t, username: x").unwrap_err().contains("more than one authentication method")
        );
        assert!(settled("client-certificate-data: YQ==").unwrap_err().contains("client-key"));
        assert!(settled("client-key-data: YQ==, token: t").unwrap().client_key_data.is_none());
        assert!(settled("as-uid: a, token: t").unwrap_err().contains("without impersonating"));
        assert!(settled("username: x").unwrap().password.is_some());
        assert!(settled("tokenFile: nowhere, token: t").unwrap().token_file.is_none());
        assert!(settled("tokenFile: nowhere").unwrap_err().contains("cannot be read"));
        assert!(settled("as: jane, as-uid: a, token: t").is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn a_kubeconfig_without_an_end_is_refused() {
        match read(Path::new("/dev/zero")) {
            Err(KubeconfigFault::Unusable { why, .. }) => assert_eq!(why, "it has more than 32768 KiB"),
            other => panic!("{:?}", other.map(|found| found.is_some())),
        }
    }
}
