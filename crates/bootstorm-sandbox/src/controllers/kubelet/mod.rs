//! The kubelets: each pod on a node has a worker that starts it, runs it and takes it down.

mod containers;
pub mod images;
mod readiness;
pub mod start;
pub mod status;
pub mod stop;
mod sysctls;

use std::sync::Arc;

use tokio::sync::watch;

use super::client::Client;
use super::cluster::Cluster;
use super::events::Source;
use super::guests::{Launcher, Stage};
use super::nodes::Node;
use crate::store::kind::{NODES, PODS};
use crate::store::{Object, Store};

/// The worker of one pod
pub(super) struct PodWorker {
    pub(super) cluster: Arc<Cluster>,
    pub(super) node: Arc<Node>,
    pub(super) client: Client,
    pub(super) pod: Object,
    pub(super) address: Option<String>,
    pub(super) launcher: Option<Arc<Launcher>>,
    /// Images that it uses.
    pub(super) images: Vec<String>,
    /// Claims that it holds on its node, by UID.
    pub(super) held: Vec<String>,
}

/// Starts a worker for a pod that has appeared on a node.
pub fn admit(cluster: &Arc<Cluster>, pod: Object, changes: watch::Receiver<()>) {
    let name = pod.value()["spec"]["nodeName"].as_str().unwrap_or_default();
    if pod.is_deleting() && matches!(pod.value()["status"]["phase"].as_str(), Some("Succeeded" | "Failed")) {
        // Nothing of it runs any more: it waits for its finalizers.
        cluster.pods.gone(pod.uid());
        return;
    }
    let Some(node) = cluster.nodes.get(name) else {
        // A pod on a missing node stays as it is, as on a real cluster.
        cluster.pods.gone(pod.uid());
        return;
    };
    let who = format!("kubelet/{}/{}", pod.namespace(), pod.name());
    let client = cluster.client(&who, &node.kubelet);
    let worker = PodWorker {
        cluster: cluster.clone(),
        node,
        client,
        pod,
        address: None,
        launcher: None,
        images: Vec::new(),
        held: Vec::new(),
    };
    cluster.tasks.spawn(worker.run(changes));
}

impl PodWorker {
    async fn run(mut self, mut changes: watch::Receiver<()>) {
        let (store, uid) = (self.cluster.store.clone(), self.pod.uid().to_owned());
        let (namespace, name) = (self.pod.namespace().to_owned(), self.pod.name().to_owned());
        let mut also = changes.clone();
        let up = tokio::select! {
            up = async {
                self.node_answers().await;
                self.start(&mut changes).await
            } => up,
            () = told_to_end(&store, &namespace, &name, &uid, &mut also) => false,
        };
        if up && self.acts() {
            self.act(&mut also).await;
        } else if up {
            let over = self.guest_over();
            // A pod with a guest waits for virt-handler.
            let (node, has_guest) = (self.node.clone(), self.launcher.is_some());
            let cut = async move {
                if has_guest {
                    std::future::pending::<()>().await;
                }
                node.lost().await;
            };
            tokio::select! {
                () = self.keep_ready() => {}
                () = cut => {
                    self.node_answers().await;
                    self.write(|pod, stamp| status::ended(pod, true, stamp)).await;
                    told_to_end(&store, &namespace, &name, &uid, &mut also).await;
                }
                () = over => {
                    self.complete().await;
                    told_to_end(&store, &namespace, &name, &uid, &mut also).await;
                }
                () = told_to_end(&store, &namespace, &name, &uid, &mut also) => {}
            }
        }
        self.stop(&mut also).await;
    }

    /// Completes when the guest of this pod has ended and virt-handler knows; never for a pod without a guest.
    fn guest_over(&self) -> impl Future<Output = ()> + use<> {
        let launcher = self.launcher.clone();
        async move {
            match launcher {
                Some(launcher) => {
                    let mut watched = launcher.guest.subscribe();
                    let _ =
                        watched.wait_for(|guest| matches!(guest.stage, Stage::Off(_)) && guest.noted).await;
                }
                None => std::future::pending().await,
            }
        }
    }

    /// Waits while the node's kubelet is down, as long as the pod exists: nothing is done for it meanwhile.
    pub(super) async fn node_answers(&self) {
        while (!self.node.is_up() || self.cluster.is_down(&NODES, "", &self.node.name, "kubelet"))
            && self.current().is_some()
        {
            self.cluster.clock.sleep(1.0).await;
        }
    }

    /// The current pod, if it is still this one.
    pub(super) fn current(&self) -> Option<Object> {
        let now = self.cluster.store.get(&PODS, self.pod.namespace(), self.pod.name())?;
        (now.uid() == self.pod.uid()).then_some(now)
    }

    /// Records a warning on the pod.
    pub(super) fn warn(&self, reason: &str, message: &str) {
        let source = Source { component: "kubelet", host: Some(&self.node.name) };
        self.cluster.recorder.warning(source, &self.pod, reason, message);
    }

    /// Records an event on the pod.
    pub(super) fn say(&self, reason: &str, message: &str) {
        let source = Source { component: "kubelet", host: Some(&self.node.name) };
        self.cluster.recorder.normal(source, &self.pod, reason, message);
    }
}

/// Waits until a pod is being deleted or gone.
async fn told_to_end(
    store: &Store,
    namespace: &str,
    name: &str,
    uid: &str,
    changes: &mut watch::Receiver<()>,
) {
    loop {
        changes.borrow_and_update();
        let pod = store.get(&PODS, namespace, name).filter(|pod| pod.uid() == uid);
        if pod.is_none_or(|pod| pod.is_deleting()) {
            return;
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}
