//! A timed phase of a run: load, decide, lock, run.

use super::access::Runs;
use super::caller::{Caller, Steps, settle};
use super::settings::{PhaseOptions, note, vms};
use super::shards;
use crate::cluster::Cluster;
use crate::cluster::lease::Held;
use crate::cluster::store::RunStore;
use crate::phases::context::{Extent, PhaseContext, Start, StopReason};
use crate::phases::{draining, preflight, timed};
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;
use bootstorm_model::observe::Outcome;
use bootstorm_model::plan::{Template, TemplateSource};
use bootstorm_model::record::lifecycle::{self, Refusal, Step};
use bootstorm_model::record::{
    Cordon, PhaseKind, PhaseName, PhaseRecord, PhaseSettings, PhaseState, RunRecord, StormKind,
};

/// A phase that may run
pub struct Prepared {
    /// Record of the run, before the lock is taken.
    pub record: RunRecord,
    /// Step to run.
    pub step: Step,
    /// Settings.
    pub settings: PhaseSettings,
    /// VM manifest; needed by create only.
    pub template: Option<Template>,
}

/// Handles a create or stop whose goal is already reached, as after a crash of the calling script; returns the record
/// and the phase that reached it. A storm measures, and is never taken for a new one.
pub async fn already_done(
    runs: Runs<'_>,
    options: &PhaseOptions,
    caller: &dyn Caller,
    steps: &dyn Steps,
) -> Result<Option<(RunRecord, PhaseName)>, Failure> {
    let prefix = &options.prefix;
    let Some((record, _)) = runs.find(prefix).await? else { return Ok(None) };
    let Err(Refusal { done: Some(name), instead, .. }) =
        lifecycle::next_of(&record, options.kind, options.wanted.kind)
    else {
        return Ok(None);
    };
    let Some(phase) = record.phase(name) else { return Ok(None) };
    steps.check_plan(&record.plan)?;
    options.check_halted(&record)?;
    steps.check(&record, name)?;
    let when = phase.ended_at().unwrap_or(phase.began).strftime("%Y-%m-%dT%H:%M:%SZ");
    caller.say(&format!(
        "{name} of run {prefix} was done at {when}, nothing to do; next: kubectl bootstorm {instead} --ns-prefix {prefix}"
    ));
    Ok(Some((record, name)))
}

/// Decides about a phase. Fails if it may not run now.
pub async fn prepare(runs: Runs<'_>, options: &PhaseOptions, steps: &dyn Steps) -> Result<Prepared, Failure> {
    let prefix = &options.prefix;
    let (record, _) = runs.load(prefix).await?;
    steps.check_plan(&record.plan)?;
    let step = lifecycle::next_of(&record, options.kind, options.wanted.kind)
        .map_err(|refusal| refused(refusal, prefix))?;
    steps.check(&record, step.name())?;
    let settings = options.settings(&record, step)?;
    let template = match options.kind {
        PhaseKind::Create => Some(template(runs.cluster, &record).await?),
        PhaseKind::Stop | PhaseKind::Storm => None,
    };
    runs.cluster.conceal(template.as_ref().map(Template::secrets).unwrap_or_default());
    Ok(Prepared { record, step, settings, template })
}

/// The failure for a phase that may not run now.
pub fn refused(refusal: Refusal, prefix: &str) -> Failure {
    Failure::new(refusal.why)
        .hint(format!("run this instead: kubectl bootstorm {} --ns-prefix {prefix}", refusal.instead))
}

/// Checks the cluster before a migration or a drain begins. Fails if the preflight refuses.
pub async fn check(
    cluster: &Cluster,
    options: &PhaseOptions,
    prepared: &Prepared,
    caller: &dyn Caller,
) -> Result<(), Failure> {
    let Prepared { record, step: Step::Begin(_), settings, .. } = prepared else { return Ok(()) };
    let findings = match settings.kind {
        StormKind::Migrate => {
            preflight::check_migration(cluster, &record.plan, vms(settings, record)).await?
        }
        StormKind::Drain => preflight::check_drain(cluster, &record.plan, &settings.nodes).await?,
        StormKind::Start | StormKind::Restart | StormKind::Observed => return Ok(()),
    };
    settle(caller, &findings, options.skip_preflight)
}

