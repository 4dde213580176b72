//! Setup of a run whose VMs are created: check, freeze the plan, create what the VMs need.

use serde_json::Value;

use super::access::Runs;
use super::caller::{Caller, settle};
use crate::cluster::Cluster;
use crate::cluster::lease::Held;
use crate::cluster::store::RunStore;
use crate::phases::preflight::{Findings, Wanted};
use crate::phases::{preflight, setup};
use bootstorm_model::failure::Failure;
use bootstorm_model::observe::clock::wall_now;
use bootstorm_model::plan::small::secret_texts;
use bootstorm_model::plan::{Extra, Plan, Template, TemplateSource};
use bootstorm_model::record::{RunRecord, Via, lifecycle};

/// A plan, and the text of the user's manifest if there is one
#[derive(Debug, Clone)]
pub struct Resolved {
    /// Plan.
    pub plan: Plan,
    /// Manifest of the VMs.
    pub template: Template,
    /// Its text for a Secret; `None` if the plan determines it.
    pub text: Option<String>,
}

/// Options of a setup
#[derive(Debug, Clone, Copy)]
pub struct SetupOptions {
    /// Namespaces created in parallel; absent means that it follows the number of nodes.
    pub batch_size: Option<usize>,
    /// Whether problems of the preflight are only warnings.
    pub skip_preflight: bool,
    /// Method of switching power, if already known.
    pub via: Option<Via>,
}

/// A setup that may begin, or continue
pub struct Prepared {
    /// Record of the run.
    pub record: RunRecord,
    /// Small objects created beside the VMs.
    pub originals: Vec<Value>,
    store: Option<RunStore>,
    resolved: Resolved,
    findings: Findings,
    options: SetupOptions,
}

/// Checks the plan, the cluster and what an earlier setup has made. Fails if the setup may not begin.
pub async fn prepare(
    runs: Runs<'_>,
    options: SetupOptions,
    mut resolved: Resolved,
    caller: &dyn Caller,
) -> Result<Prepared, Failure> {
    let cluster = runs.cluster;
    cluster.conceal(resolved.template.secrets());
    let (found, store) = runs.find(&resolved.plan.prefix).await?.unzip();
    if let Some(record) = &found {
        keep_drawn(cluster, record, &mut resolved).await?;
        if let Some(why) = lifecycle::cleaned(record) {
            let prefix = &record.plan.prefix;
            return Err(Failure::new(why)
                .hint(format!("delete its record first: kubectl bootstorm cleanup --ns-prefix {prefix}"))
                .hint("or choose another name with --ns-prefix"));
        }
        resolved.plan.pinning.continue_from(&record.plan.pinning);
        // Nodes may be named by their hostnames, so they are compared once their names are known.
        let pinning = record.plan.pinning.clone();
        check_same(&record.plan, &Plan { pinning, ..resolved.plan.clone() })?;
    }
    let disks = resolved.template.disks();
    let beside: Vec<Extra> = resolved.template.companions().iter().filter_map(Extra::of).collect();
    let wanted = Wanted {
        plan: &resolved.plan,
        manifest: resolved.template.manifest(),
        disks: &disks,
        beside: &beside,
        run_id: found.as_ref().map(|record| record.run_id.as_str()),
        fresh: found.as_ref().is_none_or(|record| record.phases.is_empty()),
        via: options.via,
    };
    let findings = preflight::check(cluster, &wanted).await?;
    if let Some(pinning) = &findings.pinning {
        resolved.plan.pinning.clone_from(pinning);
    }
    if let Some(record) = &found {
        check_same(&record.plan, &resolved.plan)?;
    }
    // What was left out of the file may be what the preflight misses.
    warn_of_template(&resolved.template, caller);
    settle(caller, &findings, options.skip_preflight)?;
    let originals = if found.as_ref().is_some_and(|record| record.setup.done) {
        Vec::new()
    } else {
        setup::originals(cluster, &resolved.plan, &resolved.template).await?
    };
    let copied = originals.iter().flat_map(secret_texts);
    cluster.conceal(resolved.template.secrets().into_iter().chain(copied).collect());
    let record = found.unwrap_or_else(|| {
        let id = uuid::Uuid::new_v4().to_string();
        let facts = findings.facts.clone();
        RunRecord { facts, ..RunRecord::new(id, wall_now(), resolved.plan.clone()) }
    });
    Ok(Prepared { record, originals, store, resolved, findings, options })
}

