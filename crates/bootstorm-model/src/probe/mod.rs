//! Probing: kinds, the prober's script, and the protocol.
//!
//! Pure. The stream that carries the protocol is `cluster::exec`; `phases` of the crate `bootstorm-engine` decides when
//! each guest is probed.

pub mod binding;
pub mod keeping;
pub mod kind;
pub mod lines;
pub mod protocol;
pub mod roster;

pub use keeping::{Interruption, Keeping, Turn};
pub use kind::{Probe, ProbePlan};
pub use protocol::{Answer, Ask, By, Family, Hello, Tool, plain};
pub use roster::{Answered, Roster};

/// The script that probes with the tools of an image, for `sh -c`; its first argument is the interval in seconds.
pub const SCRIPT: &str = include_str!("prober.sh");

/// Prefix to [`SCRIPT`] that replaces it by the prober program on machines for which there is one.
///
/// Its arguments follow that of the script: the program's interval in seconds, a folder for the program, and a tag that
/// distinguishes it from other versions.
pub const HAND_OVER: &str = include_str!("hand_over.sh");

/// Name under which the script runs, its `$0`.
pub const SCRIPT_NAME: &str = "bootstorm-prober";

/// Interval between attempts on a waiting VM
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Milliseconds between two attempts of the program on one VM.
    pub program: u64,
    /// Milliseconds between two attempts of the script on one VM.
    pub script: u64,
}

impl Pace {
    /// Pace of a prober that may have this many VMs waiting, with these probes each.
    ///
    /// More VMs than a prober can try at its shortest interval make the interval longer: the program sends at most
    /// 20,000 pings or opens 5,000 connections a second, the script 1,250 of either.
    pub fn of(targets: usize, probes: &[Probe]) -> Self {
        let targets = targets as u64;
        let count = |ping: bool| {
            let probers = probes.iter().filter(|probe| probe.needs_prober());
            probers.filter(|probe| (**probe == Probe::Ping) == ping).count() as u64
        };
        let (pings, connections) = (targets * count(true), targets * count(false));
        Self {
            program: 50.max(pings * 1000 / 20_000 + connections * 1000 / 5_000),
            script: 200.max((pings + connections) * 1000 / 1_250),
        }
    }

    /// Milliseconds between two attempts on one VM, by prober.
    pub fn interval_millis(self, by: By) -> u64 {
        match by {
            By::Program => self.program,
            By::Script => self.script,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_grows_only_beyond_what_a_prober_can_try() {
        let pace = |targets, probes: &[Probe]| {
            let pace = Pace::of(targets, probes);
            (pace.program, pace.script)
        };
        assert_eq!(
            [0, 1, 250, 1000].map(|n| pace(n, &[Probe::Ping])),
            [(50, 200), (50, 200), (50, 200), (50, 800)]
        );
        assert_eq!(pace(250, &[Probe::Tcp(22)]), (50, 200));
        assert_eq!(pace(500, &[Probe::Tcp(22), Probe::Agent, Probe::Ping]), (125, 800));
        assert_eq!(pace(1000, &[Probe::Agent]), (50, 200));
    }
}
