//! What is shown: a view model of a run, and the formats that turn it into text.
//!
//! [`Report`] holds exactly what is shown, in order, as numbers; it is also the public JSON document. Each format
//! is one small file that only writes: adding one touches nothing else. Where the text goes is somebody else's
//! decision. Hostile text is stopped where it leaves: tables in their cells and lines ([`printable()`]), JSON and YAML in
//! [`document`], CSV in [`sheet`].

mod build;
mod compared;
pub mod document;
#[cfg(test)]
pub(crate) mod fixtures;
mod json;
pub mod legacy;
mod name;
mod natural;
pub mod paint;
mod phase;
pub mod printable;
mod probing;
mod row;
mod selection;
pub mod sheet;
pub mod status;
pub mod table;
mod view;
mod volumes;
mod yaml;

pub use compared::Compared;
pub use legacy::LegacyOptions;
pub use paint::{Paint, Tone};
pub use phase::{Counts, Effort, NodeBlock, PhaseBlock, Recovery, Shown, Spans, StageBlock};
pub use printable::printable;
pub use probing::ProbingBlock;
pub use row::{Mark, Row};
pub use selection::Selection;
pub use status::{Status, StatusRow};
pub use table::Layout;
pub use view::{ExitFacts, Report, Run, SCHEMA_VERSION};
pub use volumes::VolumesBlock;

use thiserror::Error;

/// A report that could not be written in a format
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the report cannot be written as {format}: {cause}")]
pub struct Unwritable {
    format: &'static str,
    cause: String,
}

impl Unwritable {
    fn new(format: &'static str, cause: &impl ToString) -> Self {
        Self { format, cause: cause.to_string() }
    }
}
