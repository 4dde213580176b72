//! The garbage collector: deletes dependents after their owners, and releases owners that wait for dependents.

use std::sync::Arc;

use crate::value::Value;

use super::client::Client;
use super::cluster::Cluster;
use super::key::{Key, Work};
use super::names;
use super::worker::{Outcome, Reconciler};
use crate::store::kind::{self, EVENTS};
use crate::store::{Action, DeleteOptions, Entry, Kind, Object, Propagation, Store};

/// The garbage collector
#[derive(Debug)]
pub struct Collector {
    cluster: Arc<Cluster>,
}

impl Reconciler for Collector {
    type Key = Work;

    async fn reconcile(&self, client: &mut Client, work: &Work) -> Outcome {
        match work {
            Work::Orphans(uid) => self.collect(client, uid).await,
            Work::Newcomer(place, key) => {
                if let Some(object) = find(client.store(), *place, key) {
                    self.collect_one(client, kind::all()[*place], &object).await;
                }
            }
            Work::Owner(place, key) => {
                if let Some(owner) = find(client.store(), *place, key) {
                    self.release(client, kind::all()[*place], &owner).await;
                }
            }
        }
        Outcome::Done
    }
}

impl Collector {
    /// A collector on this cluster.
    pub fn new(cluster: Arc<Cluster>) -> Self {
        Self { cluster }
    }

    /// Handles a change of any object.
    pub fn noticed(cluster: &Cluster, kind: &'static Kind, entry: &Entry) {
        // Events have no owners and no dependents.
        if kind.is(&EVENTS) {
            return;
        }
        let queue = &cluster.queues.garbage;
        let owners = || entry.object.value()["metadata"]["ownerReferences"].as_array().into_iter().flatten();
        match entry.action {
            Action::Deleted => {
                queue.add(Work::Orphans(entry.object.uid().into()));
                for reference in owners() {
                    if let Some((place, key)) = referenced(entry.object.namespace(), reference) {
                        let owner = find(&cluster.store, place, &key);
                        if owner.is_some_and(|owner| waits(&owner)) {
                            queue.add(Work::Owner(place, key));
                        }
                    }
                }
            }
            Action::Added if owners().next().is_some() => {
                queue.add(Work::Newcomer(place(kind), Key::of(&entry.object)));
            }
            Action::Modified if waits(&entry.object) => {
                queue.add(Work::Owner(place(kind), Key::of(&entry.object)));
            }
            _ => {}
        }
    }

    async fn collect(&self, client: &mut Client, uid: &str) {
        for kind in kind::all() {
            for dependent in client.store().owned_by(kind, uid) {
                self.collect_one(client, kind, &dependent).await;
            }
        }
    }

    /// Deletes an object whose owners are all gone.
    async fn collect_one(&self, client: &mut Client, kind: &'static Kind, object: &Object) {
        let references = object.value()["metadata"]["ownerReferences"].as_array();
        let alive = references.into_iter().flatten().any(|reference| {
            let owner = referenced(object.namespace(), reference)
                .and_then(|(place, key)| find(client.store(), place, &key));
            // An owner of an unknown kind is ignored.
            owner.is_some_and(|owner| reference["uid"] == *owner.uid()) || !is_known(reference)
        });
        if !alive && !object.is_deleting() {
            // Another worker may have been faster; then nothing is left to do.
            let _ = client.delete(kind, object, None).await;
        }
    }

    /// Releases an owner that is being deleted, once its dependents are gone or have lost it.
    async fn release(&self, client: &mut Client, kind: &'static Kind, owner: &Object) {
        if !waits(owner) {
            return;
        }
        let orphan = owner.finalizers().any(|held| held == "orphan");
        let mut blocking = 0;
        for each in kind::all() {
            for dependent in client.store().owned_by(each, owner.uid()) {
                if orphan {
                    let uid = owner.uid();
                    let _ = client.patch(each, &dependent, |dependent| disown(dependent, uid)).await;
                    continue;
                }
                if !dependent.is_deleting() {
                    delete_first(client, each, &dependent).await;
                }
                let there = self.cluster.store.get(each, dependent.namespace(), dependent.name());
                blocking += usize::from(
                    there.is_some_and(|there| there.uid() == dependent.uid() && blocks(&there, owner.uid())),
                );
            }
        }
        if blocking == 0 {
            let finalizer = if orphan { "orphan" } else { "foregroundDeletion" };
            let _ = client.patch(kind, owner, |owner| names::drop_finalizer(owner, finalizer)).await;
        }
    }
}

/// Deletes a dependent whose owner waits for it; it waits for its own dependents in turn.
async fn delete_first(client: &mut Client, kind: &'static Kind, object: &Object) {
    let options = DeleteOptions {
        uid: Some(object.uid().to_owned()),
        propagation: Propagation::Foreground,
        ..DeleteOptions::default()
    };
    client.pay(kind).await;
    let _ = client.store().delete(kind, object.namespace(), object.name(), &options);
}

fn waits(object: &Object) -> bool {
    object.is_deleting() && object.finalizers().any(|held| held == "foregroundDeletion" || held == "orphan")
}

fn blocks(dependent: &Object, owner: &str) -> bool {
    let references = dependent.value()["metadata"]["ownerReferences"].as_array();
    references.into_iter().flatten().any(|one| one["uid"] == owner && one["blockOwnerDeletion"] == true)
}

fn disown(dependent: &mut Value, owner: &str) {
    if let Some(references) = dependent["metadata"]["ownerReferences"].as_array_mut() {
        references.retain(|reference| reference["uid"] != owner);
    }
}

fn place(kind: &Kind) -> usize {
    kind::all().iter().position(|known| known.is(kind)).unwrap_or_default()
}

fn is_known(reference: &Value) -> bool {
    referenced("", reference).is_some()
}

/// Kind and key of the object that an owner reference names.
fn referenced(namespace: &str, reference: &Value) -> Option<(usize, Key)> {
    let version = reference["apiVersion"].as_str()?;
    let place = kind::all()
        .iter()
        .position(|kind| reference["kind"] == kind.kind && kind.api_version() == version)?;
    let namespace = if kind::all()[place].namespaced { namespace } else { "" };
    Some((place, Key::new(namespace, reference["name"].as_str()?)))
}

fn find(store: &Store, place: usize, key: &Key) -> Option<Object> {
    store.get(kind::all()[place], &key.namespace, &key.name)
}
