//! Images on a node: pulled once, one at a time.

use crate::value::Value;

use super::super::nodes::Node;
use super::{PodWorker, status};
use crate::model::lock;
use crate::programs::is_pullable;

/// Maximum pause between two pulls, as a multiple of the first one (k8s: 10 s to 300 s).
const LONGEST_BACK_OFF: f64 = 30.0;

impl PodWorker {
    /// Ensures that the images of the pod's containers are on the node.
    pub(super) async fn pull_images(&mut self) {
        let age = self.cluster.profile.kubelet.image_gc_age;
        for (image, always) in images(self.pod.value()) {
            let image = image.as_str();
            self.node.hold_image(image, self.cluster.clock.now(), age);
            self.images.push(image.to_owned());
            if let Err(why) = is_pullable(image) {
                self.never_pull(image, &why).await;
            }
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

    /// Keeps trying to pull the guest's image, which no registry has.
    pub(super) async fn fail_to_pull(&mut self) {
        let guests = |(image, _): &(String, bool)| !image.contains("/virt-launcher");
        match images(self.pod.value()).into_iter().find(guests) {
            Some((image, _)) => self.never_pull(&image, "not found").await,
            None => std::future::pending().await,
        }
    }

    /// Keeps trying to pull an image that no registry has.
    async fn never_pull(&mut self, image: &str, why: &str) {
        let mut pause = self.cluster.profile.kubelet.pull_back_off;
        let longest = pause * LONGEST_BACK_OFF;
        let why = format!("rpc error: code = Unknown desc = {why}");
        loop {
            self.say("Pulling", &format!("Pulling image \"{image}\""));
            self.cluster
                .clock
                .sleep(self.seconds("image-check", self.cluster.profile.kubelet.image_check))
                .await;
            self.warn("Failed", &format!("Failed to pull image \"{image}\": {why}"));
            self.warn("Failed", "Error: ErrImagePull");
            self.write(|pod, _| status::waiting(pod, image, "ErrImagePull", &why)).await;
            self.cluster.clock.sleep(pause / 2.0).await;
            let message = format!("Back-off pulling image \"{image}\"");
            self.say("BackOff", &message);
            self.warn("Failed", "Error: ImagePullBackOff");
            let message = format!("{message}: ErrImagePull: {why}");
            self.write(|pod, _| status::waiting(pod, image, "ImagePullBackOff", &message)).await;
            self.cluster.clock.sleep(pause / 2.0).await;
            pause = (pause * 2.0).min(longest);
        }
    }

    async fn pull(&self, image: &str) {
        let began = self.cluster.clock.now();
        let _place = self.node.pulls.enter().await;
        self.say("Pulling", &format!("Pulling image \"{image}\""));
        // A pod that waited for another pod's pull queries the registry too, and finds every layer present.
        let figures = &self.cluster.profile.kubelet;
        let seconds = if has(&self.node, image) {
            self.seconds("image-check", figures.image_check)
        } else {
            self.cluster.dice.roll(image, 0, &self.node.name).draw(figures.image_pull)
        };
        self.cluster.clock.sleep(seconds).await;
        lock(&self.node.images).entry(image.into()).or_insert_with(|| self.cluster.clock.now());
        let waited = self.cluster.clock.now() - began;
        let message = format!(
            "Successfully pulled image \"{image}\" in {seconds:.3}s ({waited:.3}s including waiting). Image size: 314572800 bytes."
        );
        self.say("Pulled", &message);
    }
}

/// The images of a pod, and whether the registry must be queried even if the node has them.
fn images(pod: &Value) -> Vec<(String, bool)> {
    let lists = [&pod["spec"]["initContainers"], &pod["spec"]["containers"]];
    let containers = lists.into_iter().filter_map(Value::as_array).flatten();
    let image = |container: &Value| container["image"].as_str().unwrap_or_default().to_owned();
    containers.map(|container| (image(container), container["imagePullPolicy"] == "Always")).collect()
}

fn has(node: &Node, image: &str) -> bool {
    lock(&node.images).contains_key(image)
}
