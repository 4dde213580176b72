//! Current contents of collections, page by page.

use std::time::Duration;

use http::header::ACCEPT;
use http::{HeaderValue, Request};
use kube::api::ListParams;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::call::{Answer, built, on};
use super::decode::{self, Undecodable};
use super::metadata::{Object, Watched};
use super::protobuf::{self, Malformed, Message, Part};
use super::{Cluster, ClusterError, Kind, messages};

/// Maximum number of restarts of a list whose continuation has expired.
pub(super) const EXPIRED: u32 = 5;
/// `Accept` header for metadata instead of whole objects.
pub(super) const METADATA: &str =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
/// The same for the objects of a watch.
pub(super) const METADATA_EACH: &str =
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
/// Objects per page of a list.
const PAGE: u32 = 500;
/// Maximum number of pages, against a server that continues forever.
const MOST_PAGES: usize = 10_000;

/// A page of a list, with its objects still in JSON.
#[derive(Deserialize)]
struct Page<'a> {
    metadata: PageMeta,
    /// A Go server may write a list without items as null.
    #[serde(borrow, default)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct PageMeta {
    resource_version: String,
    #[serde(rename = "continue")]
    next: String,
    /// Number of objects after this page; a server that does not know it omits it.
    remaining_item_count: Option<u64>,
}

/// Lists a collection page by page; returns the objects and the version to watch from.
pub async fn list_all<T: DeserializeOwned>(
    cluster: &Cluster,
    doing: &str,
    path: &str,
    selector: &str,
) -> Result<(Vec<T>, String), ClusterError> {
    list_kept(cluster, doing, path, selector, None, Some).await
}

/// Lists the selected objects, each as `keep` returns it.
pub(super) async fn list_as<T: DeserializeOwned, U>(
    cluster: &Cluster,
    doing: &str,
    path: &str,
    selector: &str,
    keep: impl Fn(T) -> Option<U>,
) -> Result<Vec<U>, ClusterError> {
    Ok(list_kept(cluster, doing, path, selector, None, keep).await?.0)
}

/// Lists the metadata of the selected objects, each as `keep` returns it.
pub async fn list_metadata<U>(
    cluster: &Cluster,
    doing: &str,
    path: &str,
    selector: &str,
    keep: impl Fn(Object) -> Option<U>,
) -> Result<Vec<U>, ClusterError> {
    Ok(list_kept(cluster, doing, path, selector, Some(METADATA), keep).await?.0)
}

async fn list_kept<T: DeserializeOwned, U>(
    cluster: &Cluster,
    doing: &str,
    path: &str,
    selector: &str,
    form: Option<&'static str>,
    keep: impl Fn(T) -> Option<U>,
) -> Result<(Vec<U>, String), ClusterError> {
    let params = ListParams::default().labels(selector);
    let take = |items: &mut Vec<U>, page: Vec<T>| items.extend(page.into_iter().filter_map(&keep));
    gathered(cluster, doing, path, params, form, take).await
}

/// Lists a collection page by page without keeping it; returns what `take` has gathered.
pub async fn each_page<T: DeserializeOwned, G: Default>(
    cluster: &Cluster,
    doing: &str,
    path: &str,
    params: ListParams,
    take: impl FnMut(&mut G, Vec<T>),
) -> Result<G, ClusterError> {
    Ok(gathered(cluster, doing, path, params, None, take).await?.0)
}

/// What `take` has gathered from all pages, and the version to watch from.
async fn gathered<T: DeserializeOwned, G: Default>(
    cluster: &Cluster,
    doing: &str,
    path: &str,
    params: ListParams,
    form: Option<&'static str>,
    mut take: impl FnMut(&mut G, Vec<T>),
) -> Result<(G, String), ClusterError> {
    let mut attempt = 1;
    loop {
        let mut all = G::default();
        let take = |page| take(&mut all, page);
        match Box::pin(pages(cluster, doing, path, params.clone(), form, take)).await {
            Ok(version) => return Ok((all, version)),
            // The next page of a list that took too long: the list begins again.
            Err(error) if error.kind == Kind::Expired && attempt < EXPIRED => attempt += 1,
            Err(error) => return Err(error),
        }
    }
}

