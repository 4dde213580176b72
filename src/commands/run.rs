//! `run`: the guide's whole test, from setup to report.

use std::time::Duration;

use clap::Args;

use super::adopt_args::AdoptArgs;
use super::cleanup::{self, CleanupArgs};
use super::pace_args::{DryRun, DryRunArgs, PaceArgs};
use super::phase::{self, PhaseArgs, Role, exit_of};
use super::plan_args::{AssertedArgs, PlanArgs, Resolved, RunArgs};
use super::preflight::PreflightArgs;
use super::presentation::Output;
use super::repeat::{self, RepeatArgs};
use super::sandbox_args::SandboxArgs;
use super::save_args::SaveArgs;
use super::session::{Context, Session};
use super::setup::{self, SetupArgs};
use super::shape_args::ShapeArgs;
use super::threshold_args::{FailIfArgs, will_be};
use super::{series, show, values};
use bootstorm_engine::cluster::Connection;
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;
use bootstorm_model::plan::Plan;
use bootstorm_model::record::{PhaseKind, PhaseName, PhaseState, RunRecord};
use bootstorm_report::thresholds::Expected;
use bootstorm_report::{Report, Selection};

/// Run the whole test: setup, create, stop, storm, report
///
/// Each phase is the command of the same name. To continue an interrupted run, repeat the command with the same flags.
/// With --sandbox it runs on a simulated cluster, so it can be tried without a real one.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  # Try it without a cluster
  kubectl bootstorm run --sandbox --end 20

  # The guide's test on the current context, with results as files, cleaned up afterwards
  kubectl bootstorm run --end 50 --save-results --cleanup --yes

  # How the same storm looks on slow storage
  kubectl bootstorm run --sandbox --profile slow-storage --end 50")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct RunCommand {
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
    /// When the starts of the storm leave; create and stop send all at once.
    #[command(flatten)]
    pub launch: ShapeArgs,
    #[command(flatten)]
    pub repeat: RepeatArgs,
    /// Time limit for the whole run; it then ends as after Ctrl-C and can be continued
    #[arg(long, value_name = "DURATION", value_parser = values::limit)]
    pub run_timeout: Option<Duration>,
    /// End after create: measure the baseline only
    #[arg(long, conflicts_with = "repeat")]
    pub no_storm: bool,
    /// Delete everything at the end
    #[arg(long)]
    pub cleanup: bool,
    /// Do not ask before the cleanup
    #[arg(short, long)]
    pub yes: bool,
    #[command(flatten)]
    pub save: SaveArgs,
    #[command(flatten)]
    pub fail_if: FailIfArgs,
    #[command(flatten)]
    pub dry_run: DryRunArgs,
    /// Run on a simulated cluster instead of a real one
    #[arg(long)]
    pub sandbox: bool,
    #[command(flatten)]
    pub shape: SandboxArgs,
}

/// Runs the command.
pub async fn command(context: &Context, args: &RunCommand) -> Result<Exit, Failure> {
    // Wrong flags are told before anything is started.
    let resolved =
        if args.sandbox { args.plan.resolve_in_sandbox(&args.run)? } else { args.plan.resolve(&args.run)? };
    if args.cleanup && !args.yes && !args.sandbox && !context.console().can_ask() {
        return Err(Failure::usage("--cleanup would ask at the end, and there is no terminal to ask on")
            .hint("pass --yes too"));
    }
    if !args.sandbox {
        return within(args.run_timeout, context.connect().await?, args, resolved).await;
    }
    let (expected, judged) = expected(args, &resolved.plan, None);
    args.fail_if.check(&expected, judged)?;
    let mut sandbox = args.shape.start(0).await?;
    let _duty = context.interrupt.duty();
    let console = context.console();
    let kubeconfig = sandbox.private_kubeconfig()?;
    console.say(&format!("simulated cluster at {}, profile {}", sandbox.url(), args.shape.profile));
    console.say(&format!("look into it: kubectl --kubeconfig {} get vm,vmi -A", kubeconfig.display()));
    let connection = Connection {
        kubeconfig: Some(kubeconfig),
        request_timeout: Some(context.connection.request_timeout),
        patience: context.connection.retry_timeout,
        ..Connection::default()
    };
    let outcome = match context.connect_with(&connection).await {
        Ok(session) => within(args.run_timeout, session, args, resolved).await,
        Err(failure) => Err(failure),
    };
    sandbox.stop().await;
    outcome.map_err(|failure| match failure.exit {
        Exit::Interrupted => Failure {
            message: "interrupted; the simulated cluster is gone, and the run with it".into(),
            hints: vec![
                "for one that stays, so that a run can be continued: kubectl bootstorm sandbox".into(),
            ],
            ..failure
        },
        _ => failure,
    })
}

