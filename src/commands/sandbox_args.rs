//! Flags of a simulated cluster.

use std::path::{Path, PathBuf};

use clap::Args;

use super::values;
use bootstorm_model::failure::Failure;
use bootstorm_sandbox::faults::{self, Fault};
use bootstorm_sandbox::{Options, Sandbox};

/// Name of the image that holds this program.
const IMAGE: &str = "kubectl-bootstorm";

/// Flags that shape a simulated cluster
#[derive(Debug, Clone, Args)]
pub struct SandboxArgs {
    /// Number of simulated nodes; default depends on the profile
    #[arg(long, value_name = "N", value_parser = values::count)]
    pub nodes: Option<usize>,
    /// Timing profile: a name or a YAML file
    #[arg(long, value_name = "NAME|FILE", default_value = "default")]
    pub profile: String,
    /// Seed of all randomness
    #[arg(long, value_name = "N", default_value_t = 42)]
    pub seed: u64,
    /// Divide every simulated duration by this
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    pub speed: f64,
    /// Write every state change, with the instant it became visible, to this file
    #[arg(long, value_name = "FILE")]
    pub truth: Option<PathBuf>,
    /// Inject faults from a YAML or JSON file
    #[arg(long, value_name = "FILE")]
    pub faults: Option<PathBuf>,
}

impl SandboxArgs {
    /// Starts a simulated cluster with these flags.
    pub async fn start(&self, port: u16) -> Result<Sandbox, Failure> {
        if !(0.01..=10_000.0).contains(&self.speed) {
            return Err(Failure::usage(format!("--speed {} must lie between 0.01 and 10000", self.speed)));
        }
        let profile = bootstorm_sandbox::profile(&self.profile)?;
        let faults = self.faults.as_deref().map(read).transpose()?.unwrap_or_default();
        let options = Options {
            port,
            nodes: self.nodes,
            profile,
            seed: self.seed,
            speed: self.speed,
            truth: self.truth.clone(),
        };
        let sandbox = Sandbox::start(options).await?;
        // Without a path to itself, the sandbox has no program to run for this image.
        if let Ok(program) = std::env::current_exe() {
            sandbox.run_image(IMAGE, &program);
        }
        for fault in faults {
            sandbox.faults().add(fault);
        }
        Ok(sandbox)
    }
}

/// Reads the faults in a file.
fn read(path: &Path) -> Result<Vec<Fault>, Failure> {
    faults::load(path).map_err(|error| {
        Failure::usage(format!("the faults in {} cannot be used", path.display())).because(error)
    })
}