/// Sets a run up; returns its record.
pub async fn run(runs: Runs<'_>, prepared: Prepared, caller: &dyn Caller) -> Result<RunRecord, Failure> {
    let prefix = prepared.record.plan.prefix.clone();
    let run_id = prepared.record.run_id.clone();
    let mut interrupt = runs.interrupt.clone();
    let work = async |lock: &Held| {
        tokio::select! {
            biased;
            outcome = prepared.locked(runs, lock.holder(), caller) => outcome,
            () = interrupt.wait() => Err(interrupted(&prefix)),
        }
    };
    runs.locked(&prefix, &run_id, work).await
}

fn interrupted(prefix: &str) -> Failure {
    Failure::interrupted("interrupted; what was created so far is kept").hint(again(prefix))
}

/// The command that continues a setup.
pub(super) fn again(prefix: &str) -> String {
    format!("to continue: kubectl bootstorm setup --ns-prefix {prefix} with the same flags")
}

impl Prepared {
    /// Sets up while holding the lock.
    async fn locked(self, runs: Runs<'_>, holder: &str, caller: &dyn Caller) -> Result<RunRecord, Failure> {
        let Self { mut record, originals, store, resolved, findings, options } = self;
        let cluster = runs.cluster;
        let mut store = setup::begin(cluster, &mut record, store, holder).await?;
        if let Some(text) = &resolved.text {
            record.made.secret = Some(cluster.save_template(&record, text).await?);
            store.save(&record, None).await?;
        }
        let batch_size = options.batch_size.unwrap_or_else(|| setup::batch_size(findings.facts.nodes));
        let (what, interrupt) = ((batch_size, originals.as_slice()), runs.interrupt.clone());
        let events = |event: &_| caller.hear(event);
        let made = setup::make_namespaces(cluster, &mut record, &mut store, what, interrupt, &events).await;
        caller.finish();
        if made?.is_some() {
            return Err(interrupted(&record.plan.prefix));
        }
        if record.phases.is_empty() {
            // Limits that came with the namespaces may leave no room for the VMs.
            let (plan, manifest) = (&resolved.plan, resolved.template.manifest());
            let limits = preflight::quota::check(cluster, plan, manifest, findings.needs.as_ref()).await?;
            settle(caller, &limits, options.skip_preflight)?;
            let trial = preflight::trial::check(cluster, &record, &resolved.template).await;
            settle(caller, &trial, options.skip_preflight)?;
        }
        setup::close(&mut record, &mut store).await?;
        Ok(record)
    }
}

/// Continues with the random values from the first setup, if the file and its parameters are the same.
async fn keep_drawn(cluster: &Cluster, record: &RunRecord, resolved: &mut Resolved) -> Result<(), Failure> {
    let drawn = |plan: &Plan| match &plan.template {
        TemplateSource::File { drawn_from, .. } => drawn_from.clone(),
        _ => None,
    };
    let is_same = drawn(&record.plan).is_some_and(|before| drawn(&resolved.plan) == Some(before));
    if !is_same || record.plan.overrides != resolved.plan.overrides {
        return Ok(());
    }
    let Some(text) = cluster.load_template(&record.plan.prefix).await? else { return Ok(()) };
    if record.plan.sealed_digest() == Some(Template::digest(&text).as_str())
        && let Ok(template) = Template::parse(&text)
    {
        resolved.plan.template = record.plan.template.clone();
        cluster.conceal(template.secrets());
        resolved.template = template;
        resolved.text = Some(text);
    }
    Ok(())
}

/// Fails if the run was set up with another plan.
fn check_same(before: &Plan, now: &Plan) -> Result<(), Failure> {
    let differences = before.differences(now);
    if differences.is_empty() {
        return Ok(());
    }
    let prefix = &before.prefix;
    let mut failure = Failure::new(format!("run \"{prefix}\" was set up with different settings"));
    for (flag, before, now) in differences {
        failure = failure.because(format!("{flag} was {before}, now it is {now}"));
    }
    Err(failure
        .hint("choose another name with --ns-prefix NAME")
        .hint(format!("or delete that run first: kubectl bootstorm cleanup --ns-prefix {prefix}")))
}

/// Warns about places in the manifest that other readers interpret differently.
fn warn_of_template(template: &Template, caller: &dyn Caller) {
    for warning in template.warnings() {
        caller.warn(&format!("manifest, {warning}"));
    }
    for notice in template.notices() {
        caller.say(&format!("manifest: {notice}"));
    }
}
