//! A timed phase from beginning to end: watch, line up, launch, follow, save.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde_json::Value;

use super::board::Board;
use super::event::{Event, Listener};
use super::follow::{Following, follow};
use super::launch::launch;
use super::probing::Probing;
use super::saving::{Saver, put_phase};
use super::{Interrupt, lineup, probers, provisioning, resume};
use crate::cluster::changes::{Changes, News};
use crate::cluster::lease::Held;
use crate::cluster::machines::Machine;
use crate::cluster::names::{Role, labels, run_id_selector};
use crate::cluster::pace::Timed;
use crate::cluster::store::RunStore;
use crate::cluster::{Cluster, Kind, Trouble, machines};
use crate::observe::{Change, Clock, Fold, Milestone, Receipt, VolumeFold};
use crate::plan::manifest::HALTED;
use crate::plan::{Target, Template};
use crate::record::lifecycle::Step;
use crate::record::{PhaseKind, PhaseName, PhaseRecord, PhaseSettings, PhaseState, RunRecord};

/// How long an interrupted phase tries to save what it knows.
const LAST_SAVE: Duration = Duration::from_secs(30);

/// What a timed phase needs
pub struct Work<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// The lock on the run.
    pub lock: &'a Held,
    /// What is to be done.
    pub step: Step,
    /// How it is to be done.
    pub settings: PhaseSettings,
    /// The VM manifest; needed by create only.
    pub template: Option<&'a Template>,
    /// The user's wish to stop.
    pub interrupt: Interrupt,
    /// Who hears what happens.
    pub events: Listener<'a>,
}

/// Why a phase was cut short
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The user interrupted; everything known is saved.
    Interrupted,
    /// The lock was lost; another process may work on the run now.
    LockLost,
    /// Somebody else changed the record.
    RecordChanged,
    /// So many VMs failed that the user wants no more of it; everything known is saved.
    TooManyFailed,
}

/// Runs a phase to its end, or until it is cut short.
///
/// Fails only when the phase cannot begin or its end cannot be saved. VMs that do not reach the goal are part of
/// the record, not a failure.
pub async fn run(work: Work<'_>, record: &mut RunRecord, store: RunStore) -> Result<Option<Cut>, Trouble> {
    let targets = record.plan.targets();
    let name = work.step.name();
    let (mut phase, clock) = begin(&work, record, targets.len() as u32);
    let volumes = provisioning::open(&work, &mut phase, &record.run_id).await?;
    let probes = match name.kind {
        PhaseKind::Stop => Vec::new(),
        _ if phase.settings.halted => Vec::new(),
        _ => record.plan.probe.probes.clone(),
    };
    if !probes.is_empty() {
        phase.goal = Milestone::Reachable;
    }
    let mut changes = Changes::open(work.cluster, &run_id_selector(&record.run_id)).await?;
    let mut first = first_list(&mut changes).await;
    let machines = match work.step {
        Step::Begin(PhaseName::CREATE) => HashMap::new(),
        _ => existing(work.cluster, &record.run_id).await?,
    };
    let done = match work.step {
        Step::Begin(_) => {
            for (target, reason) in lineup::leave_out(&mut phase, &targets, &machines, &first) {
                (work.events)(&Event::LeftOut { target, reason });
            }
            HashSet::new()
        }
        Step::Continue(_) => {
            let server_zero = clock.zero_at(work.cluster.server_now());
            let done = resume::reconcile(&mut phase, &targets, &machines, server_zero);
            resume::note_gap(&mut phase, clock.now());
            first.splice(..0, resume::missed(&phase, &targets, &first));
            done
        }
    };
    let old = match name.kind {
        PhaseKind::Stop => HashSet::new(),
        _ => lineup::old_instances(record, &phase, &targets, &first),
    };
    put_phase(record, phase.clone());
    let fold = Fold::new(&targets, name.kind == PhaseKind::Stop, old);
    let mut saver = Saver::new(store, work.lock.guard());
    saver.finish(record).await?;

    let places = if probes.is_empty() { Vec::new() } else { probers::places(work.cluster, record) };
    let mut probing = if places.is_empty() {
        None
    } else {
        Some(Probing::open(work.cluster, places, &probes, probers::interval(record), clock).await?)
    };

    let requests = requests(&work, record, &phase, &targets, &done)?;
    work.cluster.warm(work.settings.concurrency.min(requests.len())).await;
    let taking_part = phase.participants().count();
    let done = phase.participants().filter(|timeline| timeline.is_over()).count();
    (work.events)(&Event::PhaseBegan { phase: name, targets: taking_part, done, goal: phase.goal });
    let mut board = Board::new(phase, clock, fold, &targets, work.events, probes);
    let server_zero = clock.zero_at(work.cluster.server_now());
    let listed = Receipt { at: clock.now(), late: true, server_zero };
    for change in &first {
        board.apply(change, listed);
    }
    if let Some((_, expected)) = &volumes {
        board.follow_volumes(VolumeFold::new(&targets, *expected));
    }
    board.expect_answers(requests.len());
    let patience = Duration::from_secs(work.settings.timeout_seconds);
    let guard = work.lock.guard();
    let launching =
        launch(work.cluster, requests, work.settings.concurrency, patience, &work.interrupt, &guard);
    let following = Following {
        cluster: work.cluster,
        record,
        targets: &targets,
        changes: &mut changes,
        volumes: volumes.map(|(volumes, _)| volumes),
        launching,
        probing: &mut probing,
        saver: &mut saver,
        interrupt: work.interrupt,
        guard,
        events: work.events,
    };
    let cut = follow(following, &mut board).await;
    let mut phase = board.phase;
    phase.state = if cut.is_some() { PhaseState::Interrupted } else { PhaseState::Done };
    phase.probing = probing.as_ref().map(Probing::health);
    phase.ended = Some(clock.now());
    phase.watched_until = phase.ended;
    put_phase(record, phase);
    phase_saved(&mut saver, record, cut).await?;
    (work.events)(&Event::PhaseEnded(name));
    Ok(cut)
}

