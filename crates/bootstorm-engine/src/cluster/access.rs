//! Permission checks, made before anything is changed.

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};

use super::call::{built, on, post_params};
use super::{Cluster, ClusterError};

/// One permission
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Permission {
    /// `get`, `list`, `create`, …
    pub verb: &'static str,
    /// API group; empty for the core group.
    pub group: &'static str,
    /// Plural, with `/subresource` if it concerns one.
    pub resource: &'static str,
    /// Namespace in which it is needed; `None` means everywhere.
    pub namespace: Option<String>,
}

impl std::fmt::Display for Permission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let dot = if self.group.is_empty() { "" } else { "." };
        write!(f, "{} {}{dot}{}", self.verb, self.resource, self.group)?;
        match &self.namespace {
            Some(namespace) => write!(f, " in namespace {namespace}"),
            None => f.write_str(" in all namespaces"),
        }
    }
}

impl Cluster {
    /// The missing permissions among `wanted`.
    pub async fn missing(&self, wanted: &[Permission]) -> Result<Vec<Permission>, ClusterError> {
        let reviews = wanted.iter().map(|permission| self.is_allowed(permission));
        let mut missing = Vec::new();
        for (permission, allowed) in wanted.iter().zip(futures::future::join_all(reviews).await) {
            if !allowed? {
                missing.push(permission.clone());
            }
        }
        Ok(missing)
    }

    async fn is_allowed(&self, permission: &Permission) -> Result<bool, ClusterError> {
        let doing = "check permissions";
        let (resource, subresource) = match permission.resource.split_once('/') {
            Some((resource, subresource)) => (resource, Some(subresource.to_owned())),
            None => (permission.resource, None),
        };
        let review = SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec {
                resource_attributes: Some(ResourceAttributes {
                    verb: Some(permission.verb.to_owned()),
                    group: Some(permission.group.to_owned()),
                    resource: Some(resource.to_owned()),
                    subresource,
                    namespace: permission.namespace.clone(),
                    ..ResourceAttributes::default()
                }),
                non_resource_attributes: None,
            },
            ..SelfSubjectAccessReview::default()
        };
        let body = serde_json::to_vec(&review).unwrap_or_default();
        let collection = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        let request = built(doing, on(collection).create(&post_params(), body))?;
        let answer: SelfSubjectAccessReview = self.ask(doing, &request).await?;
        Ok(answer.status.is_some_and(|status| status.allowed))
    }
}
