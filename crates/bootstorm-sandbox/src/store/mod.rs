//! The simulated cluster's storage: objects, resource versions, and the log that watches read.

mod collection;
mod defaults;
mod deletion;
mod delta;
mod error;
mod job;
pub mod kind;
mod log;
mod object;
mod policy;
pub mod quota;
mod rules;
#[cfg(test)]
mod tests;
mod text;
mod truth;
mod watcher;

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::value::{Value, json};
use jiff::{SignedDuration, Timestamp};

use self::collection::Shelf;
pub use self::deletion::{DeleteOptions, Deleted};
pub use self::error::{StoreError, TooOld, UpdateError};
pub use self::kind::Kind;
pub use self::log::{Action, Entry};
pub use self::object::{Object, Stored};
pub use self::rules::{Propagation, seconds, stamp};
use self::truth::Truth;
pub use self::watcher::Watcher;
use bootstorm_model::observe::clock::wall_now;

/// Revision of an empty store. Not 0 or 1, so that these are always too old, as on a cluster with a past.
const BEGINNING: u64 = 1_000;

/// The objects of the simulated cluster
#[derive(Debug, Clone)]
pub struct Store(Arc<Mutex<Contents>>);

#[derive(Debug)]
struct Contents {
    revision: u64,
    shelves: Vec<Shelf>,
    truth: Option<Truth>,
    namespace_defaults: Vec<(&'static Kind, Value)>,
    /// How far the cluster's clock is ahead of this computer's.
    ahead: SignedDuration,
}

impl Default for Store {
    fn default() -> Self {
        Self::new()
    }
}

impl Store {
    /// A store without any object, not even a namespace.
    pub fn new() -> Self {
        let shelves = kind::all().iter().map(|_| Shelf::new(BEGINNING)).collect();
        Self(Arc::new(Mutex::new(Contents {
            revision: BEGINNING,
            shelves,
            truth: None,
            namespace_defaults: Vec::new(),
            ahead: SignedDuration::ZERO,
        })))
    }

    /// Sets the cluster's clock ahead of this computer's.
    pub fn set_clock_ahead(&self, ahead: SignedDuration) {
        self.lock().ahead = ahead;
    }

    /// Reading of the cluster's clock.
    pub fn now(&self) -> Timestamp {
        self.lock().now()
    }

    /// Writes every further change to this file, with the instant it became visible.
    pub fn set_truth(&self, path: &Path) -> io::Result<()> {
        let truth = Truth::create(path)?;
        self.lock().truth = Some(truth);
        Ok(())
    }

    /// Records in the truth a guest's action that no object shows: `network`, `agent`.
    pub fn note_guest(&self, namespace: &str, name: &str, uid: &str, action: &str, address: &str) {
        if let Some(truth) = &self.lock().truth {
            truth.tell(json!({
                "kind": "guests", "namespace": namespace, "name": name, "uid": uid, "action": action, "address": address,
            }));
        }
    }

    /// Completes the truth file with everything committed so far.
    pub fn close_truth(&self) {
        let truth = self.lock().truth.take();
        // Dropped here, outside the lock: it waits for the disk.
        drop(truth);
    }

    /// The revision of the newest change.
    pub fn revision(&self) -> u64 {
        self.lock().revision
    }

    /// One object.
    pub fn get(&self, kind: &'static Kind, namespace: &str, name: &str) -> Option<Object> {
        self.lock().shelf_mut(kind).fetch(namespace, name)
    }

    /// All objects of a kind, or those of a namespace, in order of their names, and the revision of this state.
    pub fn list(&self, kind: &'static Kind, namespace: Option<&str>) -> (Vec<Object>, u64) {
        let contents = self.lock();
        (contents.shelf(kind).list(namespace), contents.revision)
    }

    /// The objects as of a past revision.
    pub fn list_at(
        &self,
        kind: &'static Kind,
        namespace: Option<&str>,
        revision: u64,
    ) -> Result<Vec<Object>, TooOld> {
        self.lock().shelf(kind).list_at(namespace, revision)
    }

    /// The objects of a kind whose owner references contain this UID.
    pub fn owned_by(&self, kind: &'static Kind, owner_uid: &str) -> Vec<Object> {
        self.lock().shelf(kind).owned_by(owner_uid)
    }

    /// Whether a namespace has no object of this kind.
    pub fn is_empty(&self, kind: &'static Kind, namespace: &str) -> bool {
        self.lock().shelf(kind).is_empty(namespace)
    }

