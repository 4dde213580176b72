//! Objects that a cluster adds to every new namespace.

use std::collections::BTreeMap;

use crate::value::{Value, json};
use serde::{Deserialize, Serialize};

use crate::store::Kind;
use crate::store::kind::{LIMIT_RANGES, RESOURCE_QUOTAS};

/// Objects that appear in every new namespace, as added by the tools of some clusters.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct NamespaceDefaults {
    /// `spec.hard` of a `ResourceQuota`; none if empty.
    pub quota: BTreeMap<String, String>,
    /// `spec.limits` of a `LimitRange`; none if empty.
    pub limits: Vec<Value>,
}

impl NamespaceDefaults {
    /// The objects, without a namespace yet.
    pub fn objects(&self) -> Vec<(&'static Kind, Value)> {
        let mut objects: Vec<(&'static Kind, Value)> = Vec::new();
        if !self.quota.is_empty() {
            let quota = json!({"metadata": {"name": "default-quota"}, "spec": {"hard": self.quota}});
            objects.push((&RESOURCE_QUOTAS, quota));
        }
        if !self.limits.is_empty() {
            let range = json!({"metadata": {"name": "default-limits"}, "spec": {"limits": self.limits}});
            objects.push((&LIMIT_RANGES, range));
        }
        objects
    }
}
