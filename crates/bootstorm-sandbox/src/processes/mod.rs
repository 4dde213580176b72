//! Pods that are processes of this machine: images with programs, their files, environment, output and end.

mod environment;
mod files;
mod guard;
pub mod logs;
mod process;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

pub use self::environment::Unresolved;
pub use self::files::PodFolder;
use self::guard::Guard;
pub use self::logs::Logs;
pub use self::process::{Process, StartError};
use crate::model::lock;

/// Access of a process in a pod to the API server
pub trait Entrance: Debug + Send + Sync {
    /// `https://127.0.0.1:<port>`.
    fn url(&self) -> String;
    /// Authority of its certificate, as PEM.
    fn authority(&self) -> String;
    /// Issues a token for a service account.
    fn issue(&self, namespace: &str, account: &str) -> String;
    /// Revokes a token.
    fn revoke(&self, token: &str);
}

/// Images with programs of this machine, and the shared state of their processes
#[derive(Debug, Default)]
pub struct Processes {
    programs: Mutex<BTreeMap<String, PathBuf>>,
    entrance: OnceLock<Arc<dyn Entrance>>,
    /// Output of containers.
    pub logs: Logs,
    guard: Mutex<Option<Arc<Guard>>>,
}

impl Processes {
    /// Runs this program for containers whose image has this name as its last path segment.
    pub fn run_image(&self, name: &str, program: &Path) {
        lock(&self.programs).insert(name.to_owned(), program.to_owned());
    }

    /// Sets the access of processes to the API server; none starts before that.
    pub fn set_entrance(&self, entrance: Arc<dyn Entrance>) {
        // Set once, when the server is running.
        let _ = self.entrance.set(entrance);
    }

    /// The program for an image, if there is one on this machine.
    pub fn program(&self, image: &str) -> Option<PathBuf> {
        lock(&self.programs).get(image_name(image)).cloned()
    }

    fn entrance(&self) -> Option<&Arc<dyn Entrance>> {
        self.entrance.get()
    }

    /// The guard that ends all processes if this one is killed; started with the first of them.
    fn guard(&self) -> std::io::Result<Arc<Guard>> {
        let mut guard = lock(&self.guard);
        if let Some(known) = &*guard {
            return Ok(known.clone());
        }
        let fresh = Arc::new(Guard::start()?);
        *guard = Some(fresh.clone());
        Ok(fresh)
    }
}

/// The last path segment of an image, without tag and digest.
fn image_name(image: &str) -> &str {
    let last = image.rsplit('/').next().unwrap_or_default();
    last.split(['@', ':']).next().unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests_support {
    //! An entrance for tests.

    use super::*;

    /// Issues numbered tokens
    #[derive(Debug, Default)]
    pub(crate) struct Door(Mutex<Vec<(String, String)>>);

    impl Door {
        /// Valid tokens with their users.
        pub(crate) fn issued(&self) -> Vec<(String, String)> {
            lock(&self.0).clone()
        }
    }

    impl Entrance for Door {
        fn url(&self) -> String {
            "https://127.0.0.1:6443".to_owned()
        }

        fn authority(&self) -> String {
            "pem".to_owned()
        }

        fn issue(&self, namespace: &str, account: &str) -> String {
            let mut issued = lock(&self.0);
            let token = format!("token-{}", issued.len());
            issued.push((format!("{namespace}/{account}"), token.clone()));
            token
        }

        fn revoke(&self, token: &str) {
            lock(&self.0).retain(|(_, known)| known != token);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_known_by_its_last_segment() {
        let processes = Processes::default();
        processes.run_image("tool", Path::new("/bin/tool"));
        for image in ["tool", "tool:1", "ghcr.io/x/tool:v1.2", "host:5000/tool@sha256:00"] {
            assert_eq!(processes.program(image).as_deref(), Some(Path::new("/bin/tool")), "{image}");
        }
        for image in ["tool-prober", "tool/other", "x/tools:tool", ""] {
            assert_eq!(processes.program(image), None, "{image}");
        }
    }
}
