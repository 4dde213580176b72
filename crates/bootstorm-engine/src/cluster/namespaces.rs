//! The namespaces of a run: made once, recognised by their labels, deleted only when they are ours.

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::GetParams;

use super::call::{built, on, path, post_params};
use super::names::{self, Role};
use super::watch::{Watched, list_all};
use super::{Cluster, Kind, Trouble};

/// What became of the wish to have a namespace
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// It was made now.
    Now,
    /// It was made by this run earlier.
    Before,
    /// Something else owns that name.
    Foreign,
    /// It is being deleted.
    Terminating,
}

impl Watched for Namespace {
    fn resource_version(&self) -> &str {
        self.metadata.resource_version.as_deref().unwrap_or_default()
    }
}

/// The collection of namespaces.
pub fn collection() -> String {
    path("v1", None, "namespaces")
}

/// The manifest of a namespace of a run.
pub fn manifest(name: &str, prefix: &str, run_id: &str) -> Namespace {
    let labels = names::labels(prefix, run_id, Role::Target);
    let metadata = ObjectMeta { name: Some(name.to_owned()), labels: Some(labels), ..ObjectMeta::default() };
    Namespace { metadata, ..Namespace::default() }
}

fn whose(namespace: &Namespace, run_id: &str) -> Made {
    let label = namespace.metadata.labels.as_ref().and_then(|labels| labels.get(names::RUN_ID));
    if label.map(String::as_str) != Some(run_id) {
        Made::Foreign
    } else if namespace.metadata.deletion_timestamp.is_some() {
        Made::Terminating
    } else {
        Made::Before
    }
}

impl Cluster {
    /// Makes a namespace, unless this run made it before.
    pub async fn make_namespace(&self, name: &str, prefix: &str, run_id: &str) -> Result<Made, Trouble> {
        let doing = "create the namespace";
        let body = serde_json::to_vec(&manifest(name, prefix, run_id)).unwrap_or_default();
        let request = built(doing, on(&collection()).create(&post_params(), body))?;
        match self.ask_raw(doing, &request).await {
            Ok(_) => Ok(Made::Now),
            Err(trouble) if trouble.kind == Kind::AlreadyExists => match self.namespace_named(name).await? {
                Some(namespace) => Ok(whose(&namespace, run_id)),
                None => Ok(Made::Terminating),
            },
            Err(trouble) => Err(trouble),
        }
    }

    /// A namespace, if it exists.
    pub async fn namespace_named(&self, name: &str) -> Result<Option<Namespace>, Trouble> {
        let doing = "read the namespace";
        let request = built(doing, on(&collection()).get(name, &GetParams::default()))?;
        match self.ask(doing, &request).await {
            Ok(namespace) => Ok(Some(namespace)),
            Err(trouble) if trouble.kind == Kind::NotFound => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    /// Every namespace that matches a selector; an empty selector matches all.
    pub async fn namespaces(&self, selector: &str) -> Result<Vec<Namespace>, Trouble> {
        Ok(list_all(self, "list namespaces", &collection(), selector).await?.0)
    }
}
