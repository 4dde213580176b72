//! Starting all controllers, and stopping them.

use std::sync::Arc;

use crate::value::json;

use super::cdi::DataVolumes;
use super::cdi::claims::Claims;
use super::client::Client;
use super::cluster::Cluster;
use super::collector::Collector;
use super::evacuation::Evacuations;
use super::guests::{Guests, Presence};
use super::handler::Handler;
use super::instance::Instances;
use super::machine::Machines;
use super::migrations::Migrations;
use super::namespaces::NamespaceController;
use super::network::PodNetwork;
use super::routes::{self, Routes};
use super::scheduler::Scheduler;
use super::{jobs, lifecycle, power, quotas};
use crate::faults::Faults;
use crate::model::admission::Admission;
use crate::model::{Dice, MisbehaviourTable, Profile, SimClock};
use crate::network::Network;
use crate::processes::Processes;
use crate::store::kind::NODES;
use crate::store::{Action, Entry, Store};

/// Interval of node heartbeats, in *real* seconds: clients compare them with their own clock.
const HEARTBEAT: std::time::Duration = std::time::Duration::from_secs(60);
/// Concurrent workers for namespaces (k8s default).
const NAMESPACE_WORKERS: usize = 10;
/// Workers of the garbage collector (k8s default).
const GARBAGE_WORKERS: usize = 20;
/// Claims provisioned concurrently (CSI provisioner default).
const CLAIM_WORKERS: usize = 100;

/// All controllers of one simulated cluster; they end on drop
#[derive(Debug)]
pub struct Controllers {
    cluster: Arc<Cluster>,
}

impl Controllers {
    /// Stops all controllers; the store keeps what they wrote.
    pub fn stop(&self) {
        self.cluster.tasks.stop();
    }

    /// Objects that a controller reconciled repeatedly without changing anything. There should be none.
    pub fn spinning(&self) -> Vec<String> {
        self.cluster.tasks.spinning()
    }

    /// Applies denied permissions to controllers too, where they act on behalf of a user.
    pub fn obey(&self, faults: Faults) {
        // Set once, when the server is created.
        let _ = self.cluster.permissions.set(faults);
    }

    /// The pods that are processes of this machine.
    pub fn processes(&self) -> &Arc<Processes> {
        &self.cluster.processes
    }

    /// Simulated time.
    pub fn clock(&self) -> SimClock {
        self.cluster.clock
    }

    /// The API server's capacity for clients' writes; the API waits here before it stores one.
    pub fn admission(&self) -> Admission {
        self.cluster.admission.clone()
    }

    /// The guests.
    pub fn guests(&self) -> &Guests {
        &self.cluster.guests
    }

    /// The pod network, as seen from inside a pod.
    pub fn network(&self) -> Arc<dyn Network> {
        Arc::new(PodNetwork::new(self.cluster.clone()))
    }

    /// Random draws of this simulation.
    pub fn dice(&self) -> Dice {
        self.cluster.dice
    }

    /// The guest behind an address of the pod network.
    pub fn at(&self, address: &str) -> Option<Presence> {
        self.cluster.guests.at(address)
    }

    /// Figures of the model.
    pub fn profile(&self) -> &Profile {
        &self.cluster.profile
    }
}

