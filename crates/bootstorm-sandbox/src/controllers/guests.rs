//! Launchers on all nodes, and the guests inside them.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use super::key::Key;
use super::nodes::Node;
use crate::model::Misbehaviour;

/// How a guest ended
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Powered off.
    PoweredOff,
    /// Crashed.
    Crashed,
    /// Killed because its grace period had expired.
    Expired,
    /// Killed without a grace period.
    Destroyed,
}

/// Progress of a guest
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stage {
    /// The launcher waits for a domain.
    Idle,
    /// The domain is defined and qemu starts.
    Starting,
    /// Its CPUs run; the kernel boots.
    Running,
    /// Answers on the network.
    Network,
    /// Its agent is connected.
    Agent,
    /// Ended.
    Off(Exit),
}

/// State of a guest
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Guest {
    /// Progress.
    pub stage: Stage,
    /// Whether its operating system is far enough up to notice the power button.
    pub booted: bool,
    /// Simulated instant since which it answers on the network.
    pub network_at: Option<f64>,
    /// Simulated instant from which its services listen.
    pub services_at: Option<f64>,
    /// Simulated instant at which its agent connected.
    pub agent_at: Option<f64>,
    /// Simulated instant at which cloud-init ends its final stage.
    pub cloud_init_at: Option<f64>,
    /// Simulated instant at which the power button was pressed.
    pub shutdown_at: Option<f64>,
    /// Whether its pod is terminating.
    pub pod_ends: bool,
    /// Whether virt-handler has recorded its end.
    pub noted: bool,
}

/// One launcher, with its guest
#[derive(Debug)]
pub struct Launcher {
    /// Instance.
    pub key: Key,
    /// UID of the instance.
    pub uid: Box<str>,
    /// Node on which it runs.
    pub node: Arc<Node>,
    /// Address of its pod.
    pub address: Box<str>,
    /// Simulated instant from which its command socket answers.
    pub socket_at: f64,
    /// vCPUs of the guest.
    pub vcpus: f64,
    /// Place of the guest's disk.
    pub disk: Disk,
    /// Only ports forwarded to the guest, if its interface lists some.
    pub ports: Option<Box<[u16]>>,
    /// Whether its network accepts connections and answers pings itself, like passt and slirp.
    pub proxied: bool,
    /// Misbehaviour of the guest.
    pub misbehaviour: Option<Misbehaviour>,
    /// Guest.
    pub guest: watch::Sender<Guest>,
}

/// Place of a guest's disk
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disk {
    /// On the node, from this image.
    Image(Box<str>),
    /// In a pool, behind a claim.
    Claim {
        /// UID of the claim.
        uid: Box<str>,
        /// Its storage class, which determines the pool.
        class: Box<str>,
    },
    /// No relevant disk.
    None,
}

impl Launcher {
    /// Current state of the guest.
    pub fn state(&self) -> Guest {
        *self.guest.borrow()
    }

    /// Changes the guest's state, unless it has ended.
    pub fn change(&self, change: impl FnOnce(&mut Guest)) -> bool {
        self.guest.send_if_modified(|guest| {
            if matches!(guest.stage, Stage::Off(_)) {
                return false;
            }
            change(guest);
            true
        })
    }

    /// Ends the guest, unless it has ended already.
    pub fn end(&self, exit: Exit) -> bool {
        self.change(|guest| {
            guest.stage = Stage::Off(exit);
            guest.network_at = None;
        })
    }

    /// Records that virt-handler knows about the end.
    pub fn note_end(&self) {
        self.guest.send_modify(|guest| guest.noted = true);
    }

    /// Factor on all durations of this guest.
    pub fn slowness(&self) -> f64 {
        slowness(self.misbehaviour) * self.node.slow
    }

    /// Wakes virt-handler for this guest.
    pub fn call_handler(&self) {
        self.node.instances.add(self.key.clone());
    }
}

/// Factor on all durations.
pub fn slowness(misbehaviour: Option<Misbehaviour>) -> f64 {
    match misbehaviour {
        Some(Misbehaviour::Slow(factor)) => factor,
        _ => 1.0,
    }
}

