//! Patches: changes described by a client instead of the whole object.

mod apply;
mod fields;
mod json;
mod merge;
mod strategic;

use crate::value::Value;
use http::{HeaderMap, header};

pub(super) use self::apply::apply;
pub(super) use self::fields::own;
pub(super) use self::merge::merge;
use super::status::Failure;
use crate::store::Kind;

/// The dialect of a patch
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Dialect {
    Json,
    Merge,
    Strategic,
    Apply,
}

impl Dialect {
    pub(super) fn of(kind: &Kind, headers: &HeaderMap) -> Result<Self, Failure> {
        let media =
            headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        match media.split(';').next().unwrap_or_default().trim() {
            "application/json-patch+json" => Ok(Self::Json),
            "application/merge-patch+json" => Ok(Self::Merge),
            "application/strategic-merge-patch+json" if kind.builtin => Ok(Self::Strategic),
            "application/apply-patch+yaml" | "application/apply-patch+cbor" => Ok(Self::Apply),
            _ => Err(Failure::unsupported(accepted(kind))),
        }
    }
}

fn accepted(kind: &Kind) -> &'static str {
    if kind.builtin {
        "application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml"
    } else {
        "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
    }
}

/// Applies a patch in any dialect but server-side apply.
pub(super) fn change(dialect: Dialect, object: &mut Value, patch: &Value) -> Result<(), Failure> {
    match dialect {
        Dialect::Json => json::change(object, patch),
        Dialect::Strategic => {
            strategic::merge(object, patch);
            Ok(())
        }
        Dialect::Merge | Dialect::Apply => {
            merge(object, patch);
            Ok(())
        }
    }
}
