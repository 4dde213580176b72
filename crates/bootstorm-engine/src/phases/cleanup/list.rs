//! Lists objects for cleanup: only their metadata, so that no foreign content is read, and of that only what `keep`
//! returns: a cluster may have tens of thousands.

use std::collections::{BTreeSet, HashSet};

use futures::StreamExt;
use http::HeaderValue;
use http::header::ACCEPT;
use kube::api::GetParams;

use super::Sort;
use crate::cluster::call::{built, on};
use crate::cluster::metadata::{Metadata, Object};
use crate::cluster::watch::{count, list_metadata};
use crate::cluster::{Cluster, ClusterError, Kind, names};

/// Maximum number of namespaces that are listed one by one.
const FEW: usize = 20;
/// The same for Secrets and `ConfigMaps`, of which a cluster may have many foreign ones.
const SOME: usize = 500;
/// Number of foreign objects that may be read for each request saved: reading them costs about as much as one request.
const PASSED_OVER: u64 = 20;
/// The same for kinds that no run creates: there are many, with few objects each.
const ONCE: usize = 2;
/// Concurrent lists.
const CONCURRENCY: usize = 20;
/// `Accept` header for metadata instead of whole objects.
const ONE: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";

/// Every object of a kind that is kept.
pub(super) async fn wide<T>(
    cluster: &Cluster,
    sort: Sort,
    keep: impl Fn(Metadata) -> Option<T>,
) -> Result<Vec<T>, ClusterError> {
    list(cluster, sort, None, "", keep).await
}

