//! A whole simulated cluster for one test: VMs boot, pods start, and clients reach all of it.

use std::path::PathBuf;
use std::time::Duration;

use bootstorm_sandbox::store::kind::{PODS, VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES};
use bootstorm_sandbox::value::{Value, json};
use bootstorm_sandbox::{Options, Sandbox, profile};
use k8s_openapi::api::core::v1::Pod;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};

/// The maximum time for a step.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A simulated cluster that lives as long as its test
pub(crate) struct Simulation {
    pub(crate) sandbox: Sandbox,
    pub(crate) home: tempfile::TempDir,
}

impl Simulation {
    /// A cluster in which every step takes a few milliseconds.
    pub(crate) async fn instant() -> Self {
        Self::with(profile("instant").unwrap()).await
    }

    pub(crate) async fn with(profile: bootstorm_sandbox::model::Profile) -> Self {
        let home = tempfile::tempdir().unwrap();
        let truth = Some(home.path().join("truth.jsonl"));
        let options = Options { port: 0, nodes: Some(2), profile, seed: 1, speed: 1.0, truth };
        let simulation = Self { sandbox: Sandbox::start(options).await.unwrap(), home };
        simulation.sandbox.write_kubeconfig(&simulation.kubeconfig()).unwrap();
        simulation
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.home.path().join("kubeconfig")
    }

    pub(crate) async fn pods(&self) -> Api<Pod> {
        let kubeconfig = Kubeconfig::read_from(self.kubeconfig()).unwrap();
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        Api::namespaced(Client::try_from(config).unwrap(), "default")
    }

    /// Creates a pod with an image without waiting for it.
    pub(crate) fn make_pod(&self, name: &str, image: &str) {
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"},
            "spec": {"containers": [{"name": "prober", "image": image, "command": ["sleep", "infinity"]}]},
        });
        self.sandbox.store().create(&PODS, pod).unwrap();
    }

    /// Creates a pod with an image and waits until it runs.
    pub(crate) async fn pod(&self, name: &str, image: &str) {
        self.make_pod(name, image);
        self.until(|| self.value(&PODS, name)["status"]["phase"] == "Running").await;
    }

    /// Creates a running VM that may misbehave.
    pub(crate) fn machine(&self, name: &str, misbehaves: &str, interface: &Value) {
        let mut vm = super::cluster::machine(name, "Always");
        vm["metadata"]["namespace"] = json!("default");
        vm["metadata"]["annotations"] = json!({"sandbox.bootstorm.dev/misbehave": misbehaves});
        vm["spec"]["template"]["spec"]["domain"]["devices"]["interfaces"] = json!([interface]);
        vm["spec"]["template"]["spec"]["networks"] = json!([{"name": "default", "pod": {}}]);
        self.sandbox.store().create(&VIRTUAL_MACHINES, vm).unwrap();
    }

    /// The address in an instance's status.
    pub(crate) fn address(&self, name: &str) -> Option<String> {
        let vmi = self.value(&VIRTUAL_MACHINE_INSTANCES, name);
        vmi["status"]["interfaces"][0]["ipAddress"].as_str().map(str::to_owned)
    }

    /// Waits until an instance has an address, and returns it.
    pub(crate) async fn running(&self, name: &str) -> String {
        self.until(|| self.address(name).is_some()).await;
        self.address(name).unwrap()
    }

    /// The launcher's address, which is known before the instance runs.
    pub(crate) async fn launcher(&self, name: &str) -> String {
        let find = || {
            let (pods, _) = self.sandbox.store().list(&PODS, Some("default"));
            let pod =
                pods.into_iter().find(|pod| pod.name().starts_with(&format!("virt-launcher-{name}-")))?;
            pod.value()["status"]["podIP"].as_str().map(str::to_owned)
        };
        self.until(|| find().is_some()).await;
        find().unwrap()
    }

    pub(crate) fn value(&self, kind: &'static bootstorm_sandbox::store::Kind, name: &str) -> Value {
        self.sandbox.store().get(kind, "default", name).map(|object| object.to_value()).unwrap_or_default()
    }

    /// Polls until a condition holds.
    pub(crate) async fn until(&self, mut holds: impl FnMut() -> bool) {
        let waiting = async {
            while !holds() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("it never came true");
    }

    /// The lines about guests in the truth file so far.
    pub(crate) fn told(&self) -> Vec<Value> {
        self.sandbox.store().close_truth();
        let text = std::fs::read_to_string(self.home.path().join("truth.jsonl")).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["kind"] == "guests").collect()
    }
}
