//! What of a run exists, found by label in every kind that may carry it.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;

use super::Sort;
use crate::cluster::metadata::{Metadata, Object};
use crate::cluster::watch::list_all;
use crate::cluster::{Cluster, Kind, Trouble, names};

/// An object that carries the run's label
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// Namespace; empty for cluster-wide kinds.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// UID.
    pub uid: String,
    /// UUID of the run that made it; empty when it does not say.
    pub run_id: String,
}

impl From<Object> for Found {
    fn from(object: Object) -> Self {
        let Metadata { name, namespace, uid, mut labels, .. } = object.metadata;
        Self { namespace, name, uid, run_id: labels.remove(names::RUN_ID).unwrap_or_default() }
    }
}

/// Everything of a run that exists
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leftovers {
    found: BTreeMap<Sort, Vec<Found>>,
    /// Kinds that could not be looked at, or not everywhere, and why.
    pub skipped: Vec<(Sort, String)>,
}

impl Leftovers {
    /// Lists these kinds, all at the same time.
    ///
    /// Kinds that the cluster does not have, and kinds that not every run needs and that we may not list, are
    /// skipped and named. A `place` is the one namespace in which all VMs of the run are, and which it did not make: then
    /// no permissions are needed elsewhere.
    pub async fn list(
        cluster: &Cluster,
        selector: &str,
        sorts: &[Sort],
        place: Option<&str>,
    ) -> Result<Self, Trouble> {
        let mut leftovers = Self::default();
        let listed = try_join_all(sorts.iter().map(|sort| look(cluster, *sort, selector, place))).await?;
        for (sort, (found, skipped)) in sorts.iter().copied().zip(listed) {
            if !found.is_empty() {
                leftovers.found.insert(sort, found);
            }
            leftovers.skipped.extend(skipped.map(|why| (sort, why)));
        }
        Ok(leftovers)
    }

    /// The objects of a kind.
    pub fn of(&self, sort: Sort) -> &[Found] {
        self.found.get(&sort).map_or(&[], Vec::as_slice)
    }

    /// The objects of a kind that do not go with one of the run's namespaces.
    pub fn outside(&self, sort: Sort) -> Vec<Found> {
        let namespaces: BTreeSet<&str> = self.of(Sort::Namespaces).iter().map(|n| n.name.as_str()).collect();
        let is_outside = |found: &&Found| !namespaces.contains(found.namespace.as_str());
        self.of(sort).iter().filter(is_outside).cloned().collect()
    }

    /// Without what is kept when the record is kept.
    #[must_use]
    pub fn without_record(mut self) -> Self {
        self.found.remove(&Sort::Maps);
        self.found.remove(&Sort::Secrets);
        self
    }

    /// Whether nothing is there.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Every object that cleanup deletes by name, as kubectl would name it: `kind/name`, and the namespace.
    ///
    /// What is in the run's namespaces besides VMs goes with these.
    pub fn names(&self) -> Vec<(String, String)> {
        let of = |sort: Sort| match sort {
            Sort::Machines | Sort::Namespaces => self.of(sort).to_vec(),
            _ => self.outside(sort),
        };
        let named = |sort: Sort| {
            of(sort)
                .into_iter()
                .map(move |found| (format!("{}/{}", sort.word(), found.name), found.namespace))
        };
        Sort::ALL.into_iter().flat_map(named).collect()
    }
}

/// The UUIDs of the runs that left something of this name in the record's namespace.
pub async fn run_ids(cluster: &Cluster, selector: &str) -> Result<BTreeSet<String>, Trouble> {
    let sorts = Sort::ALL.into_iter().filter(|sort| sort.is_of_record());
    let listed = try_join_all(sorts.map(|sort| look(cluster, sort, selector, None))).await?;
    let ids = listed.into_iter().flat_map(|(found, _)| found).map(|found| found.run_id);
    Ok(ids.filter(|id| !id.is_empty()).collect())
}

/// The objects of one kind, sorted; and why they are not all, if so.
async fn look(
    cluster: &Cluster,
    sort: Sort,
    selector: &str,
    place: Option<&str>,
) -> Result<(Vec<Found>, Option<String>), Trouble> {
    let here = cluster.namespace();
    if sort == Sort::Namespaces && place.is_some() {
        return Ok((Vec::new(), None));
    }
    let wide = list(cluster, sort, sort.is_of_record().then_some(here), selector).await;
    match wide {
        Ok(found) => Ok((found, None)),
        Err(trouble) if trouble.kind == Kind::NotFound && sort != Sort::Maps => {
            Ok((Vec::new(), Some("this cluster does not have them".to_owned())))
        }
        Err(trouble) if trouble.kind == Kind::Forbidden && place.is_some() && !sort.is_of_record() => {
            let mut found = Vec::new();
            // Prober pods are where the record is, everything else where the VMs are.
            let probers = Some(here).filter(|_| sort == Sort::Pods);
            let places: BTreeSet<&str> = [probers, place].into_iter().flatten().collect();
            for place in places {
                match list(cluster, sort, Some(place), selector).await {
                    Ok(more) => found.extend(more),
                    Err(trouble) if sort.is_essential() => return Err(trouble),
                    Err(_) => {
                        return Ok((found, Some(format!("you may not list them in namespace {place}"))));
                    }
                }
            }
            Ok((found, None))
        }
        Err(trouble) if trouble.kind == Kind::Forbidden && !sort.is_essential() => {
            let narrow =
                if sort.is_of_record() { None } else { list(cluster, sort, Some(here), selector).await.ok() };
            Ok(match narrow {
                Some(found) => (found, Some(format!("you may list them in namespace {here} only"))),
                None => (Vec::new(), Some("you may not list them".to_owned())),
            })
        }
        Err(trouble) => Err(trouble),
    }
}

async fn list(
    cluster: &Cluster,
    sort: Sort,
    namespace: Option<&str>,
    selector: &str,
) -> Result<Vec<Found>, Trouble> {
    let doing = format!("list {}", sort.words());
    let (objects, _) = list_all::<Object>(cluster, &doing, &sort.collection(namespace), selector).await?;
    let mut found: Vec<Found> = objects.into_iter().map(Found::from).collect();
    found.sort_unstable();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(namespace: &str, name: &str) -> Found {
        Found { namespace: namespace.into(), name: name.into(), uid: name.into(), run_id: "id".into() }
    }

    #[test]
    fn what_goes_with_its_namespace_is_not_named() {
        let leftovers = Leftovers {
            found: BTreeMap::from([
                (Sort::Machines, vec![found("p-1", "vm")]),
                (Sort::Pods, vec![found("default", "prober"), found("p-1", "virt-launcher")]),
                (Sort::Namespaces, vec![found("", "p-1")]),
                (Sort::Maps, vec![found("default", "record")]),
            ]),
            skipped: Vec::new(),
        };
        let names: Vec<String> = leftovers.names().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["virtualmachine/vm", "pod/prober", "namespace/p-1", "configmap/record"]);
        assert!(leftovers.without_record().of(Sort::Maps).is_empty());
    }
}
