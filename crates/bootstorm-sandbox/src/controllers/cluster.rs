//! State shared by all controllers of one simulation.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use super::attachments::Attachments;
use super::client::Client;
use super::events::Recorder;
use super::guests::Guests;
use super::key::{Key, Work};
use super::nodes::Nodes;
use super::pods::PodSignals;
use super::pools::Pools;
use super::queue::WorkQueue;
use super::worker::Tasks;
use crate::faults::Faults;
use crate::model::admission::Admission;
use crate::model::bucket::TokenBucket;
use crate::model::dice::Roll;
use crate::model::{Dice, Draw, Misbehaviour, MisbehaviourTable, Profile, SimClock, lock, misbehaviour};
use crate::processes::Processes;
use crate::store::kind::{KUBEVIRTS, VIRTUAL_MACHINES};
use crate::store::{Kind, Object, Store};

/// Queues of the controllers that are not per node
#[derive(Debug)]
pub struct Queues {
    /// virt-controller: machines.
    pub machines: Arc<WorkQueue<Key>>,
    /// virt-controller: instances.
    pub instances: Arc<WorkQueue<Key>>,
    /// virt-controller: live migrations.
    pub migrations: Arc<WorkQueue<Key>>,
    /// virt-controller: nodes to evacuate.
    pub evacuations: Arc<WorkQueue<Key>>,
    /// The scheduler: pods without a node.
    pub unscheduled: Arc<WorkQueue<Key>>,
    /// CDI: data volumes.
    pub data_volumes: Arc<WorkQueue<Key>>,
    /// Provisioner: claims.
    pub claims: Arc<WorkQueue<Key>>,
    /// Namespace controller: terminating namespaces.
    pub namespaces: Arc<WorkQueue<Key>>,
    /// Job controller: Jobs.
    pub jobs: Arc<WorkQueue<Key>>,
    /// Quota controller: namespaces.
    pub quotas: Arc<WorkQueue<Key>>,
    /// Garbage collector: work items.
    pub garbage: Arc<WorkQueue<Work>>,
}

/// One simulated cluster, as its controllers see it
#[derive(Debug)]
pub struct Cluster {
    /// The objects.
    pub store: Store,
    /// Simulated time.
    pub clock: SimClock,
    /// Random draws.
    pub dice: Dice,
    /// Figures of the model.
    pub profile: Profile,
    /// Work queues.
    pub queues: Queues,
    /// Resources of the nodes.
    pub nodes: Nodes,
    /// Pods run by kubelets.
    pub pods: PodSignals,
    /// Launchers and their guests.
    pub guests: Guests,
    /// Event recorder.
    pub recorder: Recorder,
    /// The API server's capacity for clients' writes.
    pub admission: Admission,
    /// Storage behind the claims.
    pub pools: Pools,
    /// Rate of attachments, over the whole cluster.
    pub attaches: TokenBucket,
    /// Claims attached to one node.
    pub attachments: Attachments,
    /// Rate of DHCP addresses, over the whole cluster; `None` without a limit.
    pub dhcp: Option<TokenBucket>,
    /// Rate of clones from snapshots, over the whole cluster.
    pub clones: TokenBucket,
    /// Call limit of CDI and the provisioner.
    pub cdi: Arc<TokenBucket>,
    /// Claim UID → time at which its volume was written.
    pub written: Mutex<HashMap<Box<str>, f64>>,
    /// Target pods of migrations without a node, and since when.
    pub unscheduled_targets: Mutex<HashMap<Box<str>, f64>>,
    /// Permissions, for controllers that check them on behalf of a user.
    pub permissions: OnceLock<Faults>,
    /// Pods that are processes of this machine.
    pub processes: Arc<Processes>,
    /// Running tasks.
    pub tasks: Tasks,
    misbehaviours: MisbehaviourTable,
    starts: Mutex<HashMap<Key, (Box<str>, u64)>>,
}

