//! Objects created together with every new namespace.

use crate::value::{Value, json};

use super::{Contents, Kind, Object, Store};

impl Store {
    /// Makes every new namespace come with these objects.
    pub fn set_namespace_defaults(&self, objects: Vec<(&'static Kind, Value)>) {
        self.lock().namespace_defaults = objects;
    }
}

impl Contents {
    /// Adds the default objects to a new namespace.
    pub(super) fn furnish(&mut self, namespace: &Object) {
        for (kind, mut object) in self.namespace_defaults.clone() {
            object["metadata"]["namespace"] = json!(namespace.name());
            // The namespace is new, so nothing can be in the way.
            let _ = self.create(kind, &mut object);
        }
    }
}
