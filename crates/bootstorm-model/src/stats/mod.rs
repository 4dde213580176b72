//! Figures derived from observations: samples with missing values, quantiles, recovery, comparison, verdict.
//!
//! Pure and recomputed on demand: nothing here is stored instead of the observations. All values are in seconds.

pub mod advice;
pub mod bottleneck;
pub mod breakdown;
pub mod comparison;
pub mod curve;
pub mod diagnosis;
pub mod node;
pub mod outlier;
pub mod proportion;
pub mod provisioning;
pub mod quantile;
pub mod reason;
mod remedy;
pub mod sample;
pub mod shift;
pub mod side;
pub mod stage;
pub mod start;
pub mod summary;
pub mod threshold;
pub mod validity;
pub mod verdict;

pub use advice::{Advice, Symptoms};
pub use bottleneck::{Bottleneck, Breakdown, Bucket, Evidence as Clues, Limits};
pub use breakdown::Part;
pub use comparison::{Change, Comparison, Paired};
pub use curve::{Curve, FirstRequest, request_skew};
pub use diagnosis::Diagnosis;
pub use outlier::{Outlier, Outliers};
pub use proportion::Share;
pub use provisioning::Provisioning;
pub use quantile::{Level, Quantile};
pub use reason::ReasonGroup;
pub use sample::{Arrival, Sample, seconds_to};
pub use shift::{Direction, Estimate, FailureShift, Shift};
pub use side::{ENOUGH_STORMS, Side};
pub use stage::Stage;
pub use start::{Starts, Zero};
pub use summary::Summary;
pub use threshold::Threshold;
pub use validity::{Conditions, Doubt, Late, Trust, Validity};
pub use verdict::{Evidence, Finding, Grade, Rule, Verdict};

use serde::Serializer;

/// Serialises seconds rounded to the microsecond, the resolution of every observation.
pub fn micros<S: Serializer>(seconds: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(round_to_micros(*seconds))
}

/// Serialises seconds that may be unknown, rounded to the microsecond.
pub fn maybe_micros<S: Serializer>(seconds: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    match seconds {
        Some(seconds) => micros(seconds, serializer),
        None => serializer.serialize_none(),
    }
}

/// Seconds rounded to six decimals; adding zero turns a negative zero, as from an empty sum, into a positive one.
///
/// Beyond thirty years, which only a damaged file holds, rounding is unnecessary and would not be exact.
pub fn round_to_micros(seconds: f64) -> f64 {
    if seconds.abs() >= 1e9 {
        return seconds;
    }
    (seconds * 1e6).round() / 1e6 + 0.0
}
