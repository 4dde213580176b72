//! Names of the metrics, and their time units.

use jiff::{SignedDuration, Timestamp};

/// `metricName` of the document of a job.
pub(crate) const SUMMARY: &str = "jobSummary";
/// `metricName` of the document of a VM.
pub(crate) const LATENCY: &str = "vmiLatencyMeasurement";
/// `metricName` of the document of a point that VMs pass.
pub(crate) const QUANTILES: &str = "vmiLatencyQuantilesMeasurement";

/// The instant this many seconds later; the instant itself if the result is out of range.
pub(super) fn after(began: Timestamp, seconds: f64) -> Timestamp {
    let micros = SignedDuration::from_micros((seconds * 1e6).round() as i64);
    began.checked_add(micros).unwrap_or(began)
}

/// Whole milliseconds.
pub(super) fn millis(seconds: f64) -> i64 {
    (seconds * 1e3).round() as i64
}
