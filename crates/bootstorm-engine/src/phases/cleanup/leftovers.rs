//! Existing objects of a run, objects that only look like it, and foreign ones in its namespaces.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use futures::future::try_join_all;
use futures::{StreamExt, TryStreamExt};

use super::Sort;
use super::list::{contents, look, look_in, named, wide, wide_or_marked};
use crate::cluster::metadata::Metadata;
use crate::cluster::names::run_id_selector;
use crate::cluster::ownership::{Estate, Kind, Stranger};
use crate::cluster::{Cluster, ClusterError, names};
use bootstorm_model::plan::Small;
use bootstorm_model::text::printable;

/// `ConfigMaps` that a cluster adds to every namespace.
const EVERYWHERE: [&str; 5] = [
    "kube-root-ca.crt",
    "openshift-service-ca.crt",
    "istio-ca-root-cert",
    "config-service-cabundle",
    "config-trusted-cabundle",
];
/// Kinds whose content is listed concurrently.
const KINDS_AT_ONCE: usize = 8;

/// An object found by cleanup
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// Namespace; empty for cluster-wide kinds.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// UID.
    pub uid: String,
    /// Whether it carries the UUID of the run as a label.
    pub is_labelled: bool,
    /// Whether it has an owner, with which the garbage collector deletes it.
    pub is_owned: bool,
}

impl Found {
    /// The object as kubectl names it.
    pub fn shown(&self, sort: Sort) -> String {
        let place = if self.namespace.is_empty() { String::new() } else { format!(" -n {}", self.namespace) };
        printable(&format!("{}/{}{place}", sort.word(), self.name)).into_owned()
    }
}

/// Existing objects of a run, and others beside them
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leftovers {
    found: BTreeMap<Sort, Vec<Found>>,
    /// Objects with the label of the run, or a name of its plan, that do not belong to the run: they are left alone.
    pub strangers: Vec<(Sort, Found, Stranger)>,
    /// Foreign objects in the run's namespaces, by namespace.
    pub foreign: BTreeMap<String, Vec<(Sort, Found)>>,
    /// Kinds that could not be listed, or not everywhere, and why.
    pub skipped: Vec<(Sort, String)>,
}

/// How found objects are handled
#[derive(Debug, Clone, Copy)]
pub struct Choice {
    /// Whether the record and its Secret stay.
    pub keep_record: bool,
    /// Whether namespaces are deleted with foreign objects in them.
    pub delete_foreign: bool,
}

impl Leftovers {
    /// Lists these kinds, and determines which objects belong to the run.
    ///
    /// Kinds that the cluster lacks, and optional kinds that may not be listed, are skipped and named. A `place` is the
    /// one namespace that holds all VMs of the run and that the run did not create: then no permissions are needed
    /// elsewhere.
    pub async fn list(
        cluster: &Cluster,
        estate: &Estate,
        sorts: &[Sort],
        place: Option<&str>,
    ) -> Result<Self, ClusterError> {
        let judge = Judge { cluster, estate };
        let mut sifting = Sifting::new(judge);
        if sorts.contains(&Sort::Namespaces) && place.is_none() {
            sifting.namespaces(wide(cluster, Sort::Namespaces, |metadata| judge.namespace(metadata)).await?);
        }
        let selector = run_id_selector(estate.run_id());
        let kinds = estate.extra_kinds();
        // Namespaces are deleted with their content; elsewhere it has to be found.
        let wants = |sort: &Sort| match sort {
            Sort::Namespaces => false,
            Sort::Migrations => estate.migrates(),
            Sort::Extras(small) => kinds.contains(small),
            _ => true,
        };
        let others: Vec<Sort> = sorts.iter().copied().filter(wants).collect();
        let places = estate.migration_places();
        let ours = sifting.leftovers.names_of_namespaces();
        let run_id = estate.run_id();
        let looking = others.iter().map(|sort| async {
            let keep = |metadata| judge.sifted(*sort, metadata);
            if Sort::contents().any(|inside| inside == *sort)
                && let Some(all) = wide_or_marked(cluster, *sort, run_id, &ours, keep).await?
            {
                return Ok((all, None, true));
            }
            let (objects, skipped) = match sort {
                Sort::Migrations => look_in(cluster, *sort, &selector, places, keep).await?,
                _ => look(cluster, *sort, &selector, place, keep).await?,
            };
            Ok::<_, ClusterError>((objects, skipped, false))
        });
        let marked = try_join_all(looking).await?;
        let mut whole = Vec::new();
        for (sort, (objects, skipped, has_contents)) in others.iter().zip(marked) {
            if has_contents {
                // Nothing else lists this kind.
                sifting.objects.extend(objects);
                whole.push(*sort);
            } else {
                sifting.take(objects);
            }
            sifting.leftovers.skipped.extend(skipped.map(|why| (*sort, why)));
        }
        let rest = Sort::contents().filter(|sort| !whole.contains(sort)).collect();
        sifting.contents(&ours, rest).await?;
        if let Some(place) = place
            && sorts.contains(&Sort::Machines)
        {
            let extras = kinds.iter().copied().map(Sort::Extras);
            sifting
                .contents(&[place.to_owned()], std::iter::once(Sort::Machines).chain(extras).collect())
                .await?;
        }
        // An object that has lost its label is found by its name.
        let head = names::head_name(estate.prefix());
        for sort in others.iter().copied().filter(|sort| sort.is_of_record()) {
            let is_it = |object: &Sifted| object.listed_as == sort && object.found.name == head;
            if !sifting.objects.iter().any(is_it) {
                let keep = |metadata| judge.sifted(sort, metadata);
                sifting.take(named(cluster, sort, &head, keep).await?.into_iter().collect());
            }
        }
        Ok(sifting.end())
    }

