//! Setup of a run that adopts existing VMs: choose, check, record, mark. They are not changed yet.

use super::caller::{Caller, settle};
use super::{Runs, setup};
use crate::cluster::lease::Held;
use crate::cluster::store::RunStore;
use crate::phases::adoption::{self, Candidate};
use crate::phases::preflight;
use crate::phases::setup::{begin, close, make_probers};
use bootstorm_model::failure::Failure;
use bootstorm_model::observe::clock::wall_now;
use bootstorm_model::plan::{Plan, Selection, TemplateSource};
use bootstorm_model::probe::{Probe, ProbePlan};
use bootstorm_model::record::RunRecord;

/// What to adopt
pub struct AdoptOptions<'a> {
    /// Name of the run.
    pub prefix: &'a str,
    /// The selected VMs.
    pub selection: Selection,
    /// Whether VMs that are off are adopted, too.
    pub include_halted: bool,
    /// Probes for this number of VMs.
    pub probe: &'a dyn Fn(u32) -> Result<ProbePlan, Failure>,
    /// Whether problems of the preflight are only warnings.
    pub skip_preflight: bool,
}

/// A run and its store
pub type Opened = (RunRecord, RunStore);

/// An adoption that may begin, or continue
pub struct Prepared {
    /// Record of the run.
    pub record: RunRecord,
    store: Option<RunStore>,
}

/// The run, if it was set up before. Fails if that was with other VMs.
pub async fn find(runs: Runs<'_>, options: &AdoptOptions<'_>) -> Result<Option<Opened>, Failure> {
    let found = runs.find(options.prefix).await?;
    if let Some((record, _)) = &found {
        check_same(record, options)?;
    }
    Ok(found)
}

/// The selected VMs, each with its verdict.
pub async fn look(runs: Runs<'_>, options: &AdoptOptions<'_>) -> Result<Vec<Candidate>, Failure> {
    if (options.probe)(0)?.probes.contains(&Probe::CloudInit) {
        return Err(Failure::usage("--probe cloud-init cannot be used with --adopt")
            .because("it adds a readiness probe, and the template of an adopted VM is never changed")
            .hint("use the guest agent instead: --probe agent"));
    }
    let AdoptOptions { prefix, selection, include_halted, .. } = options;
    Ok(adoption::look(runs.cluster, selection, *include_halted, prefix).await?)
}

/// Plans the adoption, and checks the cluster. Fails if there is nothing to adopt, and if the preflight refuses.
pub async fn prepare(
    runs: Runs<'_>,
    options: &AdoptOptions<'_>,
    found: Option<Opened>,
    candidates: Vec<Candidate>,
    caller: &dyn Caller,
) -> Result<Prepared, Failure> {
    let all = candidates.len();
    let suitable =
        candidates.into_iter().filter_map(|candidate| Some((candidate.verdict.ok()?, candidate.wiring)));
    let (adopted, wiring): (Vec<_>, Vec<_>) =
        suitable.map(|(vm, wiring)| (vm.clone(), (vm.target, wiring))).unzip();
    if adopted.is_empty() {
        return Err(nobody(&options.selection, all));
    }
    let mut plan = Plan::adopting(options.prefix, &options.selection, adopted).map_err(Failure::new)?;
    plan.probe = (options.probe)(plan.size())?;
    let findings = preflight::check_adopted(runs.cluster, &plan, &wiring).await?;
    settle(caller, &findings, options.skip_preflight)?;
    let (record, store) = found.unzip();
    let record = match record {
        Some(record) => RunRecord { plan, ..record },
        None => RunRecord::new(uuid::Uuid::new_v4().to_string(), wall_now(), plan),
    };
    Ok(Prepared { record: RunRecord { facts: findings.facts, ..record }, store })
}

/// Adopts the VMs; returns the record of the run.
pub async fn run(runs: Runs<'_>, prepared: Prepared, caller: &dyn Caller) -> Result<RunRecord, Failure> {
    let Prepared { record, store } = prepared;
    let (prefix, run_id) = (record.plan.prefix.clone(), record.run_id.clone());
    let mut interrupt = runs.interrupt.clone();
    let work = async |lock: &Held| {
        tokio::select! {
            biased;
            outcome = locked(runs, record, store, lock.holder(), caller) => outcome,
            () = interrupt.wait() => {
                Err(Failure::interrupted("interrupted; no VM was changed").hint(setup::again(&prefix)))
            }
        }
    };
    runs.locked(&prefix, &run_id, work).await
}

/// Records the VMs, then creates the probers.
async fn locked(
    runs: Runs<'_>,
    mut record: RunRecord,
    store: Option<RunStore>,
    holder: &str,
    caller: &dyn Caller,
) -> Result<RunRecord, Failure> {
    let cluster = runs.cluster;
    let mut store = begin(cluster, &mut record, store, holder).await?;
    store.save_adopted(&record).await?;
    let refused = adoption::mark(cluster, &record).await?;
    if let Some((target, why)) = refused.first() {
        adoption::unmark(cluster, &record).await?;
        let prefix = &record.plan.prefix;
        return Err(Failure::new(format!("{} VMs can no longer be adopted", refused.len()))
            .because(format!("{target}: {why}"))
            .hint(format!("discard this attempt: kubectl bootstorm cleanup --ns-prefix {prefix}"))
            .hint("then repeat: kubectl bootstorm setup --adopt with the same flags"));
    }
    let made = make_probers(cluster, &mut record, &|event| caller.hear(event)).await;
    caller.finish();
    made?;
    close(&mut record, &mut store).await?;
    Ok(record)
}

/// Fails if the run was set up with other VMs.
fn check_same(record: &RunRecord, options: &AdoptOptions<'_>) -> Result<(), Failure> {
    let prefix = &record.plan.prefix;
    let wanted = TemplateSource::Adopted { selection: options.selection.to_string() };
    let probe = (options.probe)(record.plan.size())?;
    let mut failure = Failure::new(format!("run \"{prefix}\" was set up with different settings"));
    if record.plan.template != wanted {
        failure = failure.because(format!("its VMs are {}; now: {wanted}", record.plan.template));
    } else if record.setup.done && record.plan.probe != probe {
        failure = failure.because(format!("--probe was {}, now it is {probe}", record.plan.probe));
    } else {
        return Ok(());
    }
    Err(failure
        .hint("choose another name with --ns-prefix NAME")
        .hint(format!("or clean up that run first: kubectl bootstorm cleanup --ns-prefix {prefix}")))
}

/// The failure for a selection of which no VM is suitable.
fn nobody(selection: &Selection, excluded: usize) -> Failure {
    let failure = Failure::new(format!("there is nothing to adopt among {selection}"));
    match excluded {
        0 => failure
            .hint("select another namespace with --adopt-namespace NAME, or all with -A")
            .hint("see the labels of VMs: kubectl get vm -A --show-labels"),
        1 => failure.because("1 VM is left alone, for the reason above"),
        vms => failure.because(format!("{vms} VMs are left alone, each for the reason above")),
    }
}
