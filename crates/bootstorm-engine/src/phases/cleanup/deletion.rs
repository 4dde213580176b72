//! Deletes objects of one kind and waits until they are gone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::stream::{BoxStream, StreamExt};
use tokio::time::{MissedTickBehavior, interval, sleep_until};

use super::{Blocked, CleanupError, Found, Held, Sort};
use crate::cluster::metadata::Leaver;
use crate::cluster::names::run_id_selector;
use crate::cluster::watch::{Delivery, Needs, View, Watch, WatchEvent};
use crate::cluster::{Cluster, ClusterError};
use crate::phases::event::{Event, Listener};
use bootstorm_model::observe::clock::monotonic_now;

/// Interval at which pending deletions are reported.
pub(super) const SAY_EVERY: Duration = Duration::from_secs(10);

/// Maximum number of namespaces in which migrations are watched individually.
const FEW: usize = 20;

/// How to delete
pub(super) struct Deletion<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) run_id: &'a str,
    pub(super) concurrency: usize,
    pub(super) deadline: Instant,
    pub(super) events: Listener<'a>,
}

/// Objects of a kind being deleted
struct Leaving<'a> {
    sort: Sort,
    since: Instant,
    /// Existing objects, by UID.
    left: BTreeMap<&'a str, &'a Found>,
    /// Their latest states, as far as delivered.
    latest: BTreeMap<String, Leaver>,
    /// The first refused deletion; the others continue.
    refused: Option<ClusterError>,
}

impl Deletion<'_> {
    /// Deletes these objects, and waits until none of them is left.
    pub(super) async fn delete(&self, sort: Sort, objects: &[Found]) -> Result<(), CleanupError> {
        self.delete_telling(sort, objects, |_| {}).await
    }

    /// Like [`Self::delete`], reporting each deleted object.
    pub(super) async fn delete_telling(
        &self,
        sort: Sort,
        objects: &[Found],
        mut gone: impl FnMut(&Found),
    ) -> Result<(), CleanupError> {
        if objects.is_empty() {
            return Ok(());
        }
        (self.events)(&Event::Deleting { what: sort.words(), count: objects.len() });
        let is_spread = objects.windows(2).any(|pair| pair[0].namespace != pair[1].namespace);
        // The user may have permissions in only a few namespaces.
        let places: BTreeSet<&str> = objects.iter().map(|object| object.namespace.as_str()).collect();
        let is_wide = match sort {
            Sort::Namespaces => true,
            Sort::Machines => is_spread,
            Sort::Migrations => places.len() > FEW,
            _ => false,
        };
        if is_wide {
            return self.delete_in(sort, None, objects, at_once(objects), &mut gone).await;
        }
        let mut places: BTreeMap<&str, Vec<Found>> = BTreeMap::new();
        for object in objects {
            places.entry(&object.namespace).or_default().push(object.clone());
        }
        for (namespace, objects) in places {
            self.delete_in(sort, Some(namespace), &objects, at_once(&objects), &mut gone).await?;
        }
        Ok(())
    }

    /// Deletes cluster-wide objects, each when it is `ready`, and waits until all ready ones are gone.
    ///
    /// Objects that never become ready before the stream ends are left.
    pub(super) async fn delete_when(
        &self,
        sort: Sort,
        objects: &[Found],
        ready: BoxStream<'_, Found>,
    ) -> Result<(), CleanupError> {
        if objects.is_empty() {
            return Ok(());
        }
        (self.events)(&Event::Deleting { what: sort.words(), count: objects.len() });
        self.delete_in(sort, None, objects, ready, &mut |_| {}).await
    }

    async fn delete_in(
        &self,
        sort: Sort,
        namespace: Option<&str>,
        objects: &[Found],
        ready: BoxStream<'_, Found>,
        gone: &mut impl FnMut(&Found),
    ) -> Result<(), CleanupError> {
        let collection = sort.collection(namespace);
        // Objects that have lost their label are not seen by it.
        let is_labelled = objects.iter().all(|object| object.is_labelled);
        let selector = if is_labelled { run_id_selector(self.run_id) } else { String::new() };
        // Only conditions of namespaces describe what holds them.
        let needs = if sort == Sort::Namespaces { Needs::Objects } else { Needs::Metadata };
        let view = View { path: collection, labels: selector, needs, ..View::default() };
        let mut watch = Watch::<Leaver>::on(self.cluster, "watch the deletion", view).await?;
        let doing = format!("delete {}", sort.words());
        let sent = AtomicUsize::new(0);
        let one = |object: Found| {
            sent.fetch_add(1, Ordering::Relaxed);
            let doing = doing.clone();
            let place = Some(object.namespace.as_str()).filter(|namespace| !namespace.is_empty());
            let collection = sort.collection(place);
            async move {
                let outcome =
                    self.cluster.delete_exactly(&doing, &collection, &object.name, &object.uid).await;
                (object, outcome)
            }
        };
        let mut requests = ready.map(one).buffer_unordered(self.concurrency.max(1));
        let mut all_sent = false;
        let (mut asked, mut answered) = (BTreeSet::new(), 0);
        let mut leaving = Leaving::new(sort, objects);
        let mut say = interval(SAY_EVERY);
        say.set_missed_tick_behavior(MissedTickBehavior::Delay);
        say.reset();
        loop {
            if all_sent && leaving.left.keys().all(|uid| !asked.contains(*uid)) {
                return leaving.refused.map_or(Ok(()), |error| Err(error.into()));
            }
            tokio::select! {
                outcome = requests.next(), if !all_sent => match outcome {
                    None => all_sent = true,
                    Some((object, outcome)) => {
                        answered += 1;
                        if let Err(error) = outcome {
                            leaving.left.remove(object.uid.as_str());
                            leaving.refused.get_or_insert(error);
                        } else {
                            asked.insert(object.uid);
                        }
                    }
                },
                heard = watch.next() => {
                    let Some(heard) = heard else { return Err(leaving.blocked(&asked).into()) };
                    for object in leaving.hear(heard) {
                        (self.events)(&Event::Gone(sort.words()));
                        gone(object);
                    }
                }
                _ = say.tick() => {
                    if let Some(event) = leaving.still_there(&asked) {
                        (self.events)(&event);
                    }
                }
                () = sleep_until(self.deadline.into()) => {
                    let is_answered = answered == sent.load(Ordering::Relaxed);
                    return Err(if is_answered { leaving.blocked(&asked).into() } else { CleanupError::Unanswered });
                }
            }
        }
    }
}