    /// Stores a new object with the fields that the API machinery fills in.
    pub fn create(&self, kind: &'static Kind, object: impl Into<Value>) -> Result<Object, StoreError> {
        let mut object = object.into();
        let generate = object["metadata"]["name"].as_str().is_none_or(str::is_empty);
        loop {
            if generate && let Some(name) = rules::generated_name(&object) {
                object["metadata"]["name"] = name.into();
            }
            match self.lock().create(kind, &mut object) {
                // A generated name that is taken is drawn again; a requested name cannot be.
                Err(StoreError::AlreadyExists { .. })
                    if generate && rules::generated_name(&object).is_some() => {}
                result => return result.inspect(|made| made.write(None)),
            }
        }
    }

    /// The object that a creation would store, without storing it.
    pub fn rehearse(&self, kind: &'static Kind, mut object: Value) -> Result<Value, StoreError> {
        if object["metadata"]["name"].as_str().is_none_or(str::is_empty)
            && let Some(name) = rules::generated_name(&object)
        {
            object["metadata"]["name"] = name.into();
        }
        self.lock().check_new(kind, &mut object)?;
        Ok(object)
    }

    /// Reads, changes and writes an object under the lock
    ///
    /// A change without effect returns the same object and makes no event. Identity, creation and deletion times cannot
    /// be changed. An object that waited for its last finalizer is removed with it.
    pub fn update<E>(
        &self,
        kind: &'static Kind,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut Value) -> Result<(), E>,
    ) -> Result<Object, UpdateError<E>> {
        self.replace(kind, namespace, name, |before| {
            let mut after = before.to_value();
            change(&mut after)?;
            Ok(after)
        })
    }

    /// Like [`Store::update`], where `change` returns the new values.
    pub fn replace<E>(
        &self,
        kind: &'static Kind,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&Object) -> Result<Value, E>,
    ) -> Result<Object, UpdateError<E>> {
        let (written, before) = self.lock().replace(kind, namespace, name, change)?;
        written.write(Some(&before));
        Ok(written)
    }

    /// Changes an object if it exists.
    pub fn modify(
        &self,
        kind: &'static Kind,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut Value),
    ) -> Option<Object> {
        let infallible = |object: &mut Value| -> Result<(), std::convert::Infallible> {
            change(object);
            Ok(())
        };
        self.update(kind, namespace, name, infallible).ok()
    }

    /// Deletes an object, or marks it if something still holds it.
    pub fn delete(
        &self,
        kind: &'static Kind,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<Deleted, StoreError> {
        let (deleted, before) = self.lock().delete(kind, namespace, name, options)?;
        deleted.object().write(Some(&before));
        Ok(deleted)
    }

    /// Removes an object unconditionally: the kubelet's final deletion of a pod, the end of a namespace.
    pub fn remove(&self, kind: &'static Kind, namespace: &str, name: &str, uid: &str) -> bool {
        let mut contents = self.lock();
        let Some(object) =
            contents.shelf(kind).get(namespace, name).filter(|object| object.uid() == uid).cloned()
        else {
            return false;
        };
        contents.take_away(kind, object.to_value(), object);
        true
    }

    /// Reads the changes after a revision; 0 means all.
    pub fn watch(
        &self,
        kind: &'static Kind,
        namespace: Option<&str>,
        from_revision: u64,
    ) -> Result<Watcher, TooOld> {
        let contents = self.lock();
        contents.shelf(kind).log.check(from_revision)?;
        let wake = contents.shelf(kind).subscribe();
        drop(contents);
        Ok(Watcher::new(self.clone(), kind, namespace, from_revision, wake))
    }

    /// Forgets all history, as if it had been compacted away.
    pub fn expire(&self) {
        let mut contents = self.lock();
        let revision = contents.revision;
        for shelf in &mut contents.shelves {
            shelf.log.forget(revision);
        }
    }

