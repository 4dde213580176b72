//! Collections as they are now, page by page.

use std::time::Duration;

use kube::api::ListParams;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::call::{Answer, built, on};
use super::decode::{self, Undecodable};
use super::{Cluster, Kind, Trouble};

/// How often a list is begun again because the server has forgotten what it was about.
pub(super) const EXPIRED: u32 = 5;
/// Objects per page of a list.
const PAGE: u32 = 500;

/// A page of a list, its objects still in JSON.
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
}

/// Lists a collection page by page; gives the objects and the version to watch from.
pub async fn list_all<T: DeserializeOwned>(
    cluster: &Cluster,
    doing: &str,
    path: &str,
    selector: &str,
) -> Result<(Vec<T>, String), Trouble> {
    let mut attempt = 1;
    loop {
        let mut items = Vec::new();
        let params = ListParams::default().labels(selector);
        match each_page(cluster, doing, path, params, |page| items.extend(page)).await {
            Ok(version) => return Ok((items, version)),
            // The next page of a list that took too long.
            Err(trouble) if trouble.kind == Kind::Expired && attempt < EXPIRED => attempt += 1,
            Err(trouble) => return Err(trouble),
        }
    }
}

/// Lists a collection page by page without keeping it; gives the version to watch from.
pub async fn each_page<T: DeserializeOwned>(
    cluster: &Cluster,
    doing: &str,
    path: &str,
    params: ListParams,
    mut take: impl FnMut(Vec<T>),
) -> Result<String, Trouble> {
    let mut params = params.limit(PAGE);
    loop {
        let request = built(doing, on(path).list(&params))?;
        let answer = cluster.ask_whole(doing, &request).await?;
        let page = page(doing, &answer)?;
        let items = page.items.unwrap_or_default().into_iter().map(|item| decode::object(item.get()));
        let unread = |fault: Undecodable| Trouble::new(doing, Kind::Other, fault.to_string());
        take(items.collect::<Result<_, _>>().map_err(unread)?);
        if page.metadata.next.is_empty() {
            return Ok(page.metadata.resource_version);
        }
        params = params.continue_token(&page.metadata.next);
    }
}

/// Objects of a collection, each as far as it can be decoded, and the version to watch from
pub(super) type Readable<T> = (Vec<Result<T, Undecodable>>, String);

/// Lists a collection as it is now. Sends no request twice; each is answered within `limit`, or the list fails.
pub(super) async fn list_once<T: DeserializeOwned>(
    cluster: &Cluster,
    doing: &str,
    path: &str,
    selector: &str,
    limit: Duration,
) -> Result<Readable<T>, Trouble> {
    let mut params = ListParams::default().labels(selector).limit(PAGE);
    let mut items = Vec::new();
    loop {
        let request = built(doing, on(path).list(&params))?;
        let late = |_| Trouble::new(doing, Kind::TimedOut, format!("no answer within {}s", limit.as_secs()));
        let answer = tokio::time::timeout(limit, cluster.call(doing, request)).await.map_err(late)??;
        let page = page(doing, &answer)?;
        items.extend(page.items.unwrap_or_default().into_iter().map(|item| decode::object(item.get())));
        if page.metadata.next.is_empty() {
            return Ok((items, page.metadata.resource_version));
        }
        params = params.continue_token(&page.metadata.next);
    }
}

/// The version of a collection as it is now, to watch from; its objects are not asked for, except one.
pub(super) async fn version_of(cluster: &Cluster, doing: &str, path: &str) -> Result<String, Trouble> {
    let request = built(doing, on(path).list(&ListParams::default().limit(1)))?;
    let answer = cluster.ask_whole(doing, &request).await?;
    Ok(page(doing, &answer)?.metadata.resource_version)
}

fn page<'a>(doing: &str, answer: &'a Answer) -> Result<Page<'a>, Trouble> {
    answer.read(doing)
}
