//! The life of a guest: it boots, answers on the network, and powers off on request.

use std::sync::Arc;

use super::cluster::Cluster;
use super::guests::{Disk, Exit, Launcher, Stage};
use crate::model::bandwidth::Bandwidth;
use crate::model::dice::Draw;
use crate::model::{Misbehaviour, lock};

/// Speed of the storage cache relative to one reader's share.
const CACHE_GAIN: f64 = 4.0;

/// Runs a guest from the start of its CPUs to its end.
pub async fn live(cluster: Arc<Cluster>, launcher: Arc<Launcher>) {
    let mut watched = launcher.guest.subscribe();
    let over = watched.wait_for(|guest| matches!(guest.stage, Stage::Off(_)));
    tokio::select! {
        () = boot(&cluster, &launcher) => {}
        _ = over => return,
    }
    until_power_off(cluster, launcher).await;
}

/// Runs a booted guest until the power button is pressed or the plug is pulled.
pub async fn until_power_off(cluster: Arc<Cluster>, launcher: Arc<Launcher>) {
    let mut watched = launcher.guest.subscribe();
    let pressed =
        watched.wait_for(|guest| guest.shutdown_at.is_some() || matches!(guest.stage, Stage::Off(_)));
    let _ = pressed.await;
    if matches!(launcher.state().stage, Stage::Off(_)) || ignores_power(launcher.misbehaviour) {
        return;
    }
    let mut watched = launcher.guest.subscribe();
    let over = watched.wait_for(|guest| matches!(guest.stage, Stage::Off(_)));
    tokio::select! {
        () = shut_down(&cluster, &launcher) => {}
        _ = over => return,
    }
    if launcher.end(Exit::PoweredOff) {
        launcher.call_handler();
    }
}

/// Whether a guest ignores the power button.
fn ignores_power(misbehaviour: Option<Misbehaviour>) -> bool {
    matches!(misbehaviour, Some(Misbehaviour::RefusesToStop | Misbehaviour::NeverStops))
}

/// Firmware, kernel, network, agent; or as far as the power button permits.
async fn boot(cluster: &Arc<Cluster>, launcher: &Launcher) {
    let figures = &cluster.profile.guest;
    let slow = launcher.slowness();
    let seconds = |step, draw| slow * cluster.seconds(&launcher.key, &launcher.uid, step, draw);
    cluster.clock.sleep(seconds("firmware", figures.firmware)).await;
    // Each vCPU of the guest has its share of the boot to do, so all of them load the node.
    let work = seconds("kernel", figures.boot_cpu) * launcher.vcpus;
    tokio::join!(
        launcher.node.cpu.serve(work, launcher.vcpus),
        read(cluster, launcher, slow * cluster.profile.storage.boot_read),
    );
    launcher.change(|guest| guest.booted = true);
    if launcher.state().shutdown_at.is_some() {
        return;
    }
    let mut watched = launcher.guest.subscribe();
    let pressed = watched.wait_for(|guest| guest.shutdown_at.is_some());
    let services = async {
        match launcher.misbehaviour {
            Some(Misbehaviour::NoNetwork) => {}
            Some(Misbehaviour::AgentBeforeDhcp) => {
                cluster.clock.sleep(seconds("agent", figures.agent)).await;
                agent_connects(cluster, launcher);
                address(cluster, seconds("late-dhcp", figures.late_dhcp)).await;
                network_comes(cluster, launcher, &seconds);
                // The agent's information about the interface has changed.
                launcher.call_handler();
            }
            _ => {
                address(cluster, seconds("dhcp", figures.dhcp)).await;
                network_comes(cluster, launcher, &seconds);
                cluster.clock.sleep(seconds("agent", figures.agent)).await;
                agent_connects(cluster, launcher);
            }
        }
    };
    tokio::select! {
        () = services => {}
        _ = pressed => {}
    }
}

/// Waits for an address, which takes this many seconds once it is the guest's turn.
async fn address(cluster: &Cluster, seconds: f64) {
    if let Some(dhcp) = &cluster.dhcp {
        dhcp.acquire().await;
    }
    cluster.clock.sleep(seconds).await;
}

/// Makes the guest answer from now on, and its services a little later.
fn network_comes(cluster: &Cluster, launcher: &Launcher, seconds: &impl Fn(&'static str, Draw) -> f64) {
    let now = cluster.clock.now();
    let figures = &cluster.profile.guest;
    let (services, cloud_init) =
        (seconds("services", figures.services), seconds("cloud-init", figures.cloud_init));
    let changed = launcher.change(|guest| {
        guest.stage = if guest.agent_at.is_some() { Stage::Agent } else { Stage::Network };
        guest.network_at = Some(now);
        guest.services_at = Some(now + services);
        guest.cloud_init_at = Some(now + cloud_init);
    });
    if changed {
        cluster.store.note_guest(
            &launcher.key.namespace,
            &launcher.key.name,
            &launcher.uid,
            "network",
            &launcher.address,
        );
    }
}

fn agent_connects(cluster: &Cluster, launcher: &Launcher) {
    let now = cluster.clock.now();
    let changed = launcher.change(|guest| {
        guest.stage = Stage::Agent;
        guest.agent_at = Some(now);
    });
    if changed {
        cluster.store.note_guest(
            &launcher.key.namespace,
            &launcher.key.name,
            &launcher.uid,
            "agent",
            &launcher.address,
        );
        launcher.call_handler();
    }
}

/// Stops services, writes dirty pages, powers off.
async fn shut_down(cluster: &Arc<Cluster>, launcher: &Launcher) {
    let figures = &cluster.profile.guest;
    let seconds =
        launcher.slowness() * cluster.seconds(&launcher.key, &launcher.uid, "shutdown", figures.shutdown);
    tokio::join!(
        cluster.clock.sleep(seconds),
        launcher.node.cpu.serve(figures.shutdown_cpu * launcher.vcpus, launcher.vcpus),
    );
    // The guest's last writes are accepted by the cache; the medium processes them after the guest is gone.
    if let Some(medium) = medium(cluster, launcher) {
        let write = cluster.profile.storage.shutdown_write;
        cluster.tasks.spawn(async move { medium.serve(write, 1.0).await });
    }
}

/// Reads `megabytes` from the guest's disk.
pub async fn read(cluster: &Cluster, launcher: &Launcher, megabytes: f64) {
    read_disk(cluster, &launcher.node, &launcher.disk, megabytes).await;
}

/// Reads `megabytes` from a disk: from the cache if just written, else from the medium.
pub async fn read_disk(cluster: &Cluster, node: &super::nodes::Node, disk: &Disk, megabytes: f64) {
    let storage = &cluster.profile.storage;
    let (medium, written) = match disk {
        Disk::Image(image) => (&node.disk, lock(&node.images).get(image).copied()),
        Disk::Claim { uid, class } => (cluster.pools.of(class), lock(&cluster.written).get(uid).copied()),
        Disk::None => return,
    };
    let fresh = written.is_some_and(|at| cluster.clock.now() - at < storage.cache);
    if fresh {
        cluster.clock.sleep(megabytes / (storage.per_reader * CACHE_GAIN)).await;
    } else {
        medium.serve(megabytes, 1.0).await;
    }
}

fn medium(cluster: &Cluster, launcher: &Launcher) -> Option<Bandwidth> {
    match &launcher.disk {
        Disk::Image(_) => Some(launcher.node.disk.clone()),
        Disk::Claim { class, .. } => Some(cluster.pools.of(class).clone()),
        Disk::None => None,
    }
}
