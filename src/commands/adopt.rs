//! `setup --adopt`: existing VMs become the VMs of a run. They are not changed yet.

use super::front::Front;
use super::pace_args::DryRun;
use super::presentation::Output;
use super::session::{Context, Session};
use super::setup::SetupArgs;
use crate::console::progress::Progress;
use bootstorm_engine::cluster::lease::Held;
use bootstorm_engine::cluster::store::RunStore;
use bootstorm_engine::phases::adoption::{self, Candidate};
use bootstorm_engine::phases::{preflight, setup};
use bootstorm_engine::runs::caller::settle;
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;
use bootstorm_model::observe::clock::wall_now;
use bootstorm_model::plan::{Adoptee, Plan, Selection, Target, TemplateSource};
use bootstorm_model::probe::Probe;
use bootstorm_model::probe::binding::Wiring;
use bootstorm_model::record::RunRecord;
use bootstorm_model::text::line;
use bootstorm_report::{Adoption, AdoptionRow, Layout, Paint, document};

/// Runs the command.
pub(super) async fn command(context: &Context, args: &SetupArgs) -> Result<Exit, Failure> {
    let session = context.connect().await?;
    let selection = args.adopt.selection(session.cluster.namespace())?;
    let prefix = &args.run.prefix;
    let found = session.find(prefix).await?;
    if let Some((record, _)) = &found {
        check_same(record, &selection, args)?;
        if record.setup.done && args.dry_run.dry_run == DryRun::None {
            session.console.say(&format!("run {prefix} has adopted these VMs already"));
            show(&session, record)?;
            return Ok(Exit::Good);
        }
    }
    if args.plan.probe.resolve(0)?.probes.contains(&Probe::CloudInit) {
        return Err(Failure::usage("--probe cloud-init cannot be used with --adopt")
            .because("it adds a readiness probe, and the template of an adopted VM is never changed")
            .hint("use the guest agent instead: --probe agent"));
    }
    let candidates = adoption::look(&session.cluster, &selection, args.adopt.include_halted, prefix).await?;
    let (view, adopted, wiring) = sort(&selection, candidates);
    let layout = Layout {
        width: session.console.width(),
        cut: session.console.cuts(),
        wide: session.output == Output::Wide,
        title: true,
        headers: session.headers,
        paint: Paint::Plain,
    };
    if args.dry_run.dry_run == DryRun::Client {
        session.console.data(&text(&session, &view, &layout)?)?;
        session.console.say("dry run: nothing was changed");
        return Ok(Exit::Good);
    }
    for row in view.table(&layout).lines() {
        session.console.say(row);
    }
    if adopted.is_empty() {
        return Err(nobody(&view));
    }
    let mut plan = Plan::adopting(prefix, &selection, adopted).map_err(Failure::new)?;
    plan.probe = args.plan.probe.resolve(plan.size())?;
    let findings = preflight::check_adopted(&session.cluster, &plan, &wiring).await?;
    settle(&Front::new(session.console), &findings, args.preflight.skip_preflight)?;
    if !args.adopt.yes {
        ask(&session, &plan)?;
    }
    let (record, store) = match found {
        Some((record, store)) => (RunRecord { plan, facts: findings.facts, ..record }, Some(store)),
        None => {
            let mut record = RunRecord::new(uuid::Uuid::new_v4().to_string(), wall_now(), plan);
            record.facts = findings.facts;
            (record, None)
        }
    };
    let (run_id, mut interrupt) = (record.run_id.clone(), session.interrupt.clone());
    let work = async |lock: &Held| {
        tokio::select! {
            biased;
            outcome = locked(&session, record, store, lock.holder()) => outcome,
            () = interrupt.wait() => Err(Failure::interrupted("interrupted; no VM was changed")
                .hint(format!("to continue: kubectl bootstorm setup --ns-prefix {prefix} with the same flags"))),
        }
    };
    let record = session.runs().locked(prefix, &run_id, work).await?;
    show(&session, &record)?;
    Ok(Exit::Good)
}

/// Records the VMs, then creates the probers.
async fn locked(
    session: &Session,
    mut record: RunRecord,
    store: Option<RunStore>,
    holder: &str,
) -> Result<RunRecord, Failure> {
    let prefix = record.plan.prefix.clone();
    let mut store = setup::begin(&session.cluster, &mut record, store, holder).await?;
    store.save_adopted(&record).await?;
    let refused = adoption::mark(&session.cluster, &record).await?;
    if let Some((target, why)) = refused.first() {
        adoption::unmark(&session.cluster, &record).await?;
        return Err(Failure::new(format!("{} VMs can no longer be adopted", refused.len()))
            .because(format!("{target}: {why}"))
            .hint(format!("discard this attempt: kubectl bootstorm cleanup --ns-prefix {prefix}"))
            .hint("then repeat: kubectl bootstorm setup --adopt with the same flags"));
    }
    let progress = Progress::new(session.console);
    let events = |event: &bootstorm_engine::phases::Event| progress.hear(event);
    let made = setup::make_probers(&session.cluster, &mut record, &events).await;
    progress.finish();
    made?;
    setup::close(&mut record, &mut store).await?;
    Ok(record)
}

