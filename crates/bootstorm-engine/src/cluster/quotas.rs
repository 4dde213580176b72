//! Quotas and limit ranges of namespaces.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::call::path;
use super::metadata::Metadata;
use super::watch::list_all;
use super::{Cluster, ClusterError};
use bootstorm_model::plan::sizing::limits::Limit;
use bootstorm_model::plan::sizing::{Amounts, LimitRange, Quantity, Quota};

#[derive(Debug, Deserialize)]
struct FoundQuota {
    metadata: Metadata,
    #[serde(default)]
    spec: QuotaSpec,
    #[serde(default)]
    status: QuotaStatus,
}

#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct QuotaSpec {
    hard: BTreeMap<String, Value>,
    scopes: Vec<String>,
    scope_selector: Option<ScopeSelector>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ScopeSelector {
    match_expressions: Vec<ScopeExpression>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ScopeExpression {
    scope_name: String,
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct QuotaStatus {
    used: BTreeMap<String, Value>,
}

#[derive(Debug, Deserialize)]
struct FoundRange {
    metadata: Metadata,
    #[serde(default)]
    spec: RangeSpec,
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct RangeSpec {
    limits: Vec<RangeItem>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RangeItem {
    r#type: String,
    max: BTreeMap<String, Value>,
    min: BTreeMap<String, Value>,
    default: BTreeMap<String, Value>,
    max_limit_request_ratio: BTreeMap<String, Value>,
}

fn amounts(given: &BTreeMap<String, Value>) -> Amounts {
    given.iter().filter_map(|(name, amount)| Some((name.clone(), Quantity::of(amount)?))).collect()
}

impl From<FoundQuota> for Quota {
    fn from(found: FoundQuota) -> Self {
        let selected = found.spec.scope_selector.unwrap_or_default().match_expressions.into_iter();
        Self {
            namespace: found.metadata.namespace,
            name: found.metadata.name,
            hard: amounts(&found.spec.hard),
            used: amounts(&found.status.used),
            scopes: found.spec.scopes.into_iter().chain(selected.map(|one| one.scope_name)).collect(),
        }
    }
}

impl From<FoundRange> for LimitRange {
    fn from(found: FoundRange) -> Self {
        let limit = |item: RangeItem| Limit {
            max: amounts(&item.max),
            min: amounts(&item.min),
            default: amounts(&item.default),
            ratio: amounts(&item.max_limit_request_ratio),
            kind: item.r#type,
        };
        Self {
            namespace: found.metadata.namespace,
            name: found.metadata.name,
            limits: found.spec.limits.into_iter().map(limit).collect(),
        }
    }
}

impl Cluster {
    /// The quotas of a namespace, or of all.
    pub async fn quotas(&self, namespace: Option<&str>) -> Result<Vec<Quota>, ClusterError> {
        let collection = path("v1", namespace, "resourcequotas");
        let (found, _) = list_all::<FoundQuota>(self, "list resource quotas", &collection, "").await?;
        Ok(found.into_iter().map(Quota::from).collect())
    }

    /// The limit ranges of a namespace, or of all.
    pub async fn limit_ranges(&self, namespace: Option<&str>) -> Result<Vec<LimitRange>, ClusterError> {
        let collection = path("v1", namespace, "limitranges");
        let (found, _) = list_all::<FoundRange>(self, "list limit ranges", &collection, "").await?;
        Ok(found.into_iter().map(LimitRange::from).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_quota_is_read() {
        let found: FoundQuota = serde_json::from_value(json!({
            "metadata": {"name": "q", "namespace": "a"},
            "spec": {"hard": {"pods": "3", "cpu": 2},
                "scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "Exists"}]}},
            "status": {"used": {"pods": "1"}},
        }))
        .unwrap();
        let quota = Quota::from(found);
        assert_eq!((quota.hard["cpu"], quota.used["pods"]), (Quantity::whole(2), Quantity::whole(1)));
        assert_eq!(quota.scopes, ["PriorityClass"]);
    }

    #[test]
    fn a_limit_range_is_read() {
        let found: FoundRange = serde_json::from_value(json!({
            "metadata": {"name": "r", "namespace": "a"},
            "spec": {"limits": [{"type": "Container", "max": {"memory": "1Gi"}, "maxLimitRequestRatio": {"cpu": "10"}}]},
        }))
        .unwrap();
        let range = LimitRange::from(found);
        assert_eq!(range.limits[0].kind, "Container");
        assert_eq!(range.limits[0].ratio["cpu"], Quantity::whole(10));
    }
}
