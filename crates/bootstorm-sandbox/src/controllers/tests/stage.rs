//! A simulated cluster without an API server, in paused time: the base of the tests.

use std::sync::{Arc, Mutex};

use crate::value::{Value, json};

use crate::controllers::{Controllers, start};
use crate::model::admission::Write;
use crate::model::profile::NodeShape;
use crate::model::{MisbehaviourTable, Profile, SimClock, lock, profile};
use crate::store::kind::{self, NAMESPACES, NODES, VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES};
use crate::store::{Action, Kind, Object, Store};

/// One change, and the time at which it was seen.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) at: f64,
    pub(super) kind: &'static Kind,
    pub(super) action: Action,
    pub(super) object: Object,
}

/// A cluster and its whole history.
pub(super) struct Stage {
    pub(super) store: Store,
    pub(super) controllers: Controllers,
    pub(super) clock: SimClock,
    changes: Arc<Mutex<Vec<Change>>>,
    watchers: tokio::task::JoinSet<()>,
}

impl Stage {
    pub(super) fn new(profile: Profile, nodes: usize, misbehaviours: MisbehaviourTable) -> Self {
        Self::faster(profile, nodes, misbehaviours, 1.0)
    }

    pub(super) fn faster(
        profile: Profile,
        nodes: usize,
        misbehaviours: MisbehaviourTable,
        speed: f64,
    ) -> Self {
        let store = Store::new();
        for number in 1..=nodes {
            store.create(&NODES, node(&format!("node{number}"), &profile.node)).expect("a node");
        }
        let controllers = start(store.clone(), profile, 1, speed, misbehaviours);
        let clock = controllers.clock();
        let changes = Arc::new(Mutex::new(Vec::new()));
        let mut watchers = tokio::task::JoinSet::new();
        for kind in kind::all() {
            let mut watcher = store.watch(kind, None, store.revision()).expect("a watch");
            let changes = changes.clone();
            watchers.spawn(async move {
                while let Ok(entries) = watcher.next().await {
                    let at = clock.now();
                    lock(&changes).extend(entries.into_iter().map(|entry| Change {
                        at,
                        kind,
                        action: entry.action,
                        object: entry.object.clone(),
                    }));
                }
            });
        }
        Self { store, controllers, clock, changes, watchers }
    }

    pub(super) fn named(profile: &str, nodes: usize) -> Self {
        Self::new(profile::load(profile).expect("a profile"), nodes, MisbehaviourTable::none())
    }

    pub(super) fn namespace(&self, name: &str) {
        self.store.create(&NAMESPACES, json!({"metadata": {"name": name}})).expect("a namespace");
    }

    /// Creates a machine like a client; returns the time of the request.
    pub(super) async fn create(&self, namespace: &str, vm: Value) -> f64 {
        let at = self.clock.now();
        self.controllers.admission().admit(Write::CreateMachine, namespace).await;
        let mut vm = vm;
        vm["metadata"]["namespace"] = json!(namespace);
        self.store.create(&VIRTUAL_MACHINES, vm).expect("a machine");
        at
    }

    /// Sets the run strategy like a client; returns the time of the request.
    pub(super) async fn power(&self, namespace: &str, name: &str, strategy: &str) -> f64 {
        let at = self.clock.now();
        self.controllers.admission().admit(Write::ChangeMachine, namespace).await;
        self.store
            .modify(&VIRTUAL_MACHINES, namespace, name, |vm| vm["spec"]["runStrategy"] = json!(strategy))
            .expect("the machine");
        at
    }

    pub(super) fn vm(&self, namespace: &str, name: &str) -> Option<Value> {
        self.store.get(&VIRTUAL_MACHINES, namespace, name).map(|object| object.value().clone())
    }

    pub(super) fn vmi(&self, namespace: &str, name: &str) -> Option<Value> {
        self.store.get(&VIRTUAL_MACHINE_INSTANCES, namespace, name).map(|object| object.value().clone())
    }

    /// Lets time pass until something is true; fails after an hour.
    pub(super) async fn until(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let began = self.clock.now();
        while !holds(self) {
            assert!(self.clock.now() - began < 3600.0, "an hour has passed without: {what}");
            self.clock.sleep(0.05).await;
        }
        // The latest writes must reach the history, too.
        self.clock.sleep(0.01).await;
    }

    pub(super) async fn until_status(&self, namespace: &str, name: &str, printable: &str) {
        self.until(&format!("{namespace}/{name} {printable}"), |stage| {
            stage.vm(namespace, name).is_some_and(|vm| vm["status"]["printableStatus"] == printable)
        })
        .await;
    }

    /// All changes so far.
    pub(super) fn changes(&self) -> Vec<Change> {
        lock(&self.changes).clone()
    }

    /// The changes to objects of one kind, in order.
    pub(super) fn of(&self, kind: &'static Kind) -> Vec<Change> {
        self.changes().into_iter().filter(|change| change.kind.is(kind)).collect()
    }

    /// The distinct values of a field of one object, in order.
    pub(super) fn history(&self, kind: &'static Kind, name: &str, pointer: &str) -> Vec<String> {
        let mut values: Vec<String> = Vec::new();
        for change in self.of(kind).iter().filter(|change| change.object.name() == name) {
            let value = match change.object.value().pointer(pointer) {
                None => "-".to_owned(),
                Some(Value::String(text)) => text.to_string(),
                Some(other) => other.to_string(),
            };
            if values.last() != Some(&value) {
                values.push(value);
            }
        }
        values
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.watchers.abort_all();
        if !std::thread::panicking() {
            let spinning = self.controllers.spinning();
            assert!(spinning.is_empty(), "controllers spin on {spinning:?}");
        }
    }
}

/// A node with the shape of a profile.
fn node(name: &str, shape: &NodeShape) -> Value {
    json!({
        "metadata": {"name": name, "labels": {
            "kubernetes.io/hostname": name, "kubernetes.io/arch": "amd64", "kubevirt.io/schedulable": "true",
            "machine-type.node.kubevirt.io/q35": "true",
        }},
        "status": {"allocatable": {
            "cpu": shape.cores.to_string(), "memory": format!("{}Mi", (shape.memory_gib * 1024.0) as u64),
            "pods": shape.pods.to_string(), "devices.kubevirt.io/kvm": "1k",
        }},
    })
}

/// A machine as in the reference.
pub(super) fn machine(name: &str, strategy: &str) -> Value {
    json!({
        "metadata": {"name": name, "labels": {"run": "r1"}},
        "spec": {"runStrategy": strategy, "template": {
            "metadata": {"labels": {"run": "r1", "vm": name}},
            "spec": {
                "terminationGracePeriodSeconds": 30,
                "domain": {
                    "memory": {"guest": "256Mi"}, "cpu": {"cores": 1},
                    "devices": {"disks": [{"name": "root", "disk": {"bus": "virtio"}}],
                                "interfaces": [{"name": "default", "masquerade": {}}]},
                },
                "networks": [{"name": "default", "pod": {}}],
                "volumes": [{"name": "root", "containerDisk": {"image": "quay.io/containerdisks/fedora:41"}}],
            },
        }},
    })
}
