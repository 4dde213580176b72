//! `setup`: checks the cluster, freezes the plan, creates the namespaces.

use clap::Args;
use serde_json::Value;

use super::adopt_args::AdoptArgs;
use super::pace_args::{DryRun, DryRunArgs};
use super::plan_args::{PlanArgs, Resolved, RunArgs};
use super::preflight::PreflightArgs;
use super::presentation::Output;
use super::session::{Context, Session};
use super::{dry_run, values};
use crate::console::progress::Progress;
use bootstorm_engine::cluster::store::RunStore;
use bootstorm_engine::phases::preflight::{Findings, Wanted};
use bootstorm_engine::phases::{preflight, setup};
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;
use bootstorm_model::observe::clock::wall_now;
use bootstorm_model::plan::small::secret_texts;
use bootstorm_model::plan::{Extra, Plan, Template, TemplateSource};
use bootstorm_model::record::{RunRecord, Via, lifecycle};
use bootstorm_model::text::line;
use bootstorm_report::document;

/// Check the cluster, fix the plan, create the namespaces
///
/// Checks that KubeVirt is installed, that you have all permissions the run needs, that names are free, and that nodes
/// and quotas have room for all VMs; refuses with exit code 5 otherwise. Then saves the plan in a ConfigMap and creates
/// one namespace per VM, in parallel batches. Repeat it to continue after an interrupt. It never changes a namespace
/// that it did not create.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  # 10 VMs in namespaces boot-storm-test-1 to boot-storm-test-10
  kubectl bootstorm setup

  # 100 VMs from your manifest, as a separate run
  kubectl bootstorm setup --ns-prefix friday --end 100 -f my-vm.yaml

  # Show what would be created
  kubectl bootstorm setup --end 100 --dry-run=client

  # A storm on existing VMs: list them, then adopt them; cleanup restores them
  kubectl bootstorm setup --ns-prefix maintenance --adopt -l tier=web --adopt-namespace shop --dry-run
  kubectl bootstorm setup --ns-prefix maintenance --adopt -l tier=web --adopt-namespace shop")]
pub struct SetupArgs {
    #[command(flatten)]
    pub run: RunArgs,
    #[command(flatten)]
    pub plan: PlanArgs,
    #[command(flatten)]
    pub adopt: AdoptArgs,
    /// Namespaces created in parallel; auto follows the number of nodes
    #[arg(long, value_name = "N|auto", default_value = "auto", value_parser = values::batch_size)]
    pub namespace_batch_size: values::BatchSize,
    #[command(flatten)]
    pub preflight: PreflightArgs,
    #[command(flatten)]
    pub dry_run: DryRunArgs,
}

/// Runs the command for VMs that are created.
pub async fn command(context: &Context, args: &SetupArgs) -> Result<Exit, Failure> {
    let resolved = args.plan.resolve(&args.run)?;
    let session = context.connect().await?;
    let Some(record) = Box::pin(run(&session, args, resolved, None)).await? else { return Ok(Exit::Good) };
    let unwritable =
        |error: bootstorm_report::Unwritable| Failure::new("the setup cannot be shown").because(error);
    let text = match session.output {
        Output::Name => {
            let names = if record.plan.makes_namespaces() { record.plan.namespaces() } else { Vec::new() };
            names.iter().map(|name| format!("namespace/{name}\n")).collect()
        }
        Output::Json => document::json(&record).map_err(unwritable)?,
        Output::Yaml => document::yaml(&record).map_err(unwritable)?,
        _ => summary(&session, &record),
    };
    session.console.data(&text)?;
    Ok(Exit::Good)
}

