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

use rand::SeedableRng;
use rand::rngs::StdRng;
use rustix::time::{ClockId, clock_gettime};

/// A source of inputs.
fn dice(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

/// How many inputs to try.
fn cases(default: u64) -> u64 {
    std::env::var("BOOTSTORM_FUZZ_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Does something and demands that it takes little processor time, also in an unoptimised build.
#[track_caller]
fn soon<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let began = processor_time();
    let made = work();
    let took = processor_time().saturating_sub(began);
    assert!(took < Duration::from_secs(20), "{what} took {took:?}");
    made
}

/// What this thread has worked so far: what the machine does besides does not count.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}
