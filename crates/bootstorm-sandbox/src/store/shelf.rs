//! All objects of one kind, found by name or by owner, with the log of their changes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use tokio::sync::watch;

use super::error::TooOld;
use super::log::{Action, Entry, Log};
use super::object::Object;
use bootstorm_model::observe::clock::monotonic_now;

type Key = (Box<str>, Box<str>);
type Names = BTreeMap<Box<str>, Object>;

/// The objects of one kind
#[derive(Debug)]
pub(super) struct Shelf {
    objects: BTreeMap<Box<str>, Names>,
    owned: HashMap<Box<str>, BTreeSet<Key>>,
    pub(super) log: Log,
    wake: watch::Sender<u64>,
}

impl Shelf {
    pub(super) fn new(floor: u64) -> Self {
        Self {
            objects: BTreeMap::new(),
            owned: HashMap::new(),
            log: Log::new(floor),
            wake: watch::Sender::new(floor),
        }
    }

    pub(super) fn get(&self, namespace: &str, name: &str) -> Option<&Object> {
        self.objects.get(namespace)?.get(name)
    }

    pub(super) fn list(&self, namespace: Option<&str>) -> Vec<Object> {
        match namespace {
            Some(namespace) => {
                self.objects.get(namespace).into_iter().flat_map(Names::values).cloned().collect()
            }
            None => self.objects.values().flat_map(Names::values).cloned().collect(),
        }
    }

    /// The objects as they were at `revision`: the present, with the later changes undone.
    pub(super) fn list_at(&self, namespace: Option<&str>, revision: u64) -> Result<Vec<Object>, TooOld> {
        let mut then: BTreeMap<Key, Object> =
            self.list(namespace).into_iter().map(|object| (key(&object), object)).collect();
        for entry in self.log.back_to(revision)? {
            if namespace.is_some_and(|namespace| namespace != entry.object.namespace()) {
                continue;
            }
            match &entry.previous {
                Some(previous) => then.insert(key(previous), previous.clone()),
                None => then.remove(&key(&entry.object)),
            };
        }
        Ok(then.into_values().collect())
    }

    pub(super) fn owned_by(&self, owner: &str) -> Vec<Object> {
        let keys = self.owned.get(owner).into_iter().flatten();
        keys.filter_map(|(namespace, name)| self.get(namespace, name).cloned()).collect()
    }

    pub(super) fn is_empty(&self, namespace: &str) -> bool {
        self.objects.get(namespace).is_none_or(Names::is_empty)
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.wake.subscribe()
    }

    /// Makes a change visible.
    pub(super) fn commit(&mut self, action: Action, object: Object, previous: Option<Object>) -> Arc<Entry> {
        if let Some(previous) = &previous {
            self.disown(previous);
        }
        if action == Action::Deleted {
            if let Some(names) = self.objects.get_mut(object.namespace()) {
                names.remove(object.name());
                if names.is_empty() {
                    self.objects.remove(object.namespace());
                }
            }
        } else {
            for owner in object.owners() {
                self.owned.entry(owner.into()).or_default().insert(key(&object));
            }
            self.objects
                .entry(object.namespace().into())
                .or_default()
                .insert(object.name().into(), object.clone());
        }
        let entry = Arc::new(Entry { revision: object.revision(), action, object, previous });
        let settled = self.log.push(monotonic_now(), entry.clone());
        // What has not changed for a while is kept as text here.
        if let Some(settled) = settled
            && let Some(live) =
                self.objects.get_mut(settled.namespace()).and_then(|names| names.get_mut(settled.name()))
            && live.revision() == settled.revision()
        {
            *live = Arc::new(live.folded());
        }
        self.wake.send_replace(entry.revision);
        entry
    }

    fn disown(&mut self, object: &Object) {
        for owner in object.owners() {
            if let Some(owned) = self.owned.get_mut(owner) {
                owned.remove(&key(object));
                if owned.is_empty() {
                    self.owned.remove(owner);
                }
            }
        }
    }
}

fn key(object: &Object) -> Key {
    (object.namespace().into(), object.name().into())
}
