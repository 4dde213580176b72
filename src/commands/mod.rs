//! The command line: one file per subcommand, and the flags that they share.

#![expect(missing_docs, reason = "the doc of a flag is its help; a group of flags has its doc at its type")]

mod adopt;
pub mod adopt_args;
mod around;
pub mod beside_args;
pub mod change_args;
pub mod cleanup;
pub mod compare;
pub mod completion;
pub mod config;
pub mod connection;
pub mod create;
pub mod dashboard;
pub mod definition;
mod dry_run;
mod examples;
pub mod export_args;
pub mod find_max;
pub mod find_max_args;
pub mod fleet;
mod front;
pub mod generate;
pub mod help;
pub mod hooks;
pub mod in_cluster;
mod index_args;
pub mod layout_args;
pub mod listen_args;
mod metrics_args;
mod mistakes;
mod needs;
pub mod node_args;
pub mod observe;
pub mod observe_args;
pub mod options;
mod otlp;
mod output_file;
pub mod pace_args;
pub mod phase;
pub mod phase_args;
pub mod plan_args;
pub mod plan_file;
pub mod preflight;
pub mod presentation;
mod program;
pub mod repeat;
pub mod repeat_args;
pub mod report;
pub mod results;
pub mod run;
pub mod run_args;
pub mod sandbox;
pub mod sandbox_args;
pub mod save_args;
mod series;
pub mod session;
pub mod setup;
pub mod shape_args;
pub mod shard;
mod show;
pub mod source_args;
pub mod start;
pub mod status;
pub mod stop;
pub mod storm;
pub mod threshold_args;
pub mod values;
pub mod version;

use std::ffi::OsString;

use clap::{FromArgMatches, Parser, Subcommand};

use crate::console::style;
use bootstorm_engine::phases::Interrupt;
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;
use session::Context;

/// Maximum width of the help in columns.
const HELP_WIDTH: usize = 100;

/// Measure how long KubeVirt VMs take to come back when all of them start at once
///
/// Creates N VMs, stops them, starts them all at once, times every one of them, and compares the storm with the
/// baseline. Each phase is a separate command. The state of a run is kept in a ConfigMap, so any phase can be run
/// later, from anywhere, and continued after a crash.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "kubectl-bootstorm",
    bin_name = "kubectl bootstorm",
    display_name = "kubectl-bootstorm",
    version,
    styles = style::HELP,
    max_term_width = HELP_WIDTH,
    subcommand_required = true,
    arg_required_else_help = true,
    after_long_help = "\
Examples:
  # Try it without a cluster
  kubectl bootstorm run --sandbox --end 20

  # The phases one by one, in the current context
  kubectl bootstorm setup --end 50
  kubectl bootstorm create
  kubectl bootstorm stop
  kubectl bootstorm storm
  kubectl bootstorm report -o wide
  kubectl bootstorm cleanup

Exit codes:
  0    every VM reached its goal
  1    the command failed: cluster, permission, state, input or output
  2    the command line is wrong
  3    the phase completed, but some VMs did not reach the goal
  4    a threshold was crossed, or a run is worse; takes precedence over 3
  5    the preflight checks refused the run
  130  interrupted; measurements are saved, and the phase can be resumed"
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    connection: connection::ConnectionArgs,
    #[command(flatten)]
    presentation: presentation::PresentationArgs,
    #[command(flatten)]
    config: config::ConfigArgs,
    /// Flags that were not typed.
    #[arg(skip)]
    found: Vec<config::Found>,
    /// The command line in loggable form.
    #[arg(skip)]
    words: String,
    /// The command line as parsed; a fleet parses it again for each member.
    #[arg(skip)]
    parsed: Vec<OsString>,
    /// The typed and found flags as a plan.
    #[arg(skip)]
    plan: Option<plan_file::PlanFields>,
}

#[derive(Debug, Clone, Subcommand)]
enum Command {
    Run(Box<run_args::RunCommand>),
    Setup(Box<setup::SetupArgs>),
    Create(Box<create::CreateArgs>),
    Stop(Box<stop::StopArgs>),
    Storm(Box<storm::StormArgs>),
    Report(Box<report::ReportArgs>),
    Observe(Box<observe_args::ObserveArgs>),
    Compare(compare::CompareArgs),
    Status(status::StatusArgs),
    Cleanup(cleanup::CleanupArgs),
    Fleet(Box<fleet::FleetArgs>),
    Dashboard(dashboard::DashboardArgs),
    Sandbox(sandbox::SandboxCommand),
    Completion(completion::CompletionArgs),
    Options(options::OptionsArgs),
    Version(version::VersionArgs),
    #[command(name = "__shard", hide = true)]
    Shard(Box<shard::ShardArgs>),
}

