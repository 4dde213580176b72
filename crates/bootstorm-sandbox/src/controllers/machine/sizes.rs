//! Sizes of machines with an instance type.

use crate::value::Value;

use crate::store::kind::{CLUSTER_INSTANCETYPES, CLUSTER_PREFERENCES, INSTANCETYPES, PREFERENCES};
use crate::store::{Kind, Object, Store};

/// The size from a machine's instance type; reason and message if the type is missing.
pub(super) fn of(store: &Store, vm: &Object) -> Result<Option<Value>, (&'static str, String)> {
    let find = |field: &str, [wide, own]: [&'static Kind; 2], reason| {
        let matcher = &vm.value()["spec"][field];
        let Some(name) = matcher["name"].as_str() else { return Ok(None) };
        // Without a kind, it is a cluster-wide one.
        let is_own = matcher["kind"]
            .as_str()
            .is_some_and(|kind| kind.eq_ignore_ascii_case(own.kind) || kind.eq_ignore_ascii_case(own.plural));
        let (kind, place) = if is_own { (own, vm.namespace()) } else { (wide, "") };
        match store.get(kind, place, name) {
            Some(found) => Ok(Some(found.value()["spec"].clone())),
            None => Err((reason, format!("{} \"{name}\" not found", kind.qualified()))),
        }
    };
    find("preference", [&CLUSTER_PREFERENCES, &PREFERENCES], "FailedFindPreference")?;
    find("instancetype", [&CLUSTER_INSTANCETYPES, &INSTANCETYPES], "FailedFindInstancetype")
}