    /// Looks into some namespaces of the run once more, for what is foreign there; `known` was found before.
    pub(super) async fn list_inside(
        cluster: &Cluster,
        estate: &Estate,
        known: &Self,
        namespaces: &BTreeSet<&str>,
    ) -> Result<Self, ClusterError> {
        let judge = Judge { cluster, estate };
        let mut sifting = Sifting::new(judge);
        sifting.belongs = known.found.values().flatten().map(|found| found.uid.as_str()).collect();
        sifting.namespaces(wide(cluster, Sort::Namespaces, |metadata| judge.namespace(metadata)).await?);
        let mut ours = sifting.leftovers.names_of_namespaces();
        ours.retain(|name| namespaces.contains(name.as_str()));
        sifting.contents(&ours, Sort::contents().collect()).await?;
        Ok(sifting.end())
    }

    fn names_of_namespaces(&self) -> Vec<String> {
        self.of(Sort::Namespaces).iter().map(|found| found.name.clone()).collect()
    }

    /// Objects of a kind that belong to the run.
    pub fn of(&self, sort: Sort) -> &[Found] {
        self.found.get(&sort).map_or(&[], Vec::as_slice)
    }

    /// Namespaces of the run that are deleted.
    pub fn namespaces(&self, choice: Choice) -> Vec<Found> {
        let goes = |found: &&Found| choice.delete_foreign || !self.foreign.contains_key(&found.name);
        self.of(Sort::Namespaces).iter().filter(goes).cloned().collect()
    }

    /// Namespaces of the run that stay, because of foreign objects in them.
    pub fn kept(&self, choice: Choice) -> Vec<Found> {
        let stays = |found: &&Found| !choice.delete_foreign && self.foreign.contains_key(&found.name);
        self.of(Sort::Namespaces).iter().filter(stays).cloned().collect()
    }

    /// Objects of a kind that are not deleted with one of the run's namespaces.
    pub fn outside(&self, sort: Sort, choice: Choice) -> Vec<Found> {
        let going = self.namespaces(choice);
        let going: HashSet<&str> = going.iter().map(|namespace| namespace.name.as_str()).collect();
        self.of(sort).iter().filter(|found| !going.contains(found.namespace.as_str())).cloned().collect()
    }

    /// Whether the record stays: because it is requested, or because it has to identify the run's objects until the
    /// rest is gone.
    pub fn keeps_record(&self, choice: Choice) -> bool {
        choice.keep_record || !self.kept(choice).is_empty()
    }

    /// Every object that cleanup deletes, in order.
    ///
    /// Objects of the run in its namespaces, besides VMs, are deleted with these.
    pub fn going(&self, choice: Choice) -> Vec<(Sort, Found)> {
        let of = |sort: Sort| match sort {
            // A migration in progress holds its namespace: virt-controller has to end it while the VM exists.
            Sort::Migrations | Sort::Machines => self.of(sort).to_vec(),
            Sort::Namespaces => self.namespaces(choice),
            Sort::Maps | Sort::Secrets if self.keeps_record(choice) => Vec::new(),
            _ => self.outside(sort, choice),
        };
        Sort::ALL.into_iter().flat_map(|sort| of(sort).into_iter().map(move |found| (sort, found))).collect()
    }

    /// Every foreign object that is deleted with its namespace.
    pub fn going_along(&self, choice: Choice) -> Vec<(Sort, Found)> {
        if choice.delete_foreign { self.foreign.values().flatten().cloned().collect() } else { Vec::new() }
    }

