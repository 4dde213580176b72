//! Damaged and hostile input by the thousand: nothing panics, and nothing takes more time or memory than it may.
//!
//! Seeded, so that a failure comes again. `BOOTSTORM_FUZZ_CASES` is the number of inputs of each test.

mod mutation;
mod prober;
mod record;
mod template;
mod values;
mod watch;

use std::time::Duration;

use bootstorm_model::observe::clock::monotonic_now;
use rand::SeedableRng;
use rand::rngs::StdRng;

/// A source of inputs.
fn dice(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

/// How many inputs to try.
fn cases(default: u64) -> u64 {
    std::env::var("BOOTSTORM_FUZZ_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Does something and demands that it ends soon, also in an unoptimised build on a busy machine.
#[track_caller]
fn soon<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let began = monotonic_now();
    let made = work();
    assert!(began.elapsed() < Duration::from_secs(20), "{what} took {:?}", began.elapsed());
    made
}
