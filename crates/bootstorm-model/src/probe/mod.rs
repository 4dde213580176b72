//! Is the guest reachable: what is probed, the prober's script, and the protocol spoken with it.
//!
//! Pure. The stream that carries the protocol is `cluster::exec`; who is probed when is decided in
//! [`bootstorm_engine::phases`].

pub mod kind;
pub mod lines;
pub mod protocol;
pub mod roster;

pub use kind::{Probe, ProbePlan};
pub use protocol::{Answer, Ask, Hello};
pub use roster::{Answered, Roster};

/// The program that runs in a prober pod, for `sh -c`; its arguments are the interval in seconds.
pub const SCRIPT: &str = include_str!("prober.sh");

/// The name under which the script runs, its `$0`.
pub const SCRIPT_NAME: &str = "bootstorm-prober";

/// Time between two attempts on one VM, in milliseconds, unless the attempts have to be spread.
pub const INTERVAL_MILLIS: u64 = 200;

/// The most attempts per second that one prober makes; more waiting VMs make the interval longer.
pub const MOST_ATTEMPTS: u64 = 1250;

/// The interval between attempts for a prober that may have so many targets waiting, in milliseconds.
pub fn interval_millis(targets: usize) -> u64 {
    INTERVAL_MILLIS.max(targets as u64 * 1000 / MOST_ATTEMPTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_grows_only_beyond_the_cap() {
        assert_eq!([0, 1, 250, 500].map(interval_millis), [200, 200, 200, 400]);
    }
}