    /// Objects still to be deleted.
    #[must_use]
    pub fn left(mut self, choice: Choice) -> Self {
        let kept = self.kept(choice);
        if self.keeps_record(choice) {
            self.found.remove(&Sort::Maps);
            self.found.remove(&Sort::Secrets);
        }
        if let Some(namespaces) = self.found.get_mut(&Sort::Namespaces) {
            namespaces.retain(|found| !kept.contains(found));
        }
        self.found.retain(|_, found| !found.is_empty());
        self
    }

    /// Whether nothing of the run exists.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The lock of the run.
    pub fn lock(&self, estate: &Estate) -> Option<&Found> {
        let name = names::head_name(estate.prefix());
        self.of(Sort::Leases).iter().find(|lease| lease.name == name)
    }

    /// Leaves out the lock that cleanup itself has acquired.
    pub(super) fn without_lock(mut self, estate: &Estate, uid: Option<&str>) -> Self {
        let name = names::head_name(estate.prefix());
        if let Some(leases) = self.found.get_mut(&Sort::Leases) {
            leases.retain(|lease| lease.name != name || Some(lease.uid.as_str()) == uid);
        }
        self.found.retain(|_, found| !found.is_empty());
        self
    }
}

/// Decides on each object as it is listed, so that little of it is kept
#[derive(Clone, Copy)]
struct Judge<'a> {
    cluster: &'a Cluster,
    estate: &'a Estate,
}

/// A listed object
struct Sifted {
    /// Kind that was listed.
    listed_as: Sort,
    /// Kind, by its purpose.
    sort: Sort,
    found: Found,
    /// What is known of it, unless the run created it.
    other: Option<Box<Other>>,
}

/// What is known of an object that the run has not created itself
struct Other {
    why: Stranger,
    /// UIDs of its owners: what belongs to the run's objects belongs to the run.
    owners: Vec<String>,
    /// Whether it carries the label of the run, or a name of its plan.
    looks_like_ours: bool,
    /// Whether a namespace can be deleted with it: it is being deleted anyway, or every namespace has one.
    is_worthless: bool,
}

impl Judge<'_> {
    fn found(self, metadata: Metadata) -> Found {
        let is_labelled = metadata.labels.get(names::RUN_ID).is_some_and(|id| id == self.estate.run_id());
        let Metadata { name, namespace, uid, owner_references, .. } = metadata;
        Found { namespace, name, uid, is_labelled, is_owned: !owner_references.is_empty() }
    }

    /// A namespace, if it belongs to the run or looks like it; and the reason if it does not belong to it.
    fn namespace(self, metadata: Metadata) -> Option<(Found, Option<Stranger>)> {
        let estate = self.estate;
        let looks_like_ours = || {
            estate.is_marked(&metadata) || estate.is_planned() && estate.is_named(Kind::Namespace, &metadata)
        };
        match estate.judge(Kind::Namespace, &metadata) {
            Ok(()) => Some((self.found(metadata), None)),
            Err(why) => looks_like_ours().then(|| (self.found(metadata), Some(why))),
        }
    }

    fn sifted(self, listed_as: Sort, metadata: Metadata) -> Sifted {
        let sort = match listed_as.small() {
            Some(small) if self.is_extra(small, &metadata) => Sort::Extras(small),
            _ => listed_as.beside_nothing(),
        };
        let other = self.judge(sort, &metadata).err().map(|why| {
            Box::new(Other {
                why,
                owners: metadata.owner_references.iter().map(|owner| owner.uid.clone()).collect(),
                looks_like_ours: self.estate.is_marked(&metadata) || self.is_named(sort, &metadata),
                is_worthless: metadata.deletion_timestamp.is_some() || is_everywhere(sort, &metadata),
            })
        });
        Sifted { listed_as, sort, found: self.found(metadata), other }
    }

    /// Whether the run created an object itself.
    fn judge(self, sort: Sort, object: &Metadata) -> Result<(), Stranger> {
        let here = object.namespace == self.cluster.namespace();
        match sort {
            Sort::Extras(small) => self.estate.judge(Kind::Extra(small), object),
            Sort::Migrations => self.estate.judge(Kind::Migration, object),
            Sort::Machines => self.estate.judge(Kind::Machine, object),
            Sort::Instances if self.estate.knows_instance(&object.uid) => Ok(()),
            Sort::Pods if here => self.estate.judge(Kind::Prober, object),
            Sort::Secrets if here => self.estate.judge(Kind::Secret, object),
            Sort::Maps if here => self.estate.judge(Kind::Map, object),
            Sort::Leases => self.estate.judge(Kind::Lease, object),
            _ => Err(match object.owner_references.first() {
                Some(owner) => Stranger::Owned(format!("{}/{}", owner.kind, owner.name)),
                None => Stranger::NotPlanned,
            }),
        }
    }

    /// Whether an object stands beside VMs, according to the plan; without one, by its label, outside the record's
    /// namespace.
    fn is_extra(self, small: Small, object: &Metadata) -> bool {
        let is_elsewhere = object.namespace != self.cluster.namespace();
        self.estate.is_named(Kind::Extra(small), object)
            && (self.estate.is_planned() || is_elsewhere && self.estate.is_marked(object))
    }

    fn is_named(self, sort: Sort, object: &Metadata) -> bool {
        match sort {
            Sort::Machines => self.estate.is_planned() && self.estate.is_named(Kind::Machine, object),
            Sort::Extras(small) => {
                self.estate.is_planned() && self.estate.is_named(Kind::Extra(small), object)
            }
            Sort::Secrets | Sort::Maps | Sort::Leases => {
                object.name == names::head_name(self.estate.prefix())
            }
            _ => false,
        }
    }
}

