//! Starting a pod: volumes, sandbox and network, images, init containers, containers.

use std::sync::Arc;

use crate::value::Value;
use tokio::sync::watch;

use super::super::attachments::is_single;
use super::super::boot::read_disk;
use super::super::guests::{Disk, Guest, Launcher, Stage, slowness};
use super::super::instance::launcher::vcpus;
use super::super::instance::progress::{forwarded, is_proxied};
use super::super::key::Key;
use super::super::names;
use super::super::network::addresses;
use super::{PodWorker, status, sysctls};
use crate::model::{Draw, Misbehaviour};
use crate::store::kind::{CONFIG_MAPS, PERSISTENT_VOLUME_CLAIMS, PODS, SECRETS, VIRTUAL_MACHINE_INSTANCES};
use crate::store::{Kind, Object};

/// The component that attaches volumes.
const ATTACHER: super::Source<'static> = super::Source { component: "attachdetach-controller", host: None };
/// Seconds between two warnings that a volume cannot be attached (estimate; k8s retries with a growing pause up to two
/// minutes).
const ATTACH_AGAIN: f64 = 60.0;
/// Seconds between two attempts to create a sandbox that cannot be created (estimate).
const SANDBOX_AGAIN: f64 = 12.0;
/// Seconds after which a kubelet reports that it still waits for volumes (k8s: 2 min 3 s).
const MOUNT_TIMEOUT: f64 = 123.0;
/// Seconds between the first two attempts to mount something missing; it doubles up to the maximum (k8s: 0.5 s, 2 min 2
/// s).
const FIRST_MOUNT_PAUSE: f64 = 0.5;
const LONGEST_MOUNT_PAUSE: f64 = 122.0;

impl PodWorker {
    /// Brings the pod up; false if it vanished or had already ended.
    pub(super) async fn start(&mut self, changes: &mut watch::Receiver<()>) -> bool {
        if matches!(self.pod.value()["status"]["phase"].as_str(), Some("Succeeded" | "Failed")) {
            return false;
        }
        let instance = self.instance();
        if let Some(why) = sysctls::refusal(self.pod.value(), &self.cluster.profile.kubelet.forbidden_sysctls)
        {
            self.warn("SysctlForbidden", &why);
            self.write(|pod, stamp| status::refused(pod, "SysctlForbidden", &why, stamp)).await;
            // It stays as it is until it is deleted.
            std::future::pending::<()>().await;
        }
        self.write(status::admitted).await;
        let disk = self.mount().await;
        let figures = self.cluster.profile.kubelet.clone();
        {
            let _place = self.node.sandboxes.enter().await;
            self.cluster.clock.sleep(self.seconds("sandbox", figures.sandbox)).await;
        }
        while let Some(why) = sysctls::failure(self.pod.value(), figures.user_namespaces) {
            self.warn("FailedCreatePodSandBox", why);
            self.cluster.clock.sleep(SANDBOX_AGAIN).await;
        }
        let address = self.node.lease_address();
        self.cluster.guests.hold(&address);
        self.address = Some(address.clone());
        let addresses = addresses(&address, self.cluster.profile.node.dual_stack);
        self.write(|pod, stamp| status::sandboxed(pod, &addresses, stamp)).await;
        if instance
            .as_ref()
            .is_some_and(|instance| self.cluster.misbehaviour(instance) == Some(Misbehaviour::BadImage))
        {
            self.fail_to_pull().await;
            return false;
        }
        self.pull_images().await;
        if instance.is_some() {
            self.cluster.clock.sleep(self.seconds("init-containers", figures.init_containers)).await;
            self.write(status::initialized).await;
        }
        let read = if instance.is_some() { self.cluster.profile.storage.start_read } else { 0.0 };
        // What is started must be read first; its own work and that of the CPU run concurrently.
        read_disk(&self.cluster, &self.node, &disk, read).await;
        tokio::join!(
            self.cluster.clock.sleep(self.seconds("containers", figures.containers)),
            self.node.cpu.serve(figures.start_cpu, 1.0),
        );
        if let Some(instance) = instance {
            self.launch(&instance, &address, disk);
        }
        if self.acts() {
            // Its containers come up independently.
            return true;
        }
        for container in status::names(self.pod.value()) {
            self.say("Created", &format!("Created container: {container}"));
            self.say("Started", &format!("Started container {container}"));
        }
        self.write(status::running).await;
        self.wait_for_gates(changes).await;
        true
    }

