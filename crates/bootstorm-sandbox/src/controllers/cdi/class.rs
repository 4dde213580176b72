//! The storage class of a claim.

use crate::value::Value;

use crate::store::Store;
use crate::store::kind::STORAGE_CLASSES;

/// The storage class of a claim: the one it names, or the default one.
pub fn class_of(store: &Store, spec: &Value) -> Option<String> {
    if let Some(name) = spec["storageClassName"].as_str() {
        return Some(name.to_owned());
    }
    let (classes, _) = store.list(&STORAGE_CLASSES, None);
    let default = classes.iter().find(|class| {
        let annotations = &class.value()["metadata"]["annotations"];
        annotations["storageclass.kubernetes.io/is-default-class"] == "true"
    });
    default.map(|class| class.name().to_owned())
}

/// The storage requested by a data volume: its `storage` or its `pvc`.
pub fn wanted(volume: &Value) -> &Value {
    volume["spec"].get("storage").or_else(|| volume["spec"].get("pvc")).unwrap_or(&Value::Null)
}
