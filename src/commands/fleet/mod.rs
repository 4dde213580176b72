//! `fleet`: the storm of many clusters at one instant.

mod coordinate;
mod join;
mod members;
mod record_file;
mod show;
mod work;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::pace_args::PaceArgs;
use super::plan_args::{PlanArgs, RunArgs};
use super::preflight::PreflightArgs;
use super::session::Context;
use super::shape_args::ShapeArgs;
use super::storm::KindArg;
use super::threshold_args::FailIfArgs;
use super::values;
use bootstorm_engine::phases::gate::Policy;
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;

/// What is done with a fleet
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Action {
    /// Set up, create and stop the VMs of every cluster, then start all of them at one instant
    Run,
    /// Stop the VMs of every cluster
    Stop,
    /// Start the stopped VMs of every cluster at one instant
    Storm,
    /// Show the fleet as a whole, and each cluster
    Report,
    /// Show the state of each cluster
    Status,
    /// Delete what the runs of the fleet created, in every cluster
    Cleanup,
}

/// What happens when a cluster fails or is not ready in time
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum PolicyArg {
    /// Retry it until it is ready; the others wait
    Wait,
    /// Start without it after --member-timeout; the report names it, and the exit code is 3
    #[default]
    LeaveOut,
    /// Interrupt all others
    Abort,
}

impl From<PolicyArg> for Policy {
    fn from(arg: PolicyArg) -> Self {
        match arg {
            PolicyArg::Wait => Self::Wait,
            PolicyArg::LeaveOut => Self::LeaveOut,
            PolicyArg::Abort => Self::Abort,
        }
    }
}

/// Flags that choose the clusters of a fleet
#[derive(Debug, Clone, Args)]
pub struct MembersArgs {
    /// Contexts of the kubeconfig, as shell patterns separated by commas (can be repeated); default is the
    /// whole fleet
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    pub contexts: Vec<String>,
    /// YAML file with the clusters and their own flags
    #[arg(long, value_name = "FILE", conflicts_with = "contexts")]
    pub fleet_file: Option<PathBuf>,
    /// File of the fleet's record; default is one in the state folder, named like the run
    #[arg(long, value_name = "FILE")]
    pub fleet_record: Option<PathBuf>,
    /// What to do when a cluster fails or is not ready in time
    #[arg(long, value_name = "HOW", value_enum, default_value_t)]
    pub if_member_fails: PolicyArg,
    /// Time limit for reaching a cluster, and for a cluster to get ready after the first one is
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = values::limit)]
    pub member_timeout: Duration,
}

/// Storms of many clusters at one instant
///
/// Each cluster has its own run, record and lock, so it can also be used on its own (--context NAME). The fleet has a
/// record as well, in a local file. All clusters prepare their requests and open their connections; then a common
/// barrier releases the requests of all. To continue after an interrupt or a crash, repeat the command.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  # 100 VMs in each of the clusters, from setup to storm, and one report
  kubectl bootstorm fleet run --contexts 'site-*' --end 100

  # Clusters with flags of their own
  kubectl bootstorm fleet run --fleet-file examples/fleet/sites.yaml

  # Another storm of the same fleet
  kubectl bootstorm fleet stop
  kubectl bootstorm fleet storm --fail-if 'storm.reachable.p95>120s'

  # The whole fleet on one page; delete everything
  kubectl bootstorm fleet report -o html > fleet.html
  kubectl bootstorm fleet cleanup --yes")]
pub struct FleetArgs {
    /// What to do with the fleet
    #[arg(value_name = "ACTION", value_enum)]
    pub action: Action,
    #[command(flatten)]
    pub members: MembersArgs,
    #[command(flatten)]
    pub run: RunArgs,
    #[command(flatten)]
    pub plan: PlanArgs,
    /// Namespaces created in parallel; auto follows the number of nodes
    #[arg(long, value_name = "N|auto", default_value = "auto", value_parser = values::batch_size)]
    pub namespace_batch_size: values::BatchSize,
    #[command(flatten)]
    pub preflight: PreflightArgs,
    #[command(flatten)]
    pub pace: PaceArgs,
    /// How the VMs come back
    #[arg(long, value_name = "KIND", value_enum, default_value_t)]
    pub kind: KindArg,
    /// The shape of the storm; create and stop send all requests at once.
    #[command(flatten)]
    pub shape: ShapeArgs,
    #[command(flatten)]
    pub fail_if: FailIfArgs,
    /// Clean up without confirmation
    #[arg(short, long)]
    pub yes: bool,
    /// Keep the records of the runs and of the fleet, so that report still works
    #[arg(long)]
    pub keep_record: bool,
    /// Delete the runs' namespaces with everything that others keep in them
    #[arg(long)]
    pub delete_foreign: bool,
}

impl FleetArgs {
    /// Prefix after which the fleet's record is named, and default prefix of members.
    pub fn prefix(&self) -> &str {
        &self.run.prefix
    }
}

/// Runs the command.
pub async fn command(context: &Context, args: &FleetArgs) -> Result<Exit, Failure> {
    if context.connection.context.is_some() {
        context.console().say(
            "a fleet takes its clusters from --contexts, --fleet-file or its record; --context is not used",
        );
    }
    let path = record_file::path(args)?;
    match args.action {
        Action::Report | Action::Status => show::command(context, args, &path).await,
        Action::Run | Action::Stop | Action::Storm | Action::Cleanup => {
            Box::pin(coordinate::command(context, args, &path)).await
        }
    }
}
