//! Flags for pace and time limits; they may differ from phase to phase.

use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};

use super::values;
use bootstorm_model::record::{FailureLimit, PhaseSettings, Via};

/// How to start and stop VMs
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ViaArg {
    /// Patch of spec.runStrategy that tests the VM's UID
    #[default]
    Patch,
    /// The start and stop subresources, as used by virtctl
    Subresource,
}

/// Whether to send requests
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum DryRun {
    /// Send the requests
    #[default]
    None,
    /// Print the requests, change nothing
    Client,
}

/// Flags of every timed phase
#[derive(Debug, Clone, Args)]
pub struct PaceArgs {
    /// Limit on API requests in flight; never limits observation
    #[arg(long, value_name = "N", default_value = "200", value_parser = values::count)]
    pub concurrency: usize,
    /// Time limit for each VM to reach the goal of the phase
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = values::limit)]
    pub timeout: Duration,
    /// Time limit for each VM from Running until it answers its probes
    #[arg(long, value_name = "DURATION", default_value = "600s", value_parser = values::limit)]
    pub ping_timeout: Duration,
    /// Time limit for an interrupted watch or prober past a VM's deadline; then its outcome is unknown
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = values::limit)]
    pub blind_limit: Duration,
    /// Time limit for the whole phase; unfinished VMs time out
    #[arg(long, value_name = "DURATION", value_parser = values::limit)]
    pub phase_timeout: Option<Duration>,
    /// Stop the phase when this number (5) or share (10%) of VMs has failed or timed out
    #[arg(long, value_name = "N|P%")]
    pub abort_if_failed: Option<FailureLimit>,
    /// How to start and stop VMs
    #[arg(long, value_name = "HOW", value_enum, default_value_t)]
    pub via: ViaArg,
    /// Also watch launcher pods and events, to explain where the time goes and why VMs fail
    #[arg(long, value_name = "true|false", default_value_t = true, action = ArgAction::Set, num_args = 0..=1, require_equals = true,
        default_missing_value = "true")]
    pub explain: bool,
}

/// The dry-run flag
#[derive(Debug, Clone, Copy, Args)]
pub struct DryRunArgs {
    /// Print the requests instead of sending them
    #[arg(long, value_name = "HOW", value_enum, default_value_t, num_args = 0..=1, require_equals = true,
        default_missing_value = "client")]
    pub dry_run: DryRun,
}

impl PaceArgs {
    /// Settings of a phase.
    pub fn settings(&self) -> PhaseSettings {
        PhaseSettings {
            concurrency: self.concurrency,
            timeout_seconds: values::seconds_up(self.timeout),
            ping_timeout_seconds: values::seconds_up(self.ping_timeout),
            blind_limit_seconds: values::seconds_up(self.blind_limit),
            via: match self.via {
                ViaArg::Patch => Via::Patch,
                ViaArg::Subresource => Via::Subresource,
            },
            phase_timeout_seconds: self.phase_timeout.map(values::seconds_up),
            halted: false,
            abort_if_failed: self.abort_if_failed,
            explain: self.explain,
            ..PhaseSettings::default()
        }
    }
}