/// Runs the phases; a limit that is over interrupts them as the user would.
async fn within(
    limit: Option<Duration>,
    mut session: Session,
    args: &RunCommand,
    resolved: Resolved,
) -> Result<Exit, Failure> {
    let Some(limit) = limit else {
        return Box::pin(phases(&session, args, resolved)).await;
    };
    let (interrupter, part) = session.interrupt.part();
    let mut user = std::mem::replace(&mut session.interrupt, part);
    let mut work = Box::pin(phases(&session, args, resolved));
    tokio::select! {
        outcome = &mut work => return outcome,
        () = user.wait() => {
            interrupter.interrupt();
            return work.await;
        }
        () = tokio::time::sleep(limit) => {}
    }
    interrupter.interrupt();
    work.await.map_err(|failure| match failure.exit {
        Exit::Interrupted => {
            failure.because(format!("the time limit of the run, {}s, is over", limit.as_secs()))
        }
        _ => failure,
    })
}

async fn phases(session: &Session, args: &RunCommand, resolved: Resolved) -> Result<Exit, Failure> {
    let found = if args.fail_if.fail_if.is_empty() { None } else { session.find(&args.run.prefix).await? };
    let found = found.map(|(record, _)| record);
    let (expected, judged) = expected(args, &resolved.plan, found.as_ref());
    args.fail_if.check(&expected, judged)?;
    let setup = SetupArgs {
        run: args.run.clone(),
        plan: args.plan.clone(),
        adopt: AdoptArgs::default(),
        namespace_batch_size: args.namespace_batch_size,
        preflight: args.preflight,
        dry_run: args.dry_run,
    };
    let via = args.pace.settings().via;
    let Some(mut record) = Box::pin(setup::run(session, &setup, resolved, Some(via))).await? else {
        return Ok(Exit::Good);
    };
    let phase = PhaseArgs {
        run: args.run.clone(),
        pace: args.pace.clone(),
        shape: ShapeArgs::default(),
        asserted: AssertedArgs::default(),
        dry_run: DryRunArgs { dry_run: DryRun::None },
        save: args.save.clone(),
        halted: false,
        // They are judged over the whole run, at its end.
        fail_if: FailIfArgs::default(),
    };
    let kinds: &[PhaseKind] = if args.no_storm || args.repeat.repeat.is_some() {
        &[PhaseKind::Create]
    } else {
        &[PhaseKind::Create, PhaseKind::Stop, PhaseKind::Storm]
    };
    // What is continued may have its baseline behind it; then the report at the end shows it.
    let created = !is_done(&record, PhaseKind::Create);
    for kind in kinds {
        if is_done(&record, *kind) {
            continue;
        }
        let shape = if *kind == PhaseKind::Storm { args.launch.clone() } else { ShapeArgs::default() };
        let phase = PhaseArgs { shape, ..phase.clone() };
        if let Some(after) = phase::run(session, *kind, &phase, &Role::default()).await? {
            record = after;
        }
        if *kind == PhaseKind::Create && args.save.save_results {
            args.save.save(session.console, &record)?;
        }
        show_intermediate(session, &record, *kind, args)?;
    }
    let mut thresholds = args.fail_if.judge(&record, judged);
    if args.repeat.repeat.is_some() {
        let storms = PhaseArgs { shape: args.launch.clone(), ..phase };
        let repeated = repeat::run(session, &storms, &args.repeat, &args.fail_if).await?;
        (record, thresholds) = (repeated.record, repeated.thresholds);
    }
    let for_people = matches!(session.output, Output::Table | Output::Wide);
    match (for_people, args.no_storm) {
        (true, true) => show::phase(session, &record, PhaseKind::Create, thresholds.clone())?,
        (true, false) if created => show::rest(session, &record, thresholds.clone())?,
        _ => {
            let report = Report::of(&record, &Selection::default());
            show::report(session, &report.with_thresholds(thresholds.clone()))?;
        }
    }
    args.save.save(session.console, &record)?;
    if args.cleanup {
        let cleanup = CleanupArgs {
            run: args.run.clone(),
            yes: args.yes || args.sandbox,
            keep_record: false,
            delete_foreign: false,
            run_id: None,
            leave_adopted: false,
            timeout: Duration::from_secs(900),
            concurrency: 50,
            dry_run: DryRunArgs { dry_run: DryRun::None },
        };
        if let Some(deleted) = cleanup::run(session, &cleanup).await? {
            cleanup::kept(&deleted, &cleanup)?;
            let count = deleted.going(cleanup.choice()).len();
            session.console.say(&format!("cleaned up: {count} objects deleted, nothing is left"));
        }
    }
    let exit = record.phases.iter().map(exit_of).max().unwrap_or(Exit::Good);
    Ok(args.fail_if.exit(session, &thresholds, exit))
}

