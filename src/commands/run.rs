//! `run`: the guide's whole test, from setup to report.

use super::cleanup;
use super::in_cluster;
use super::pace_args::DryRun;
use super::phase::Around;
use super::presentation::Output;
use super::repeat;
use super::run_args::RunCommand;
use super::session::{Context, Session};
use super::setup;
use super::threshold_args::will_be;
use super::{series, show};
use bootstorm_engine::cluster::Connection;
use bootstorm_engine::runs::cleanup::CleanupOptions;
use bootstorm_engine::runs::phase::exit_of;
use bootstorm_engine::runs::setup::Resolved;
use bootstorm_engine::runs::whole::{self, Outline};
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

/// Runs the command.
pub async fn command(context: &Context, args: &RunCommand) -> Result<Exit, Failure> {
    // Wrong flags are reported before anything is started.
    let resolved =
        if args.sandbox { args.plan.resolve_in_sandbox(&args.run)? } else { args.plan.resolve(&args.run)? };
    if args.cleanup && !args.yes && !args.sandbox && !context.console().can_ask() {
        return Err(Failure::usage("--cleanup asks for confirmation at the end, and there is no terminal")
            .hint("pass --yes too"));
    }
    args.beside.check()?;
    args.beside.listen.start(context.console(), &args.run.prefix).await?;
    if args.beside.in_cluster.in_cluster && args.repeat.repeat.is_some() {
        return Err(Failure::usage("--repeat cannot be combined with --in-cluster")
            .hint("run the storm several times instead: kubectl bootstorm storm --in-cluster"));
    }
    if !args.sandbox {
        return within(context.connect().await?, args, resolved).await;
    }
    let (expected, judged) = expected(args, &resolved.plan, None);
    args.beside.fail_if.check(&expected, judged)?;
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

/// Remaining phases for the Job of the run.
fn planned(args: &RunCommand, outline: &Outline, record: &RunRecord) -> Result<Vec<Planned>, Failure> {
    let storm = args.storm();
    let plan = |name: PhaseName| {
        let step = if record.phase(name).is_some() { Step::Continue(name) } else { Step::Begin(name) };
        args.beside.in_cluster.plan(name, outline.options(&storm, name).settings(record, step)?)
    };
    outline.missing(record).map(plan).collect()
}

async fn phases(session: &Session, args: &RunCommand, resolved: Resolved) -> Result<Exit, Failure> {
    let last = if args.no_storm { PhaseKind::Create } else { PhaseKind::Storm };
    if let Some(record) = in_cluster::attach(session, &args.beside.in_cluster, &args.run.prefix, last).await?
    {
        let (_, judged) = expected(args, &resolved.plan, Some(&record));
        return Box::pin(report(session, args, record, Judged::At(judged), false)).await;
    }
    let options = args.options();
    let is_dry = args.dry_run.dry_run != DryRun::None;
    let found = session.find(&args.run.prefix).await?.map(|(record, _)| record);
    let found = match found {
        Some(record) if !is_dry && options.starts_over(&record) => {
            Box::pin(start_over(session, args)).await?;
            None
        }
        Some(record) if !is_dry => match args.beside.hooks.catch_up(session, &args.run.prefix).await? {
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
    args.beside.fail_if.check(&expected, judged)?;
    let vms = resolved.plan.size();
    let setting_up = setup::run(session, args.setup(), resolved, args.dry_run.dry_run);
    let Some(mut record) = Box::pin(setting_up).await? else {
        tell_rest(session, args, &options.outline(None), vms);
        return Ok(Exit::Good);
    };
    let outline = options.outline(Some(&record));
    // The baseline of a continued run may be finished; then only the final report shows it.
    let measured = record.phase(outline.baseline).is_none_or(|phase| phase.state != PhaseState::Done);
    if args.beside.in_cluster.in_cluster && outline.next(&record).is_some() {
        let planned = planned(args, &outline, &record)?;
        let prefix = &args.run.prefix;
        record = Box::pin(in_cluster::run(session, &args.beside.in_cluster, prefix, planned)).await?;
    }
    let storm = args.storm();
    let shown = |record: &RunRecord| show_first(session, args, &outline, record);
    let around = Around { then: &shown, ..Around::new(session, Some(&args.beside)) };
    let front = around.front();
    let running = whole::run(session.runs(), &outline, &storm, record, &front, &around);
    let record = Box::pin(running).await?;
    if args.repeat.repeat.is_some() {
        let again = args.repeat.again(&args.launch);
        let repeated = repeat::run(around, storm, &args.repeat, again, &args.beside.fail_if).await?;
        let judged = Judged::Done(repeated.thresholds);
        return Box::pin(report(session, args, repeated.record, judged, measured)).await;
    }
    Box::pin(report(session, args, record, Judged::At(judged), measured)).await
}

/// Saves and shows a phase before the first stop when it has ended, if requested; the last report shows the others.
fn show_first(
    session: &Session,
    args: &RunCommand,
    outline: &Outline,
    record: &RunRecord,
) -> Result<(), Failure> {
    let Some(name) = record.last_phase().map(|phase| phase.name).filter(|name| outline.precedes_stop(*name))
    else {
        return Ok(());
    };
    if args.beside.save.save_results {
        args.beside.save.save(session.console, record)?;
    }
    let in_blocks = matches!(session.output, Output::Guide | Output::Wide);
    if in_blocks && !(args.no_storm && name == outline.baseline) {
        show::phase(session, record, name.kind, Vec::new())?;
    }
    Ok(())
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
        Judged::At(judged) => args.beside.fail_if.judge(&record, judged),
    };
    let baseline = args.options().outline(Some(&record)).baseline;
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
    args.beside.finish(session, &record, &thresholds).await?;
    if args.cleanup
        && let Some(count) = clean_up(session, args).await?
    {
        session.console.say(&format!("cleaned up: {count} objects deleted, nothing is left"));
    }
    let exit = record.phases.iter().map(|phase| exit_of(&phase.look())).max().unwrap_or(Exit::Good);
    Ok(args.beside.fail_if.exit(session, &thresholds, exit))
}

/// Phases of the run at its end, and the one that is judged.
fn expected(args: &RunCommand, plan: &Plan, found: Option<&RunRecord>) -> (Vec<Expected>, Option<PhaseName>) {
    let mut phases: Vec<Expected> =
        found.map_or_else(Vec::new, |record| record.phases.iter().map(Expected::from).collect());
    let options = args.options();
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
    args.beside.hooks.announce(session.console, &[PhaseKind::Create, PhaseKind::Stop, PhaseKind::Storm]);
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
    let options = CleanupOptions::of(&args.run.prefix);
    let cleaning = cleanup::run(session, &options, args.yes || args.sandbox);
    let Some(deleted) = Box::pin(cleaning).await? else { return Ok(None) };
    options.check_kept(&deleted)?;
    Ok(Some(deleted.going(options.choice).len()))
}
