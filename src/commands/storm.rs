//! `storm`: starts every stopped VM at once, or restarts or migrates the running ones, timed.

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};

use super::find_max;
use super::find_max_args::FindMaxArgs;
use super::pace_args::DryRun;
use super::phase;
use super::phase_args::PhaseArgs;
use super::preflight::PreflightArgs;
use super::repeat::{self, Repeated};
use super::repeat_args::RepeatArgs;
use super::session::Context;
use super::show;
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;
use bootstorm_model::record::{PhaseKind, Share, StormKind};

/// What happens to the VMs
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum KindArg {
    /// Start stopped VMs: recovery from a power loss or a full stop
    #[default]
    Start,
    /// Restart running VMs, each by one request: guests shut down and boot again
    Restart,
    /// Live-migrate running VMs to other nodes, each by one request: guests keep running
    Migrate,
    /// Drain nodes: evict the run's VMs from them, so that each migrates or restarts elsewhere
    Drain,
}

impl KindArg {
    pub(super) fn storm(self) -> StormKind {
        match self {
            Self::Start => StormKind::Start,
            Self::Restart => StormKind::Restart,
            Self::Migrate => StormKind::Migrate,
            Self::Drain => StormKind::Drain,
        }
    }
}

/// Start all stopped VMs at once, and time each one: the boot storm
///
/// Connections are opened before the storm, so that all starts leave together. After another stop it can be repeated,
/// as storm-2, storm-3 and so on.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  # After stop: run the storm and compare it with the baseline
  kubectl bootstorm storm --ns-prefix boot-storm-test

  # Show every VM, and save all results
  kubectl bootstorm storm -o wide --save-results

  # Waves of 50 VMs, each when the last one is up
  kubectl bootstorm storm --wave 50/ready

  # Restart all running VMs at once, as after an update of their hosts
  kubectl bootstorm storm --kind restart

  # Migrate all running VMs to other nodes, as before an update of their hosts
  kubectl bootstorm storm --kind migrate

  # Migrate a quarter of them, evenly from all nodes
  kubectl bootstorm storm --kind migrate --share 25%

  # Drain a node of the run's VMs, and uncordon it afterwards
  kubectl bootstorm storm --drain worker-2

  # Five storms with their spread, after a warm-up
  kubectl bootstorm storm --repeat 6 --warm-up --rest 60s

  # Find the largest storm with 95 % of VMs reachable within two minutes
  kubectl bootstorm storm --find-max --goal 'reachable.p95<120s' --budget 1h")]
pub struct StormArgs {
    /// What happens to the VMs; default is start
    #[arg(long, value_name = "KIND", value_enum)]
    pub kind: Option<KindArg>,
    /// Drain these nodes, separated by commas; implies --kind drain
    #[arg(long, value_name = "NODE", value_delimiter = ',', value_parser = NonEmptyStringValueParser::new())]
    pub drain: Vec<String>,
    /// Migrate only this number (5) or share (25%) of the running VMs, spread evenly over their nodes
    #[arg(long, value_name = "N|P%")]
    pub share: Option<Share>,
    #[command(flatten)]
    pub phase: PhaseArgs,
    #[command(flatten)]
    pub preflight: PreflightArgs,
    #[command(flatten)]
    pub repeat: RepeatArgs,
    #[command(flatten)]
    pub find_max: FindMaxArgs,
}

/// What happens to the VMs; nodes to drain say so by themselves.
fn kind(args: &StormArgs) -> Result<KindArg, Failure> {
    match (args.kind, args.drain.is_empty()) {
        (kind, true) => Ok(kind.unwrap_or_default()),
        (None | Some(KindArg::Drain), false) => Ok(KindArg::Drain),
        (Some(kind), false) => {
            Err(Failure::usage(format!("--drain cannot be combined with --kind {}", kind.storm().word()))
                .hint("leave one of them out"))
        }
    }
}

/// Runs the command.
pub async fn command(context: &Context, args: &StormArgs) -> Result<Exit, Failure> {
    let kind = kind(args)?;
    if let Some(share) = args.share.filter(|_| kind != KindArg::Migrate) {
        let word = kind.storm().word();
        return Err(Failure::usage(format!("--share {share} cannot be combined with --kind {word}"))
            .hint("add --kind migrate, or leave out --share"));
    }
    if args.repeat.repeat.is_none() && !args.find_max.find_max {
        let (storm, preflight, nodes) = (kind.storm(), args.preflight, args.drain.clone());
        let phase = PhaseArgs { storm, nodes, preflight, share: args.share, ..args.phase.clone() };
        return phase::command(context, PhaseKind::Storm, &phase).await;
    }
    if args.phase.beside.in_cluster.in_cluster {
        return Err(Failure::usage("--repeat and --find-max cannot be combined with --in-cluster")
            .hint("run the storm several times instead: kubectl bootstorm storm --in-cluster"));
    }
    if kind != KindArg::Start {
        let word = kind.storm().word();
        return Err(Failure::usage(format!(
            "--repeat and --find-max stop all VMs before each storm, and --kind {word} needs running VMs"
        ))
        .hint(format!("run it several times instead: kubectl bootstorm {}", kind.storm().command())));
    }
    if args.phase.dry_run.dry_run == DryRun::Client {
        return Err(Failure::usage("--dry-run shows one phase, not a series of storms")
            .hint("leave out --repeat or --find-max"));
    }
    let (phase, beside) = (&args.phase, &args.phase.beside);
    beside.check()?;
    let session = context.connect().await?;
    beside.listen.start(session.console, &phase.run.prefix).await?;
    beside.hooks.catch_up(&session, &phase.run.prefix).await?;
    let (storm, around) = (phase.options(PhaseKind::Storm), phase.around(&session));
    if args.find_max.find_max {
        let again = args.find_max.again(&phase.shape);
        return find_max::command(around, storm, &args.find_max, again, args.repeat.fresh).await;
    }
    let again = args.repeat.again(&phase.shape);
    let Repeated { record, thresholds, exit } =
        repeat::run(around, storm, &args.repeat, again, &beside.fail_if).await?;
    show::phase(&session, &record, PhaseKind::Storm, thresholds.clone())?;
    beside.finish(&session, &record, &thresholds).await?;
    Ok(beside.fail_if.exit(&session, &thresholds, exit))
}