/// Decides about a phase, checks the cluster, and runs it; returns the record afterwards.
pub async fn measure(
    runs: Runs<'_>,
    options: &PhaseOptions,
    caller: &dyn Caller,
    steps: &dyn Steps,
) -> Result<RunRecord, Failure> {
    let prepared = Box::pin(prepare(runs, options, steps)).await?;
    check(runs.cluster, options, &prepared, caller).await?;
    let record = Box::pin(run(runs, options, prepared, caller, steps)).await?;
    steps.ended(&record).await?;
    Ok(record)
}

/// Runs a prepared phase; returns the record afterwards.
async fn run(
    runs: Runs<'_>,
    options: &PhaseOptions,
    prepared: Prepared,
    caller: &dyn Caller,
    steps: &dyn Steps,
) -> Result<RunRecord, Failure> {
    let Prepared { record, template, .. } = prepared;
    let RunRecord { run_id, .. } = record;
    let work = async |lock: &Held| {
        // The record may have changed between the first read and the lock.
        let (record, store) = runs.load(&options.prefix).await?;
        let job = Job { runs, options, template: template.as_ref(), caller, steps, lock };
        Box::pin(job.run(record, store)).await
    };
    runs.locked(&options.prefix, &run_id, work).await
}

/// A phase whose run is locked
struct Job<'a> {
    runs: Runs<'a>,
    options: &'a PhaseOptions,
    template: Option<&'a Template>,
    caller: &'a dyn Caller,
    steps: &'a dyn Steps,
    lock: &'a Held,
}

impl Job<'_> {
    async fn run(&self, mut record: RunRecord, mut store: RunStore) -> Result<RunRecord, Failure> {
        let Self { runs, options, caller, steps, lock, .. } = *self;
        store.set_holder(lock.holder());
        let say = |text: &str| caller.say(text);
        if shards::settle(runs.cluster, &mut record, &mut store, lock, &say).await? == Some(PhaseState::Done)
        {
            // The shards had already done all of it.
            return Ok(record);
        }
        let step = lifecycle::next_of(&record, options.kind, options.wanted.kind)
            .map_err(|refusal| Failure::new(refusal.why))?;
        let settings = options.settings(&record, step)?;
        if matches!(step, Step::Begin(_))
            && let Some(note) = note(settings.shape, vms(&settings, &record))
        {
            caller.say(&note);
        }
        let plan = &record.plan;
        tracing::info!(
            run = plan.prefix,
            run_id = record.run_id,
            vms = plan.size(),
            source = %plan.template,
            probes = ?plan.probe.probes,
            phase = %step.name(),
            settings = ?settings,
            "plan"
        );
        steps.before(&mut record, step.name()).await?;
        caller.begin(options.role.place.as_deref());
        let work = PhaseContext {
            cluster: runs.cluster,
            lock,
            step,
            settings,
            template: self.template,
            gate: options.role.gate.as_deref().map(Start::Fleet),
            extent: Extent::Whole,
            interrupt: runs.interrupt.clone(),
            events: &|event| caller.hear(event),
        };
        let outcome = Box::pin(timed::run(work, &mut record, store)).await;
        caller.finish();
        let stopped = outcome.map_err(|error| {
            Failure::from(error).hint(format!("what was saved is kept; {}", options.again()))
        })?;
        if let Some(reason) = stopped {
            return Err(failure(reason, &record, options));
        }
        steps.after(&mut record, step.name(), lock).await?;
        Ok(record)
    }
}

