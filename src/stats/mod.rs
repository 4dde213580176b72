//! Numbers derived from observations: samples with missing values, quantiles, recovery, comparison, verdict.
//!
//! Pure, and recomputed at will: nothing here is ever stored instead of the observations. All values are seconds.

pub mod comparison;
pub mod curve;
pub mod provisioning;
mod quantile;
pub mod sample;
pub mod stage;
pub mod summary;
pub mod verdict;

pub use comparison::{Change, Comparison, Paired};
pub use curve::Curve;
pub use provisioning::Provisioning;
pub use quantile::{Level, Quantile};
pub use sample::{Sample, seconds_to};
pub use stage::Stage;
pub use summary::Summary;
pub use verdict::{Evidence, Grade, Rule, Verdict};

use serde::Serializer;

/// Serialises seconds rounded to the microsecond, the resolution of every observation.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
pub(crate) fn micros<S: Serializer>(seconds: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(round_to_micros(*seconds))
}

/// Serialises seconds that may be unknown, rounded to the microsecond.
#[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
pub(crate) fn maybe_micros<S: Serializer>(seconds: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    match seconds {
        Some(seconds) => micros(seconds, serializer),
        None => serializer.serialize_none(),
    }
}

/// Seconds rounded to six decimals; adding zero turns a negative zero, as an empty sum is, into a plain one.
pub(crate) fn round_to_micros(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6 + 0.0
}
