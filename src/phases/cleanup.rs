//! Cleanup: deletes what the run made, found by label, and verifies that nothing is left.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::StreamExt;
use serde::Deserialize;

use super::event::{Event, Listener};
use crate::cluster::call::path;
use crate::cluster::metadata::Metadata;
use crate::cluster::watch::{Told, Watch, Watched, list_all};
use crate::cluster::{Cluster, Kind, Trouble, machines, namespaces};
use crate::observe::clock::monotonic_now;

/// An object that carries the run's label
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// Namespace; empty for cluster-wide kinds.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// UID.
    pub uid: String,
}

/// Everything of a run that exists
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// Its VMs.
    pub machines: Vec<Found>,
    /// Its namespaces.
    pub namespaces: Vec<Found>,
    /// Its prober pods, in the record's namespace.
    pub pods: Vec<Found>,
    /// Its `ConfigMaps`, in the record's namespace.
    pub config_maps: Vec<Found>,
    /// Its Secrets, in the record's namespace.
    pub secrets: Vec<Found>,
}

impl Leftovers {
    /// Whether nothing is there.
    pub fn is_empty(&self) -> bool {
        self.machines.is_empty()
            && self.namespaces.is_empty()
            && self.pods.is_empty()
            && self.config_maps.is_empty()
            && self.secrets.is_empty()
    }

    /// Every object as kubectl would name it: `kind/name`, and the namespace.
    pub fn names(&self) -> Vec<(String, String)> {
        let kinds = [
            ("virtualmachine", &self.machines),
            ("namespace", &self.namespaces),
            ("pod", &self.pods),
            ("configmap", &self.config_maps),
            ("secret", &self.secrets),
        ];
        let named = |(kind, found): (&str, &Vec<Found>)| -> Vec<(String, String)> {
            found.iter().map(|f| (format!("{kind}/{}", f.name), f.namespace.clone())).collect()
        };
        kinds.into_iter().flat_map(named).collect()
    }
}

/// What cleanup could not get rid of in time
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocked {
    /// The kind, plural.
    pub what: &'static str,
    /// The objects that remain, and what holds them as far as known.
    pub remaining: Vec<String>,
}

/// How cleanup ended before its end
#[derive(Debug)]
pub enum CleanupError {
    /// Something does not go away.
    Blocked(Blocked),
    /// The cluster did not answer as needed.
    Trouble(Trouble),
}

impl From<Trouble> for CleanupError {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

#[derive(Debug, Clone, Deserialize)]
struct Object {
    metadata: Metadata,
}

impl Watched for Object {
    fn resource_version(&self) -> &str {
        &self.metadata.resource_version
    }
}

impl From<Object> for Found {
    fn from(object: Object) -> Self {
        let Metadata { name, namespace, uid, .. } = object.metadata;
        Self { namespace, name, uid }
    }
}

async fn found(cluster: &Cluster, doing: &str, path: &str, selector: &str) -> Result<Vec<Found>, Trouble> {
    let (objects, _) = list_all::<Object>(cluster, doing, path, selector).await?;
    let mut found: Vec<Found> = objects.into_iter().map(Found::from).collect();
    found.sort_unstable();
    Ok(found)
}

/// Like [`found`], for kinds that not every run needs: who may not list them cannot have made any.
async fn found_if_allowed(
    cluster: &Cluster,
    doing: &str,
    path: &str,
    selector: &str,
) -> Result<Vec<Found>, Trouble> {
    match found(cluster, doing, path, selector).await {
        Err(trouble) if trouble.kind == Kind::Forbidden => Ok(Vec::new()),
        outcome => outcome,
    }
}

/// Lists everything that carries the label.
pub async fn leftovers(cluster: &Cluster, selector: &str) -> Result<Leftovers, Trouble> {
    let here = |plural| path("v1", Some(cluster.namespace()), plural);
    Ok(Leftovers {
        machines: found(cluster, "list virtual machines", &machines::collection(None), selector).await?,
        namespaces: found(cluster, "list namespaces", &namespaces::collection(), selector).await?,
        pods: found_if_allowed(cluster, "list prober pods", &here("pods"), selector).await?,
        config_maps: found(cluster, "list records", &here("configmaps"), selector).await?,
        secrets: found_if_allowed(cluster, "list secrets", &here("secrets"), selector).await?,
    })
}

/// Deletes VMs and waits, then namespaces and waits, then the record, unless it is to be kept.
///
/// Every deletion carries the UID that was found. Fails when something is still there after `timeout`.
pub async fn run(
    cluster: &Cluster,
    selector: &str,
    keep_record: bool,
    concurrency: usize,
    timeout: Duration,
    events: Listener<'_>,
) -> Result<Leftovers, CleanupError> {
    let all = leftovers(cluster, selector).await?;
    let everywhere = machines::collection(None);
    let deletion = Deletion { cluster, selector, concurrency, deadline: monotonic_now() + timeout, events };
    deletion.delete("virtual machines", &everywhere, &all.machines).await?;
    deletion.delete("prober pods", &path("v1", Some(cluster.namespace()), "pods"), &all.pods).await?;
    deletion.delete("namespaces", &namespaces::collection(), &all.namespaces).await?;
    if !keep_record {
        let here = |plural| path("v1", Some(cluster.namespace()), plural);
        deletion.delete("secrets", &here("secrets"), &all.secrets).await?;
        // The head owns the parts: it goes first, and whatever the garbage collector takes is gone already.
        let mut maps = all.config_maps.clone();
        maps.sort_by_key(|map| map.name.len());
        deletion.delete("record objects", &here("configmaps"), &maps).await?;
    }
    Ok(all)
}

struct Deletion<'a> {
    cluster: &'a Cluster,
    selector: &'a str,
    concurrency: usize,
    deadline: std::time::Instant,
    events: Listener<'a>,
}

