//! Small objects beside the VMs: copied or created in each of their namespaces, and identified by UID.

use http::HeaderValue;
use http::header::ACCEPT;
use kube::api::GetParams;
use serde_json::Value;

use super::call::{built, on, path, post_params};
use super::metadata::Object;
use super::names::{self, Role};
use super::ownership::{Estate, Kind as OwnKind, Stranger};
use super::{Cluster, ClusterError, Kind};
use bootstorm_model::plan::references::Needed;
use bootstorm_model::plan::{Extra, Small};

/// `Accept` header for metadata instead of a whole object.
const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";

/// Result of creating a small object
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MadeExtra {
    /// It belongs to the run, and has this UID.
    Ours(String),
    /// Another object has that name.
    Foreign(Stranger),
}

/// Collection of a kind of small objects in a namespace.
pub fn collection(kind: Small, namespace: &str) -> String {
    path(kind.api_version(), Some(namespace), kind.plural())
}

/// Manifest of a small object of a run, in one of its namespaces.
pub fn manifest(extra: &Extra, original: &Value, namespace: &str, (prefix, run_id): (&str, &str)) -> Value {
    let labels = names::labels(prefix, run_id, Role::Target).into_iter().collect();
    extra.copy(original, namespace, &labels)
}

impl Cluster {
    /// Creates a small object in a namespace, unless this run created it before.
    pub async fn make_extra(
        &self,
        extra: &Extra,
        original: &Value,
        namespace: &str,
        estate: &Estate,
    ) -> Result<MadeExtra, ClusterError> {
        let doing = format!("create {} in namespace {namespace}", extra.kind.plural());
        let manifest = manifest(extra, original, namespace, (estate.prefix(), estate.run_id()));
        let body = serde_json::to_vec(&manifest).unwrap_or_default();
        let place = collection(extra.kind, namespace);
        let request = built(&doing, on(&place).create(&post_params(), body))?;
        match self.ask::<Object>(&doing, &request).await {
            Ok(made) => Ok(MadeExtra::Ours(made.metadata.uid)),
            Err(error) if error.kind == Kind::AlreadyExists => {
                let Some(found) = self.read::<Object>(&doing, &place, &extra.name).await? else {
                    return Err(error);
                };
                Ok(match estate.judge(OwnKind::Extra(extra.kind), &found.metadata) {
                    Ok(()) => MadeExtra::Ours(found.metadata.uid),
                    Err(stranger) => MadeExtra::Foreign(stranger),
                })
            }
            Err(error) => Err(error),
        }
    }

    /// An object that a manifest names, if it exists; for Secrets and `ConfigMaps` only the metadata.
    pub async fn needed(
        &self,
        kind: Needed,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Value>, ClusterError> {
        let (version, plural) = match kind {
            Needed::Claim => ("v1", "persistentvolumeclaims"),
            Needed::DataVolume => ("cdi.kubevirt.io/v1beta1", "datavolumes"),
            Needed::DataSource => ("cdi.kubevirt.io/v1beta1", "datasources"),
            Needed::Snapshot => ("snapshot.storage.k8s.io/v1", "volumesnapshots"),
            Needed::ServiceAccount => ("v1", "serviceaccounts"),
            Needed::Small(small) => (small.api_version(), small.plural()),
        };
        let doing = format!("get {plural} in namespace {namespace}");
        let collection = path(version, Some(namespace), plural);
        let mut request = built(&doing, on(&collection).get(name, &GetParams::default()))?;
        if matches!(kind, Needed::Small(_)) {
            request.headers_mut().insert(ACCEPT, HeaderValue::from_static(METADATA));
        }
        match self.ask(&doing, &request).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The current small object, if it exists.
    pub async fn original(&self, extra: &Extra, namespace: &str) -> Result<Option<Value>, ClusterError> {
        let doing = format!("get {} in namespace {namespace}", extra.kind.plural());
        let request =
            built(&doing, on(&collection(extra.kind, namespace)).get(&extra.name, &GetParams::default()))?;
        match self.ask(&doing, &request).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}
