//! Admission of writes before they are stored: validation, defaults, protected fields.

mod content;
mod defaults;
pub(super) mod infer;
mod instance;
mod job;
mod machine;
pub(super) mod migration;
mod names;
mod pod;
mod unknown;

use crate::value::Value;

use super::status::{Cause, Failure};
use crate::store::Kind;
use crate::store::kind::{JOBS, VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES};

/// Whether a write was made by a user, and its kind
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Write {
    Create,
    Update,
    Status,
}

/// Handling of unknown fields
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) enum Strictness {
    Ignore,
    #[default]
    Warn,
    Strict,
}

impl Strictness {
    pub(super) fn parse(text: Option<&str>) -> Result<Self, Failure> {
        match text {
            None | Some("Warn") => Ok(Self::Warn),
            Some("Ignore") => Ok(Self::Ignore),
            Some("Strict") => Ok(Self::Strict),
            Some(other) => Err(Failure::new(
                422,
                "Invalid",
                format!(
                    "fieldValidation: Unsupported value: \"{other}\": supported values: \"Ignore\", \"Strict\", \"Warn\""
                ),
            )),
        }
    }
}

/// Admits a write: completes `after`, returns warnings for the client, or rejects it.
pub(super) fn admit(
    kind: &Kind,
    before: Option<&Value>,
    after: &mut Value,
    write: Write,
    strictness: Strictness,
) -> Result<Vec<String>, Failure> {
    let name = after["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    if let Some(before) = before {
        no_new_finalizers(kind, &name, before, after)?;
    }
    let mut warnings = Vec::new();
    if kind.is(&VIRTUAL_MACHINES) && write != Write::Status {
        warnings.extend(unknown::drop_unknown(after, strictness)?);
    }
    if write == Write::Create {
        names::check_name(kind, after)?;
        defaults::complete(kind, after);
    }
    names::check_labels(kind, after)?;
    if kind.is(&JOBS) && write != Write::Status {
        job::check(&name, before, after)?;
    }
    content::check(kind, before, after)?;
    let deleting = before.is_some_and(|before| before["metadata"]["deletionTimestamp"].is_string());
    if kind.is(&VIRTUAL_MACHINES) && write != Write::Status && !deleting {
        machine::drop_nulls(&mut after["spec"]);
        machine::complete(after, before.is_none());
        machine::check(after)?;
        if after["spec"].get("running").is_some() {
            warnings.push("spec.running is deprecated, please use spec.runStrategy instead.".to_owned());
        }
    }
    if kind.is(&VIRTUAL_MACHINE_INSTANCES) {
        instance::protect(before, after)?;
    }
    Ok(warnings)
}

fn no_new_finalizers(kind: &Kind, name: &str, before: &Value, after: &Value) -> Result<(), Failure> {
    if !before["metadata"]["deletionTimestamp"].is_string() {
        return Ok(());
    }
    let list = |object: &Value| -> Vec<String> {
        let held = object["metadata"]["finalizers"].as_array();
        held.into_iter().flatten().filter_map(|one| one.as_str().map(str::to_owned)).collect()
    };
    let known = list(before);
    let new: Vec<String> = list(after).into_iter().filter(|one| !known.contains(one)).collect();
    if new.is_empty() {
        return Ok(());
    }
    let message = format!(
        "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
        new.iter().map(|one| format!("\"{one}\"")).collect::<Vec<_>>().join(", ")
    );
    let cause = Cause { reason: "FieldValueForbidden", field: "metadata.finalizers".to_owned(), message };
    Err(Failure::invalid(kind, name, &[cause]))
}