/// The phases that the run will have at its end, and the one that is judged.
fn expected(args: &RunCommand, plan: &Plan, found: Option<&RunRecord>) -> (Vec<Expected>, Option<PhaseName>) {
    let mut phases: Vec<Expected> =
        found.map_or_else(Vec::new, |record| record.phases.iter().map(Expected::from).collect());
    if let Some(storms) = args.repeat.repeat {
        let first = found.map_or(1, |record| match record.series.last() {
            Some(series) if !args.repeat.fresh => series.first,
            _ => record.next_storm(),
        });
        let mut phases = series::expected(found, first, storms, |name| will_be(plan, name));
        if found.is_none_or(|record| record.baseline().is_none()) {
            phases.insert(0, will_be(plan, PhaseName::CREATE));
        }
        return (phases, Some(PhaseName { kind: PhaseKind::Storm, number: first }));
    }
    let first = |kind| PhaseName { kind, number: 1 };
    let kinds: &[PhaseKind] = if args.no_storm {
        &[PhaseKind::Create]
    } else {
        &[PhaseKind::Create, PhaseKind::Stop, PhaseKind::Storm]
    };
    for name in kinds.iter().copied().map(first) {
        if !phases.iter().any(|phase| phase.name == name) {
            phases.push(will_be(plan, name));
        }
    }
    let storms = phases.iter().filter(|phase| phase.name.kind == PhaseKind::Storm);
    let last = storms.map(|phase| phase.name).max_by_key(|name| name.number);
    let judged = last.filter(|_| !args.no_storm).or(Some(PhaseName::CREATE));
    (phases, judged)
}

/// Between the phases, people get the block of the baseline as soon as it is there.
fn show_intermediate(
    session: &Session,
    record: &RunRecord,
    kind: PhaseKind,
    args: &RunCommand,
) -> Result<(), Failure> {
    let for_people = matches!(session.output, Output::Table | Output::Wide);
    if for_people && kind == PhaseKind::Create && !args.no_storm {
        show::phase(session, record, kind, Vec::new())?;
    }
    Ok(())
}

/// Whether a run that is continued has this phase behind it.
fn is_done(record: &RunRecord, kind: PhaseKind) -> bool {
    record.last_of(kind).is_some_and(|phase| phase.state == PhaseState::Done)
}
