//! Flags that shape a simulated cluster.

use std::path::PathBuf;

use clap::Args;

use crate::failure::Failure;
use crate::sandbox::{Options, Sandbox};

/// Flags that shape a simulated cluster
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Sandbox")]
pub struct SandboxArgs {
    /// Nodes of the simulated cluster; default is the profile's
    #[arg(long, value_name = "N")]
    pub nodes: Option<usize>,
    /// Timing profile: a name or a YAML file
    #[arg(long, value_name = "NAME|FILE", default_value = "default")]
    pub profile: String,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 42)]
    pub seed: u64,
    /// Divide every simulated duration by this
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    pub speed: f64,
    /// Write every state change and the instant it became visible to this file
    #[arg(long, value_name = "FILE")]
    pub truth: Option<PathBuf>,
}

impl SandboxArgs {
    /// Starts a simulated cluster with these flags.
    pub async fn start(&self, port: u16) -> Result<Sandbox, Failure> {
        if !(0.01..=10_000.0).contains(&self.speed) {
            return Err(Failure::usage(format!("--speed {} must lie between 0.01 and 10000", self.speed)));
        }
        let profile = crate::sandbox::profile(&self.profile)?;
        let options = Options {
            port,
            nodes: self.nodes,
            profile,
            seed: self.seed,
            speed: self.speed,
            truth: self.truth.clone(),
        };
        Sandbox::start(options).await
    }
}