async fn pages<T: DeserializeOwned>(
    cluster: &Cluster,
    doing: &str,
    path: &str,
    params: ListParams,
    form: Option<&'static str>,
    mut take: impl FnMut(Vec<T>),
) -> Result<String, ClusterError> {
    let mut params = params.limit(PAGE);
    for _ in 0..MOST_PAGES {
        let mut request = built(doing, on(path).list(&params))?;
        if let Some(form) = form {
            request.headers_mut().insert(ACCEPT, HeaderValue::from_static(form));
        }
        let read = |answer: Answer| {
            let Page { metadata, items } = page(doing, &answer)?;
            let items = items.unwrap_or_default().into_iter().map(|item| decode::object(item.get()));
            let unread = |fault: Undecodable| ClusterError::new(doing, Kind::Other, fault.to_string());
            Ok((items.collect::<Result<_, _>>().map_err(unread)?, metadata))
        };
        let (items, metadata) = cluster.ask_for(doing, &request, read).await?;
        take(items);
        if metadata.next.is_empty() {
            return Ok(metadata.resource_version);
        }
        params = params.continue_token(&metadata.next);
    }
    Err(endless(doing))
}

fn endless(doing: &str) -> ClusterError {
    ClusterError::new(doing, Kind::Other, format!("the list has no end: it has more than {MOST_PAGES} pages"))
}

/// Objects of a collection, each as far as it can be decoded, and the version to watch from
pub(super) type Readable<T> = (Vec<Result<T, Undecodable>>, String);

/// Lists the current contents of a collection. Sends no request twice; each is answered within `limit`, or the list
/// fails.
pub(super) async fn list_once<T: Watched>(
    cluster: &Cluster,
    doing: &str,
    path: &str,
    selector: &str,
    limit: Duration,
) -> Result<Readable<T>, ClusterError> {
    list_within(cluster, doing, path, selector, None, limit).await
}

/// Like [`list_once`], in a form that the kind is not read in by default.
pub(super) async fn list_within<T: Watched>(
    cluster: &Cluster,
    doing: &str,
    path: &str,
    selector: &str,
    form: Option<&'static str>,
    limit: Duration,
) -> Result<Readable<T>, ClusterError> {
    let mut params = ListParams::default().labels(selector).limit(PAGE);
    let mut items = Vec::new();
    for _ in 0..MOST_PAGES {
        let mut request = preferring::<T>(built(doing, on(path).list(&params))?);
        if let Some(form) = form {
            request.headers_mut().insert(ACCEPT, HeaderValue::from_static(form));
        }
        let late =
            |_| ClusterError::new(doing, Kind::TimedOut, format!("no answer within {}s", limit.as_secs()));
        let answer = tokio::time::timeout(limit, cluster.call(doing, request)).await.map_err(late)??;
        let (page, metadata) = readable::<T>(doing, &answer)?;
        items.extend(page);
        if metadata.next.is_empty() {
            return Ok((items, metadata.resource_version));
        }
        params = params.continue_token(&metadata.next);
    }
    Err(endless(doing))
}

/// The current version of a collection, to watch from; requests only one of its objects.
pub(super) async fn version_of<T: Watched>(
    cluster: &Cluster,
    doing: &str,
    path: &str,
) -> Result<String, ClusterError> {
    let request = preferring::<T>(built(doing, on(path).list(&ListParams::default().limit(1)))?);
    cluster.ask_for(doing, &request, |answer| Ok(readable::<T>(doing, &answer)?.1.resource_version)).await
}

/// Requests protocol buffers, if the kind has a decoder.
fn preferring<T: Watched>(mut request: Request<Vec<u8>>) -> Request<Vec<u8>> {
    if T::DECODER.is_some() {
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static(protobuf::ACCEPTED));
    }
    request
}

