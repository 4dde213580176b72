//! `setup --adopt`: existing VMs become the VMs of a run. They are not changed yet.

use super::front::Front;
use super::pace_args::DryRun;
use super::presentation::Output;
use super::session::{Context, Session};
use super::setup::SetupArgs;
use super::show;
use crate::console::address;
use bootstorm_engine::phases::adoption::{self, Candidate};
use bootstorm_engine::runs::adopt::{self, AdoptOptions};
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;
use bootstorm_model::plan::{Plan, Selection};
use bootstorm_model::record::RunRecord;
use bootstorm_model::text::line;
use bootstorm_report::{Adoption, AdoptionRow, Layout, Paint};

/// Runs the command.
pub(super) async fn command(context: &Context, args: &SetupArgs) -> Result<Exit, Failure> {
    let session = context.connect().await?;
    let options = AdoptOptions {
        prefix: &args.run.prefix,
        selection: args.adopt.selection(session.cluster.namespace())?,
        include_halted: args.adopt.include_halted,
        probe: &|vms| args.plan.probe.resolve(vms),
        skip_preflight: args.preflight.skip_preflight,
    };
    let is_dry = args.dry_run.dry_run == DryRun::Client;
    let found = adopt::find(session.runs(), &options).await?;
    if let Some((record, _)) = found.as_ref().filter(|(record, _)| record.setup.done && !is_dry) {
        session.console.say(&format!("run {} has adopted these VMs already", options.prefix));
        show_setup(&session, record)?;
        return Ok(Exit::Good);
    }
    let candidates = adopt::look(session.runs(), &options).await?;
    let view = view(&options.selection, &candidates);
    let layout = Layout {
        width: session.console.width(),
        cut: session.console.cuts(),
        wide: session.output == Output::Wide,
        title: true,
        headers: session.headers,
        paint: Paint::Plain,
    };
    if is_dry {
        let text = || if session.output == Output::Name { view.names() } else { view.table(&layout) };
        session.console.data(&show::value(session.output, "list", &view, text)?)?;
        session.console.say("dry run: nothing was changed");
        return Ok(Exit::Good);
    }
    for row in view.table(&layout).lines() {
        session.console.say(row);
    }
    let front = Front::new(session.console);
    let prepared = adopt::prepare(session.runs(), &options, found, candidates, &front).await?;
    if !args.adopt.yes {
        ask(&session, &prepared.record.plan)?;
    }
    let record = Box::pin(adopt::run(session.runs(), prepared, &front)).await?;
    show_setup(&session, &record)?;
    Ok(Exit::Good)
}

/// The lists to show.
fn view(selection: &Selection, candidates: &[Candidate]) -> Adoption {
    let mut view = Adoption { selection: selection.to_string(), ..Adoption::default() };
    for candidate in candidates {
        let row = AdoptionRow {
            namespace: candidate.target.namespace.clone(),
            name: candidate.target.name.clone(),
            run_strategy: candidate.setting.as_ref().map(ToString::to_string),
            power: candidate.power.clone(),
            node: candidate.node.clone(),
            guest_os: candidate.system.clone(),
            kept_by: candidate.kept_by.map(|(keeper, _)| keeper.to_owned()),
            warning: candidate.kept_by.map(|(_, effect)| effect.to_owned()),
            reason: candidate.verdict.as_ref().err().cloned(),
        };
        if row.reason.is_none() { view.adopted.push(row) } else { view.excluded.push(row) }
    }
    view
}

fn ask(session: &Session, plan: &Plan) -> Result<(), Failure> {
    let namespaces = adoption::namespaces(&plan.adopted);
    let what = format!(
        "{} VM{} in {namespaces} namespace{} on {}",
        plan.size(),
        if plan.size() == 1 { "" } else { "s" },
        if namespaces == 1 { "" } else { "s" },
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

fn show_setup(session: &Session, record: &RunRecord) -> Result<(), Failure> {
    let plan = &record.plan;
    let text = || match session.output {
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
    let text = || address::completed(&text()).into_owned();
    session.console.data(&show::value(session.output, "setup", record, text)?)
}
