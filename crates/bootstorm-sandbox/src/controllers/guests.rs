//! The launchers on all nodes, and the guests inside them.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use super::key::Key;
use super::nodes::Node;
use crate::model::Misbehaviour;

/// How a guest came to its end
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It powered off.
    PoweredOff,
    /// It died by itself.
    Crashed,
    /// It was killed because its grace had run out.
    Expired,
    /// It was killed because it was given no grace.
    Destroyed,
}

/// How far a guest has come
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stage {
    /// The launcher waits for a domain.
    Idle,
    /// The domain is defined and qemu starts.
    Starting,
    /// Its processors run; the kernel boots.
    Running,
    /// It answers on the network.
    Network,
    /// Its agent has connected.
    Agent,
    /// It is over.
    Off(Exit),
}

/// The state of a guest
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Guest {
    /// How far it has come.
    pub stage: Stage,
    /// Whether its operating system is up far enough to notice the power button.
    pub booted: bool,
    /// The simulated instant since which it answers on the network.
    pub network_at: Option<f64>,
    /// The simulated instant from which its services listen.
    pub services_at: Option<f64>,
    /// The simulated instant at which its agent connected.
    pub agent_at: Option<f64>,
    /// The simulated instant at which cloud-init ends its final stage.
    pub cloud_init_at: Option<f64>,
    /// The simulated instant at which the power button was pressed.
    pub shutdown_at: Option<f64>,
    /// Whether its pod has been told to end.
    pub pod_ends: bool,
    /// Whether virt-handler has taken note of its end.
    pub noted: bool,
}

/// One launcher, with its guest
#[derive(Debug)]
pub struct Launcher {
    /// The instance.
    pub key: Key,
    /// The identity of the instance.
    pub uid: Box<str>,
    /// The node it runs on.
    pub node: Arc<Node>,
    /// The address of its pod.
    pub address: Box<str>,
    /// The simulated instant from which its command socket answers.
    pub socket_at: f64,
    /// The guest's processors.
    pub vcpus: f64,
    /// Where the guest's disk is.
    pub disk: Disk,
    /// The only ports that are forwarded to the guest, if its interface names some.
    pub ports: Option<Box<[u16]>>,
    /// Whether its network accepts connections and answers pings itself, as passt and slirp do.
    pub proxied: bool,
    /// What is wrong with the guest.
    pub misbehaviour: Option<Misbehaviour>,
    /// The guest.
    pub guest: watch::Sender<Guest>,
}

/// Where a guest's disk is
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disk {
    /// On the node, out of this image.
    Image(Box<str>),
    /// In a pool, behind a claim.
    Claim {
        /// Identity of the claim.
        uid: Box<str>,
        /// Its storage class, which says in which pool.
        class: Box<str>,
    },
    /// It has none that matters.
    None,
}

impl Launcher {
    /// The guest's state now.
    pub fn state(&self) -> Guest {
        *self.guest.borrow()
    }

    /// Changes the guest's state, unless it is over.
    pub fn change(&self, change: impl FnOnce(&mut Guest)) -> bool {
        self.guest.send_if_modified(|guest| {
            if matches!(guest.stage, Stage::Off(_)) {
                return false;
            }
            change(guest);
            true
        })
    }

    /// Ends the guest, if it is not over already.
    pub fn end(&self, exit: Exit) -> bool {
        self.change(|guest| {
            guest.stage = Stage::Off(exit);
            guest.network_at = None;
        })
    }

    /// Notes that virt-handler knows of the end.
    pub fn note_end(&self) {
        self.guest.send_modify(|guest| guest.noted = true);
    }

    /// How many times longer everything of this guest takes.
    pub fn slowness(&self) -> f64 {
        slowness(self.misbehaviour) * self.node.slow
    }

    /// Wakes virt-handler for this guest.
    pub fn call_handler(&self) {
        self.node.instances.add(self.key.clone());
    }
}

/// How many times longer everything takes.
pub fn slowness(misbehaviour: Option<Misbehaviour>) -> f64 {
    match misbehaviour {
        Some(Misbehaviour::Slow(factor)) => factor,
        _ => 1.0,
    }
}

/// A guest as somebody on the network meets it
#[derive(Debug, Clone, PartialEq)]
pub struct Presence {
    /// The instance.
    pub key: Key,
    /// The identity of the instance.
    pub uid: Box<str>,
    /// The node.
    pub node: Arc<str>,
    /// Whether virt-handler has taken the address over for the guest; before that the pod itself answers.
    pub defined: bool,
    /// The simulated instant since which the guest answers; `None` while it does not.
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
    /// Launchers that wait for a guest, by the identity of their pod.
    targets: HashMap<Box<str>, Arc<Launcher>>,
}

impl Guests {
    /// Adds a launcher that has come up.
    pub fn add(&self, launcher: Arc<Launcher>) {
        let mut maps = self.0.write().unwrap_or_else(PoisonError::into_inner);
        maps.by_address.insert(launcher.address.clone(), launcher.clone());
        maps.by_instance.insert(launcher.uid.clone(), launcher);
    }

    /// Adds a launcher that a guest is to be moved to.
    pub fn add_target(&self, pod: &str, launcher: Arc<Launcher>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).targets.insert(pod.into(), launcher);
    }

    /// The launcher in a target pod.
    pub fn target(&self, pod: &str) -> Option<Arc<Launcher>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).targets.get(pod).cloned()
    }

    /// The guest of an instance runs in this launcher from now on.
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

    /// Notes that a pod has this address from now on.
    pub fn hold(&self, address: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).held.insert(address.into());
    }

    /// Notes that no pod has this address any more.
    pub fn release(&self, address: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).held.remove(address);
    }

    /// Whether some pod has this address.
    pub fn holds(&self, address: &str) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).held.contains(address)
    }

    /// The launcher at an address of the pod network.
    pub fn launcher_at(&self, address: &str) -> Option<Arc<Launcher>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).by_address.get(address).cloned()
    }

    /// Who is behind an address of the pod network.
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