/// Classification of objects
struct Sifting<'a> {
    judge: Judge<'a>,
    leftovers: Leftovers,
    objects: Vec<Sifted>,
    /// UIDs of objects of kinds that are listed more than once.
    seen: HashSet<String>,
    /// UIDs of objects that belonged to the run before, and may be gone.
    belongs: HashSet<&'a str>,
}

impl<'a> Sifting<'a> {
    fn new(judge: Judge<'a>) -> Self {
        let (leftovers, objects) = (Leftovers::default(), Vec::new());
        Self { judge, leftovers, objects, seen: HashSet::new(), belongs: HashSet::new() }
    }

    /// Lists these kinds in some namespaces.
    async fn contents(&mut self, namespaces: &[String], kinds: Vec<Sort>) -> Result<(), ClusterError> {
        if namespaces.is_empty() {
            return Ok(());
        }
        let judge = self.judge;
        let contents_of = |sort: &Sort| {
            let sort = *sort;
            contents(judge.cluster, sort, namespaces, move |metadata| judge.sifted(sort, metadata))
        };
        let listing = futures::stream::iter(&kinds).map(contents_of).buffered(KINDS_AT_ONCE);
        for (sort, (objects, skipped)) in kinds.iter().zip(listing.try_collect::<Vec<_>>().await?) {
            self.take(objects);
            let is_new = |(known, _): &(Sort, String)| known != sort;
            if let Some(why) = skipped
                && self.leftovers.skipped.iter().all(is_new)
            {
                self.leftovers.skipped.push((*sort, why));
            }
        }
        Ok(())
    }

    fn namespaces(&mut self, listed: Vec<(Found, Option<Stranger>)>) {
        for (found, stranger) in listed {
            match stranger {
                None => self.leftovers.found.entry(Sort::Namespaces).or_default().push(found),
                Some(why) => self.leftovers.strangers.push((Sort::Namespaces, found, why)),
            }
        }
    }

    fn take(&mut self, objects: Vec<Sifted>) {
        self.objects.extend(objects.into_iter().filter(|object| self.seen.insert(object.found.uid.clone())));
    }

    fn end(mut self) -> Leftovers {
        let namespaces: HashSet<String> =
            self.leftovers.of(Sort::Namespaces).iter().map(|found| found.name.clone()).collect();
        let mut known = std::mem::take(&mut self.belongs);
        known.extend(self.judge.estate.machine_uids());
        let mut ours = HashSet::new();
        let mut rest = Vec::new();
        let mut keep = |sort: Sort, found: Found| {
            self.leftovers.found.entry(sort).or_default().push(found);
        };
        for Sifted { sort, found, other, .. } in std::mem::take(&mut self.objects) {
            match other {
                None => {
                    if !known.contains(found.uid.as_str()) {
                        ours.insert(found.uid.clone());
                    }
                    keep(sort, found);
                }
                Some(other) => rest.push((sort, found, other)),
            }
        }
        // Dependents of the run's objects belong to the run: instances, launcher pods, disks.
        loop {
            let before = rest.len();
            let belongs = |other: &Other| {
                other.owners.iter().any(|owner| known.contains(owner.as_str()) || ours.contains(owner))
            };
            let (follow, others): (Vec<_>, Vec<_>) =
                rest.into_iter().partition(|(sort, _, other)| sort.follows() && belongs(other));
            rest = others;
            for (sort, found, _) in follow {
                if !known.contains(found.uid.as_str()) {
                    ours.insert(found.uid.clone());
                }
                keep(sort, found);
            }
            if rest.len() == before {
                break;
            }
        }
        for (sort, found, other) in rest {
            if namespaces.contains(&found.namespace) {
                if !other.is_worthless {
                    self.leftovers.foreign.entry(found.namespace.clone()).or_default().push((sort, found));
                }
            } else if other.looks_like_ours {
                self.leftovers.strangers.push((sort, found, other.why));
            }
        }
        for found in self.leftovers.found.values_mut() {
            found.sort_unstable();
        }
        for found in self.leftovers.foreign.values_mut() {
            found.sort_unstable();
        }
        self.leftovers.strangers.sort_unstable();
        self.leftovers
    }
}

