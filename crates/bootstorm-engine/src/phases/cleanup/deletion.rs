//! Deletes objects of one kind and waits until they are gone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use futures::StreamExt;

use super::{Blocked, CleanupError, Found, Held, Sort};
use crate::cluster::metadata::Object;
use crate::cluster::names::run_id_selector;
use crate::cluster::watch::{Told, Watch};
use crate::cluster::{Cluster, Trouble};
use crate::phases::event::{Event, Listener};

/// How to delete
pub(super) struct Deletion<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) run_id: &'a str,
    pub(super) concurrency: usize,
    pub(super) deadline: Instant,
    pub(super) events: Listener<'a>,
}

impl Deletion<'_> {
    /// Deletes these objects, and waits until none of them is left.
    pub(super) async fn delete(&self, sort: Sort, objects: &[Found]) -> Result<(), CleanupError> {
        if objects.is_empty() {
            return Ok(());
        }
        (self.events)(&Event::Deleting { what: sort.words(), count: objects.len() });
        let is_spread = objects.windows(2).any(|pair| pair[0].namespace != pair[1].namespace);
        if sort == Sort::Namespaces || sort == Sort::Machines && is_spread {
            return self.delete_in(sort, None, objects).await;
        }
        let mut places: BTreeMap<&str, Vec<Found>> = BTreeMap::new();
        for object in objects {
            places.entry(&object.namespace).or_default().push(object.clone());
        }
        for (namespace, objects) in places {
            self.delete_in(sort, Some(namespace), &objects).await?;
        }
        Ok(())
    }

    async fn delete_in(
        &self,
        sort: Sort,
        namespace: Option<&str>,
        objects: &[Found],
    ) -> Result<(), CleanupError> {
        let collection = sort.collection(namespace);
        // What has lost its label is not seen by it.
        let is_labelled = objects.iter().all(|object| object.run_id == self.run_id);
        let selector = if is_labelled { run_id_selector(self.run_id) } else { String::new() };
        let mut watch =
            Watch::<Object>::open(self.cluster, "watch what is deleted", collection, selector).await?;
        let doing = format!("delete {}", sort.words());
        let one = |object: &Found| {
            let (doing, object) = (doing.clone(), object.clone());
            let place = Some(object.namespace.as_str()).filter(|namespace| !namespace.is_empty());
            let collection = sort.collection(place);
            async move { self.cluster.delete_exactly(&doing, &collection, &object.name, &object.uid).await }
        };
        let outcomes: Vec<Result<(), Trouble>> =
            futures::stream::iter(objects).map(one).buffer_unordered(self.concurrency.max(1)).collect().await;
        outcomes.into_iter().collect::<Result<(), Trouble>>()?;
        self.wait(sort, &mut watch, objects).await
    }

    async fn wait(
        &self,
        sort: Sort,
        watch: &mut Watch<Object>,
        objects: &[Found],
    ) -> Result<(), CleanupError> {
        let mut left: BTreeSet<String> = objects.iter().map(|object| object.uid.clone()).collect();
        let mut latest: BTreeMap<String, Object> = BTreeMap::new();
        while !left.is_empty() {
            let heard = tokio::time::timeout_at(self.deadline.into(), watch.next()).await;
            let before = left.len();
            match heard {
                Ok(Some(heard)) => match heard.told {
                    Told::Listed(objects) => {
                        latest = objects.into_iter().map(|o| (o.metadata.uid.clone(), o)).collect();
                        left.retain(|uid| latest.contains_key(uid));
                    }
                    Told::Removed(object) => {
                        left.remove(&object.metadata.uid);
                        latest.remove(&object.metadata.uid);
                    }
                    Told::Changed(object) => {
                        latest.insert(object.metadata.uid.clone(), object);
                    }
                    Told::Unreadable(_) | Told::Interrupted { .. } | Told::Restored | Told::Complaint(_) => {}
                },
                Ok(None) | Err(_) => {
                    latest.retain(|uid, _| left.contains(uid));
                    let held = latest.values().map(|object| Held::of(sort, object)).collect();
                    return Err(CleanupError::Blocked(Blocked { sort, held }));
                }
            }
            for _ in left.len()..before {
                (self.events)(&Event::Gone);
            }
        }
        Ok(())
    }
}
