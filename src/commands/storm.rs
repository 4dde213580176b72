//! `storm`: starts every stopped VM at once, timed.

use clap::Args;

use super::find_max::{self, FindMaxArgs};
use super::pace_args::DryRun;
use super::phase::{self, PhaseArgs};
use super::repeat::{self, RepeatArgs};
use super::session::Context;
use super::show;
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;
use bootstorm_model::record::PhaseKind;

/// Start all stopped VMs at once, and time each one: the boot storm
///
/// Connections are opened before the storm, so that all starts leave together. After another stop it can be repeated, as
/// storm-2, storm-3 and so on.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  # After stop: run the storm and compare it with the baseline
  kubectl bootstorm storm --ns-prefix boot-storm-test

  # Show every VM, and save all results
  kubectl bootstorm storm -o wide --save-results

  # Waves of 50 VMs, each when the last one is up
  kubectl bootstorm storm --wave 50/ready

  # Five storms with their spread, after a warm-up
  kubectl bootstorm storm --repeat 6 --warm-up --rest 60s

  # Find the largest storm with 95 % of VMs reachable within two minutes
  kubectl bootstorm storm --find-max --goal 'reachable.p95<120s' --budget 1h")]
pub struct StormArgs {
    #[command(flatten)]
    pub phase: PhaseArgs,
    #[command(flatten)]
    pub repeat: RepeatArgs,
    #[command(flatten)]
    pub find_max: FindMaxArgs,
}

/// Runs the command.
pub async fn command(context: &Context, args: &StormArgs) -> Result<Exit, Failure> {
    if args.repeat.repeat.is_none() && !args.find_max.find_max {
        return phase::command(context, PhaseKind::Storm, &args.phase).await;
    }
    if args.phase.dry_run.dry_run == DryRun::Client {
        return Err(Failure::usage("--dry-run shows one phase, not a series of storms")
            .hint("leave out --repeat or --find-max"));
    }
    args.phase.save.check()?;
    args.phase.metrics.check()?;
    let session = context.connect().await?;
    args.phase.hooks.catch_up(&session, &args.phase.run.prefix).await?;
    if args.find_max.find_max {
        return find_max::command(&session, &args.phase, &args.find_max, args.repeat.fresh).await;
    }
    let fail_if = &args.phase.fail_if;
    let repeated = repeat::run(&session, &args.phase, &args.repeat, fail_if).await?;
    show::phase(&session, &repeated.record, PhaseKind::Storm, repeated.thresholds.clone())?;
    let (record, thresholds) = (&repeated.record, &repeated.thresholds);
    args.phase.save.finish(session.console, record, thresholds)?;
    args.phase.save.index.finish(session.console, &session.interrupt, record, thresholds).await;
    Ok(fail_if.exit(&session, &repeated.thresholds, repeated.exit))
}