impl Drop for Controllers {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Starts all controllers on a store
///
/// Nodes may exist already or be added later; a node is served from the moment its object appears.
pub fn start(
    store: Store,
    profile: Profile,
    seed: u64,
    speed: f64,
    misbehaviours: MisbehaviourTable,
) -> Controllers {
    let cluster = Cluster::new(store, profile, seed, speed, misbehaviours);
    let scheduler = start_scheduler(&cluster);
    start_virt_controller(&cluster);
    start_storage(&cluster);
    start_controller_manager(&cluster);
    let routes = Routes::new(cluster.clone(), scheduler);
    for kind in routes::kinds() {
        let nodes = cluster.clone();
        cluster.tasks.spawn(routes.clone().follow(kind, move |entry| node_changed(&nodes, entry)));
    }
    cluster.tasks.spawn(heartbeat(cluster.clone()));
    cluster.tasks.spawn(lifecycle::run(cluster.clone()));
    for pool in cluster.pools.all() {
        cluster.tasks.spawn(pool.clone().drive());
    }
    Controllers { cluster }
}

fn start_scheduler(cluster: &Arc<Cluster>) -> Arc<Scheduler> {
    let figures = &cluster.profile.scheduler;
    let bucket = cluster.bucket(figures.qps, figures.burst);
    let scheduler = Arc::new(Scheduler::new(cluster.clone(), bucket.clone()));
    let client = cluster.client("scheduler", &bucket);
    cluster.tasks.work(cluster.queues.unscheduled.clone(), scheduler.clone(), client);
    scheduler
}

fn start_virt_controller(cluster: &Arc<Cluster>) {
    let figures = &cluster.profile.virt_controller;
    // One client for all of virt-controller, so that machines and instances share one limit.
    let bucket = cluster.bucket(figures.qps, figures.burst);
    let client = |who: &str, number: usize| -> Client { cluster.client(&format!("{who}-{number}"), &bucket) };
    let machines = Arc::new(Machines::new(cluster.clone()));
    for number in 0..figures.vm_workers.max(1) {
        cluster.tasks.work(cluster.queues.machines.clone(), machines.clone(), client("vm", number));
    }
    // One worker, so that no two migrations take the last slot.
    let migrations = Arc::new(Migrations::new(cluster.clone()));
    cluster.tasks.work(cluster.queues.migrations.clone(), migrations, client("vmim", 0));
    let evacuations = Arc::new(Evacuations::new(cluster.clone()));
    cluster.tasks.work(cluster.queues.evacuations.clone(), evacuations, client("evacuation", 0));
    let instances = Arc::new(Instances::new(cluster.clone()));
    for number in 0..figures.vmi_workers.max(1) {
        cluster.tasks.work(cluster.queues.instances.clone(), instances.clone(), client("vmi", number));
    }
}

fn start_storage(cluster: &Arc<Cluster>) {
    let volumes = Arc::new(DataVolumes::new(cluster.clone()));
    for number in 0..cluster.profile.cdi.workers.max(1) {
        let client = cluster.client(&format!("cdi-{number}"), &cluster.cdi);
        cluster.tasks.work(cluster.queues.data_volumes.clone(), volumes.clone(), client);
    }
    let claims = Arc::new(Claims::new(cluster.clone()));
    for number in 0..CLAIM_WORKERS {
        let client = cluster.client(&format!("provisioner-{number}"), &cluster.cdi);
        cluster.tasks.work(cluster.queues.claims.clone(), claims.clone(), client);
    }
}

fn start_controller_manager(cluster: &Arc<Cluster>) {
    let figures = &cluster.profile.controller_manager;
    // Each controller of kube-controller-manager has its own client with the same limit.
    let bucket = cluster.bucket(figures.qps, figures.burst);
    let namespaces = Arc::new(NamespaceController::new(cluster.clone()));
    for number in 0..NAMESPACE_WORKERS {
        let client = cluster.client(&format!("namespace-{number}"), &bucket);
        cluster.tasks.work(cluster.queues.namespaces.clone(), namespaces.clone(), client);
    }
    let bucket = cluster.bucket(figures.qps, figures.burst);
    let collector = Arc::new(Collector::new(cluster.clone()));
    for number in 0..GARBAGE_WORKERS {
        let client = cluster.client(&format!("garbage-{number}"), &bucket);
        cluster.tasks.work(cluster.queues.garbage.clone(), collector.clone(), client);
    }
    jobs::start(cluster);
    quotas::start(cluster, cluster.client("quota", &cluster.bucket(figures.qps, figures.burst)));
}

/// Brings up a node when its object appears.
fn node_changed(cluster: &Arc<Cluster>, entry: &Entry) {
    if entry.action == Action::Deleted {
        return;
    }
    let Some(node) = cluster.nodes.appear(cluster.clock, &cluster.profile, entry.object.value()) else {
        return power::changed(cluster, &entry.object);
    };
    cluster.tasks.spawn(node.cpu.clone().drive());
    cluster.tasks.spawn(node.disk.clone().drive());
    let handler = Arc::new(Handler::new(cluster.clone(), node.clone()));
    for number in 0..cluster.profile.virt_handler.workers.max(1) {
        let client = cluster.client(&format!("virt-handler-{}-{number}", node.name), &node.handler);
        cluster.tasks.work(node.instances.clone(), handler.clone(), client);
    }
}

/// Writes the nodes' heartbeats.
async fn heartbeat(cluster: Arc<Cluster>) {
    loop {
        tokio::time::sleep(HEARTBEAT).await;
        let stamp = cluster.clock.stamp();
        for node in cluster.store.list(&NODES, None).0 {
            if cluster.nodes.get(node.name()).is_some_and(|node| !node.is_up()) {
                continue;
            }
            cluster.store.modify(&NODES, "", node.name(), |node| {
                if node["metadata"]["annotations"].get("kubevirt.io/heartbeat").is_some() {
                    node["metadata"]["annotations"]["kubevirt.io/heartbeat"] = json!(stamp);
                }
            });
        }
    }
}