impl Deletion<'_> {
    /// Deletes objects of one kind and waits until nothing with the label is left of it.
    async fn delete(&self, what: &'static str, list: &str, objects: &[Found]) -> Result<(), CleanupError> {
        if objects.is_empty() {
            return Ok(());
        }
        (self.events)(&Event::Deleting { what, count: objects.len() });
        let mut watch =
            Watch::<Object>::open(self.cluster, "watch what is deleted", list.into(), self.selector.into())
                .await?;
        let doing = format!("delete {what}");
        let one = |object: &Found| {
            let (doing, object) = (doing.clone(), object.clone());
            let collection = own_collection(list, &object.namespace);
            async move { self.cluster.delete_exactly(&doing, &collection, &object.name, &object.uid).await }
        };
        let outcomes: Vec<Result<(), Trouble>> =
            futures::stream::iter(objects).map(one).buffer_unordered(self.concurrency.max(1)).collect().await;
        outcomes.into_iter().collect::<Result<(), Trouble>>()?;
        let mut left: BTreeSet<String> = objects.iter().map(|object| object.uid.clone()).collect();
        let mut latest: Vec<Object> = Vec::new();
        while !left.is_empty() {
            let heard = tokio::time::timeout_at(self.deadline.into(), watch.next()).await;
            let before = left.len();
            match heard {
                Ok(Some(heard)) => match heard.told {
                    Told::Listed(objects) => {
                        let alive: BTreeSet<String> =
                            objects.iter().map(|object| object.metadata.uid.clone()).collect();
                        left.retain(|uid| alive.contains(uid));
                        latest = objects;
                    }
                    Told::Removed(object) => {
                        left.remove(&object.metadata.uid);
                        latest.retain(|known| known.metadata.uid != object.metadata.uid);
                    }
                    Told::Changed(object) => {
                        latest.retain(|known| known.metadata.uid != object.metadata.uid);
                        latest.push(object);
                    }
                    Told::Blind { .. } | Told::Complaint(_) => {}
                },
                Ok(None) | Err(_) => {
                    latest.retain(|object| left.contains(&object.metadata.uid));
                    return Err(CleanupError::Blocked(Blocked { what, remaining: remaining(&latest) }));
                }
            }
            for _ in left.len()..before {
                (self.events)(&Event::Gone);
            }
        }
        Ok(())
    }
}

/// The collection in which an object of a list over all namespaces is deleted.
fn own_collection(list: &str, namespace: &str) -> String {
    match list.rsplit_once('/') {
        Some((root, plural)) if !namespace.is_empty() && !list.contains("/namespaces/") => {
            format!("{root}/namespaces/{namespace}/{plural}")
        }
        _ => list.to_owned(),
    }
}

fn remaining(objects: &[Object]) -> Vec<String> {
    let describe = |object: &Object| {
        let Metadata { name, namespace, finalizers, .. } = &object.metadata;
        let place = if namespace.is_empty() { name.clone() } else { format!("{namespace}/{name}") };
        if finalizers.is_empty() { place } else { format!("{place} (finalizers: {})", finalizers.join(", ")) }
    };
    objects.iter().map(describe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_deleted_in_their_own_namespace() {
        let vms = machines::collection(None);
        assert_eq!(own_collection(&vms, "p-1"), "/apis/kubevirt.io/v1/namespaces/p-1/virtualmachines");
        assert_eq!(own_collection("/api/v1/namespaces", ""), "/api/v1/namespaces");
        let maps = "/api/v1/namespaces/default/configmaps";
        assert_eq!(own_collection(maps, "default"), maps);
    }
}