/// A guest as seen from the network
#[derive(Debug, Clone, PartialEq)]
pub struct Presence {
    /// Instance.
    pub key: Key,
    /// UID of the instance.
    pub uid: Box<str>,
    /// Node.
    pub node: Arc<str>,
    /// Whether virt-handler has taken over the address for the guest; before that the pod itself answers.
    pub defined: bool,
    /// Simulated instant since which the guest answers; `None` while it does not.
    pub network_at: Option<f64>,
}

/// All launchers
#[derive(Debug, Default)]
pub struct Guests(RwLock<Maps>);

#[derive(Debug, Default)]
struct Maps {
    by_instance: HashMap<Box<str>, Arc<Launcher>>,
    by_address: HashMap<Box<str>, Arc<Launcher>>,
    held: HashSet<Box<str>>,
    /// Launchers that wait for a guest, by pod UID.
    targets: HashMap<Box<str>, Arc<Launcher>>,
}

impl Guests {
    /// Adds a launcher that is up.
    pub fn add(&self, launcher: Arc<Launcher>) {
        let mut maps = self.0.write().unwrap_or_else(PoisonError::into_inner);
        maps.by_address.insert(launcher.address.clone(), launcher.clone());
        maps.by_instance.insert(launcher.uid.clone(), launcher);
    }

    /// Adds a launcher to which a guest will migrate.
    pub fn add_target(&self, pod: &str, launcher: Arc<Launcher>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).targets.insert(pod.into(), launcher);
    }

    /// The launcher in a target pod.
    pub fn target(&self, pod: &str) -> Option<Arc<Launcher>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).targets.get(pod).cloned()
    }

    /// Makes this launcher run the guest of its instance from now on.
    pub fn hand_over(&self, launcher: &Arc<Launcher>) {
        self.add(launcher.clone());
    }

    /// The launcher of an instance.
    pub fn of(&self, uid: &str) -> Option<Arc<Launcher>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).by_instance.get(uid).cloned()
    }

    /// Every launcher on a node.
    pub fn on(&self, node: &str) -> Vec<Arc<Launcher>> {
        let maps = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let all = maps.by_instance.values().chain(maps.targets.values());
        all.filter(|launcher| *launcher.node.name == *node).cloned().collect()
    }

    /// Removes a launcher whose pod is gone.
    pub fn remove(&self, launcher: &Arc<Launcher>) {
        let mut maps = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if maps.by_instance.get(&launcher.uid).is_some_and(|known| Arc::ptr_eq(known, launcher)) {
            maps.by_instance.remove(&launcher.uid);
        }
        maps.targets.retain(|_, known| !Arc::ptr_eq(known, launcher));
        if maps.by_address.get(&launcher.address).is_some_and(|known| Arc::ptr_eq(known, launcher)) {
            maps.by_address.remove(&launcher.address);
        }
    }

    /// Records that a pod has this address from now on.
    pub fn hold(&self, address: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).held.insert(address.into());
    }

    /// Records that no pod has this address any more.
    pub fn release(&self, address: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).held.remove(address);
    }

    /// Whether any pod has this address.
    pub fn holds(&self, address: &str) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).held.contains(address)
    }

    /// The launcher at an address of the pod network.
    pub fn launcher_at(&self, address: &str) -> Option<Arc<Launcher>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).by_address.get(address).cloned()
    }

    /// The guest behind an address of the pod network.
    pub fn at(&self, address: &str) -> Option<Presence> {
        self.launcher_at(address).map(|launcher| presence(&launcher))
    }

    /// The guest of an instance.
    pub fn presence(&self, uid: &str) -> Option<Presence> {
        self.of(uid).map(|launcher| presence(&launcher))
    }
}

fn presence(launcher: &Launcher) -> Presence {
    let state = launcher.state();
    Presence {
        key: launcher.key.clone(),
        uid: launcher.uid.clone(),
        node: launcher.node.name.clone(),
        defined: state.stage != Stage::Idle,
        network_at: state.network_at,
    }
}