impl Cli {
    /// Whether this process simulates a cluster, or runs several storms.
    pub fn simulates(&self) -> bool {
        match &self.command {
            Command::Run(run) => run.sandbox,
            Command::Sandbox(_) | Command::Fleet(_) => true,
            _ => false,
        }
    }

    /// Runs the command; failures are reported on the console.
    pub async fn run(self, interrupt: Interrupt) -> Exit {
        let Self { connection, presentation, plan, words, parsed, .. } = self;
        let types_kubeconfig =
            connection.kubeconfig.is_some() && self.found.iter().all(|found| found.flag != "kubeconfig");
        let context = Context { connection, presentation, plan, types_kubeconfig, interrupt, parsed };
        let console = context.console();
        let outcome = Box::pin(self.command.run(&context, &words)).await;
        tracing::info!(
            exit = ?outcome.as_ref().map_or_else(|failure| failure.exit, |exit| *exit),
            "ends"
        );
        match outcome {
            Ok(exit) => exit,
            Err(failure) => {
                let told = config::explanations(&failure.message, &self.found);
                let failure = told.into_iter().fold(failure, Failure::hint);
                console.fail(&failure);
                failure.exit
            }
        }
    }
}

/// Shows the values of the flags instead of running the command.
fn shown(
    matches: &clap::ArgMatches,
    completed: &config::Completed,
) -> Result<Result<(), Failure>, clap::Error> {
    let below = matches.subcommand().map_or(matches, |(_, below)| below);
    let presentation = presentation::PresentationArgs::from_arg_matches(below)?;
    Ok(config::show(matches, completed, &presentation))
}

impl Command {
    async fn run(self, context: &Context, words: &str) -> Result<Exit, Failure> {
        let presentation = &context.presentation;
        if presentation.output.is_for_reports_only() && !self.shows_a_report() {
            return Err(Failure::usage("this command has no report to show in that format")
                .hint("choose summary, wide, json, yaml or name with -o FORMAT")
                .hint("for a report: kubectl bootstorm report -o FORMAT"));
        }
        crate::console::logging::start(
            presentation.log_filter().as_deref(),
            presentation.log_file.as_deref(),
        )?;
        tracing::info!(version = program::long(), command = words, "started");
        match self {
            Self::Run(args) => Box::pin(run::command(context, &args)).await,
            Self::Setup(args) if args.adopt.is_wanted() => Box::pin(adopt::command(context, &args)).await,
            Self::Setup(args) => Box::pin(setup::command(context, &args)).await,
            Self::Create(args) => create::command(context, &args).await,
            Self::Stop(args) => stop::command(context, &args).await,
            Self::Storm(args) => Box::pin(storm::command(context, &args)).await,
            Self::Report(args) => report::command(context, &args).await,
            Self::Observe(args) => Box::pin(observe::command(context, &args)).await,
            Self::Compare(args) => compare::command(context, &args).await,
            Self::Status(args) => status::command(context, &args).await,
            Self::Cleanup(args) => Box::pin(cleanup::command(context, &args)).await,
            Self::Fleet(args) => Box::pin(fleet::command(context, &args)).await,
            Self::Dashboard(args) => dashboard::command(context, &args),
            Self::Sandbox(args) => sandbox::command(context, &args).await,
            Self::Completion(args) => completion::command(context, &args),
            Self::Options(_) => options::command(context),
            Self::Version(args) => version::command(context, &args).await,
            Self::Shard(args) => Box::pin(shard::command(context, &args)).await,
        }
    }

    /// Whether the result of this command is a report.
    fn shows_a_report(&self) -> bool {
        matches!(
            self,
            Self::Run(_)
                | Self::Create(_)
                | Self::Stop(_)
                | Self::Storm(_)
                | Self::Observe(_)
                | Self::Report(_)
                | Self::Fleet(_)
        )
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_texts_follow_the_conventions() {
        fn check(command: &clap::Command) {
            for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
                let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
                let first = help.chars().next().unwrap_or(' ');
                let place = format!("{} --{}", command.get_name(), arg.get_id());
                assert!(first.is_uppercase() || first == '`', "{place}: help begins with a capital: {help}");
                assert!(!help.ends_with('.'), "{place}: no full stop at the end: {help}");
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }
}
