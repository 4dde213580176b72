//! How numbers and counts are written.

use crate::stats::Quantile;

/// `12.34s`.
pub(in crate::report) fn seconds(seconds: f64) -> String {
    format!("{seconds:.2}s")
}

/// `12.34s`, or `-` when unknown.
pub(in crate::report) fn maybe_seconds(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), seconds)
}

/// `12.34s`, or `not reached`.
pub(in crate::report) fn quantile(quantile: Quantile) -> String {
    quantile.seconds().map_or_else(|| "not reached".to_owned(), seconds)
}

/// `1 VM`, `2 VMs`.
pub(in crate::report) fn count(n: impl Into<u64>, noun: &str) -> String {
    match n.into() {
        1 => format!("1 {noun}"),
        n => format!("{n} {noun}s"),
    }
}

/// `1 VM`, `2 VMs`.
pub(in crate::report) fn vms(n: usize) -> String {
    count(n as u64, "VM")
}
