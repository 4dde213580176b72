//! Measured times against the ground truth of a sandbox in another process, in real time.
//!
//! A separate binary because it needs the machine to itself: cargo runs test binaries one after another.

#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

#[path = "timing/knee.rs"]
mod knee;
#[path = "timing/outage.rs"]
mod outage;
#[expect(dead_code, reason = "the other test binaries need more of it")]
mod support;
#[path = "timing/truth.rs"]
mod truth;

use truth::{Experiment, Kind};

/// Maximum P99 of the absolute error, in milliseconds.
const P99_MILLIS: f64 = 25.0;

/// The same for a guest's first answer: one probe interval plus 50 ms.
const REACHABLE_P99_MILLIS: f64 = 250.0;

#[test]
fn measured_times_agree_with_the_truth_for_200_vms() {
    let experiment = Experiment::run(200, "default", &[]);
    let cases = [
        ("create", Kind::Running, P99_MILLIS),
        ("create", Kind::Reachable, REACHABLE_P99_MILLIS),
        ("stop-1", Kind::Gone, P99_MILLIS),
        ("storm-1", Kind::Running, P99_MILLIS),
        ("storm-1", Kind::Reachable, REACHABLE_P99_MILLIS),
    ];
    for (phase, kind, limit) in cases {
        let errors = experiment.errors(phase, kind);
        assert_eq!(errors.len(), 200, "every VM of {phase} has a truth");
        let p99 = truth::quantile(&errors, 0.99);
        println!(
            "{phase} {kind:?}: p50 {:.2} ms, p99 {p99:.2} ms, max {:.2} ms",
            truth::quantile(&errors, 0.5),
            truth::quantile(&errors, 1.0)
        );
        assert!(p99 <= limit, "{phase} {kind:?}: p99 of the error is {p99:.2} ms");
    }
}