/// Annotation on Secrets that hold the token of a service account.
const SERVICE_ACCOUNT: &str = "kubernetes.io/service-account.name";

/// Whether a cluster adds an object of this name to every namespace.
fn is_everywhere(sort: Sort, object: &Metadata) -> bool {
    match sort {
        Sort::Maps => EVERYWHERE.contains(&object.name.as_str()),
        Sort::Secrets => {
            object.annotations.contains_key(SERVICE_ACCOUNT)
                || object.owner_references.iter().any(|owner| owner.kind == "ServiceAccount")
        }
        _ => false,
    }
}

/// UUIDs of the runs of this name, from what the record has left here.
pub async fn run_ids(cluster: &Cluster, selector: &str) -> Result<BTreeSet<String>, ClusterError> {
    ids(cluster, selector, Sort::ALL.into_iter().filter(|sort| sort.is_of_record())).await
}

/// UUIDs of the runs of this name, from any object with its label.
pub async fn run_ids_anywhere(cluster: &Cluster, selector: &str) -> Result<BTreeSet<String>, ClusterError> {
    ids(cluster, selector, Sort::ALL.into_iter()).await
}

async fn ids(
    cluster: &Cluster,
    selector: &str,
    sorts: impl Iterator<Item = Sort>,
) -> Result<BTreeSet<String>, ClusterError> {
    let id = |mut metadata: Metadata| metadata.labels.remove(names::RUN_ID);
    let listed = futures::stream::iter(sorts.map(|sort| look(cluster, sort, selector, None, id)))
        .buffer_unordered(Sort::ALL.len())
        .collect::<Vec<_>>()
        .await;
    let listed = listed.into_iter().collect::<Result<Vec<_>, ClusterError>>()?;
    let ids = listed.into_iter().flat_map(|(ids, _)| ids).flatten();
    Ok(ids.filter(|id| !id.is_empty()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHOICE: Choice = Choice { keep_record: false, delete_foreign: false };

    fn found(namespace: &str, name: &str) -> Found {
        Found {
            namespace: namespace.into(),
            name: name.into(),
            uid: name.into(),
            is_labelled: true,
            is_owned: false,
        }
    }

    fn leftovers() -> Leftovers {
        Leftovers {
            found: BTreeMap::from([
                (Sort::Machines, vec![found("p-1", "vm")]),
                (Sort::Pods, vec![found("default", "prober"), found("p-1", "virt-launcher")]),
                (Sort::Namespaces, vec![found("", "p-1")]),
                (Sort::Maps, vec![found("default", "record")]),
            ]),
            ..Leftovers::default()
        }
    }

    fn going(leftovers: &Leftovers, choice: Choice) -> Vec<String> {
        leftovers.going(choice).into_iter().map(|(_, found)| found.name).collect()
    }

    #[test]
    fn what_goes_with_its_namespace_is_not_named() {
        let leftovers = leftovers();
        assert_eq!(going(&leftovers, CHOICE), ["vm", "prober", "p-1", "record"]);
        let kept = Choice { keep_record: true, ..CHOICE };
        assert_eq!(going(&leftovers, kept), ["vm", "prober", "p-1"]);
        assert!(leftovers.left(kept).of(Sort::Maps).is_empty());
    }

    #[test]
    fn a_namespace_in_which_others_keep_something_stays_and_so_does_the_record() {
        let mut leftovers = leftovers();
        leftovers.foreign.insert("p-1".into(), vec![(Sort::Maps, found("p-1", "notes"))]);
        assert_eq!(going(&leftovers, CHOICE), ["vm", "prober", "virt-launcher"]);
        let all = Choice { delete_foreign: true, ..CHOICE };
        assert_eq!(going(&leftovers, all), ["vm", "prober", "p-1", "record"]);
        assert_eq!(leftovers.going_along(all)[0].1.name, "notes");
    }
}