    /// Instance of this pod.
    fn instance(&self) -> Option<Object> {
        let uid = self.pod.label(names::CREATED_BY)?;
        let domain = self.pod.value()["metadata"]["annotations"]["kubevirt.io/domain"].as_str()?;
        let instance = self.cluster.store.get(&VIRTUAL_MACHINE_INSTANCES, self.pod.namespace(), domain)?;
        (instance.uid() == uid).then_some(instance)
    }

    /// Starts the launcher in which the instance's guest will run.
    fn launch(&mut self, instance: &Object, address: &str, disk: Disk) {
        let key = Key::of(instance);
        let socket = self.seconds("socket", self.cluster.profile.virt_handler.socket);
        let guest = Guest {
            stage: Stage::Idle,
            booted: false,
            network_at: None,
            services_at: None,
            agent_at: None,
            cloud_init_at: None,
            shutdown_at: None,
            pod_ends: false,
            noted: false,
        };
        let launcher = Arc::new(Launcher {
            uid: instance.uid().into(),
            node: self.node.clone(),
            address: address.into(),
            socket_at: self.cluster.clock.now() + socket,
            vcpus: vcpus(&instance.value()["spec"]),
            disk,
            ports: forwarded(instance.value()),
            proxied: is_proxied(instance.value()),
            misbehaviour: self.cluster.misbehaviour(instance),
            guest: watch::Sender::new(guest),
            key,
        });
        if self.pod.label(names::MIGRATION_JOB).is_some() {
            self.cluster.guests.add_target(self.pod.uid(), launcher.clone());
        } else {
            self.cluster.guests.add(launcher.clone());
        }
        self.launcher = Some(launcher);
    }

    /// Waits until the pod's claims are bound and attached, and its Secrets and `ConfigMaps` exist; returns the place
    /// of its first disk.
    async fn mount(&mut self) -> Disk {
        let mut disk = Disk::None;
        let pod = self.pod.clone();
        let pod = pod.value();
        for volume in pod["spec"]["volumes"].as_array().into_iter().flatten() {
            let Some(name) = volume["persistentVolumeClaim"]["claimName"].as_str() else { continue };
            let claim = self.bound(&Key::new(self.pod.namespace(), name)).await;
            let volume = claim.value()["spec"]["volumeName"].as_str().unwrap_or_default();
            if is_single(claim.value()) {
                tokio::select! {
                    () = self.take(claim.uid(), volume) => {}
                    () = self.complain_about_mount(name) => {}
                }
                self.held.push(claim.uid().to_owned());
            }
            tokio::select! {
                () = self.attach(volume) => {}
                () = self.complain_about_mount(name) => {}
            }
            let source = ATTACHER;
            let message = format!("AttachVolume.Attach succeeded for volume \"{volume}\" ");
            self.cluster.recorder.normal(source, &self.pod, "SuccessfulAttachVolume", &message);
            if disk == Disk::None {
                let class = claim.value()["spec"]["storageClassName"].as_str().unwrap_or_default();
                disk = Disk::Claim { uid: claim.uid().into(), class: class.into() };
            }
        }
        self.mount_settings(pod).await;
        if disk == Disk::None {
            let images = pod["spec"]["initContainers"].as_array().into_iter().flatten();
            let mut image =
                images.filter(|one| one["name"].as_str().is_some_and(|name| name.starts_with("volume")));
            if let Some(image) = image.find_map(|one| one["image"].as_str()) {
                disk = Disk::Image(image.into());
            }
        }
        disk
    }

    /// Waits until no other node holds a claim that only one node may hold.
    async fn take(&self, claim: &str, volume: &str) {
        loop {
            let freed = self.cluster.attachments.freed();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if self.cluster.attachments.take(claim, &self.node.name) {
                return;
            }
            self.refuse_attach(volume);
            tokio::select! {
                () = freed => {}
                () = self.cluster.clock.sleep(ATTACH_AGAIN) => {}
            }
        }
    }

    fn refuse_attach(&self, volume: &str) {
        let message = format!(
            "Multi-Attach error for volume \"{volume}\" Volume is already exclusively attached to one node and can't be attached to another"
        );
        self.cluster.recorder.warning(ATTACHER, &self.pod, "FailedAttachVolume", &message);
    }

