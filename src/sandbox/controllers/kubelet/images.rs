//! Images on a node: pulled once, one at a time.

use serde_json::Value;

use super::super::events::Source;
use super::super::nodes::Node;
use super::{PodWorker, status};
use crate::sandbox::model::lock;

/// Seconds before the first and the longest retry of a pull (k8s: 10 to 300).
const FIRST_PULL_PAUSE: f64 = 10.0;
const LONGEST_PULL_PAUSE: f64 = 300.0;

impl PodWorker {
    /// Makes sure that the images of the pod's containers are on the node.
    pub(super) async fn pull_images(&self) {
        for (image, always) in images(self.pod.value()) {
            let image = image.as_str();
            // The launcher's own image is on every node before the first machine starts.
            let part_of_platform = image.contains("/kubevirt/virt-launcher");
            if !part_of_platform && !has(&self.node, image) {
                self.pull(image).await;
            } else {
                if always {
                    let check = self.seconds("image-check", self.cluster.profile.kubelet.image_check);
                    self.cluster.clock.sleep(check).await;
                }
                self.say("Pulled", &format!("Container image \"{image}\" already present on machine"));
            }
        }
    }

    /// Tries for ever to pull an image that is not there, as the kubelet does: longer and longer pauses.
    pub(super) async fn fail_to_pull(&mut self) {
        let Some((image, _)) =
            images(self.pod.value()).into_iter().find(|(image, _)| !image.contains("/virt-launcher"))
        else {
            return std::future::pending().await;
        };
        let source = Source { component: "kubelet", host: Some(&self.node.name.clone()) };
        let mut pause = FIRST_PULL_PAUSE;
        loop {
            self.say("Pulling", &format!("Pulling image \"{image}\""));
            let pull = self.seconds("image-check", self.cluster.profile.kubelet.image_check);
            self.cluster.clock.sleep(pull).await;
            let why = format!("Failed to pull image \"{image}\": not found");
            self.cluster.recorder.warning(source, &self.pod, "Failed", &why);
            self.write(|pod, _| status::waiting(pod, &image, "ErrImagePull", &why)).await;
            self.cluster.clock.sleep(pause / 2.0).await;
            let back_off = format!("Back-off pulling image \"{image}\"");
            self.cluster.recorder.normal(source, &self.pod, "BackOff", &back_off);
            self.write(|pod, _| status::waiting(pod, &image, "ImagePullBackOff", &back_off)).await;
            self.cluster.clock.sleep(pause / 2.0).await;
            pause = (pause * 2.0).min(LONGEST_PULL_PAUSE);
        }
    }

    async fn pull(&self, image: &str) {
        let _place = self.node.pulls.enter().await;
        if has(&self.node, image) {
            self.say("Pulled", &format!("Container image \"{image}\" already present on machine"));
            return;
        }
        self.say("Pulling", &format!("Pulling image \"{image}\""));
        let seconds =
            self.cluster.dice.roll(image, 0, &self.node.name).draw(self.cluster.profile.kubelet.image_pull);
        self.cluster.clock.sleep(seconds).await;
        lock(&self.node.images).insert(image.into(), self.cluster.clock.now());
        self.say("Pulled", &format!("Successfully pulled image \"{image}\" in {seconds:.3}s"));
    }
}

/// The images of a pod, and whether the registry has to be asked even if the node has them.
fn images(pod: &Value) -> Vec<(String, bool)> {
    let lists = [&pod["spec"]["initContainers"], &pod["spec"]["containers"]];
    let containers = lists.into_iter().filter_map(Value::as_array).flatten();
    let image = |container: &Value| container["image"].as_str().unwrap_or_default().to_owned();
    containers.map(|container| (image(container), container["imagePullPolicy"] == "Always")).collect()
}

fn has(node: &Node, image: &str) -> bool {
    lock(&node.images).contains_key(image)
}
