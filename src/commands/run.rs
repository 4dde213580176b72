//! `run`: the guide's whole test, from setup to report.

mod clean;
mod expected;
mod result;

use super::around::Around;
use super::in_cluster;
use super::pace_args::DryRun;
use super::repeat;
use super::run_args::RunCommand;
use super::session::{Context, Session};
use super::setup;
use bootstorm_engine::cluster::Connection;
use bootstorm_engine::runs::setup::Resolved;
use bootstorm_engine::runs::whole::{self, Outline};
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;
use bootstorm_model::record::lifecycle::Step;
use bootstorm_model::record::{PhaseKind, PhaseName, PhaseState, RunRecord};
use bootstorm_model::shards::Planned;
use clean::start_over;
use expected::{expected, tell_rest};
use result::{Judged, report, show_first};

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
    let mut storm = args.storm();
    storm.role.is_of_run = true;
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
        Some(record) if is_dry && options.starts_over(&record) => {
            session.console.say("first, what the run created would be deleted (--fresh)");
            None
        }
        Some(record) if is_dry => {
            options.refuse_finished(&record)?;
            Some(record)
        }
        Some(record) => match args.beside.hooks.catch_up(session, &args.run.prefix).await? {
            Some(record) => Some(record),
            None => {
                options.refuse_finished(&record)?;
                Some(record)
            }
        },
        None => None,
    };
    if let Some(record) = &found {
        options.check_baseline(record)?;
    }
    let (expected, judged) = expected(args, &resolved.plan, found.as_ref());
    args.beside.fail_if.check(&expected, judged)?;
    let (vms, is_probed) = (resolved.plan.size(), !resolved.plan.probe.probes.is_empty());
    if let Some(record) = found.as_ref().filter(|record| is_dry && record.setup.done) {
        session.console.say(&format!("run {} is set up already", args.run.prefix));
        let mut outline = options.outline(Some(record));
        outline.steps = outline.missing(record).collect();
        tell_rest(session, args, &outline, vms, is_probed);
        return Ok(Exit::Good);
    }
    let setting_up = setup::run(session, args.setup(), resolved, args.dry_run.dry_run);
    let Some(mut record) = Box::pin(setting_up).await? else {
        tell_rest(session, args, &options.outline(None), vms, is_probed);
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