    /// Waits for the Secrets and `ConfigMaps` that the pod mounts, repeatedly reporting missing ones.
    async fn mount_settings(&self, pod: &Value) {
        let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
        for volume in volumes {
            let (kind, source, field): (&'static Kind, _, _) = match () {
                () if volume["secret"].is_object() => (&SECRETS, &volume["secret"], "secretName"),
                () if volume["configMap"].is_object() => (&CONFIG_MAPS, &volume["configMap"], "name"),
                () => continue,
            };
            let Some(name) = source[field].as_str().filter(|_| source["optional"] != true) else { continue };
            let mut pause = FIRST_MOUNT_PAUSE;
            while self.cluster.store.get(kind, self.pod.namespace(), name).is_none() {
                let message = format!(
                    "MountVolume.SetUp failed for volume \"{}\" : {} \"{name}\" not found",
                    volume["name"].as_str().unwrap_or_default(),
                    kind.singular,
                );
                self.warn("FailedMount", &message);
                self.cluster.clock.sleep(pause).await;
                pause = (2.0 * pause).min(LONGEST_MOUNT_PAUSE);
            }
        }
    }

    /// Attaches a volume; never completes if another node holds it.
    async fn attach(&self, volume: &str) {
        let instance = self.instance();
        let how = instance.and_then(|instance| self.cluster.misbehaviour(&instance));
        while how == Some(Misbehaviour::NeverAttaches) {
            self.refuse_attach(volume);
            self.cluster.clock.sleep(ATTACH_AGAIN).await;
        }
        self.cluster.attaches.acquire().await;
        self.cluster.clock.sleep(self.seconds("attach", self.cluster.profile.storage.attach)).await;
    }

    /// Repeatedly warns that a volume is missing; never completes.
    async fn complain_about_mount(&self, name: &str) {
        loop {
            self.cluster.clock.sleep(MOUNT_TIMEOUT).await;
            let message = format!(
                "Unable to attach or mount volumes: unmounted volumes=[{name}], unattached volumes=[{name}], failed to process volumes=[]: context deadline exceeded"
            );
            self.warn("FailedMount", &message);
        }
    }

    async fn bound(&self, key: &Key) -> Object {
        loop {
            let signal = self.cluster.pods.claim(key);
            let changed = signal.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let claim = self.cluster.store.get(&PERSISTENT_VOLUME_CLAIMS, &key.namespace, &key.name);
            if let Some(claim) = claim.filter(|claim| claim.value()["status"]["phase"] == "Bound") {
                return claim;
            }
            changed.await;
        }
    }

    /// Keeps Ready in line with the readiness gates, whenever they open.
    async fn wait_for_gates(&mut self, changes: &mut watch::Receiver<()>) {
        loop {
            changes.borrow_and_update();
            let Some(pod) = self.current() else { return };
            if status::is_ready(pod.value()) {
                return;
            }
            if status::gates_open(pod.value()) {
                self.write(status::running).await;
                return;
            }
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Duration of one step of this pod, in simulated seconds.
    pub(super) fn seconds(&self, step: &str, draw: Draw) -> f64 {
        let pod = self.pod.value();
        let domain = pod["metadata"]["annotations"]["kubevirt.io/domain"].as_str();
        match (domain, self.pod.label(names::CREATED_BY)) {
            (Some(domain), Some(uid)) => {
                let key = Key::new(self.pod.namespace(), domain);
                let instance = self.cluster.store.get(&VIRTUAL_MACHINE_INSTANCES, &key.namespace, domain);
                let slow = slowness(instance.and_then(|instance| self.cluster.misbehaviour(&instance)));
                slow * self.node.slow * self.cluster.seconds(&key, uid, step, draw)
            }
            _ => self.cluster.dice.roll(&Key::of(&self.pod).to_string(), 0, step).draw(draw),
        }
    }

    /// Writes to the status of the pod.
    pub(super) async fn write(&mut self, change: impl Fn(&mut crate::value::Value, &str)) {
        self.node.up().await;
        let stamp = self.cluster.clock.stamp();
        // A pod that is gone needs no status.
        let _ = self.client.patch(&PODS, &self.pod, |pod| change(pod, &stamp)).await;
    }
}
