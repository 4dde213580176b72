//! What all controllers of one simulation share.

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

/// The queues of the controllers that are not per node
#[derive(Debug)]
pub struct Queues {
    /// virt-controller: machines.
    pub machines: Arc<WorkQueue<Key>>,
    /// virt-controller: instances.
    pub instances: Arc<WorkQueue<Key>>,
    /// virt-controller: live migrations.
    pub migrations: Arc<WorkQueue<Key>>,
    /// virt-controller: nodes that are to be left.
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
    /// Garbage collector: things to look at.
    pub garbage: Arc<WorkQueue<Work>>,
}

/// One simulated cluster, as its controllers see it
#[derive(Debug)]
pub struct Cluster {
    /// The objects.
    pub store: Store,
    /// Simulated time.
    pub clock: SimClock,
    /// All draws.
    pub dice: Dice,
    /// All figures.
    pub profile: Profile,
    /// The work to do.
    pub queues: Queues,
    /// The nodes' resources.
    pub nodes: Nodes,
    /// The pods that kubelets run.
    pub pods: PodSignals,
    /// The launchers and their guests.
    pub guests: Guests,
    /// The event recorder.
    pub recorder: Recorder,
    /// The API server's capacity for clients' writes.
    pub admission: Admission,
    /// The storage behind the claims.
    pub pools: Pools,
    /// Attachments of claims, over the whole cluster.
    pub attaches: TokenBucket,
    /// Which claims are attached to one node.
    pub attachments: Attachments,
    /// Addresses by DHCP, over the whole cluster; `None` without a limit.
    pub dhcp: Option<TokenBucket>,
    /// Clones from snapshots, over the whole cluster.
    pub clones: TokenBucket,
    /// The limit of calls of CDI and the provisioner.
    pub cdi: Arc<TokenBucket>,
    /// Volumes by identity of their claim: when they were written.
    pub written: Mutex<HashMap<Box<str>, f64>>,
    /// Target pods of migrations that find no node, and since when.
    pub unscheduled_targets: Mutex<HashMap<Box<str>, f64>>,
    /// Who may do what, where a server asks about it.
    pub permissions: OnceLock<Faults>,
    /// Pods that are processes of this machine.
    pub processes: Arc<Processes>,
    /// Everything that runs.
    pub tasks: Tasks,
    misbehaviours: MisbehaviourTable,
    starts: Mutex<HashMap<Key, (Box<str>, u64)>>,
}

impl Cluster {
    /// A cluster in which nothing runs yet.
    pub fn new(
        store: Store,
        profile: Profile,
        seed: u64,
        speed: f64,
        mut misbehaviours: MisbehaviourTable,
    ) -> Arc<Self> {
        let clock = SimClock::start(speed).ahead(profile.api_server.clock());
        let dice = Dice::new(seed);
        // A table given in the process is about this run, so it wins over the profile's.
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

    /// A connection to the API server with a limit of its own or a shared one.
    pub fn client(&self, who: &str, bucket: &Arc<TokenBucket>) -> Client {
        Client::new(self.store.clone(), self.clock, bucket.clone(), self.dice, who, &self.profile.api_server)
    }

    /// A client-side limit.
    pub fn bucket(&self, qps: f64, burst: f64) -> Arc<TokenBucket> {
        Arc::new(TokenBucket::new(self.clock, qps, burst))
    }

    /// How many times this machine has been started: 1 for the instance `uid` if it is the first one seen.
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

    /// What is wrong with a machine: what its instance says, or the machine, or the tables.
    pub fn misbehaviour(&self, instance: &Object) -> Option<Misbehaviour> {
        misbehaviour::annotated(instance.value())
            .or_else(|| {
                let machine = self.store.get(&VIRTUAL_MACHINES, instance.namespace(), instance.name())?;
                misbehaviour::annotated(machine.value())
            })
            .or_else(|| self.misbehaviours.of(instance.namespace(), instance.name()))
    }

    /// Whether a component is down, as the annotation of the object that stands for it says.
    pub fn is_down(&self, kind: &'static Kind, namespace: &str, name: &str, component: &str) -> bool {
        let object = self.store.get(kind, namespace, name);
        object
            .is_some_and(|object| object.value()["metadata"]["annotations"][misbehaviour::DOWN] == component)
    }

    /// Whether virt-controller is down: nothing becomes of machines and instances meanwhile.
    pub fn controller_is_down(&self) -> bool {
        self.is_down(&KUBEVIRTS, "kubevirt", "kubevirt", "virt-controller")
    }

    /// Whether somebody keeps something in a namespace that stands in the way of its end.
    pub fn is_occupied(&self, namespace: &Object) -> bool {
        let how = misbehaviour::annotated(namespace.value())
            .or_else(|| self.misbehaviours.of(namespace.name(), ""));
        how == Some(Misbehaviour::BlocksDeletion)
    }

    /// The draws of one step of one start of a machine.
    pub fn roll(&self, key: &Key, uid: &str, step: &str) -> Roll {
        self.dice.roll(&key.to_string(), self.incarnation(key, uid), step)
    }

    /// A duration of one step of one start of a machine, in simulated seconds.
    pub fn seconds(&self, key: &Key, uid: &str, step: &str, draw: Draw) -> f64 {
        self.roll(key, uid, step).draw_with_stragglers(draw, self.profile.stragglers)
    }
}
