//! How far the times of a phase can be trusted: one grade, and the findings of every rule.
//!
//! Every rule gives a grade, or none if nothing was measured; the worst one counts. Shares are of the participants, and
//! a measurement error is compared with the median of the times to the goal.
//!
//! | rule | qualified | invalid |
//! |---|---|---|
//! | `watch`: VMs with a time to Running or to the goal that was not observed, but stamped by the server (±1 s) or noticed late, because the watch was interrupted | more than 1 % of them | more than 25 %, and their uncertainty (1 s, or the longest gap if they were noticed late) is more than 25 % of the median |
//! | `watch` too: share of the phase without a watching process, if it was continued | more than 5 % | – |
//! | `unknown`: VMs that arrived after an unknown time, or for which it is unknown whether they arrived in time | more than 1 %; of the latter any | more than 25 % |
//! | `delay`: delay of changes on the watch, a lower bound (p99), by the order of commits or by the server's timestamps | 100 ms and more than 5 % of the median | 1 s and more than 25 % |
//! | `client`: lateness of this program's timers (p99) | the same | the same |
//! | `requests`: VMs whose request was answered 429 or had to be sent again | 1 % and more | – |
//! | `clock`: difference of the server's clock, while times are stamped | more than 2 s, or a clock was set meanwhile | – |
//! | `probe`: interval of the probes and longest round trip | more than 250 ms and more than 10 % of the median | 1 s and more than 50 % |
//! | `cluster`: versions, settings of `KubeVirt` and number of nodes | different from setup, or nodes or settings changed during the phase | a version changed during the phase |

mod rules;

use std::fmt;

use serde::{Deserialize, Serialize};

/// How far the times of a phase can be trusted
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Validity {
    /// No doubts.
    #[default]
    Valid,
    /// Some of them are less exact than usual, or affected by something other than the VMs.
    Qualified,
    /// They do not show what they should.
    Invalid,
}

impl Validity {
    /// The word used in JSON and tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Qualified => "qualified",
            Self::Invalid => "invalid",
        }
    }
}

impl fmt::Display for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A rule of the table
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Doubt {
    /// Interruptions of the watch.
    Watch,
    /// Unknown times.
    Unknown,
    /// Delay of the watch.
    Delay,
    /// This program was overloaded.
    Client,
    /// Requests that the server deferred.
    Requests,
    /// The server's clock.
    Clock,
    /// Resolution of the probes.
    Probe,
    /// The cluster changed.
    Cluster,
}

impl Doubt {
    /// The word used in JSON and tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Watch => "watch",
            Self::Unknown => "unknown",
            Self::Delay => "delay",
            Self::Client => "client",
            Self::Requests => "requests",
            Self::Clock => "clock",
            Self::Probe => "probe",
            Self::Cluster => "cluster",
        }
    }
}

/// Finding of one rule
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trust {
    /// The rule.
    pub rule: Doubt,
    /// Grade; absent if nothing was measured.
    pub grade: Option<Validity>,
    /// The measurement, one sentence.
    pub measured: String,
}

/// A distribution of delays, in seconds
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Late {
    /// Number of delays.
    pub count: u64,
    /// 99th percentile.
    pub p99: f64,
    /// Longest delay.
    pub longest: f64,
}

/// Inputs of a phase's grade; times are in seconds
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Conditions {
    /// VMs that took part.
    pub vms: usize,
    /// Median of their times to the goal.
    pub median: Option<f64>,
    /// Number of periods without a connected watch.
    pub gaps: usize,
    /// Their total duration.
    pub gap: f64,
    /// The longest of them.
    pub longest_gap: f64,
    /// VMs with a time stamped by a server.
    pub stamped: usize,
    /// VMs with a time noticed late.
    pub late: usize,
    /// VMs with either.
    pub unseen: usize,
    /// Share of the phase without a watching process.
    pub abandoned: f64,
    /// VMs that arrived at an unknown time.
    pub unknown: usize,
    /// VMs with an unknown outcome.
    pub undecided: usize,
    /// Delay of changes on the watch, a lower bound.
    pub watch: Option<Late>,
    /// Lateness of timers.
    pub timer: Option<Late>,
    /// Mean number of CPUs used by this program, and the number available.
    pub processors: Option<(f64, u32)>,
    /// VMs whose request was sent.
    pub asked: usize,
    /// VMs among them whose request was answered 429 or retried.
    pub put_off: usize,
    /// 429 answers.
    pub throttled: u64,
    /// Untimed requests that were retried.
    pub retries: u32,
    /// The most frequent reason for which VMs' requests were resent, and the number of these VMs.
    pub resent_after: Option<(String, usize)>,
    /// Bounds on how far the server's clock is ahead.
    pub clock: Option<(f64, f64)>,
    /// Interval of the probes and longest round trip; absent if nothing was probed from a pod.
    pub probe: Option<f64>,
    /// Differences from setup; absent if unknown.
    pub changed_before: Option<Vec<String>>,
    /// Changes during the phase; absent if unknown.
    pub changed_meanwhile: Option<Vec<String>>,
    /// Whether these include a version.
    pub upgraded: bool,
}

/// Findings of all rules, in the order of the table.
pub fn judge(conditions: &Conditions) -> Vec<Trust> {
    rules::all(conditions)
}

/// The worst grade; valid if nothing was measured.
pub fn worst<'a>(findings: impl IntoIterator<Item = &'a Trust>) -> Validity {
    findings.into_iter().filter_map(|finding| finding.grade).max().unwrap_or_default()
}

#[cfg(test)]
mod tests;
