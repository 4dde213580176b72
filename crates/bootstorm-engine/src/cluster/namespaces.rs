//! The namespaces of a run: created once, and deleted only if the run created them.

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::GetParams;

use super::call::{built, on, path, post_params};
use super::metadata::{Metadata, Object, Watched};
use super::names::{self, Role};
use super::ownership::{self, Estate, Stranger};
use super::watch::list_all;
use super::{Cluster, ClusterError, Kind};
use bootstorm_model::plan::Plan;

/// Result of creating a namespace
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Made {
    /// Created now, with this UID.
    Now(String),
    /// Created by this run earlier, with this UID.
    Before(String),
    /// Another owner has that name.
    Foreign(Stranger),
    /// It is being deleted.
    Terminating,
}

impl Watched for Namespace {
    fn resource_version(&self) -> &str {
        self.metadata.resource_version.as_deref().unwrap_or_default()
    }
}

/// Collection of namespaces.
pub fn collection() -> String {
    path("v1", None, "namespaces")
}

/// Manifest of a namespace of a run, with the labels and annotations of its plan; the run's own take precedence.
pub fn manifest(name: &str, plan: &Plan, run_id: &str) -> Namespace {
    let mut labels = plan.namespace_labels.clone();
    labels.extend(names::labels(&plan.prefix, run_id, Role::Target));
    let metadata = ObjectMeta {
        name: Some(name.to_owned()),
        labels: Some(labels),
        annotations: Some(plan.namespace_annotations.clone()).filter(|map| !map.is_empty()),
        ..ObjectMeta::default()
    };
    Namespace { metadata, ..Namespace::default() }
}

fn whose(namespace: Metadata, estate: &Estate) -> Made {
    match estate.judge(ownership::Kind::Namespace, &namespace) {
        Err(stranger) => Made::Foreign(stranger),
        Ok(()) if namespace.deletion_timestamp.is_some() => Made::Terminating,
        Ok(()) => Made::Before(namespace.uid),
    }
}

impl Cluster {
    /// Creates a namespace, unless this run created it before.
    pub async fn make_namespace(
        &self,
        name: &str,
        plan: &Plan,
        estate: &Estate,
    ) -> Result<Made, ClusterError> {
        let doing = "create the namespace";
        let body = serde_json::to_vec(&manifest(name, plan, estate.run_id())).unwrap_or_default();
        let request = built(doing, on(&collection()).create(&post_params(), body))?;
        match self.ask::<Object>(doing, &request).await {
            Ok(made) => Ok(Made::Now(made.metadata.uid)),
            Err(error) if error.kind == Kind::AlreadyExists => {
                let request = built(doing, on(&collection()).get(name, &GetParams::default()))?;
                match self.ask::<Object>(doing, &request).await {
                    Ok(found) => Ok(whose(found.metadata, estate)),
                    Err(error) if error.kind == Kind::NotFound => Ok(Made::Terminating),
                    Err(error) => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// A namespace, if it exists.
    pub async fn namespace_named(&self, name: &str) -> Result<Option<Namespace>, ClusterError> {
        let doing = "read the namespace";
        let request = built(doing, on(&collection()).get(name, &GetParams::default()))?;
        match self.ask(doing, &request).await {
            Ok(namespace) => Ok(Some(namespace)),
            Err(error) if error.kind == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Identity of this cluster: the UID of its namespace `kube-system`, which lives as long as the cluster. `None` if
    /// it may not be read.
    ///
    /// Fails if the cluster does not answer, or the credentials are refused.
    pub async fn identity(&self) -> Result<Option<String>, ClusterError> {
        match self.namespace_named("kube-system").await {
            Ok(found) => Ok(found.and_then(|namespace| namespace.metadata.uid)),
            Err(error) if error.kind == Kind::Forbidden => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Every namespace that matches a selector; an empty selector matches all.
    pub async fn namespaces(&self, selector: &str) -> Result<Vec<Namespace>, ClusterError> {
        Ok(list_all(self, "list namespaces", &collection(), selector).await?.0)
    }
}
