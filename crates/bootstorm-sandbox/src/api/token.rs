//! Bearer tokens, and the files that pass the first of them to clients.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::value::json;

use super::kubeconfig::Author;
use super::{access, kubeconfig, rbac};
use crate::processes::Entrance;

/// The current token, which can be replaced
#[derive(Debug, Clone)]
pub(super) struct Tokens(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    url: String,
    ca_pem: String,
    /// Mark of this sandbox in the files that it writes.
    mark: String,
    token: RwLock<String>,
    /// Tokens of service accounts, with their users.
    accounts: RwLock<HashMap<String, String>>,
    written: Mutex<Vec<Written>>,
}

/// A file that contains the token, or refers to it.
#[derive(Debug, Clone)]
enum Written {
    Kubeconfig(PathBuf),
    Credential(PathBuf),
    Plugin(PathBuf, String),
}

impl Written {
    fn path(&self) -> &Path {
        match self {
            Self::Kubeconfig(path) | Self::Credential(path) | Self::Plugin(path, _) => path,
        }
    }
}

impl Tokens {
    pub(super) fn new(url: String, ca_pem: String) -> Self {
        let inner = Inner {
            url,
            ca_pem,
            mark: uuid::Uuid::new_v4().to_string(),
            token: RwLock::new(fresh()),
            accounts: RwLock::default(),
            written: Mutex::default(),
        };
        Self(Arc::new(inner))
    }

    /// Current token.
    pub(super) fn current(&self) -> String {
        self.0.token.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// User of a token: the one who may do everything, or a service account.
    pub(super) fn user(&self, token: &str) -> Option<String> {
        if *self.0.token.read().unwrap_or_else(PoisonError::into_inner) == token {
            return Some(access::USER.to_owned());
        }
        self.0.accounts.read().unwrap_or_else(PoisonError::into_inner).get(token).cloned()
    }

    /// A new token for a service account.
    pub(super) fn issue(&self, user: String) -> String {
        let token = fresh();
        self.0.accounts.write().unwrap_or_else(PoisonError::into_inner).insert(token.clone(), user);
        token
    }

    /// Revokes a token of a service account.
    fn end(&self, token: &str) {
        self.0.accounts.write().unwrap_or_else(PoisonError::into_inner).remove(token);
    }

    /// A kubeconfig with the token in it.
    pub(super) fn kubeconfig(&self) -> String {
        kubeconfig::text(&self.0.url, &self.0.ca_pem, &kubeconfig::User::Token(&self.current()))
    }

    /// Writes a kubeconfig with the token in it.
    pub(super) fn write_kubeconfig(&self, path: &Path) -> io::Result<()> {
        self.remember(Written::Kubeconfig(path.to_owned()))
    }

    /// Writes a kubeconfig whose plugin reads the token from a file beside it, whenever a client asks.
    pub(super) fn write_exec_kubeconfig(&self, path: &Path) -> io::Result<()> {
        let credential = credential_beside(&std::path::absolute(path)?);
        self.remember(Written::Credential(credential.clone()))?;
        let text = kubeconfig::text(&self.0.url, &self.0.ca_pem, &kubeconfig::User::Plugin(&credential));
        self.remember(Written::Plugin(path.to_owned(), text))
    }

    /// Replaces the token; files that contain it are updated, as long as they are ours.
    pub(super) fn rotate(&self) -> io::Result<()> {
        *self.0.token.write().unwrap_or_else(PoisonError::into_inner) = fresh();
        let written = self.0.written.lock().unwrap_or_else(PoisonError::into_inner);
        let ours = |file: &&Written| kubeconfig::author(file.path(), &self.0.mark) == Author::Us;
        written.iter().filter(ours).try_for_each(|file| self.write(file))
    }

    /// Removes the files that were written and are still ours; the token is no longer valid.
    pub(super) fn forget(&self) {
        let mut written = self.0.written.lock().unwrap_or_else(PoisonError::into_inner);
        for file in written.drain(..) {
            if kubeconfig::author(file.path(), &self.0.mark) == Author::Us {
                let _ = std::fs::remove_file(file.path());
            }
        }
    }

    fn remember(&self, file: Written) -> io::Result<()> {
        // Written under the lock, so that a concurrent rotation is not overwritten with the old token.
        let mut written = self.0.written.lock().unwrap_or_else(PoisonError::into_inner);
        self.write(&file)?;
        written.push(file);
        Ok(())
    }

    fn write(&self, file: &Written) -> io::Result<()> {
        match file {
            Written::Kubeconfig(path) => self.write_marked(path, &self.kubeconfig()),
            Written::Credential(path) => kubeconfig::write(path, &self.0.mark, &self.credential()),
            Written::Plugin(path, text) => self.write_marked(path, text),
        }
    }

    fn write_marked(&self, path: &Path, text: &str) -> io::Result<()> {
        kubeconfig::write(path, &self.0.mark, &kubeconfig::marked(&self.0.mark, text))
    }

    /// The output that a client expects from an exec plugin.
    fn credential(&self) -> String {
        let credential = json!({
            "apiVersion": "client.authentication.k8s.io/v1",
            "kind": "ExecCredential",
            "status": {"token": self.current()},
            kubeconfig::MARK_FIELD: self.0.mark,
        });
        credential.to_string()
    }
}

impl Entrance for Tokens {
    fn url(&self) -> String {
        self.0.url.clone()
    }

    fn authority(&self) -> String {
        self.0.ca_pem.clone()
    }

    fn issue(&self, namespace: &str, account: &str) -> String {
        Self::issue(self, rbac::user_of(namespace, account))
    }

    fn revoke(&self, token: &str) {
        self.end(token);
    }
}

/// The file that the exec plugin of a kubeconfig reads.
pub(super) fn credential_beside(kubeconfig: &Path) -> PathBuf {
    let mut name = kubeconfig.as_os_str().to_owned();
    name.push(".credential.json");
    PathBuf::from(name)
}

fn fresh() -> String {
    format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple())
}
