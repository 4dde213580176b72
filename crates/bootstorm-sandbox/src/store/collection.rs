//! All objects of one kind, indexed by name and by owner, with the log of their changes.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use tokio::sync::watch;

use super::error::TooOld;
use super::log::{Action, Entry, Log};
use super::object::Object;
use bootstorm_model::observe::clock::monotonic_now;

/// Maximum number of requested packed objects that may stay unpacked.
const WARM: usize = 1_024;

type Key = (Box<str>, Box<str>);
type Names = BTreeMap<Box<str>, Object>;

/// The objects of one kind
#[derive(Debug)]
pub(super) struct Shelf {
    objects: BTreeMap<Box<str>, Names>,
    owned: HashMap<Box<str>, BTreeSet<Key>>,
    /// Packed objects that were requested recently: they may have been unpacked.
    warm: VecDeque<Key>,
    pub(super) log: Log,
    wake: watch::Sender<u64>,
}

impl Shelf {
    pub(super) fn new(floor: u64) -> Self {
        Self {
            objects: BTreeMap::new(),
            owned: HashMap::new(),
            warm: VecDeque::new(),
            log: Log::new(floor),
            wake: watch::Sender::new(floor),
        }
    }

    pub(super) fn get(&self, namespace: &str, name: &str) -> Option<&Object> {
        self.objects.get(namespace)?.get(name)
    }

    /// One object, for reading: its unpacked form is kept for a while.
    pub(super) fn fetch(&mut self, namespace: &str, name: &str) -> Option<Object> {
        let object = self.get(namespace, name)?.clone();
        if object.room().is_some() && !object.is_open() {
            self.warm.push_back(key(&object));
            if self.warm.len() > WARM
                && let Some((namespace, name)) = self.warm.pop_front()
                && let Some(live) = self.live(&namespace, &name)
                && let Some(cold) = live.cold()
            {
                *live = Arc::new(cold);
            }
        }
        Some(object)
    }

    fn live(&mut self, namespace: &str, name: &str) -> Option<&mut Object> {
        self.objects.get_mut(namespace)?.get_mut(name)
    }

    /// All objects, or those of a namespace; their unpacked forms are freed with the list.
    pub(super) fn list(&self, namespace: Option<&str>) -> Vec<Object> {
        let all = || self.objects.values().flat_map(Names::values);
        let here = |namespace| self.objects.get(namespace).into_iter().flat_map(Names::values);
        match namespace {
            Some(namespace) => here(namespace).map(apart).collect(),
            None => all().map(apart).collect(),
        }
    }

    /// The objects as of `revision`: the present, with later changes undone.
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
        keys.filter_map(|(namespace, name)| self.get(namespace, name).map(apart)).collect()
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
        // Objects that have not changed for a while are packed here, too.
        if let Some(settled) = settled
            && let Some(live) = self.live(settled.namespace(), settled.name())
            && live.revision() == settled.revision()
        {
            let labels = live.read(|value| value["metadata"]["labels"].clone());
            if let Some(packed) = settled.labelled(labels) {
                *live = Arc::new(packed);
            }
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

/// An object for a reader that may unpack it and does not keep it.
fn apart(object: &Object) -> Object {
    match object.cold() {
        Some(cold) if !object.is_open() => Arc::new(cold),
        _ => object.clone(),
    }
}

fn key(object: &Object) -> Key {
    (object.namespace().into(), object.name().into())
}