fn summary(session: &Session, record: &RunRecord) -> String {
    let plan = &record.plan;
    let unknown = || "unknown".to_owned();
    let mut lines = vec![
        ("VMs", format!("{} named {}, from {}", plan.size(), plan.vm_name, line(&plan.template.to_string()))),
        ("namespaces", plan.layout.describe(&plan.prefix, (plan.start, plan.end))),
    ];
    if plan.makes_namespaces() {
        let setup = &record.setup;
        lines[1].1.push_str(&format!(", {} made in {}", setup.namespaces, setup.took));
    }
    if !plan.extras.is_empty() {
        let names: Vec<String> = plan.extras.iter().map(ToString::to_string).collect();
        lines.push(("beside VMs", format!("{}, in each namespace", line(&names.join(", ")))));
    }
    if !plan.pinning.is_default() {
        lines.push(("nodes", line(&plan.pinning.to_string()).into_owned()));
    }
    lines.push(("probe", plan.probe.to_string()));
    let place = session.cluster.namespace();
    lines.push(("record", format!("configmap/bootstorm-{} in namespace {place}", plan.prefix)));
    let facts = &record.facts;
    let version = |found: &Option<String>| line(found.as_deref().unwrap_or("unknown")).into_owned();
    let nodes = facts.schedulable_nodes.map_or_else(unknown, |nodes| nodes.to_string());
    let versions = [version(&facts.kubernetes), version(&facts.kubevirt)];
    lines.push((
        "cluster",
        format!("Kubernetes {}, KubeVirt {}, {nodes} nodes for VMs", versions[0], versions[1]),
    ));
    let lines: String = lines.iter().map(|(name, text)| format!("  {name:<10}  {text}\n")).collect();
    format!("run {0} is set up\n{lines}next: kubectl bootstorm create --ns-prefix {0}\n", plan.prefix)
}

/// Sets a run up, or continues; returns its record, or `None` after a dry run.
pub async fn run(
    session: &Session,
    args: &SetupArgs,
    mut resolved: Resolved,
    via: Option<Via>,
) -> Result<Option<RunRecord>, Failure> {
    session.cluster.conceal(resolved.template.secrets());
    let found = session.find(&resolved.plan.prefix).await?;
    if let Some((record, _)) = &found {
        keep_drawn(session, record, &mut resolved).await?;
    }
    if let Some((record, _)) = &found {
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
    let run_id = found.as_ref().map(|(record, _)| record.run_id.clone());
    let disks = resolved.template.disks();
    let beside: Vec<Extra> = resolved.template.companions().iter().filter_map(Extra::of).collect();
    let wanted = Wanted {
        plan: &resolved.plan,
        manifest: resolved.template.manifest(),
        disks: &disks,
        beside: &beside,
        run_id: run_id.as_deref(),
        fresh: found.as_ref().is_none_or(|(record, _)| record.phases.is_empty()),
        via,
    };
    let findings = preflight::check(&session.cluster, &wanted).await?;
    if let Some(pinning) = &findings.pinning {
        resolved.plan.pinning.clone_from(pinning);
    }
    if let Some((record, _)) = &found {
        check_same(&record.plan, &resolved.plan)?;
    }
    args.preflight.settle(session, &findings)?;
    let facts = findings.facts.clone();
    let batch_size = match args.namespace_batch_size {
        values::BatchSize::Auto => setup::batch_size(facts.nodes),
        values::BatchSize::Fixed(size) => size,
    };
    let fresh = || {
        let id = uuid::Uuid::new_v4().to_string();
        let mut record = RunRecord::new(id, wall_now(), resolved.plan.clone());
        record.facts = facts;
        record
    };
    warn_of_template(session, &resolved);
    let is_set_up = found.as_ref().is_some_and(|(record, _)| record.setup.done);
    let originals = if is_set_up {
        Vec::new()
    } else {
        setup::originals(&session.cluster, &resolved.plan, &resolved.template).await?
    };
    let copied = originals.iter().flat_map(secret_texts);
    session.cluster.conceal(resolved.template.secrets().into_iter().chain(copied).collect());
    let record = found.as_ref().map_or_else(fresh, |(record, _)| record.clone());
    if args.dry_run.dry_run == DryRun::Client {
        dry_run::setup(session, &record, &originals)?;
        return Ok(None);
    }
    let lock = session.lock(&record.plan.prefix, &record.run_id).await?;
    let store = found.map(|(_, store)| store);
    let job = Job { args, resolved: &resolved, findings: &findings, batch_size, originals: &originals };
    let prefix = record.plan.prefix.clone();
    let mut interrupt = session.interrupt.clone();
    let outcome = tokio::select! {
        biased;
        outcome = job.locked(session, record, store, lock.holder()) => outcome,
        () = interrupt.wait() => Err(interrupted(&prefix)),
    };
    lock.release().await;
    outcome.map(Some)
}

fn interrupted(prefix: &str) -> Failure {
    Failure::interrupted("interrupted; what was made so far is kept")
        .hint(format!("go on: kubectl bootstorm setup --ns-prefix {prefix} with the same flags"))
}

/// Objects to set up
struct Job<'a> {
    args: &'a SetupArgs,
    resolved: &'a Resolved,
    findings: &'a Findings,
    batch_size: usize,
    /// Small objects created beside the VMs.
    originals: &'a [Value],
}

