//! Selection of objects for a list, a watch or a collection deletion.

mod field;
mod label;

use crate::value::Value;

use self::field::Fields;
use self::label::Labels;
use super::query::Query;
use super::status::Failure;
use crate::store::{Kind, Stored};

/// A label selector and a field selector
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Selector {
    labels: Labels,
    fields: Fields,
}

impl Selector {
    pub(super) fn parse(kind: &Kind, name: Option<&str>, query: &Query) -> Result<Self, Failure> {
        let labels = Labels::parse(query.get("labelSelector").unwrap_or_default())?;
        let mut fields = Fields::parse(kind, query.get("fieldSelector").unwrap_or_default(), query)?;
        // Watching a single object by its path is equivalent to a field selector.
        if let Some(name) = name {
            fields.require("metadata.name", name);
        }
        Ok(Self { labels, fields })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    pub(super) fn fits(&self, object: &Stored) -> bool {
        // Labels are available even if the rest is packed.
        match object.ready_labels() {
            Some(labels) if !self.labels.fits(labels) => false,
            Some(_) if self.fields.is_empty() => true,
            _ => self.is_empty() || object.read(|value| self.fits_value(value)),
        }
    }

    fn fits_value(&self, object: &Value) -> bool {
        self.labels.fits(&object["metadata"]["labels"]) && self.fields.fits(object)
    }
}
