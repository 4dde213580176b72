//! Reports: a view model of a run, and the formats that turn it into text.
//!
//! [`Report`] holds exactly what is shown, in order, as numbers; it is also the public JSON document. Each format is
//! one small module that only writes: adding one touches nothing else. The caller decides where the text goes. Hostile
//! text is made harmless where it leaves: tables in their cells and lines ([`printable()`]), JSON and YAML in
//! [`document`], CSV in [`csv_cell`].

pub mod adoption;
mod benchmark;
mod block_style;
mod build;
mod capacity;
pub mod color;
pub mod compare;
mod compared;
mod csv;
pub mod csv_cell;
pub mod dashboard;
mod diagnosis;
pub mod document;
mod downtime;
mod failures;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod fleet;
mod graded;
mod json;
mod junit;
pub mod kube_burner;
pub mod legacy;
mod name;
mod natural;
mod nodes;
mod observation;
mod openmetrics;
pub mod otlp;
mod people;
mod phase;
mod placement;
mod probing;
pub mod read;
mod repetitions;
mod row;
mod selection;
pub mod status;

pub mod thresholds;
mod validity;
mod view;
mod volumes;
mod waves;
mod yaml;

pub use adoption::{Adoption, AdoptionRow};
pub use capacity::{Capacity, CapacityState, CapacityStorm, GoalValue};
pub use color::{Paint, Tone};
pub use compared::Compared;
pub use dashboard::Dashboard;
pub use diagnosis::{DiagnosisBlock, ExampleBlock, WarningBlock};
pub use failures::{FailureBlock, OutlierBlock, OutliersBlock};
pub use graded::Graded;
pub use legacy::LegacyOptions;
pub use nodes::{BalanceBlock, NodeBlock};
pub use observation::{BlindBlock, NodeLossBlock, ObservationBlock, OutageBlock, OutagesBlock};
pub use openmetrics::histogram::Histogram;
pub use openmetrics::live::{LivePhase, LiveStream, live};
pub use people::terminal::Layout;
pub use phase::{Attempts, Counts, PhaseBlock, Recovery, Shown, Spans, StageBlock};
pub use placement::Placed;
pub use probing::ProbingBlock;
pub use repetitions::{Figures, Repetition, Repetitions};
pub use row::{Mark, Row};
pub use selection::Selection;
pub use status::{Status, StatusRow};
pub use thresholds::ThresholdBlock;
pub use validity::{ClientBlock, ValidityBlock};
pub use view::{Report, Run, SCHEMA_VERSION};
pub use volumes::VolumesBlock;
pub use waves::WaveBlock;

use bootstorm_model::text::printable;
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
