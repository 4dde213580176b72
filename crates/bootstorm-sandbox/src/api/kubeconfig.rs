//! The kubeconfig for the sandbox.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use std::io;
use std::path::Path;

use crate::value::{Value, json};

use bootstorm_model::platform;
use bootstorm_model::platform::output::{self, Readers};

/// Maximum size of a file of a sandbox in bytes.
const MOST_BYTES: u64 = 1024 * 1024;
/// Name of the context, the cluster and the user.
const NAME: &str = "bootstorm-sandbox";

/// Source of a client's token
pub(super) enum User<'a> {
    /// In the kubeconfig.
    Token(&'a str),
    /// From a plugin that prints this file.
    Plugin(&'a Path),
}

impl User<'_> {
    /// Text after `user:`.
    fn text(&self) -> String {
        match self {
            Self::Token(token) => format!("\n    token: {token}"),
            // All JSON is YAML, too.
            Self::Plugin(path) => format!(" {}", Self::plugin(path)),
        }
    }

    fn plugin(path: &Path) -> Value {
        let path = path.to_string_lossy();
        let (command, args) = platform::shows_file(&path);
        json!({"exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": command,
            "args": args,
            "interactiveMode": "Never",
        }})
    }
}

/// The text of a kubeconfig.
pub(super) fn text(url: &str, ca_pem: &str, user: &User<'_>) -> String {
    let ca = BASE64.encode(ca_pem.as_bytes());
    let user = user.text();
    format!(
        "apiVersion: v1
kind: Config
clusters:
- name: {NAME}
  cluster:
    certificate-authority-data: {ca}
    server: {url}
users:
- name: {NAME}
  user:{user}
contexts:
- name: {NAME}
  context:
    cluster: {NAME}
    namespace: default
    user: {NAME}
current-context: {NAME}
preferences: {{}}
"
    )
}

/// Beginning of a sandbox's kubeconfig; the rest of the line identifies the sandbox.
const MARK: &str = "# kubectl-bootstorm sandbox ";

/// The corresponding field of a credential, which is JSON and has no comments.
pub(super) const MARK_FIELD: &str = "sandbox.bootstorm.dev";

/// Writer of a file, as far as it states it
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Author {
    /// No file.
    Nobody,
    /// This sandbox.
    Us,
    /// Another sandbox, which may have ended without removing it.
    Another,
    /// Another program, or it is not a file.
    Foreign,
}

/// A kubeconfig, marked as written by the sandbox `mark`.
pub(super) fn marked(mark: &str, text: &str) -> String {
    format!("{MARK}{mark}\n{text}")
}

/// The writer of the file at a path: only files of sandboxes may be replaced, and only our own removed.
pub(super) fn author(path: &Path, mark: &str) -> Author {
    let Ok(found) = std::fs::symlink_metadata(path) else { return Author::Nobody };
    if !found.is_file() {
        return Author::Foreign;
    }
    let text = platform::read_text(path, MOST_BYTES).unwrap_or_default();
    let credential = || serde_json::from_str::<Value>(&text).ok()?[MARK_FIELD].as_str().map(str::to_owned);
    let author = text.lines().next().and_then(|line| line.strip_prefix(MARK)).map(str::to_owned);
    match author.or_else(credential) {
        Some(author) if author == mark => Author::Us,
        Some(_) => Author::Another,
        None => Author::Foreign,
    }
}

/// Writes a file, with the mark in its text, readable only by its owner, since it holds a token.
///
/// Fails if the path holds something that no sandbox wrote.
pub(super) fn write(path: &Path, mark: &str, text: &str) -> io::Result<()> {
    if author(path, mark) == Author::Foreign {
        let message = "it exists already, and no sandbox wrote it";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
    }
    output::write(path, text.as_bytes(), Readers::Owner, |_| true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        std::fs::write(&path, marked("another", "old")).unwrap();
        let config = text("https://127.0.0.1:1", "pem", &User::Token("token"));
        write(&path, "us", &marked("us", &config)).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let parsed: crate::value::Value =
            serde_saphyr::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(parsed["current-context"], "bootstorm-sandbox");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn what_no_sandbox_wrote_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        std::fs::write(place("config"), "apiVersion: v1\nkind: Config\n").unwrap();
        std::os::unix::fs::symlink(place("config"), place("link")).unwrap();
        std::os::unix::fs::symlink(place("nowhere"), place("dangling")).unwrap();
        std::fs::create_dir(place("folder")).unwrap();
        for name in ["config", "link", "dangling", "folder"] {
            let error = write(&place(name), "us", "x").unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists, "{name}");
        }
        assert!(std::fs::read_to_string(place("config")).unwrap().starts_with("apiVersion"));
        write(&place("new"), "us", &marked("us", "x")).unwrap();
        assert_eq!(
            (author(&place("new"), "us"), author(&place("new"), "them")),
            (Author::Us, Author::Another)
        );
    }
}