impl Cluster {
    /// A cluster without any running task.
    pub fn new(
        store: Store,
        profile: Profile,
        seed: u64,
        speed: f64,
        mut misbehaviours: MisbehaviourTable,
    ) -> Arc<Self> {
        let clock = SimClock::start(speed).ahead(profile.api_server.clock());
        let dice = Dice::new(seed);
        // A table given in the process concerns this run, so it overrides the profile's.
        for (pattern, how) in &profile.misbehave.0 {
            misbehaviours.0.entry(pattern.clone()).or_insert(*how);
        }
        let storage = &profile.storage;
        let queues = Queues {
            machines: Arc::new(WorkQueue::new(clock)),
            instances: Arc::new(WorkQueue::new(clock)),
            migrations: Arc::new(WorkQueue::new(clock)),
            evacuations: Arc::new(WorkQueue::new(clock)),
            unscheduled: Arc::new(WorkQueue::new(clock)),
            data_volumes: Arc::new(WorkQueue::new(clock)),
            claims: Arc::new(WorkQueue::new(clock)),
            namespaces: Arc::new(WorkQueue::new(clock)),
            jobs: Arc::new(WorkQueue::new(clock)),
            quotas: Arc::new(WorkQueue::new(clock)),
            garbage: Arc::new(WorkQueue::new(clock)),
        };
        Arc::new(Self {
            clock,
            dice,
            queues,
            nodes: Nodes::default(),
            pods: PodSignals::default(),
            guests: Guests::default(),
            recorder: Recorder::new(store.clone(), clock),
            admission: Admission::new(clock, dice, &profile.api_server),
            pools: Pools::new(clock, storage),
            attachments: Attachments::default(),
            attaches: TokenBucket::new(clock, storage.attaches_per_second, storage.attach_burst),
            dhcp: Some(profile.guest.dhcp_per_second)
                .filter(|rate| *rate > 0.0)
                .map(|rate| TokenBucket::new(clock, rate, 1.0)),
            clones: TokenBucket::new(clock, profile.cdi.clones_per_second, 1.0),
            // client-go's usual limit for a controller that sets one.
            cdi: Arc::new(TokenBucket::new(clock, 200.0, 200.0)),
            written: Mutex::default(),
            unscheduled_targets: Mutex::default(),
            permissions: OnceLock::new(),
            processes: Arc::default(),
            tasks: Tasks::default(),
            misbehaviours,
            starts: Mutex::default(),
            store,
            profile,
        })
    }

    /// A connection to the API server with a separate or a shared limit.
    pub fn client(&self, who: &str, bucket: &Arc<TokenBucket>) -> Client {
        Client::new(self.store.clone(), self.clock, bucket.clone(), self.dice, who, &self.profile.api_server)
    }

    /// A client-side limit.
    pub fn bucket(&self, qps: f64, burst: f64) -> Arc<TokenBucket> {
        Arc::new(TokenBucket::new(self.clock, qps, burst))
    }

    /// Number of starts of this machine: 1 if instance `uid` is the first one seen.
    pub fn incarnation(&self, key: &Key, uid: &str) -> u64 {
        let mut starts = lock(&self.starts);
        match starts.get_mut(key) {
            Some((known, count)) => {
                if **known != *uid {
                    *known = uid.into();
                    *count += 1;
                }
                *count
            }
            None => {
                starts.insert(key.clone(), (uid.into(), 1));
                1
            }
        }
    }

    /// Misbehaviour of a machine: from its instance, the machine, or the tables.
    pub fn misbehaviour(&self, instance: &Object) -> Option<Misbehaviour> {
        misbehaviour::annotated(instance.value())
            .or_else(|| {
                let machine = self.store.get(&VIRTUAL_MACHINES, instance.namespace(), instance.name())?;
                misbehaviour::annotated(machine.value())
            })
            .or_else(|| self.misbehaviours.of(instance.namespace(), instance.name()))
    }

    /// Whether a component is down, according to the annotation of the object that stands for it.
    pub fn is_down(&self, kind: &'static Kind, namespace: &str, name: &str, component: &str) -> bool {
        let object = self.store.get(kind, namespace, name);
        object
            .is_some_and(|object| object.value()["metadata"]["annotations"][misbehaviour::DOWN] == component)
    }

    /// Whether virt-controller is down: machines and instances make no progress meanwhile.
    pub fn controller_is_down(&self) -> bool {
        self.is_down(&KUBEVIRTS, "kubevirt", "kubevirt", "virt-controller")
    }

    /// Whether a foreign object in a namespace blocks its termination.
    pub fn is_occupied(&self, namespace: &Object) -> bool {
        let how = misbehaviour::annotated(namespace.value())
            .or_else(|| self.misbehaviours.of(namespace.name(), ""));
        how == Some(Misbehaviour::BlocksDeletion)
    }

    /// The draws of one step of one start of a machine.
    pub fn roll(&self, key: &Key, uid: &str, step: &str) -> Roll {
        self.dice.roll(&key.to_string(), self.incarnation(key, uid), step)
    }

    /// Duration of one step of one start of a machine, in simulated seconds.
    pub fn seconds(&self, key: &Key, uid: &str, step: &str, draw: Draw) -> f64 {
        self.roll(key, uid, step).draw_with_stragglers(draw, self.profile.stragglers)
    }
}
