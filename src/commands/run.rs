//! `run`: the guide's whole test, from setup to report.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::cleanup::{self, CleanupArgs};
use super::export_args::ExportArgs;
use super::hooks::HookArgs;
use super::in_cluster::{self, InClusterArgs};
use super::listen_args::ListenArgs;
use super::metrics_args::MetricsArgs;
use super::pace_args::{DryRun, DryRunArgs, PaceArgs};
use super::phase::{self, PhaseArgs};
use super::plan_args::{PlanArgs, RunArgs};
use super::preflight::PreflightArgs;
use super::presentation::Output;
use super::repeat::{self, RepeatArgs};
use super::sandbox_args::SandboxArgs;
use super::save_args::SaveArgs;
use super::session::{Context, Session};
use super::setup;
use super::shape_args::ShapeArgs;
use super::threshold_args::{FailIfArgs, will_be};
use super::{series, show, values};
use bootstorm_engine::cluster::Connection;
use bootstorm_engine::runs::phase::exit_of;
use bootstorm_engine::runs::settings::Role;
use bootstorm_engine::runs::setup::{Resolved, SetupOptions};
use bootstorm_engine::runs::whole::{self, Outline, RunOptions};
use bootstorm_model::duration;
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;
use bootstorm_model::observe::Milestone;
use bootstorm_model::plan::Plan;
use bootstorm_model::record::lifecycle::Step;
use bootstorm_model::record::{PhaseKind, PhaseName, PhaseState, RunRecord, StormKind};
use bootstorm_model::shards::Planned;
use bootstorm_report::thresholds::Expected;
use bootstorm_report::{Selection, ThresholdBlock};

/// What storms are compared with
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BaselineKind {
    /// The creation, each VM from the instant at which its disks are filled.
    Create,
    /// A first start of all VMs, after a creation that does not start them.
    Boot,
}

