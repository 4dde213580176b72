//! `setup`: checks the cluster, freezes the plan, creates the namespaces.

use clap::Args;

use super::adopt_args::AdoptArgs;
use super::front::Front;
use super::pace_args::{DryRun, DryRunArgs};
use super::plan_args::{PlanArgs, RunArgs};
use super::preflight::PreflightArgs;
use super::presentation::Output;
use super::session::{Context, Session};
use super::{dry_run, show, values};
use crate::console::address;
use bootstorm_engine::runs::setup::{self, Resolved, SetupOptions};
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;
use bootstorm_model::record::RunRecord;
use bootstorm_model::text::line;

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
    let (batch_size, skip_preflight) = (args.namespace_batch_size.0, args.preflight.skip_preflight);
    let options = SetupOptions { batch_size, skip_preflight, via: None };
    let Some(record) = Box::pin(run(&session, options, resolved, args.dry_run.dry_run)).await? else {
        return Ok(Exit::Good);
    };
    let text = || match session.output {
        Output::Name => {
            let names = if record.plan.makes_namespaces() { record.plan.namespaces() } else { Vec::new() };
            names.iter().map(|name| format!("namespace/{name}\n")).collect()
        }
        _ => summary(&session, &record),
    };
    session.console.data(&show::value(session.output, "setup", &record, text)?)?;
    Ok(Exit::Good)
}

fn summary(session: &Session, record: &RunRecord) -> String {
    let plan = &record.plan;
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
    let nodes = match facts.schedulable_nodes {
        None => "number of nodes unknown".to_owned(),
        Some(1) => "1 node for VMs".to_owned(),
        Some(nodes) => format!("{nodes} nodes for VMs"),
    };
    let versions = [version(&facts.kubernetes), version(&facts.kubevirt)];
    lines.push(("cluster", format!("Kubernetes {}, KubeVirt {}, {nodes}", versions[0], versions[1])));
    let lines: String = lines.iter().map(|(name, text)| format!("  {name:<10}  {text}\n")).collect();
    let text =
        format!("run {0} is set up\n{lines}next: kubectl bootstorm create --ns-prefix {0}\n", plan.prefix);
    address::completed(&text).into_owned()
}

/// Sets a run up, or continues; returns its record, or `None` after a dry run.
pub async fn run(
    session: &Session,
    options: SetupOptions,
    resolved: Resolved,
    dry_run: DryRun,
) -> Result<Option<RunRecord>, Failure> {
    let front = Front::new(session.console);
    let prepared = Box::pin(setup::prepare(session.runs(), options, resolved, &front)).await?;
    if dry_run == DryRun::Client {
        dry_run::setup(session, &prepared.record, &prepared.originals)?;
        return Ok(None);
    }
    Box::pin(setup::run(session.runs(), prepared, &front)).await.map(Some)
}