/// The failure for a phase that ended early.
fn failure(reason: StopReason, record: &RunRecord, options: &PhaseOptions) -> Failure {
    let (prefix, again, phase) = (&options.prefix, options.again(), record.last_phase());
    match reason {
        StopReason::Interrupted => {
            let through = phase.map_or(0, |phase| phase.timelines.iter().filter(|t| t.is_over()).count());
            let all = phase.map_or(0, |phase| phase.timelines.len());
            let failure = Failure::interrupted(format!(
                "interrupted; {through} of {all} VMs had finished, everything is saved"
            ))
            .hint(again);
            let cordoned = draining::open_cordons(record);
            goes_on(options.wanted.kind, &cordoned).into_iter().fold(failure, Failure::hint)
        }
        StopReason::NotSaved => Failure::interrupted(
            "interrupted; the cluster did not answer, so the last observations could not be saved",
        )
        .hint(format!("what was saved before is kept; {again}")),
        StopReason::TooManyFailed => {
            let count = |outcome| phase.map_or(0, |phase| phase.count(outcome));
            let failed = count(Outcome::Failed) + count(Outcome::TimedOut);
            let limit = options.wanted.abort_if_failed.map(|limit| limit.to_string()).unwrap_or_default();
            let vms = if failed == 1 { "VM has" } else { "VMs have" };
            let message = format!(
                "stopped: {failed} {vms} failed or timed out, the limit of --abort-if-failed is {limit}"
            );
            Failure { exit: Exit::Missed, ..Failure::new(message) }
                .hint(format!("see which and why: kubectl bootstorm report --ns-prefix {prefix}"))
                .hint(format!("{again}, with another --abort-if-failed or without"))
        }
        StopReason::LeftOut => {
            let message = "the fleet started without it; nothing was sent, and the phase can be run alone";
            Failure { exit: Exit::Missed, ..Failure::new(message) }.hint(again)
        }
        StopReason::NothingToDrain => {
            let nodes = options.wanted.nodes.join(", ");
            Failure::new(format!(
                "no VM of run \"{prefix}\" can be evicted from {nodes}: nothing was changed"
            ))
            .hint("see where its VMs run: kubectl get vmi -A -o wide")
        }
        StopReason::LockLost => Failure::new("the lock on the run was lost; nothing was saved since then")
            .hint(format!("see who has it: kubectl bootstorm status --ns-prefix {prefix}")),
        StopReason::RecordChanged => Failure::new("another process changed the record of the run meanwhile")
            .hint(format!("see where it stands: kubectl bootstorm status --ns-prefix {prefix}")),
    }
}

/// What continues after an interrupt.
fn goes_on(storm: StormKind, cordoned: &[Cordon]) -> Option<String> {
    match storm {
        StormKind::Migrate => Some("requested migrations continue; cleanup ends them".to_owned()),
        StormKind::Drain if cordoned.is_empty() => {
            Some("evicted VMs keep leaving; the nodes accept pods again".to_owned())
        }
        StormKind::Drain => {
            let nodes: Vec<&str> = cordoned.iter().map(|cordon| cordon.node.as_str()).collect();
            let nodes = nodes.join(" ");
            Some(format!("evicted VMs keep leaving; nodes stay cordoned, so run: kubectl uncordon {nodes}"))
        }
        StormKind::Start | StormKind::Restart | StormKind::Observed => None,
    }
}

/// Manifest of the run's VMs.
pub async fn template(cluster: &Cluster, record: &RunRecord) -> Result<Template, Failure> {
    let plan = &record.plan;
    let prefix = &plan.prefix;
    let lost = |why: &str| {
        Failure::new(format!("the VM manifest of run \"{prefix}\", from {}, {why}", plan.template))
            .hint(format!("set the run up again: kubectl bootstorm cleanup --ns-prefix {prefix}"))
    };
    if let TemplateSource::Adopted { selection } = &plan.template {
        // The lifecycle prevents the creation of VMs that already exist.
        return Err(Failure::new(format!("there is nothing to create: the run has adopted {selection}")));
    }
    let Some(sha256) = plan.sealed_digest() else {
        return plan.built_in().ok_or_else(|| lost("cannot be recreated"));
    };
    let text = cluster.load_template(prefix).await?.ok_or_else(|| lost("no longer exists"))?;
    if Template::digest(&text) != sha256 {
        return Err(lost("was changed since the setup"));
    }
    let template = Template::parse(&text).map_err(|fault| lost("cannot be read").because(fault))?;
    Ok(template.with_pool(plan.template.pool()))
}

/// Exit code for a finished phase.
pub fn exit_of(phase: &PhaseRecord) -> Exit {
    let wanted = phase.timelines.len() - phase.set_aside().count();
    if phase.count(Outcome::Reached) == wanted { Exit::Good } else { Exit::Missed }
}
