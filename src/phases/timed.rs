//! A timed phase from beginning to end: watch, line up, launch, follow, save.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::Value;

use super::board::Board;
use super::event::{Event, Listener};
use super::follow::{Following, follow};
use super::launch::launch;
use super::probing::Probing;
use super::saving::{Saver, put_phase};
use super::{Interrupt, lineup, probers};
use crate::cluster::changes::{Changes, News};
use crate::cluster::lease::Held;
use crate::cluster::names::{Role, labels, run_id_selector};
use crate::cluster::pace::Timed;
use crate::cluster::store::RunStore;
use crate::cluster::{Cluster, Trouble, machines};
use crate::observe::{Change, Clock, Fold, Milestone, Receipt};
use crate::plan::{Target, Template};
use crate::record::lifecycle::Step;
use crate::record::{PhaseKind, PhaseRecord, PhaseSettings, PhaseState, RunRecord};

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
}

/// Runs a phase to its end, or until it is cut short.
///
/// Fails only when the phase cannot begin or its end cannot be saved. VMs that do not reach the goal are part of
/// the record, not a failure.
pub async fn run(
    work: Work<'_>,
    record: &mut RunRecord,
    store: RunStore,
) -> Result<(RunStore, Option<Cut>), Trouble> {
    let targets = record.plan.targets();
    let name = work.step.name();
    let (mut phase, clock) = begin(&work, record, targets.len() as u32);
    let probes = match name.kind {
        PhaseKind::Stop => Vec::new(),
        _ => record.plan.probe.probes.clone(),
    };
    if !probes.is_empty() {
        phase.goal = Milestone::Reachable;
    }
    let mut changes = Changes::open(work.cluster, &run_id_selector(&record.run_id)).await?;
    let first = first_list(&mut changes).await;
    if let Step::Begin(_) = work.step {
        let machines = match name.kind {
            PhaseKind::Create => HashSet::new(),
            _ => existing(work.cluster, &record.run_id).await?,
        };
        for (target, reason) in lineup::leave_out(&mut phase, &targets, &machines, &first) {
            (work.events)(&Event::LeftOut { target, reason });
        }
    }
    put_phase(record, phase.clone());
    let old = match name.kind {
        PhaseKind::Stop => HashSet::new(),
        _ => lineup::old_instances(record, name, &targets, &first),
    };
    let fold = Fold::new(clock, &targets, name.kind == PhaseKind::Stop, old);
    let mut saver = Saver::new(store);
    saver.finish(record).await?;

    let places = if probes.is_empty() { Vec::new() } else { probers::places(work.cluster, record) };
    let mut probing = if places.is_empty() {
        None
    } else {
        Some(Probing::open(work.cluster, places, &probes, probers::interval(record), clock).await?)
    };

    let requests = requests(&work, record, &phase, &targets)?;
    work.cluster.warm(work.settings.concurrency.min(requests.len())).await;
    let taking_part = phase.participants().count();
    let done = phase.participants().filter(|timeline| timeline.is_over()).count();
    (work.events)(&Event::PhaseBegan { phase: name, targets: taking_part, done, goal: phase.goal });
    let mut board = Board::new(phase, clock, fold, &targets, work.events, probes);
    let listed = Receipt { at: clock.now(), late: true, server_ahead: work.cluster.server_ahead() };
    for change in &first {
        board.apply(change, listed);
    }
    board.expect_answers(requests.len());
    let patience = Duration::from_secs(work.settings.timeout_seconds);
    let launching = launch(work.cluster, requests, work.settings.concurrency, patience, &work.interrupt);
    let following = Following {
        cluster: work.cluster,
        record,
        targets: &targets,
        changes: &mut changes,
        launching,
        probing: &mut probing,
        saver: &mut saver,
        interrupt: work.interrupt,
        lock_lost: work.lock.lost(),
        events: work.events,
    };
    let cut = follow(following, &mut board).await;
    let mut phase = board.phase;
    phase.state = if cut.is_some() { PhaseState::Interrupted } else { PhaseState::Done };
    phase.probing = probing.as_ref().map(Probing::health);
    phase.ended = Some(clock.now());
    put_phase(record, phase);
    if !matches!(cut, Some(Cut::LockLost | Cut::RecordChanged)) {
        saver.finish(record).await?;
    }
    (work.events)(&Event::PhaseEnded(name));
    let lost = || Trouble::new("save the record", crate::cluster::Kind::Other, "the writer was lost");
    Ok((saver.into_store().ok_or_else(lost)?, cut))
}

/// The phase as it begins or continues, and its clock.
fn begin(work: &Work<'_>, record: &RunRecord, targets: u32) -> (PhaseRecord, Clock) {
    let name = work.step.name();
    match record.phase(name) {
        Some(known) => {
            let mut phase = known.clone();
            phase.settings = work.settings.clone();
            phase.state = PhaseState::Open;
            let clock = Clock::resume(phase.began);
            (phase, clock)
        }
        None => {
            let clock = Clock::start();
            (PhaseRecord::new(name, clock.began(), work.settings.clone(), targets), clock)
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
async fn existing(cluster: &Cluster, run_id: &str) -> Result<HashSet<Target>, Trouble> {
    let machines = cluster.machines(&run_id_selector(run_id)).await?;
    Ok(machines.iter().map(machines::Machine::target).collect())
}

/// One request for every VM that takes part and has not had its request accepted yet.
fn requests(
    work: &Work<'_>,
    record: &RunRecord,
    phase: &PhaseRecord,
    targets: &[Target],
) -> Result<Vec<(u32, Timed)>, Trouble> {
    let mut requests = Vec::with_capacity(targets.len());
    for (timeline, target) in phase.timelines.iter().zip(targets) {
        if timeline.is_over() || timeline.has(Milestone::Accepted) {
            continue;
        }
        let request = match (phase.name.kind, work.template) {
            (PhaseKind::Create, Some(template)) => {
                machines::create(target, &manifest(record, template, target))?
            }
            (PhaseKind::Create, None) => {
                return Err(Trouble::new(
                    "create VMs",
                    crate::cluster::Kind::Invalid,
                    "there is no manifest",
                ));
            }
            (PhaseKind::Stop, _) => machines::stop(target, work.settings.via)?,
            (PhaseKind::Storm, _) => machines::start(target, work.settings.via)?,
        };
        requests.push((timeline.target, request));
    }
    Ok(requests)
}

/// The manifest of one VM of a run.
pub fn manifest(record: &RunRecord, template: &Template, target: &Target) -> Value {
    let labels = labels(&record.plan.prefix, &record.run_id, Role::Target).into_iter().collect();
    template.render(target, &labels, "Always")
}
