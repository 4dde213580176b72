//! Collections as they are now, page by page.

use kube::api::ListParams;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::call::{built, on};
use super::{Cluster, Kind, Trouble};

/// How often a list is begun again because the server has forgotten what it was about.
pub(super) const EXPIRED: u32 = 5;
/// Objects per page of a list.
const PAGE: u32 = 500;

/// A page of a list, decoded only as far as needed.
#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct Page<T> {
    metadata: PageMeta,
    #[serde(default)]
    items: Vec<T>,
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
        let page: Page<T> = cluster.ask(doing, &request).await?;
        take(page.items);
        if page.metadata.next.is_empty() {
            return Ok(page.metadata.resource_version);
        }
        params = params.continue_token(&page.metadata.next);
    }
}

/// The version of a collection as it is now, to watch from; its objects are not asked for, except one.
pub(super) async fn version_of(cluster: &Cluster, doing: &str, path: &str) -> Result<String, Trouble> {
    let request = built(doing, on(path).list(&ListParams::default().limit(1)))?;
    let page: Page<serde::de::IgnoredAny> = cluster.ask(doing, &request).await?;
    Ok(page.metadata.resource_version)
}
