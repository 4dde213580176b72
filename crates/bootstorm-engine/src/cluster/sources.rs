//! Sources of VMs: golden images, claims, snapshots, storage classes, instance types.

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::api::{GetParams, ListParams};
use serde::Deserialize;
use serde_json::Value;

use super::call::{built, on, path, post_params};
use super::{Cluster, ClusterError, Kind};

/// A kind of object that a manifest may name
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// A golden image.
    DataSource,
    /// A claim.
    Claim,
    /// A snapshot of a claim.
    Snapshot,
    /// A storage class.
    StorageClass,
    /// A cluster-wide instance type.
    Instancetype,
    /// A cluster-wide preference.
    Preference,
    /// A Multus network.
    Network,
    /// A priority of pods.
    PriorityClass,
    /// A Service.
    Service,
    /// A budget of disruptions.
    Budget,
}

impl Named {
    /// API version and plural.
    fn place(self) -> (&'static str, &'static str) {
        match self {
            Self::DataSource => ("cdi.kubevirt.io/v1beta1", "datasources"),
            Self::Claim => ("v1", "persistentvolumeclaims"),
            Self::Snapshot => ("snapshot.storage.k8s.io/v1", "volumesnapshots"),
            Self::StorageClass => ("storage.k8s.io/v1", "storageclasses"),
            Self::Instancetype => ("instancetype.kubevirt.io/v1beta1", "virtualmachineclusterinstancetypes"),
            Self::Preference => ("instancetype.kubevirt.io/v1beta1", "virtualmachineclusterpreferences"),
            Self::Network => ("k8s.cni.cncf.io/v1", "network-attachment-definitions"),
            Self::PriorityClass => ("scheduling.k8s.io/v1", "priorityclasses"),
            Self::Service => ("v1", "services"),
            Self::Budget => ("policy/v1", "poddisruptionbudgets"),
        }
    }

    /// Plural, as in kubectl.
    pub fn plural(self) -> &'static str {
        self.place().1
    }

    /// Singular noun.
    pub fn word(self) -> &'static str {
        match self {
            Self::DataSource => "DataSource",
            Self::Claim => "claim",
            Self::Snapshot => "snapshot",
            Self::StorageClass => "storage class",
            Self::Instancetype => "instance type",
            Self::Preference => "preference",
            Self::Network => "network",
            Self::PriorityClass => "PriorityClass",
            Self::Service => "Service",
            Self::Budget => "PodDisruptionBudget",
        }
    }
}

#[derive(Debug, Deserialize)]
struct Items {
    items: Vec<Value>,
}

impl Cluster {
    /// The object of that name; `None` if it or its kind does not exist.
    pub async fn look_up(
        &self,
        kind: Named,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<Value>, ClusterError> {
        let (version, plural) = kind.place();
        let place = namespace.map(|namespace| format!(" in namespace {namespace}")).unwrap_or_default();
        let doing = format!("get {plural}{place}");
        let collection = path(version, namespace, plural);
        let request = built(&doing, on(&collection).get(name, &GetParams::default()))?;
        match self.ask(&doing, &request).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All objects of a kind; at most 500. None if the kind does not exist.
    pub async fn all_of(&self, kind: Named, namespace: Option<&str>) -> Result<Vec<Value>, ClusterError> {
        let (version, plural) = kind.place();
        let place = namespace.map(|namespace| format!(" in namespace {namespace}")).unwrap_or_default();
        let doing = format!("list {plural}{place}");
        let collection = path(version, namespace, plural);
        let request = built(&doing, on(&collection).list(&ListParams::default().limit(500)))?;
        match self.ask::<Items>(&doing, &request).await {
            Ok(found) => Ok(found.items),
            Err(error) if error.kind == Kind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Names of all objects of a kind, as `namespace/name` if namespaced, sorted; at most 500.
    pub async fn names_of(&self, kind: Named, namespace: Option<&str>) -> Result<Vec<String>, ClusterError> {
        let text = |item: &Value, key: &str| item["metadata"][key].as_str().unwrap_or_default().to_owned();
        let found = self.all_of(kind, namespace).await?;
        let mut names: Vec<String> = found
            .iter()
            .map(|item| match text(item, "namespace") {
                namespace if namespace.is_empty() => text(item, "name"),
                namespace => format!("{namespace}/{}", text(item, "name")),
            })
            .collect();
        names.sort();
        Ok(names)
    }

    /// Whether a service account may clone disks from a namespace.
    pub async fn may_clone(&self, account: (&str, &str), from: &str) -> Result<bool, ClusterError> {
        let doing = "create subjectaccessreviews";
        let (namespace, name) = account;
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: Some(format!("system:serviceaccount:{namespace}:{name}")),
                groups: Some(vec![
                    "system:serviceaccounts".to_owned(),
                    format!("system:serviceaccounts:{namespace}"),
                    "system:authenticated".to_owned(),
                ]),
                resource_attributes: Some(ResourceAttributes {
                    verb: Some("create".to_owned()),
                    group: Some("cdi.kubevirt.io".to_owned()),
                    resource: Some("datavolumes".to_owned()),
                    subresource: Some("source".to_owned()),
                    namespace: Some(from.to_owned()),
                    ..ResourceAttributes::default()
                }),
                ..SubjectAccessReviewSpec::default()
            },
            ..SubjectAccessReview::default()
        };
        let body = serde_json::to_vec(&review).unwrap_or_default();
        let collection = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
        let request = built(doing, on(collection).create(&post_params(), body))?;
        let answer: SubjectAccessReview = self.ask(doing, &request).await?;
        Ok(answer.status.is_some_and(|status| status.allowed))
    }
}
