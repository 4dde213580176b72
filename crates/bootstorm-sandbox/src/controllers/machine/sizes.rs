//! The size of a machine that has an instance type.

use serde_json::Value;

use crate::store::kind::{CLUSTER_INSTANCETYPES, CLUSTER_PREFERENCES};
use crate::store::{Object, Store};

/// The size that a machine's instance type gives it; the reason and the message where a type is not there.
pub(super) fn of(store: &Store, vm: &Object) -> Result<Option<Value>, (&'static str, String)> {
    let find = |field: &str, kind, reason| {
        let Some(name) = vm.value()["spec"][field]["name"].as_str() else { return Ok(None) };
        let kind: &'static crate::store::Kind = kind;
        match store.get(kind, "", name) {
            Some(found) => Ok(Some(found.value()["spec"].clone())),
            None => Err((reason, format!("{} \"{name}\" not found", kind.qualified()))),
        }
    };
    find("preference", &CLUSTER_PREFERENCES, "FailedFindPreference")?;
    find("instancetype", &CLUSTER_INSTANCETYPES, "FailedFindInstancetype")
}