/// Saves how the phase ended, unless the run is somebody else's by now.
///
/// Who interrupts does not wait for a cluster that does not answer; what was saved before is kept.
async fn phase_saved(saver: &mut Saver, record: &RunRecord, cut: Option<Cut>) -> Result<(), Trouble> {
    match cut {
        Some(Cut::LockLost | Cut::RecordChanged) => Ok(()),
        Some(Cut::Interrupted) => {
            let late = |_| Trouble::new("save the record", Kind::TimedOut, "the cluster does not answer");
            tokio::time::timeout(LAST_SAVE, saver.finish(record)).await.map_err(late)?
        }
        Some(Cut::TooManyFailed) | None => saver.finish(record).await,
    }
}

/// The phase as it begins or continues, and its clock.
fn begin(work: &Work<'_>, record: &RunRecord, targets: u32) -> (PhaseRecord, Clock) {
    let name = work.step.name();
    match record.phase(name) {
        Some(known) => {
            let mut phase = known.clone();
            // What the VMs are cannot change any more.
            phase.settings = PhaseSettings { halted: known.settings.halted, ..work.settings.clone() };
            phase.state = PhaseState::Open;
            let clock = Clock::resume(phase.began, phase.server_ahead_micros, work.cluster.server_ahead());
            (phase, clock)
        }
        None => {
            let clock = Clock::start();
            let mut phase = PhaseRecord::new(name, clock.began(), work.settings.clone(), targets);
            phase.server_ahead_micros = Some(work.cluster.server_ahead());
            (phase, clock)
        }
    }
}

/// The first delivery of the watch: what existed when it was opened.
async fn first_list(changes: &mut Changes) -> Vec<Change> {
    match changes.next().await.map(|received| received.news) {
        Some(News::Changes(first)) => first,
        _ => Vec::new(),
    }
}

/// The VMs of the run that exist.
async fn existing(cluster: &Cluster, run_id: &str) -> Result<HashMap<Target, Machine>, Trouble> {
    let machines = cluster.machines(&run_id_selector(run_id)).await?;
    Ok(machines.into_iter().map(|machine| (machine.target(), machine)).collect())
}

/// One request for every VM that takes part and whose request is not done already.
fn requests(
    work: &Work<'_>,
    record: &RunRecord,
    phase: &PhaseRecord,
    targets: &[Target],
    done: &HashSet<u32>,
) -> Result<Vec<(u32, Timed)>, Trouble> {
    let mut requests = Vec::with_capacity(targets.len());
    for (timeline, target) in phase.timelines.iter().zip(targets) {
        if timeline.is_over() || done.contains(&timeline.target) {
            continue;
        }
        let request = match (phase.name.kind, work.template) {
            (PhaseKind::Create, Some(template)) => {
                let position = timeline.target as usize;
                machines::create(
                    target,
                    &manifest(record, template, position, target, phase.settings.halted),
                )?
            }
            (PhaseKind::Create, None) => {
                return Err(Trouble::new("create VMs", Kind::Invalid, "there is no manifest"));
            }
            (PhaseKind::Stop, _) => machines::stop(target, work.settings.via)?,
            (PhaseKind::Storm, _) => machines::start(target, work.settings.via)?,
        };
        requests.push((timeline.target, request));
    }
    Ok(requests)
}

/// The manifest of one VM of a run, at its position in the plan.
pub fn manifest(
    record: &RunRecord,
    template: &Template,
    position: usize,
    target: &Target,
    halted: bool,
) -> Value {
    let labels = labels(&record.plan.prefix, &record.run_id, Role::Target).into_iter().collect();
    let strategy = if halted { HALTED } else { "Always" };
    template.render_at(position, target, &labels, strategy)
}
