//! Resources of the nodes: cores, disks, slots in the container runtime, images, addresses.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::value::Value;
use tokio::sync::watch;

use super::key::Key;
use super::queue::WorkQueue;
use crate::model::bandwidth::Bandwidth;
use crate::model::bucket::TokenBucket;
use crate::model::fluid::Capacity;
use crate::model::pool::Pool;
use crate::model::{Profile, SimClock, lock, quantity};

/// Addresses per node: enough for 250 pods many times over, so that a new pod gets a new address.
const ADDRESSES: u32 = 1024;

/// One node's resources
#[derive(Debug)]
pub struct Node {
    /// Name.
    pub name: Arc<str>,
    /// Factor on all durations.
    pub slow: f64,
    /// CPU cores, shared by all computation; a weight of 1 is one vCPU.
    pub cpu: Bandwidth,
    /// Disk with images and container disks, in MB.
    pub disk: Bandwidth,
    /// Slots for pod sandboxes being set up.
    pub sandboxes: Pool,
    /// Slots for pods being taken down.
    pub teardowns: Pool,
    /// Slot for an image being pulled.
    pub pulls: Pool,
    /// Images, and the time at which they were written here.
    pub images: Mutex<HashMap<Box<str>, f64>>,
    /// Number of pods that use an image, and since when there are none.
    used: Mutex<HashMap<Box<str>, (usize, f64)>>,
    /// Call limit of the kubelet.
    pub kubelet: Arc<TokenBucket>,
    /// Call limit of virt-handler.
    pub handler: Arc<TokenBucket>,
    /// Work queue of virt-handler.
    pub instances: Arc<WorkQueue<Key>>,
    addresses: Mutex<Addresses>,
    /// Whether it has power and its system is up.
    up: watch::Sender<bool>,
}

#[derive(Debug)]
struct Addresses {
    block: u32,
    next: u32,
    taken: Vec<bool>,
}

impl Node {
    fn new(clock: SimClock, profile: &Profile, name: &str, block: u32, cores: f64) -> Self {
        let bucket = |qps, burst| Arc::new(TokenBucket::new(clock, qps, burst));
        let factor = profile.node.factors.get(name).copied().unwrap_or(1.0);
        let cpu = Capacity { total: cores * factor, each: factor, interference: 0.0 };
        let storage = &profile.storage;
        let disk = Capacity {
            total: storage.node_disk * factor,
            each: storage.per_reader * factor,
            interference: storage.interference,
        };
        Self {
            name: name.into(),
            slow: profile.node.slow.get(name).copied().unwrap_or(1.0),
            cpu: Bandwidth::new(clock, cpu),
            disk: Bandwidth::new(clock, disk),
            sandboxes: Pool::new(profile.kubelet.sandbox_places),
            teardowns: Pool::new(profile.kubelet.teardown_places),
            pulls: Pool::new(1),
            images: Mutex::default(),
            used: Mutex::default(),
            kubelet: bucket(profile.kubelet.qps, profile.kubelet.burst),
            handler: bucket(profile.virt_handler.qps, profile.virt_handler.burst),
            instances: Arc::new(WorkQueue::new(clock)),
            addresses: Mutex::new(Addresses { block, next: 2, taken: vec![false; ADDRESSES as usize] }),
            up: watch::Sender::new(true),
        }
    }

    /// Whether anything runs on it.
    pub fn is_up(&self) -> bool {
        *self.up.borrow()
    }

    /// Records that it lost its power, or is up again; false if nothing changed.
    pub fn set_up(&self, up: bool) -> bool {
        self.up.send_if_modified(|known| std::mem::replace(known, up) != up)
    }

    /// Waits until it loses its power.
    pub async fn lost(&self) {
        let _ = self.up.subscribe().wait_for(|up| !up).await;
    }

    /// Waits until it is up.
    pub async fn up(&self) {
        let _ = self.up.subscribe().wait_for(|up| *up).await;
    }

    /// Records that a pod uses an image from now on; an image unused for `age` seconds was removed meanwhile.
    pub fn hold_image(&self, image: &str, now: f64, age: f64) {
        let mut used = lock(&self.used);
        let (pods, since) = used.entry(image.into()).or_insert((0, now));
        if *pods == 0 && age > 0.0 && now - *since > age {
            lock(&self.images).remove(image);
        }
        *pods += 1;
    }

    /// Records that a pod no longer uses an image.
    pub fn release_image(&self, image: &str, now: f64) {
        if let Some((pods, since)) = lock(&self.used).get_mut(image) {
            *pods = pods.saturating_sub(1);
            *since = now;
        }
    }

    /// A free address of the node's range.
    pub fn lease_address(&self) -> String {
        let mut addresses = lock(&self.addresses);
        let mut number = addresses.next;
        // Round robin, so that an address is reused as late as possible; the range is never full.
        for _ in 0..ADDRESSES {
            if !addresses.taken[number as usize] {
                break;
            }
            number = 2 + (number - 1) % (ADDRESSES - 3);
        }
        addresses.taken[number as usize] = true;
        addresses.next = 2 + (number - 1) % (ADDRESSES - 3);
        let host = (10 << 24 | 128 << 16) + addresses.block * ADDRESSES + number;
        std::net::Ipv4Addr::from(host).to_string()
    }

    /// Releases an address.
    pub fn return_address(&self, address: &str) {
        let Ok(host) = address.parse::<std::net::Ipv4Addr>() else { return };
        let number = u32::from(host) % ADDRESSES;
        lock(&self.addresses).taken[number as usize] = false;
    }
}

/// All nodes by name
#[derive(Debug, Default)]
pub struct Nodes(RwLock<HashMap<Box<str>, Arc<Node>>>);

impl Nodes {
    /// The node of this name.
    pub fn get(&self, name: &str) -> Option<Arc<Node>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Creates the resources of a new node; `None` if it is already known.
    pub fn appear(&self, clock: SimClock, profile: &Profile, object: &Value) -> Option<Arc<Node>> {
        let name = object["metadata"]["name"].as_str()?;
        let mut nodes = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if nodes.contains_key(name) {
            return None;
        }
        let cores = quantity::of(&object["status"]["allocatable"]["cpu"]).unwrap_or(profile.node.cores);
        let block = nodes.len() as u32;
        let node = Arc::new(Node::new(clock, profile, name, block, cores));
        nodes.insert(name.into(), node.clone());
        Some(node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn addresses_are_not_given_out_twice_and_rest_before_they_come_back() {
        let node = Node::new(SimClock::start(1.0), &Profile::default(), "node1", 3, 4.0);
        let all: std::collections::HashSet<String> = (0..900).map(|_| node.lease_address()).collect();
        assert_eq!(all.len(), 900);
        let first = all.iter().next().expect("an address").clone();
        assert!(first.starts_with("10.128.1"), "the fourth block of 1024: {first}");
        node.return_address(&first);
        assert_ne!(node.lease_address(), first);
    }
}