/// Objects that are all ready.
fn at_once(objects: &[Found]) -> BoxStream<'_, Found> {
    futures::stream::iter(objects.iter().cloned()).boxed()
}

impl<'a> Leaving<'a> {
    fn new(sort: Sort, objects: &'a [Found]) -> Self {
        let left = objects.iter().map(|object| (object.uid.as_str(), object)).collect();
        Self { sort, since: monotonic_now(), left, latest: BTreeMap::new(), refused: None }
    }

    /// Handles a delivery; returns the objects that are gone now.
    fn hear(&mut self, heard: Delivery<Leaver>) -> Vec<&'a Found> {
        match heard.event {
            WatchEvent::Listed(objects) => {
                let left = &self.left;
                let ours =
                    objects.into_iter().filter(|object| left.contains_key(object.metadata.uid.as_str()));
                self.latest = ours.map(|object| (object.metadata.uid.clone(), object)).collect();
                let mut gone = Vec::new();
                self.left.retain(|uid, found| {
                    let stays = self.latest.contains_key(*uid);
                    gone.extend((!stays).then_some(*found));
                    stays
                });
                gone
            }
            WatchEvent::Removed(object) => {
                self.latest.remove(&object.metadata.uid);
                self.left.remove(object.metadata.uid.as_str()).into_iter().collect()
            }
            WatchEvent::Changed(object) => {
                if self.left.contains_key(object.metadata.uid.as_str()) {
                    self.latest.insert(object.metadata.uid.clone(), object);
                }
                Vec::new()
            }
            WatchEvent::Unreadable(_)
            | WatchEvent::Interrupted { .. }
            | WatchEvent::Restored
            | WatchEvent::Complaint(_) => Vec::new(),
        }
    }

    fn held(&self) -> Vec<Held> {
        let mut left: Vec<&Found> = self.left.values().copied().collect();
        left.sort_unstable();
        let latest = left.into_iter().filter_map(|found| self.latest.get(&found.uid));
        latest.map(|object| Held::of(self.sort, object)).collect()
    }

    /// Objects among `asked`, those whose deletion was accepted, that still exist.
    fn blocked(mut self, asked: &BTreeSet<String>) -> Blocked {
        self.left.retain(|uid, _| asked.contains(*uid));
        Blocked { sort: self.sort, held: self.held() }
    }

    /// Objects whose deletion was accepted but is pending, since when, and how to inspect one.
    fn still_there(&self, asked: &BTreeSet<String>) -> Option<Event> {
        let mut left: Vec<&Found> =
            self.left.values().copied().filter(|found| asked.contains(&found.uid)).collect();
        left.sort_unstable();
        let first = left.iter().find_map(|found| self.latest.get(&found.uid));
        let first = first.map(|object| Held::of(self.sort, object));
        (!left.is_empty()).then(|| Event::StillThere {
            what: self.sort.words(),
            count: left.len(),
            since: self.since.elapsed(),
            first: first.as_ref().and_then(|held| held.lines().into_iter().next()),
            why: first.as_ref().and_then(Held::why),
            look: first.and_then(|held| held.look()),
        })
    }
}
