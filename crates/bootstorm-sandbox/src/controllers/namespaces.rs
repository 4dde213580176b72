//! The namespace controller: empties a terminating namespace, pods first, and removes it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use crate::value::{Value, json};

use super::client::Client;
use super::cluster::Cluster;
use super::conditions;
use super::key::Key;
use super::names;
use super::worker::{Outcome, Reconciler};
use crate::model::lock;
use crate::store::kind::{self, CONFIG_MAPS, NAMESPACES, PODS};
use crate::store::{DeleteOptions, Kind, Object};

/// The controller of namespaces
#[derive(Debug)]
pub struct NamespaceController {
    cluster: Arc<Cluster>,
    /// Next check of each terminating namespace; its own status changes trigger it earlier.
    next_look: Mutex<HashMap<Box<str>, f64>>,
}

/// Remaining contents of a namespace.
#[derive(Debug, Default)]
struct Rest {
    kinds: BTreeMap<String, usize>,
    finalizers: BTreeMap<String, usize>,
}

impl Reconciler for NamespaceController {
    type Key = Key;

    async fn reconcile(&self, client: &mut Client, key: &Key) -> Outcome {
        let Some(namespace) = client.store().get(&NAMESPACES, "", &key.name) else { return Outcome::Done };
        if !namespace.is_deleting() {
            return Outcome::Done;
        }
        let pause = self.cluster.profile.controller_manager.namespace_pause;
        let wait = self.wait(namespace.uid(), pause);
        if wait > 0.0 {
            return Outcome::Again(wait);
        }
        let rest = self.empty(client, &key.name).await;
        if rest.kinds.is_empty() {
            client.store().remove(&NAMESPACES, "", &key.name, namespace.uid());
            lock(&self.next_look).remove(namespace.uid());
            return Outcome::Done;
        }
        lock(&self.next_look).insert(namespace.uid().into(), self.cluster.clock.now() + pause);
        let stamp = self.cluster.clock.stamp();
        let _ = client.patch(&NAMESPACES, &namespace, |namespace| tell(namespace, &rest, &stamp)).await;
        Outcome::Again(pause)
    }
}

impl NamespaceController {
    /// A controller on this cluster.
    pub fn new(cluster: Arc<Cluster>) -> Self {
        Self { cluster, next_look: Mutex::default() }
    }

    /// Time until the next check of a namespace; a new one has the first pause before it.
    fn wait(&self, uid: &str, pause: f64) -> f64 {
        let now = self.cluster.clock.now();
        let mut next_look = lock(&self.next_look);
        *next_look.entry(uid.into()).or_insert(now + pause) - now
    }

    /// Deletes the contents, pods first, and returns what was left at that time.
    async fn empty(&self, client: &mut Client, namespace: &str) -> Rest {
        let mut rest = Rest::default();
        self.delete_all(client, &PODS, namespace, &mut rest).await;
        if !rest.kinds.is_empty() {
            return rest;
        }
        for kind in kind::all().iter().filter(|kind| kind.namespaced && !kind.is(&PODS)) {
            self.delete_all(client, kind, namespace, &mut rest).await;
        }
        rest
    }

    async fn delete_all(&self, client: &mut Client, kind: &'static Kind, namespace: &str, rest: &mut Rest) {
        if client.store().is_empty(kind, namespace) {
            return;
        }
        // One call for the whole collection.
        client.pay(kind).await;
        let (objects, _) = client.store().list(kind, Some(namespace));
        for object in objects.iter().filter(|object| !object.is_deleting()) {
            let options = DeleteOptions { uid: Some(object.uid().to_owned()), ..DeleteOptions::default() };
            let _ = client.store().delete(kind, namespace, object.name(), &options);
        }
        let (left, _) = client.store().list(kind, Some(namespace));
        if left.is_empty() {
            return;
        }
        rest.count(kind, &left);
    }
}

/// Leaves a foreign object in a new namespace that misbehaves, with a finalizer that nothing removes.
pub fn occupy(cluster: &Cluster, namespace: &Object) {
    if cluster.is_occupied(namespace) {
        let metadata = json!({
            "name": names::LEFTOVER, "namespace": namespace.name(), "finalizers": [names::FOREIGN_FINALIZER],
        });
        // It may exist already.
        let _ = cluster.store.create(&CONFIG_MAPS, json!({"metadata": metadata}));
    }
}

impl Rest {
    fn count(&mut self, kind: &Kind, left: &[Object]) {
        // The controller writes the dot even if the group is empty: `pods. has 2 resource instances`.
        self.kinds.insert(format!("{}.{}", kind.plural, kind.group), left.len());
        for finalizer in left.iter().flat_map(|object| object.finalizers()) {
            *self.finalizers.entry(finalizer.to_owned()).or_default() += 1;
        }
    }
}

fn tell(namespace: &mut Value, rest: &Rest, stamp: &str) {
    let list = |counts: &BTreeMap<String, usize>, word: &str| {
        let parts: Vec<String> =
            counts.iter().map(|(what, count)| format!("{what} {word} {count} resource instances")).collect();
        parts.join(", ")
    };
    let mut mark = |kind: &str, bad: bool, reasons: (&str, &str), messages: (&str, &str)| {
        let (status, reason, message) =
            if bad { ("True", reasons.1, messages.1) } else { ("False", reasons.0, messages.0) };
        conditions::mark(namespace, kind, status, reason, message, stamp);
        if let Some(list) = namespace["status"]["conditions"].as_array_mut() {
            for condition in list.iter_mut().filter_map(Value::as_object_mut) {
                condition.remove("lastProbeTime");
            }
        }
    };
    mark(
        "NamespaceDeletionDiscoveryFailure",
        false,
        ("ResourcesDiscovered", ""),
        ("All resources successfully discovered", ""),
    );
    mark(
        "NamespaceDeletionGroupVersionParsingFailure",
        false,
        ("ParsedGroupVersions", ""),
        ("All legacy kube types successfully parsed", ""),
    );
    mark(
        "NamespaceDeletionContentFailure",
        false,
        ("ContentDeleted", ""),
        ("All content successfully deleted, may be waiting on finalization", ""),
    );
    let remaining = format!("Some resources are remaining: {}", list(&rest.kinds, "has"));
    mark(
        "NamespaceContentRemaining",
        !rest.kinds.is_empty(),
        ("ContentRemoved", "SomeResourcesRemain"),
        ("All content successfully removed", &remaining),
    );
    let held =
        format!("Some content in the namespace has finalizers remaining: {}", list(&rest.finalizers, "in"));
    mark(
        "NamespaceFinalizersRemaining",
        !rest.finalizers.is_empty(),
        ("ContentHasNoFinalizers", "SomeFinalizersRemain"),
        ("All content-preserving finalizers finished", &held),
    );
}