/// Run the whole test: setup, create, stop, storm, report
///
/// Each phase is the command of the same name. To continue an interrupted run, repeat the command with the same flags.
/// A finished run is refused, so that old figures never pass for new ones: --fresh deletes it and measures again. With
/// --sandbox it runs on a simulated cluster, so it can be tried without a real one.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  # Try it without a cluster
  kubectl bootstorm run --sandbox --end 20

  # The guide's test in the current context; saves results, then cleans up
  kubectl bootstorm run --end 50 --save-results --cleanup --yes

  # The same storm on slow storage
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
    /// Shape of the storm; create and stop send all requests at once.
    #[command(flatten)]
    pub launch: ShapeArgs,
    #[command(flatten)]
    pub repeat: RepeatArgs,
    /// Time limit for the whole run; it then ends as after Ctrl-C and can be continued
    #[arg(long, value_name = "DURATION", value_parser = values::limit)]
    pub run_timeout: Option<Duration>,
    /// Baseline of the storms: create counts from filled disks, boot is a first start of VMs created halted
    #[arg(long, value_name = "HOW")]
    pub baseline: Option<BaselineKind>,
    /// End after the baseline
    #[arg(long, conflicts_with = "repeat")]
    pub no_storm: bool,
    /// Clean up at the end
    #[arg(long)]
    pub cleanup: bool,
    /// Clean up without confirmation
    #[arg(short, long)]
    pub yes: bool,
    #[command(flatten)]
    pub save: SaveArgs,
    #[command(flatten)]
    pub fail_if: FailIfArgs,
    #[command(flatten)]
    pub hooks: HookArgs,
    #[command(flatten)]
    pub exports: ExportArgs,
    #[command(flatten)]
    pub listen: ListenArgs,
    #[command(flatten)]
    pub metrics: MetricsArgs,
    #[command(flatten)]
    pub in_cluster: InClusterArgs,
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
    // Wrong flags are reported before anything is started.
    let resolved =
        if args.sandbox { args.plan.resolve_in_sandbox(&args.run)? } else { args.plan.resolve(&args.run)? };
    if args.cleanup && !args.yes && !args.sandbox && !context.console().can_ask() {
        return Err(Failure::usage("--cleanup asks for confirmation at the end, and there is no terminal")
            .hint("pass --yes too"));
    }
    args.save.check()?;
    args.exports.check()?;
    args.listen.start(context.console(), &args.run.prefix).await?;
    args.metrics.check()?;
    phase_args(args).check_in_cluster()?;
    if args.in_cluster.in_cluster && args.repeat.repeat.is_some() {
        return Err(Failure::usage("--repeat cannot be combined with --in-cluster")
            .hint("run the storm several times instead: kubectl bootstorm storm --in-cluster"));
    }
    if !args.sandbox {
        return within(context.connect().await?, args, resolved).await;
    }
    let (expected, judged) = expected(args, &resolved.plan, None);
    args.fail_if.check(&expected, judged)?;
    let mut sandbox = args.shape.start(0).await?;
    let _duty = context.interrupt.duty();
    let console = context.console();
    let kubeconfig = sandbox.private_kubeconfig()?;
    console.say(&format!("simulated cluster at {}, profile {}", sandbox.url(), args.shape.profile));
    console.say(&format!("to inspect it: kubectl --kubeconfig {} get vm,vmi -A", kubeconfig.display()));
    let connection = Connection {
        kubeconfig: Some(kubeconfig),
        request_timeout: Some(context.connection.request_timeout),
        patience: context.connection.retry_timeout,
        ..Connection::default()
    };
    let outcome = match context.connect_with(&connection).await {
        Ok(session) => within(session, args, resolved).await,
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

/// Runs the phases within the time limit of the run.
async fn within(mut session: Session, args: &RunCommand, resolved: Resolved) -> Result<Exit, Failure> {
    let interrupt = session.interrupt.clone();
    let work = async move |interrupt| {
        session.interrupt = interrupt;
        Box::pin(phases(&session, args, resolved)).await
    };
    whole::within(args.run_timeout, &interrupt, work).await
}

/// What the run measures.
fn options(args: &RunCommand) -> RunOptions {
    RunOptions {
        boots_first: args.baseline.map(|baseline| baseline == BaselineKind::Boot),
        no_storm: args.no_storm,
        repeat: args.repeat.repeat,
        fresh: args.repeat.fresh,
    }
}

/// Remaining phases for the Job of the run.
fn planned(args: &RunCommand, outline: &Outline, record: &RunRecord) -> Result<Vec<Planned>, Failure> {
    let plan = |name: PhaseName| {
        let step = if record.phase(name).is_some() { Step::Continue(name) } else { Step::Begin(name) };
        let phase = phase_of(args, outline, name);
        args.in_cluster.plan(name, phase.options(name.kind, &Role::default()).settings(record, step)?)
    };
    outline.missing(record).map(plan).collect()
}

async fn phases(session: &Session, args: &RunCommand, resolved: Resolved) -> Result<Exit, Failure> {
    let last = if args.no_storm { PhaseKind::Create } else { PhaseKind::Storm };
    if let Some(record) = in_cluster::attach(session, &args.in_cluster, &args.run.prefix, last).await? {
        let (_, judged) = expected(args, &resolved.plan, Some(&record));
        return Box::pin(report(session, args, record, Judged::At(judged), false)).await;
    }
    let options = options(args);
    let is_dry = args.dry_run.dry_run != DryRun::None;
    let found = session.find(&args.run.prefix).await?.map(|(record, _)| record);
    let found = match found {
        Some(record) if !is_dry && options.starts_over(&record) => {
            Box::pin(start_over(session, args)).await?;
            None
        }
        Some(record) if !is_dry => match args.hooks.catch_up(session, &args.run.prefix).await? {
            Some(record) => Some(record),
            None => {
                options.refuse_finished(&record)?;
                Some(record)
            }
        },
        found => found,
    };
    if let Some(record) = &found {
        options.check_baseline(record)?;
    }
    let (expected, judged) = expected(args, &resolved.plan, found.as_ref());
    args.fail_if.check(&expected, judged)?;
    let setup = SetupOptions {
        batch_size: args.namespace_batch_size.0,
        skip_preflight: args.preflight.skip_preflight,
        via: Some(args.pace.settings().via),
    };
    let vms = resolved.plan.size();
    let Some(mut record) = Box::pin(setup::run(session, setup, resolved, args.dry_run.dry_run)).await? else {
        tell_rest(session, args, &options.outline(None), vms);
        return Ok(Exit::Good);
    };
    let outline = options.outline(Some(&record));
    // The baseline of a continued run may be finished; then only the final report shows it.
    let measured = record.phase(outline.baseline).is_none_or(|phase| phase.state != PhaseState::Done);
    if args.in_cluster.in_cluster && outline.next(&record).is_some() {
        let planned = planned(args, &outline, &record)?;
        let prefix = &args.run.prefix;
        record = Box::pin(in_cluster::run(session, &args.in_cluster, prefix, planned)).await?;
    }
    while let Some(name) = outline.next(&record) {
        let role = Role { place: outline.place(name), ..Role::default() };
        let phase = phase_of(args, &outline, name);
        let Some(after) = phase::run(session, name.kind, &phase, &role).await? else { break };
        record = after;
        let is_first = outline.precedes_stop(name);
        if is_first && args.save.save_results {
            args.save.save(session.console, &record)?;
        }
        let is_shown = is_first && matches!(session.output, Output::Guide | Output::Wide);
        if is_shown && !(args.no_storm && name == outline.baseline) {
            show::phase(session, &record, name.kind, Vec::new())?;
        }
    }
    if args.repeat.repeat.is_some() {
        let storms = PhaseArgs { shape: args.launch.clone(), ..phase_args(args) };
        let repeated = repeat::run(session, &storms, &args.repeat, &args.fail_if).await?;
        let judged = Judged::Done(repeated.thresholds);
        return Box::pin(report(session, args, repeated.record, judged, measured)).await;
    }
    Box::pin(report(session, args, record, Judged::At(judged), measured)).await
}

/// Thresholds, judged or still to be judged
enum Judged {
    /// Already judged.
    Done(Vec<ThresholdBlock>),
    /// To be judged for this phase, if any.
    At(Option<PhaseName>),
}

/// Shows and saves the result of a whole run, and cleans up; returns its exit code.
async fn report(
    session: &Session,
    args: &RunCommand,
    record: RunRecord,
    judged: Judged,
    measured: bool,
) -> Result<Exit, Failure> {
    let thresholds = match judged {
        Judged::Done(thresholds) => thresholds,
        Judged::At(judged) => args.fail_if.judge(&record, judged),
    };
    let baseline = options(args).outline(Some(&record)).baseline;
    let in_blocks = matches!(session.output, Output::Guide | Output::Wide);
    match (in_blocks, args.no_storm) {
        (true, true) => show::phase(session, &record, baseline.kind, thresholds.clone())?,
        (true, false) if measured => show::rest(session, &record, thresholds.clone())?,
        _ => {
            let report = show::of(session.output, &record, &Selection::default());
            // After an immediate cleanup there are no next commands.
            let next = if args.cleanup || args.sandbox { Vec::new() } else { show::next(&record) };
            show::report(session, &report.with_thresholds(thresholds.clone()), &next)?;
        }
    }
    args.save.finish(session.console, &record, &thresholds)?;
    args.exports.judged(session.console, &session.interrupt, &record, &thresholds).await;
    args.save.index.finish(session.console, &session.interrupt, &record, &thresholds).await;
    if args.cleanup
        && let Some(count) = clean_up(session, args).await?
    {
        session.console.say(&format!("cleaned up: {count} objects deleted, nothing is left"));
    }
    let exit = record.phases.iter().map(|phase| exit_of(&phase.look())).max().unwrap_or(Exit::Good);
    Ok(args.fail_if.exit(session, &thresholds, exit))
}

/// Flags of every phase; the shape applies to the storm only.
fn phase_args(args: &RunCommand) -> PhaseArgs {
    PhaseArgs {
        save: args.save.clone(),
        hooks: args.hooks.clone(),
        exports: args.exports.clone(),
        listen: args.listen.clone(),
        metrics: args.metrics.clone(),
        in_cluster: args.in_cluster.clone(),
        // Thresholds are judged over the whole run, at its end.
        ..PhaseArgs::plain(&args.run, &args.pace, args.preflight)
    }
}

/// Flags of a phase of the run.
fn phase_of(args: &RunCommand, outline: &Outline, name: PhaseName) -> PhaseArgs {
    let shape = if outline.is_shaped(name) { args.launch.clone() } else { ShapeArgs::default() };
    PhaseArgs { shape, halted: outline.is_halted(name), ..phase_args(args) }
}

/// Phases of the run at its end, and the one that is judged.
fn expected(args: &RunCommand, plan: &Plan, found: Option<&RunRecord>) -> (Vec<Expected>, Option<PhaseName>) {
    let mut phases: Vec<Expected> =
        found.map_or_else(Vec::new, |record| record.phases.iter().map(Expected::from).collect());
    let options = options(args);
    let outline = options.outline(found);
    let will = |name: PhaseName| match name.kind {
        // VMs that are only created get their disks, but do not run.
        PhaseKind::Create if outline.boots_first() => Expected { name, goal: Milestone::Volume },
        _ => will_be(plan, name, StormKind::Start),
    };
    if let Some(storms) = args.repeat.repeat {
        let first = options.first_repeated(found);
        let mut phases = series::expected(found, first, storms, will);
        let missing: Vec<Expected> = outline
            .steps
            .iter()
            .copied()
            .filter(|name| !phases.iter().any(|phase| phase.name == *name))
            .map(will)
            .collect();
        phases.splice(0..0, missing);
        return (phases, Some(PhaseName { kind: PhaseKind::Storm, number: first }));
    }
    for &name in &outline.steps {
        if !phases.iter().any(|phase| phase.name == name) {
            phases.push(will(name));
        }
    }
    let storms = phases.iter().filter(|phase| phase.name.kind == PhaseKind::Storm);
    let last = storms.map(|phase| phase.name).max_by_key(|name| name.number);
    let judged = last.filter(|_| !args.no_storm).or(Some(outline.baseline));
    (phases, judged)
}

/// Reports what would follow the setup: the requests of each phase, and its time limit.
fn tell_rest(session: &Session, args: &RunCommand, outline: &Outline, vms: u32) {
    let each = args.pace.phase_timeout.map_or(args.pace.timeout, |limit| limit.min(args.pace.timeout));
    let s = if vms == 1 { "" } else { "s" };
    let requests = format!("{vms} request{s}, at most {}", duration::told(each));
    for name in &outline.steps {
        session.console.say(&format!("then {name}: {requests}"));
    }
    if let Some(storms) = args.repeat.repeat {
        session.console.say(&format!("then {storms} times a stop and a storm, each: {requests}"));
    }
    args.hooks.announce(session.console, &[PhaseKind::Create, PhaseKind::Stop, PhaseKind::Storm]);
    let all = outline.limit(each);
    let all = args.run_timeout.map_or(all, |limit| limit.min(all));
    let shaped =
        if args.launch.is_all_at_once() { "" } else { ", and the time that the storm's shape takes" };
    session.console.say(&format!("all of it takes at most {} by its limits{shaped}", duration::told(all)));
}

/// Deletes what the run created, so that it can be measured again.
async fn start_over(session: &Session, args: &RunCommand) -> Result<(), Failure> {
    if let Some(count) = clean_up(session, args).await? {
        session.console.say(&format!("deleted the previous run: {count} objects"));
    }
    match session.find(&args.run.prefix).await? {
        None => Ok(()),
        Some(_) => Err(Failure::new("the run was not deleted, so it cannot be measured again")),
    }
}

/// Cleans up, and fails if something is kept; returns the number of deleted objects.
async fn clean_up(session: &Session, args: &RunCommand) -> Result<Option<usize>, Failure> {
    let cleanup = CleanupArgs::of(&args.run, args.yes || args.sandbox);
    let Some(deleted) = Box::pin(cleanup::run(session, &cleanup)).await? else { return Ok(None) };
    cleanup::kept(&deleted, &cleanup)?;
    Ok(Some(deleted.going(cleanup.choice()).len()))
}
