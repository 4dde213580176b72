//! Shared by the tests: a simulated cluster in this process, and the program in a hermetic environment.

mod cluster;
mod program;
pub(crate) mod tools;

pub(crate) use cluster::Cluster;
pub(crate) use program::{Program, Ran};

/// Polls for a condition for up to ten seconds.
#[track_caller]
pub(crate) fn until(happened: impl Fn() -> bool) {
    until_within(std::time::Duration::from_secs(10), happened);
}

/// The same for conditions that take longer.
#[track_caller]
pub(crate) fn until_within(limit: std::time::Duration, happened: impl Fn() -> bool) {
    let began = bootstorm_model::observe::clock::monotonic_now();
    while !happened() {
        assert!(began.elapsed() < limit, "it did not happen");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}