/// The objects of a page in either form, and its metadata.
fn readable<T: Watched>(
    doing: &str,
    answer: &Answer,
) -> Result<(Vec<Result<T, Undecodable>>, PageMeta), ClusterError> {
    let Some(decoder) = T::DECODER.filter(|_| answer.protobuf) else {
        let Page { metadata, items } = page(doing, answer)?;
        let items = items.unwrap_or_default().into_iter().map(|item| decode::object(item.get()));
        return Ok((items.collect(), metadata));
    };
    let unread = |kind: Kind| {
        move |error: Malformed| ClusterError::new(doing, kind, format!("the answer cannot be read: {error}"))
    };
    // Nearly all of a list is one field of its envelope, so a list that was truncated has no whole envelope.
    let opened = protobuf::opened(&answer.body);
    let message = opened.map_err(|error| match error {
        Malformed::CutOff => unread(Kind::CutShort)(error),
        _ => unread(Kind::Other)(error),
    })?;
    let Messages { metadata, items } = protobuf::read(message).map_err(unread(Kind::Other))?;
    Ok((items.into_iter().map(|item| messages::item(item, decoder)).collect(), metadata))
}

/// A page of a list, with its objects still in protocol buffers.
#[derive(Default)]
struct Messages<'a> {
    metadata: PageMeta,
    items: Vec<&'a [u8]>,
}

impl<'a> Message<'a> for Messages<'a> {
    fn take(&mut self, number: u64, value: Part<'a>) -> Result<(), Malformed> {
        match number {
            1 => self.metadata = value.message()?,
            2 => self.items.push(value.bytes()?),
            _ => {}
        }
        Ok(())
    }
}

impl Message<'_> for PageMeta {
    fn take(&mut self, number: u64, value: Part<'_>) -> Result<(), Malformed> {
        match number {
            2 => self.resource_version = value.text()?.into_owned(),
            3 => self.next = value.text()?.into_owned(),
            4 => self.remaining_item_count = Some(value.integer()?),
            _ => {}
        }
        Ok(())
    }
}

/// Number of objects in a collection; `None` if the server does not count undelivered ones.
pub async fn count(cluster: &Cluster, doing: &str, path: &str) -> Result<Option<u64>, ClusterError> {
    let mut request = built(doing, on(path).list(&ListParams::default().limit(1)))?;
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static(METADATA));
    let read = |answer: Answer| {
        let Page { metadata, items } = page(doing, &answer)?;
        Ok((items.map_or(0, |items| items.len() as u64), metadata))
    };
    let (first, metadata) = cluster.ask_for(doing, &request, read).await?;
    Ok(if metadata.next.is_empty() {
        Some(first)
    } else {
        metadata.remaining_item_count.map(|rest| first + rest)
    })
}

fn page<'a>(doing: &str, answer: &'a Answer) -> Result<Page<'a>, ClusterError> {
    answer.read(doing)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::cluster::scripted::{Reply, cluster};

    #[tokio::test(start_paused = true)]
    async fn a_list_whose_next_page_has_expired_begins_again() {
        let asked = AtomicUsize::new(0);
        let cluster = cluster(move |request| {
            let item = r#"{"metadata": {"name": "p"}}"#;
            let (rest, code) = match (asked.fetch_add(1, Ordering::Relaxed), request.uri().query()) {
                (1, _) => return Reply::Answer(410, r#"{"reason": "Expired"}"#.to_owned()),
                (_, Some(query)) if query.contains("continue=") => ("", 200),
                _ => (r#", "continue": "more""#, 200),
            };
            Reply::Answer(
                code,
                format!(r#"{{"metadata": {{"resourceVersion": "1"{rest}}}, "items": [{item}]}}"#),
            )
        });
        let take = |count: &mut usize, page: Vec<Object>| *count += page.len();
        let all = each_page(&cluster, "list pods", "/api/v1/pods", ListParams::default(), take).await;
        assert_eq!(all.unwrap(), 2, "nothing is counted twice");
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_that_never_ends_is_given_up() {
        let page = r#"{"metadata": {"resourceVersion": "1", "continue": "more"}, "items": []}"#;
        let cluster = cluster(move |_| Reply::Answer(200, page.to_owned()));
        let error = list_all::<Object>(&cluster, "list pods", "/api/v1/pods", "").await.unwrap_err();
        assert!(error.message.contains("the list has no end"), "{error}");
    }
}
