//! Thousands of damaged and hostile inputs: nothing panics, and nothing exceeds its limits of time or memory.
//!
//! Seeded, so failures are reproducible. `BOOTSTORM_FUZZ_CASES` sets the number of inputs per test.

mod mutation;
mod prober;
mod record;
mod template;
mod values;
mod watch;

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rustix::time::{ClockId, clock_gettime};

/// A random source for inputs.
fn dice(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

/// The number of inputs.
fn cases(default: u64) -> u64 {
    std::env::var("BOOTSTORM_FUZZ_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Runs a closure and asserts that it takes little CPU time, even in an unoptimised build.
#[track_caller]
fn soon<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let began = processor_time();
    let made = work();
    let took = processor_time().saturating_sub(began);
    assert!(took < Duration::from_secs(20), "{what} took {took:?}");
    made
}

/// This thread's CPU time, which excludes other load on the machine.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}
