//! Routes from changes to work: the keys to reconcile when an object has changed.

use std::sync::Arc;

use super::cluster::Cluster;
use super::collector::Collector;
use super::jobs;
use super::key::Key;
use super::kubelet;
use super::quotas::Quotas;
use super::scheduler::Scheduler;
use super::{names, namespaces};
use crate::store::kind::{
    self, DATA_VOLUMES, JOBS, MIGRATIONS, NAMESPACES, NODES, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES,
    PODS, RESOURCE_QUOTAS, VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES,
};
use crate::store::{Action, DeleteOptions, Entry, Kind};

/// Forwards changes to the controllers concerned
#[derive(Debug, Clone)]
pub struct Routes {
    cluster: Arc<Cluster>,
    scheduler: Arc<Scheduler>,
}

impl Routes {
    /// Routes on this cluster.
    pub fn new(cluster: Arc<Cluster>, scheduler: Arc<Scheduler>) -> Self {
        Self { cluster, scheduler }
    }

    /// Follows one kind forever: existing objects, then every change.
    pub async fn follow(self, kind: &'static Kind, on_node: impl Fn(&Entry) + Send) {
        let store = self.cluster.store.clone();
        loop {
            let (objects, revision) = store.list(kind, None);
            for object in objects {
                let entry =
                    Entry { revision: object.revision(), action: Action::Added, object, previous: None };
                self.pass_on(kind, &entry, &on_node);
            }
            let Ok(mut watcher) = store.watch(kind, None, revision) else { continue };
            // The history has moved on: everything is reconciled again.
            while let Ok(entries) = watcher.next().await {
                for entry in entries {
                    self.pass_on(kind, &entry, &on_node);
                }
            }
        }
    }

    fn pass_on(&self, kind: &'static Kind, entry: &Entry, on_node: &impl Fn(&Entry)) {
        Collector::noticed(&self.cluster, kind, entry);
        if entry.action == Action::Deleted {
            self.cluster.recorder.forget(entry.object.uid());
        }
        let queues = &self.cluster.queues;
        let key = Key::of(&entry.object);
        if kind.is(&VIRTUAL_MACHINES) {
            if entry.action == Action::Deleted {
                // A released instance needs an owner.
                queues.instances.add(key.clone());
            }
            queues.machines.add(key);
        } else if kind.is(&VIRTUAL_MACHINE_INSTANCES) {
            if let Some(node) = entry.object.value()["status"]["nodeName"].as_str()
                && let Some(node) = self.cluster.nodes.get(node)
            {
                node.instances.add(key.clone());
            }
            // An instance has the name of its machine.
            queues.machines.add(key.clone());
            queues.instances.add(key);
            self.tell_migrations(entry);
            let status = &entry.object.value()["status"];
            if let Some(node) = status["evacuationNodeName"].as_str().filter(|node| !node.is_empty()) {
                queues.evacuations.add(Key::new("", node));
            }
        } else if kind.is(&MIGRATIONS) {
            queues.migrations.add(key);
            if let Some(node) = entry.object.value()["metadata"]["annotations"][names::EVACUATION].as_str() {
                queues.evacuations.add(Key::new("", node));
            }
        } else if kind.is(&JOBS) {
            queues.jobs.add(key);
        } else if kind.is(&PODS) {
            self.pod(entry);
        } else if kind.is(&DATA_VOLUMES) {
            queues.data_volumes.add(key);
            self.tell_owners(entry);
        } else if kind.is(&PERSISTENT_VOLUME_CLAIMS) {
            self.claim(entry, &key);
        } else if kind.is(&NODES) {
            on_node(entry);
            self.scheduler.node_changed(entry);
        } else if kind.is(&NAMESPACES) && entry.action != Action::Deleted {
            if entry.object.is_deleting() {
                queues.namespaces.add(key);
            } else if entry.action == Action::Added {
                namespaces::occupy(&self.cluster, &entry.object);
            }
        } else if kind.is(&RESOURCE_QUOTAS) && entry.action != Action::Deleted {
            queues.quotas.add(Key::new(entry.object.namespace(), ""));
        }
    }

    /// Reconciles the migrations of a changed instance.
    fn tell_migrations(&self, entry: &Entry) {
        let (store, namespace) = (&self.cluster.store, entry.object.namespace());
        if store.is_empty(&MIGRATIONS, namespace) {
            return;
        }
        let (all, _) = store.list(&MIGRATIONS, Some(namespace));
        for migration in all.iter().filter(|one| one.value()["spec"]["vmiName"] == entry.object.name()) {
            self.cluster.queues.migrations.add(Key::of(migration));
        }
    }

    fn pod(&self, entry: &Entry) {
        let pod = &entry.object;
        if let Some(name) = pod.value()["metadata"]["annotations"][names::MIGRATION_NAME].as_str() {
            self.cluster.queues.migrations.add(Key::new(pod.namespace(), name));
        }
        self.scheduler.pod_changed(entry);
        jobs::pod_changed(&self.cluster, entry);
        Quotas::pod_changed(&self.cluster, entry);
        if pod.label(names::CREATED_BY).is_some()
            && let Some(domain) = pod.value()["metadata"]["annotations"]["kubevirt.io/domain"].as_str()
        {
            self.cluster.queues.instances.add(Key::new(pod.namespace(), domain));
        }
        if entry.action == Action::Deleted {
            self.cluster.pods.gone(pod.uid());
        } else if pod.value()["spec"]["nodeName"].as_str().is_some_and(|node| !node.is_empty())
            && let Some(changes) = self.cluster.pods.touch(pod.uid())
        {
            kubelet::admit(&self.cluster, pod.clone(), changes);
        }
    }

    fn claim(&self, entry: &Entry, key: &Key) {
        self.cluster.queues.claims.add(key.clone());
        self.cluster.queues.data_volumes.add(key.clone());
        self.cluster.pods.claim_changed(key);
        if entry.action == Action::Deleted {
            let name = super::cdi::bind::volume_name(entry.object.uid());
            // The reclaim policy is Delete; a claim that was never bound has no volume.
            let _ = self.cluster.store.delete(&PERSISTENT_VOLUMES, "", &name, &DeleteOptions::default());
            crate::model::lock(&self.cluster.written).remove(entry.object.uid());
        }
        let bound = |object: &crate::store::Object| object.value()["status"]["phase"] == "Bound";
        if entry.action == Action::Added
            || bound(&entry.object) && entry.previous.as_ref().is_some_and(|old| !bound(old))
        {
            self.scheduler.retry_all();
        }
        self.tell_owners(entry);
    }

    /// Reconciles the machine of a changed disk, and the instance of the same name.
    fn tell_owners(&self, entry: &Entry) {
        let mut owners = vec![entry.object.clone()];
        if let Some(volume) =
            self.cluster.store.get(&DATA_VOLUMES, entry.object.namespace(), entry.object.name())
        {
            owners.push(volume);
        }
        for object in owners {
            let references = object.value()["metadata"]["ownerReferences"].as_array();
            for owner in references.into_iter().flatten().filter(|owner| owner["kind"] == "VirtualMachine") {
                let key = Key::new(object.namespace(), owner["name"].as_str().unwrap_or_default());
                self.cluster.queues.machines.add(key.clone());
                self.cluster.queues.instances.add(key);
            }
        }
    }
}

/// Kinds whose changes matter to some controller.
pub fn kinds() -> impl Iterator<Item = &'static Kind> {
    kind::all().iter().copied().filter(|kind| !kind.is(&kind::EVENTS))
}
