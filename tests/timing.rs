//! Measured times against the truth of a sandbox in another process, at real speed.
//!
//! A binary of its own, because it needs the machine to itself: cargo runs test binaries one after the other.

#[path = "timing/truth.rs"]
mod truth;

use truth::{Experiment, Kind};

/// The error that 99 % of the measured times may have at most, in milliseconds.
const P99_MILLIS: f64 = 25.0;

#[test]
fn measured_times_agree_with_the_truth_for_200_vms() {
    let experiment = Experiment::run(200, "default", &[]);
    for (phase, kind) in [("create", Kind::Running), ("stop-1", Kind::Gone), ("storm-1", Kind::Running)] {
        let errors = experiment.errors(phase, kind);
        assert_eq!(errors.len(), 200, "every VM of {phase} has a truth");
        let p99 = truth::quantile(&errors, 0.99);
        println!(
            "{phase}: p50 {:.2} ms, p99 {p99:.2} ms, max {:.2} ms",
            truth::quantile(&errors, 0.5),
            truth::quantile(&errors, 1.0)
        );
        assert!(p99 <= P99_MILLIS, "{phase}: p99 of the error is {p99:.2} ms");
    }
}
