//! Dry runs: prints requests instead of sending them, with secrets hidden.

use serde_json::{Value, json};

use super::plan_file::PlanFields;
use super::presentation::Output;
use super::session::Session;
use bootstorm_engine::cluster::pace::Timed;
use bootstorm_engine::cluster::{extras, machines, namespaces, probers};
use bootstorm_engine::phases::errand::manifest;
use bootstorm_engine::phases::existing::{Existing, existing};
use bootstorm_engine::phases::timed;
use bootstorm_engine::runs::phase::Prepared;
use bootstorm_model::failure::Failure;
use bootstorm_model::observe::Outcome;
use bootstorm_model::plan::Extra;
use bootstorm_model::plan::secrets::hide;
use bootstorm_model::plan::small::hide_content;
use bootstorm_model::record::{NOT_IN_STORM, PhaseKind, PhaseSettings, RunRecord};
use bootstorm_model::text;
use bootstorm_report::document;

/// A request to print
struct Planned {
    method: String,
    path: String,
    body: Value,
}

/// Prints the requests of a timed phase.
async fn requests(session: &Session, kind: PhaseKind, prepared: &Prepared) -> Result<Vec<Timed>, Failure> {
    let Prepared { record, settings, template, .. } = prepared;
    let PhaseSettings { via, halted, .. } = *settings;
    if kind == PhaseKind::Storm && !settings.kind.is_start() {
        return Ok(timed::rehearse_running(&session.cluster, record, settings.clone()).await?);
    }
    if record.plan.is_adopted() {
        return Ok(timed::rehearse(&session.cluster, record, kind, via).await?);
    }
    let mut timed = Vec::new();
    let there = match kind {
        PhaseKind::Create => Existing::default(),
        _ => existing(&session.cluster, record).await?,
    };
    let unstarted = record.last_of(PhaseKind::Create).filter(|create| create.settings.halted);
    let stopped = record.last_of(PhaseKind::Stop).or(unstarted);
    for (position, target) in record.plan.targets().iter().enumerate() {
        let was_stopped = || {
            stopped
                .and_then(|phase| phase.timelines.get(position))
                .is_some_and(|t| t.outcome == Outcome::Reached || t.reason.as_deref() == Some(NOT_IN_STORM))
        };
        timed.push(match (kind, there.ours.get(target)) {
            (PhaseKind::Create, _) => match template {
                Some(template) => {
                    machines::create(target, &manifest(record, template, position, target, halted))?
                }
                None => continue,
            },
            (PhaseKind::Stop, Some(machine)) => machines::stop(target, machine.uid(), via)?,
            (PhaseKind::Storm, Some(machine)) if was_stopped() => {
                machines::start(target, machine.uid(), via)?
            }
            _ => continue,
        });
    }
    Ok(timed)
}

/// Prints the requests of a timed phase.
pub(super) async fn phase(session: &Session, kind: PhaseKind, prepared: &Prepared) -> Result<(), Failure> {
    let planned = requests(session, kind, prepared).await?.into_iter().map(|timed| {
        let body = serde_json::from_slice(timed.request.body()).unwrap_or(Value::Null);
        Planned {
            method: timed.request.method().to_string(),
            path: timed.request.uri().path().to_owned(),
            body,
        }
    });
    print(session, &planned.collect::<Vec<_>>())
}

/// Prints the requests of setup: namespaces, and prober pods if needed; as YAML or JSON, the plan that repeats the
/// setup.
pub(super) fn setup(session: &Session, record: &RunRecord, originals: &[Value]) -> Result<(), Failure> {
    if let Some(plan) = session.plan.clone().filter(|_| session.output.is_document()) {
        return print_plan(session, record, plan);
    }
    let (prefix, run_id, probe) = (&record.plan.prefix, &record.run_id, &record.plan.probe);
    let namespace = |name: &String| {
        let manifest = namespaces::manifest(name, &record.plan, run_id);
        let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": manifest.metadata});
        Planned { method: "POST".into(), path: namespaces::collection(), body }
    };
    let prober = |number| Planned {
        method: "POST".into(),
        path: probers::collection(session.cluster.namespace()),
        body: probers::manifest(prefix, run_id, number, probe),
    };
    let beside = |name: &String| -> Vec<Planned> {
        let each = originals.iter().filter_map(|original| Some((Extra::of(original)?, original)));
        let planned = each.map(|(extra, original)| Planned {
            method: "POST".into(),
            path: extras::collection(extra.kind, name),
            body: hide_content(extras::manifest(&extra, original, name, (prefix, run_id))),
        });
        planned.collect()
    };
    let places = record.plan.namespaces();
    let names: &[String] = if record.plan.makes_namespaces() { &places } else { &[] };
    let planned = names.iter().map(namespace).chain(places.iter().flat_map(beside));
    let planned: Vec<Planned> = planned.chain((1..=probe.probers).map(prober)).collect();
    print(session, &planned)
}

fn print_plan(session: &Session, record: &RunRecord, mut plan: PlanFields) -> Result<(), Failure> {
    if let Some(choice) = record.plan.pinning.choice {
        // A random choice would differ next time.
        plan.set("single-node", &json!(choice.seed));
    }
    for field in plan.withheld() {
        session
            .console
            .warn(&format!("{field} is not in the plan, since it may hold a password; pass --{field} again"));
    }
    let unwritable =
        |error: bootstorm_report::Unwritable| Failure::new("the plan cannot be printed").because(error);
    let text = match session.output {
        Output::Json => document::json(&plan.json()).map_err(unwritable)?,
        _ => plan.yaml(),
    };
    session.console.data(&text)?;
    session.console.say("dry run: this is the plan, nothing was changed");
    Ok(())
}

fn print(session: &Session, planned: &[Planned]) -> Result<(), Failure> {
    let unwritable =
        |error: bootstorm_report::Unwritable| Failure::new("the plan cannot be printed").because(error);
    let count = planned.len();
    let all: Vec<Value> = planned
        .iter()
        .map(|planned| {
            let body = hide(planned.body.clone());
            json!({"method": planned.method, "path": planned.path, "body": body})
        })
        .collect();
    let text = match session.output {
        Output::Json => document::json(&all).map_err(unwritable)?,
        Output::Yaml => document::yaml(&all).map_err(unwritable)?,
        _ => planned.iter().map(line).collect(),
    };
    session.console.data(&text)?;
    let s = if count == 1 { "" } else { "s" };
    session.console.say(&format!("dry run: {count} request{s} would be sent, nothing was changed"));
    if !session.output.is_document() && count > 0 {
        session.console.say("see their bodies with -o yaml");
    }
    Ok(())
}

fn line(planned: &Planned) -> String {
    let shown = match planned.body.pointer("/metadata/name").and_then(Value::as_str) {
        Some(name) => format!("{} {} {name}", planned.method, planned.path),
        None => format!("{} {} {}", planned.method, planned.path, hide(planned.body.clone())),
    };
    text::line(&shown).into_owned() + "\n"
}