/// Fails if the run was set up with other VMs.
fn check_same(record: &RunRecord, selection: &Selection, args: &SetupArgs) -> Result<(), Failure> {
    let prefix = &record.plan.prefix;
    let wanted = TemplateSource::Adopted { selection: selection.to_string() };
    let probe = args.plan.probe.resolve(record.plan.size())?;
    let mut failure = Failure::new(format!("run \"{prefix}\" was set up with different settings"));
    if record.plan.template != wanted {
        failure =
            failure.because(format!("its VMs are {}, now they would be {wanted}", record.plan.template));
    } else if record.setup.done && record.plan.probe != probe {
        failure = failure.because(format!("--probe was {}, now it is {probe}", record.plan.probe));
    } else {
        return Ok(());
    }
    Err(failure
        .hint("choose another name with --ns-prefix NAME")
        .hint(format!("or clean up that run first: kubectl bootstorm cleanup --ns-prefix {prefix}")))
}

/// The lists to show, the VMs to adopt, and their network wiring.
fn sort(
    selection: &Selection,
    candidates: Vec<Candidate>,
) -> (Adoption, Vec<Adoptee>, Vec<(Target, Wiring)>) {
    let mut view = Adoption { selection: selection.to_string(), ..Adoption::default() };
    let (mut adopted, mut wiring) = (Vec::new(), Vec::new());
    for candidate in candidates {
        let mut row = AdoptionRow {
            namespace: candidate.target.namespace,
            name: candidate.target.name,
            run_strategy: candidate.setting.map(|setting| setting.to_string()),
            power: candidate.power,
            node: candidate.node,
            guest_os: candidate.system,
            kept_by: candidate.kept_by.map(|(keeper, _)| keeper.to_owned()),
            warning: candidate.kept_by.map(|(_, effect)| effect.to_owned()),
            reason: None,
        };
        match candidate.verdict {
            Ok(adoptee) => {
                wiring.push((adoptee.target.clone(), candidate.wiring));
                adopted.push(adoptee);
                view.adopted.push(row);
            }
            Err(reason) => {
                row.reason = Some(reason);
                view.excluded.push(row);
            }
        }
    }
    (view, adopted, wiring)
}

fn text(session: &Session, view: &Adoption, layout: &Layout) -> Result<String, Failure> {
    let unwritable =
        |error: bootstorm_report::Unwritable| Failure::new("the list cannot be shown").because(error);
    match session.output {
        Output::Json => document::json(view).map_err(unwritable),
        Output::Yaml => document::yaml(view).map_err(unwritable),
        Output::Name => Ok(view.names()),
        _ => Ok(view.table(layout)),
    }
}

fn nobody(view: &Adoption) -> Failure {
    let failure = Failure::new(format!("there is nothing to adopt among {}", view.selection));
    if view.excluded.is_empty() {
        return failure
            .hint("select another namespace with --adopt-namespace NAME, or all with -A")
            .hint("see the labels of VMs: kubectl get vm -A --show-labels");
    }
    failure.because(match view.excluded.len() {
        1 => "1 VM is left alone, for the reason above".to_owned(),
        vms => format!("{vms} VMs are left alone, each for the reason above"),
    })
}

fn ask(session: &Session, plan: &Plan) -> Result<(), Failure> {
    let what = format!(
        "{} VMs in {} namespaces on {}",
        plan.size(),
        adoption::namespaces(&plan.adopted),
        session.cluster.server()
    );
    if !session.console.can_ask() {
        return Err(Failure::usage(format!(
            "the run would adopt {what}, and stop them all in its first phase"
        ))
        .because("confirmation requires a terminal")
        .hint("pass --yes to adopt them, or --dry-run=client to see them"));
    }
    if session.console.confirm(&format!("Adopt {what}? They will all be stopped by the next command, stop."))
    {
        Ok(())
    } else {
        Err(Failure::new("nothing was adopted"))
    }
}

fn show(session: &Session, record: &RunRecord) -> Result<(), Failure> {
    let unwritable =
        |error: bootstorm_report::Unwritable| Failure::new("the setup cannot be shown").because(error);
    let plan = &record.plan;
    let text = match session.output {
        Output::Json => document::json(record).map_err(unwritable)?,
        Output::Yaml => document::yaml(record).map_err(unwritable)?,
        Output::Name => plan
            .targets()
            .iter()
            .map(|target| line(&format!("virtualmachine/{}", target.name)).into_owned() + "\n")
            .collect(),
        _ => format!(
            "run {0} has adopted {1} VMs; none has been changed yet\n  VMs         {2}\n  probe       {3}\n  \
             record      configmap/bootstorm-{0} in namespace {4}, which holds their original state\nnext: \
             kubectl bootstorm stop --ns-prefix {0}\nend:  kubectl bootstorm cleanup --ns-prefix {0} \
             restores them\n",
            plan.prefix,
            plan.size(),
            line(&plan.template.to_string()),
            plan.probe,
            session.cluster.namespace(),
        ),
    };
    session.console.data(&text)
}
