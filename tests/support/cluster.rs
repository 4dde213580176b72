//! A simulated cluster in this process, with its own runtime and a kubeconfig in its own folder.

use std::path::PathBuf;

use bootstorm_sandbox::model::Profile;
use bootstorm_sandbox::{Options, Sandbox, profile};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::Program;

/// A simulated cluster that ends with the test
pub(crate) struct Cluster {
    pub(crate) sandbox: Sandbox,
    pub(crate) home: TempDir,
    /// Drives the cluster's tasks while the test waits.
    _runtime: Runtime,
}

impl Cluster {
    /// A cluster in which everything takes a few milliseconds.
    pub(crate) fn instant() -> Self {
        Self::with("instant", 3, 1.0)
    }

    /// A cluster with a profile and some nodes, faster than real time.
    pub(crate) fn with(profile_name: &str, nodes: usize, speed: f64) -> Self {
        Self::of(profile(profile_name).unwrap(), nodes, speed, None)
    }

    /// An instant cluster with a profile changed by the test.
    pub(crate) fn changed(nodes: usize, change: impl FnOnce(&mut Profile)) -> Self {
        let mut profile = profile("instant").unwrap();
        change(&mut profile);
        Self::of(profile, nodes, 1.0, None)
    }

    /// A cluster with a profile that records what truly happens and when.
    pub(crate) fn with_truth(profile_name: &str, speed: f64, truth: &std::path::Path) -> Self {
        Self::of(profile(profile_name).unwrap(), 3, speed, Some(truth.to_path_buf()))
    }

    fn of(profile: Profile, nodes: usize, speed: f64, truth: Option<PathBuf>) -> Self {
        let home = tempfile::tempdir().unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let options = Options { port: 0, nodes: Some(nodes), profile, seed: 1, speed, truth };
        let sandbox = runtime.block_on(Sandbox::start(options)).unwrap();
        let cluster = Self { sandbox, home, _runtime: runtime };
        let program = env!("CARGO_BIN_EXE_kubectl-bootstorm");
        cluster.sandbox.run_image("kubectl-bootstorm", std::path::Path::new(program));
        cluster.sandbox.write_kubeconfig(&cluster.kubeconfig()).unwrap();
        cluster
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.home.path().join("kubeconfig")
    }

    /// The program against this cluster; its VMs boot a container disk unless a test says otherwise.
    pub(crate) fn program(&self) -> Program {
        self.plain_program().env("BOOTSTORM_SOURCE", "containerdisk:quay.io/containerdisks/fedora:41")
    }

    /// The program against this cluster, with default behaviour only.
    pub(crate) fn plain_program(&self) -> Program {
        Program::new(self.home.path()).env("KUBECONFIG", &self.kubeconfig().to_string_lossy())
    }

    /// Runs the program against this cluster.
    pub(crate) fn run(&self, args: &[&str]) -> super::Ran {
        self.program().run(args)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let spinning = self.sandbox.spinning();
            assert!(spinning.is_empty(), "controllers of the sandbox spin on {spinning:?}");
        }
    }
}