    fn entries_after(&self, kind: &'static Kind, revision: u64) -> Result<Vec<Arc<Entry>>, TooOld> {
        self.lock().shelf(kind).log.after(revision)
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        // Every change is made on a copy and committed as a whole, so a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contents {
    fn shelf(&self, kind: &Kind) -> &Shelf {
        &self.shelves[place(kind)]
    }

    fn shelf_mut(&mut self, kind: &Kind) -> &mut Shelf {
        &mut self.shelves[place(kind)]
    }

    fn commit(
        &mut self,
        kind: &'static Kind,
        action: Action,
        value: Value,
        previous: Option<Object>,
    ) -> Object {
        self.revision += 1;
        let object = Arc::new(Stored::new(value, self.revision));
        self.put(kind, action, object, previous)
    }

    /// Makes a version visible.
    fn put(
        &mut self,
        kind: &'static Kind,
        action: Action,
        object: Object,
        previous: Option<Object>,
    ) -> Object {
        let entry = self.shelves[place(kind)].commit(action, object.clone(), previous);
        if let Some(truth) = &self.truth {
            truth.record(kind, &entry);
        }
        object
    }

    fn take_away(&mut self, kind: &'static Kind, last: Value, previous: Object) -> Object {
        self.commit(kind, Action::Deleted, last, Some(previous))
    }

    fn now(&self) -> Timestamp {
        wall_now().saturating_add(self.ahead).unwrap_or(Timestamp::MAX)
    }

    fn create(&mut self, kind: &'static Kind, object: &mut Value) -> Result<Object, StoreError> {
        self.check_new(kind, object)?;
        let made = self.commit(kind, Action::Added, object.take(), None);
        if kind.is(&kind::NAMESPACES) {
            self.furnish(&made);
        }
        Ok(made)
    }

    /// Completes a new object and checks that it can be stored.
    fn check_new(&self, kind: &'static Kind, object: &mut Value) -> Result<(), StoreError> {
        rules::prepare(kind, object, self.now());
        let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
        let (namespace, name) = (text("namespace"), text("name"));
        if self.shelf(kind).get(&namespace, &name).is_some() {
            return Err(StoreError::AlreadyExists { kind: kind.qualified(), name });
        }
        if kind.namespaced {
            match self.shelf(&kind::NAMESPACES).get("", &namespace) {
                None => return Err(StoreError::NoNamespace { namespace }),
                Some(found) if found.is_deleting() => {
                    return Err(StoreError::NamespaceTerminating { kind: kind.qualified(), name, namespace });
                }
                Some(_) => {}
            }
        }
        if kind.is(&kind::PODS) {
            self.check_policy(&namespace, &name, object)?;
            self.check_quota(&namespace, &name, object)?;
        }
        Ok(())
    }

    /// The object afterwards and before.
    fn replace<E>(
        &mut self,
        kind: &'static Kind,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&Object) -> Result<Value, E>,
    ) -> Result<(Object, Object), UpdateError<E>> {
        let Some(before) = self.shelf_mut(kind).fetch(namespace, name) else {
            return Err(UpdateError::NotFound);
        };
        let mut after = change(&before).map_err(UpdateError::Refused)?;
        if !rules::settle(kind, before.value(), &mut after) {
            return Ok((before.clone(), before));
        }
        let waits = rules::is_held(kind, &after)
            || after["metadata"]["deletionGracePeriodSeconds"].as_i64() > Some(0);
        if before.is_deleting() && !waits {
            return Ok((self.take_away(kind, after, before.clone()), before));
        }
        Ok((self.commit(kind, Action::Modified, after, Some(before.clone())), before))
    }

    /// The result, and the object before.
    fn delete(
        &mut self,
        kind: &'static Kind,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<(Deleted, Object), StoreError> {
        let Some(before) = self.shelf_mut(kind).get(namespace, name).cloned() else {
            return Err(StoreError::NotFound { kind: kind.qualified(), name: name.to_owned() });
        };
        check_precondition(kind, &before, options)?;
        let at_once = !kind.is(&kind::PODS)
            && !kind.is(&kind::NAMESPACES)
            && options.propagation == Propagation::Background;
        if at_once && let Some(last) = before.ended(kind, self.revision + 1, self.now()) {
            self.revision += 1;
            let last = self.put(kind, Action::Deleted, Arc::new(last), Some(before.clone()));
            return Ok((Deleted::Removed(last), before));
        }
        let mut after = before.to_value();
        if !before.is_deleting() {
            rules::add_propagation(&mut after, options.propagation);
        }
        let grace = rules::grace(kind, &after, options.grace_period);
        let changed = rules::mark(kind, &mut after, grace, self.now());
        if grace > 0 || rules::is_held(kind, &after) {
            let object = if changed {
                self.commit(kind, Action::Modified, after, Some(before.clone()))
            } else {
                before.clone()
            };
            return Ok((Deleted::Marked(object), before));
        }
        Ok((Deleted::Removed(self.take_away(kind, after, before.clone())), before))
    }
}

fn place(kind: &Kind) -> usize {
    let all = kind::all();
    // Every kind comes from the registry, though some constants are copies of it.
    let same = all.iter().position(|known| std::ptr::eq(*known, kind));
    same.or_else(|| all.iter().position(|known| known.is(kind))).unwrap_or_default()
}

fn check_precondition(kind: &Kind, object: &Object, options: &DeleteOptions) -> Result<(), StoreError> {
    let found_version = object.revision().to_string();
    let conditions = [
        ("UID", &options.uid, object.uid()),
        ("ResourceVersion", &options.resource_version, found_version.as_str()),
    ];
    for (field, wanted, found) in conditions {
        if let Some(wanted) = wanted
            && wanted != found
        {
            return Err(StoreError::Precondition {
                kind: kind.qualified(),
                name: object.name().to_owned(),
                field,
                wanted: wanted.clone(),
                found: found.to_owned(),
            });
        }
    }
    Ok(())
}