/// An object of the record's namespace, if it exists and may be read.
pub(super) async fn named<T>(
    cluster: &Cluster,
    sort: Sort,
    name: &str,
    keep: impl Fn(Metadata) -> T,
) -> Result<Option<T>, ClusterError> {
    let doing = format!("read {}", sort.words());
    let collection = sort.collection(Some(cluster.namespace()));
    let mut request = built(&doing, on(&collection).get(name, &GetParams::default()))?;
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static(ONE));
    match cluster.ask::<Object>(&doing, &request).await {
        Ok(object) => Ok(Some(keep(object.metadata))),
        Err(error) if error.kind == Kind::NotFound => Ok(None),
        Err(error) if error.kind == Kind::Forbidden && !sort.is_essential() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Every object of a kind in some namespaces, and those with the label of a run elsewhere, from one list.
///
/// `None` where a list per namespace reads less, or where the user may not list all.
pub(super) async fn wide_or_marked<T>(
    cluster: &Cluster,
    sort: Sort,
    run_id: &str,
    namespaces: &[String],
    keep: impl Fn(Metadata) -> T,
) -> Result<Option<Vec<T>>, ClusterError> {
    if sort.is_of_record() || namespaces.len() <= FEW {
        return Ok(None);
    }
    let inside: HashSet<&str> = namespaces.iter().map(String::as_str).collect();
    let is_wanted = |metadata: &Metadata| {
        inside.contains(&*metadata.namespace)
            || metadata.labels.get(names::RUN_ID).is_some_and(|id| id == run_id)
    };
    match list(cluster, sort, None, "", |metadata| is_wanted(&metadata).then(|| keep(metadata))).await {
        Ok(found) => Ok(Some(found)),
        Err(error) if matches!(error.kind, Kind::Forbidden | Kind::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Every object of a kind in some namespaces; and the reason if some are missing.
pub(super) async fn contents<T>(
    cluster: &Cluster,
    sort: Sort,
    namespaces: &[String],
    keep: impl Fn(Metadata) -> T,
) -> Result<(Vec<T>, Option<String>), ClusterError> {
    let is_wide = match sort {
        Sort::Other(_) => namespaces.len() > ONCE,
        _ if namespaces.len() <= ONCE => false,
        _ if sort.is_of_record() => {
            namespaces.len() > SOME || is_sparse(cluster, sort, namespaces.len()).await
        }
        _ => namespaces.len() > FEW || is_sparse(cluster, sort, namespaces.len()).await,
    };
    if is_wide {
        let wanted: HashSet<&str> = namespaces.iter().map(String::as_str).collect();
        let inside = |metadata: Metadata| wanted.contains(&*metadata.namespace).then(|| keep(metadata));
        match list(cluster, sort, None, "", inside).await {
            Err(error) if error.kind == Kind::Forbidden => {}
            outcome => return settle(sort, outcome),
        }
    }
    let keep = &keep;
    let one = |namespace: &String| {
        let namespace = namespace.clone();
        async move { list(cluster, sort, Some(&namespace), "", |metadata| Some(keep(metadata))).await }
    };
    let listed: Vec<Result<Vec<T>, ClusterError>> =
        futures::stream::iter(namespaces).map(one).buffer_unordered(CONCURRENCY).collect().await;
    let listed = listed.into_iter().collect::<Result<Vec<_>, ClusterError>>();
    settle(sort, listed.map(|lists| lists.into_iter().flatten().collect()))
}

/// Whether a cluster has so few objects of a kind that listing all is cheaper than one list per namespace.
async fn is_sparse(cluster: &Cluster, sort: Sort, namespaces: usize) -> bool {
    let doing = format!("count {}", sort.words());
    // Without permission to count, listing all is not permitted either.
    let counted = count(cluster, &doing, &sort.collection(None)).await;
    matches!(counted, Ok(Some(all)) if all <= PASSED_OVER * namespaces as u64)
}

fn settle<T>(
    sort: Sort,
    outcome: Result<Vec<T>, ClusterError>,
) -> Result<(Vec<T>, Option<String>), ClusterError> {
    match outcome {
        Ok(found) => Ok((found, None)),
        Err(error) if error.kind == Kind::NotFound && matches!(sort, Sort::Other(_)) => {
            Ok((Vec::new(), None))
        }
        Err(error) if error.kind == Kind::NotFound && sort != Sort::Maps => {
            Ok((Vec::new(), Some("this cluster does not have them".to_owned())))
        }
        Err(error) if error.kind == Kind::Forbidden && (sort == Sort::Maps || !sort.is_essential()) => {
            Ok((Vec::new(), Some("you may not list them in the namespaces of the run".to_owned())))
        }
        Err(error) => Err(error),
    }
}

/// Objects of one kind with a label; and the reason if some are missing.
pub(super) async fn look<T>(
    cluster: &Cluster,
    sort: Sort,
    selector: &str,
    place: Option<&str>,
    keep: impl Fn(Metadata) -> T,
) -> Result<(Vec<T>, Option<String>), ClusterError> {
    let here = cluster.namespace();
    let all = |metadata| Some(keep(metadata));
    if sort == Sort::Namespaces && place.is_some() {
        return Ok((Vec::new(), None));
    }
    let wide = list(cluster, sort, sort.is_of_record().then_some(here), selector, &all).await;
    match wide {
        Ok(found) => Ok((found, None)),
        Err(error) if error.kind == Kind::NotFound && sort != Sort::Maps => {
            Ok((Vec::new(), Some("this cluster does not have them".to_owned())))
        }
        Err(error) if error.kind == Kind::Forbidden && place.is_some() && !sort.is_of_record() => {
            let mut found = Vec::new();
            // Prober pods are in the record's namespace, everything else in those of the VMs.
            let probers = Some(here).filter(|_| sort == Sort::Pods);
            let places: BTreeSet<&str> = [probers, place].into_iter().flatten().collect();
            for place in places {
                match list(cluster, sort, Some(place), selector, &all).await {
                    Ok(more) => found.extend(more),
                    Err(error) if sort.is_essential() => return Err(error),
                    Err(_) => {
                        return Ok((found, Some(format!("you may not list them in namespace {place}"))));
                    }
                }
            }
            Ok((found, None))
        }
        Err(error) if error.kind == Kind::Forbidden && !sort.is_essential() => {
            let narrow = if sort.is_of_record() {
                None
            } else {
                list(cluster, sort, Some(here), selector, &all).await.ok()
            };
            Ok(match narrow {
                Some(found) => (found, Some(format!("you may list them in namespace {here} only"))),
                None => (Vec::new(), Some("you may not list them".to_owned())),
            })
        }
        Err(error) => Err(error),
    }
}

/// The same in some namespaces, if not all may be listed.
pub(super) async fn look_in<T>(
    cluster: &Cluster,
    sort: Sort,
    selector: &str,
    namespaces: &BTreeSet<String>,
    keep: impl Fn(Metadata) -> T,
) -> Result<(Vec<T>, Option<String>), ClusterError> {
    let wide = look(cluster, sort, selector, None, &keep).await?;
    if wide.1.is_none() || namespaces.is_empty() || namespaces.len() > FEW {
        return Ok(wide);
    }
    let mut found = Vec::new();
    for namespace in namespaces {
        match list(cluster, sort, Some(namespace), selector, |metadata| Some(keep(metadata))).await {
            Ok(more) => found.extend(more),
            Err(error) if error.kind == Kind::NotFound => return Ok(wide),
            Err(error) if error.kind == Kind::Forbidden => {
                return Ok((found, Some(format!("you may not list them in namespace {namespace}"))));
            }
            Err(error) => return Err(error),
        }
    }
    Ok((found, None))
}

async fn list<T>(
    cluster: &Cluster,
    sort: Sort,
    namespace: Option<&str>,
    selector: &str,
    keep: impl Fn(Metadata) -> Option<T>,
) -> Result<Vec<T>, ClusterError> {
    let doing = format!("list {}", sort.words());
    let keep = |object: Object| keep(object.metadata);
    let Sort::Other(resource) = sort else {
        return list_metadata(cluster, &doing, &sort.collection(namespace), selector, keep).await;
    };
    let mut collections = resource.collections(namespace).peekable();
    while let Some(collection) = collections.next() {
        match list_metadata(cluster, &doing, &collection, selector, &keep).await {
            Err(error) if error.kind == Kind::NotFound && collections.peek().is_some() => {}
            outcome => return outcome,
        }
    }
    Ok(Vec::new())
}