impl Job<'_> {
    /// Sets up while holding the lock.
    async fn locked(
        &self,
        session: &Session,
        mut record: RunRecord,
        store: Option<RunStore>,
        holder: &str,
    ) -> Result<RunRecord, Failure> {
        let prefix = record.plan.prefix.clone();
        let mut store = setup::begin(&session.cluster, &mut record, store, holder).await?;
        if let Some(text) = &self.resolved.text {
            record.made.secret = Some(session.cluster.save_template(&record, text).await?);
            store.save(&record, None).await?;
        }
        let progress = Progress::new(session.console);
        let events = |event: &bootstorm_engine::phases::Event| progress.hear(event);
        let interrupt = session.interrupt.clone();
        let (cluster, what) = (&session.cluster, (self.batch_size, self.originals));
        let made = setup::make_namespaces(cluster, &mut record, &mut store, what, interrupt, &events).await;
        progress.finish();
        if made?.is_some() {
            return Err(interrupted(&prefix));
        }
        if record.phases.is_empty() {
            self.check_limits(session).await?;
            let trial = preflight::trial::check(cluster, &record, &self.resolved.template).await;
            self.args.preflight.settle(session, &trial)?;
        }
        setup::close(&mut record, &mut store).await?;
        Ok(record)
    }

    /// Refuses if limits that came with the namespaces leave no room for the VMs.
    async fn check_limits(&self, session: &Session) -> Result<(), Failure> {
        let (plan, manifest) = (&self.resolved.plan, self.resolved.template.manifest());
        let needs = self.findings.needs.as_ref();
        let limits = preflight::quota::check(&session.cluster, plan, manifest, needs).await?;
        self.args.preflight.settle(session, &limits)
    }
}

/// Continues with the random values from the first setup, if the file and its parameters are the same.
async fn keep_drawn(session: &Session, record: &RunRecord, resolved: &mut Resolved) -> Result<(), Failure> {
    let drawn = |plan: &Plan| match &plan.template {
        TemplateSource::File { drawn_from, .. } => drawn_from.clone(),
        _ => None,
    };
    let is_same = drawn(&record.plan).is_some_and(|before| drawn(&resolved.plan) == Some(before));
    if !is_same || record.plan.overrides != resolved.plan.overrides {
        return Ok(());
    }
    let Some(text) = session.cluster.load_template(&record.plan.prefix).await? else { return Ok(()) };
    if record.plan.sealed_digest() == Some(Template::digest(&text).as_str())
        && let Ok(template) = Template::parse(&text)
    {
        resolved.plan.template = record.plan.template.clone();
        session.cluster.conceal(template.secrets());
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
    let mut failure = Failure::new(format!("run \"{prefix}\" was set up with other settings"));
    for (flag, before, now) in differences {
        failure = failure.because(format!("{flag} was {before}, now it is {now}"));
    }
    Err(failure
        .hint("choose another name with --ns-prefix NAME")
        .hint(format!("or delete that run first: kubectl bootstorm cleanup --ns-prefix {prefix}")))
}

/// Warns about places in the manifest that other readers interpret differently.
fn warn_of_template(session: &Session, resolved: &Resolved) {
    for warning in resolved.template.warnings() {
        session.console.warn(&format!("manifest, {warning}"));
    }
    for notice in resolved.template.notices() {
        session.console.say(&format!("manifest: {notice}"));
    }
}
