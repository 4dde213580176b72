//! A timed phase from beginning to end: watch, line up, launch, follow, save.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep_until;

use super::context::{Extent, PhaseContext, Start, StopReason};
use super::errand::{Errand, Maker};
use super::event::Event;
use super::existing::{Existing, existing};
use super::follow::{Following, follow};
use super::ground::Ground;
use super::health::Checkup;
use super::launch::{Launch, Scheduled};
use super::migrating::UnderWay;
use super::probing::Probing;
use super::saving::Saver;
use super::{adopted, draining, eligibility, insight, migrating, probers, provisioning, resume, saving};
use crate::cluster::changes::{ChangeEvent, Changes};
use crate::cluster::launchers::Evictable;
use crate::cluster::machines::Standing;
use crate::cluster::migrations::objects;
use crate::cluster::names::run_id_selector;
use crate::cluster::pace::Timed;
use crate::cluster::scope::Scope;
use crate::cluster::stall::Stalls;
use crate::cluster::store::RunStore;
use crate::cluster::watch::Needs;
use crate::cluster::{Cluster, ClusterError, Kind, evictions, migrations};
use crate::streams::Streams;
use bootstorm_model::observation::{Observation, What};
use bootstorm_model::observe::{
    Change, Clock, Fold, LauncherFold, MigrationFold, Milestone, Timeline, VolumeFold,
};
use bootstorm_model::plan::Target;
use bootstorm_model::plan::shape::Due;
use bootstorm_model::record::lifecycle::Step;
use bootstorm_model::record::{
    Cordon, PhaseKind, PhaseName, PhaseRecord, PhaseSettings, PhaseState, ProbeHealth, RunRecord, Via,
};
use bootstorm_model::tracker::{Beginning, Tracker};

/// How long continuously probed guests are probed before the first request is sent: the beginning of a silence is known
/// only after an answer.
const FIRST_ANSWERS: Duration = Duration::from_secs(1);

/// Runs a phase to its end, or until it is stopped early.
///
/// An interrupted phase that has sent nothing yet ends at once, any other within the budget of the interrupt. Either
/// way, cordons of the run are lifted, or the nodes that stay cordoned are reported. Fails only if the phase cannot
/// begin or its end cannot be saved. VMs that do not reach the goal are part of the record, not a failure.
pub async fn run(
    work: PhaseContext<'_>,
    record: &mut RunRecord,
    store: RunStore,
) -> Result<Option<StopReason>, ClusterError> {
    let launched = AtomicBool::new(false);
    let cordons = Mutex::default();
    let mut interrupt = work.interrupt.clone();
    let (cluster, events, mut budget) = (work.cluster, work.events, work.interrupt.clone());
    let cut_short = async {
        interrupt.wait().await;
        if !launched.load(Ordering::Relaxed) {
            return StopReason::Interrupted;
        }
        interrupt.spent().await;
        StopReason::NotSaved
    };
    let cut = tokio::select! {
        biased;
        outcome = whole(work, record, store, (&launched, &cordons)) => return outcome,
        cut = cut_short => cut,
    };
    if cut == StopReason::NotSaved {
        draining::report_left(events, &cordons.into_inner().unwrap_or_else(PoisonError::into_inner));
        return Ok(Some(cut));
    }
    // A process that was killed may have left cordons that this one had not come to yet.
    tokio::select! {
        biased;
        () = budget.spent() => draining::report_left(events, &draining::open_cordons(record)),
        () = draining::lift_all(cluster, record, events) => {}
    }
    Ok(Some(cut))
}

#[expect(clippy::too_many_lines, reason = "the order of the steps of a phase is its point")]
async fn whole(
    work: PhaseContext<'_>,
    record: &mut RunRecord,
    store: RunStore,
    (launched, cordons): (&AtomicBool, &Mutex<Vec<Cordon>>),
) -> Result<Option<StopReason>, ClusterError> {
    let targets: Arc<[Target]> = record.plan.targets().into();
    let name = work.step.name();
    let (mut phase, clock) = begin(&work, record, targets.len() as u32);
    let volumes = provisioning::open(&work, &mut phase, record).await?;
    let checkup = Checkup::begin(work.cluster, phase.health.take()).await;
    let probes = match name.kind {
        PhaseKind::Stop => Vec::new(),
        _ if phase.settings.halted => Vec::new(),
        _ => record.plan.probe.probes.clone(),
    };
    if !probes.is_empty() && phase.settings.kind.own_goal().is_none() {
        phase.goal = Milestone::Reachable;
    }
    let insight = insight::open(&work, &mut phase, record).await;
    let mut migrations = migrating::open(&work, &mut phase, record).await?;
    // Whether a VM was restarted shows only if its instances are listed after it.
    let early = if phase.restarts() { Some(existing(work.cluster, record).await?) } else { None };
    // A stop waits for instances to be deleted: what their guests do meanwhile is not its matter.
    let needs = if name.kind == PhaseKind::Stop { Needs::MetadataOfChanges } else { Needs::Objects };
    let mut changes = watch(work.cluster, record, needs).await?;
    let mut first = first_list(&mut changes).await;
    changes.sound();
    let mut machines = match (work.step, early) {
        (_, Some(early)) => early,
        (Step::Begin(PhaseName::CREATE), None) => Existing::default(),
        _ => existing(work.cluster, record).await?,
    };
    let alive = if record.plan.is_adopted() { adopted::alive(&first) } else { HashSet::new() };
    let moving = migrating::under_way(&work, &phase, record).await?;
    draining::note(&work, &mut phase, record).await?;
    let pods = if phase.drains() {
        work.cluster.evictable(&Scope::of_plan(&record.plan)).await?
    } else {
        HashMap::new()
    };
    let lined_up = LineUp { targets: &targets, existing: &mut machines, alive: &alive, moving: &moving };
    let done = lined_up.of(&work, record, &mut phase, clock, &mut first);
    draining::note_without_pod(&mut phase, &done, &pods);
    if matches!(work.step, Step::Begin(_)) && phase.drains() && phase.participants().next().is_none() {
        return Ok(Some(StopReason::NothingToDrain));
    }
    let old = match name.kind {
        PhaseKind::Stop => HashSet::new(),
        _ if phase.migrates() => HashSet::new(),
        _ => eligibility::old_instances(record, &phase, &targets, &first),
    };
    let fold = Fold::new(&targets, name.kind == PhaseKind::Stop, old);
    let mut saver = Saver::begin_phase(store, record, &phase, work.lock.guard()).await?;
    if work.extent == Extent::LineUp {
        return Ok(None);
    }

    let places = if probes.is_empty() { Vec::new() } else { probers::places(work.cluster, record) };
    let probing = if places.is_empty() {
        None
    } else {
        Some(Probing::open(work.cluster, places, probers::pace(record), saver.made()).await?)
    };
    if let Some(probing) = &probing {
        let gaps = phase.probing.take().map(|health| health.gaps).unwrap_or_default();
        phase.probing = Some(ProbeHealth { gaps, ..probing.health() });
    }

    let known = Known { done, machines: machines.ours, alive, pods };
    let requests = requests(&work, record, &phase, &targets, &known)?;
    // The relevant data is in the requests.
    drop(known);
    let maker = Maker {
        record: record.header(),
        phase: name,
        targets: targets.clone(),
        template: work.template.cloned(),
        halted: phase.settings.halted,
        via: work.settings.via,
    };
    let concurrency = match work.extent {
        Extent::Shard(shard) => shard.share_of(work.settings.concurrency),
        Extent::Whole | Extent::LineUp => work.settings.concurrency,
    };
    let connections = concurrency.min(requests.len());
    work.cluster.warm(connections).await;
    let mut start = None;
    if let Some(gate) = work.gate {
        let fresh = !phase.participants().any(Timeline::is_asked);
        let passed = match gate {
            Start::Fleet(gate) => gate.pass(work.cluster, connections, clock, fresh).await,
            Start::Shards(gate) => gate.pass(&work, record, connections, clock).await?,
        };
        match passed {
            Ok(at) => start = Some(at),
            Err(closed) => {
                (work.events)(&Event::Warning(closed.0));
                phase.state = PhaseState::Interrupted;
                record.put_phase(phase);
                phase_saved(&mut saver, record, &BTreeSet::new(), Some(StopReason::LeftOut)).await?;
                return Ok(Some(StopReason::LeftOut));
            }
        }
    }
    let taking_part = phase.participants().count();
    let done = phase.participants().filter(|timeline| timeline.is_over()).count();
    (work.events)(&Event::PhaseBegan { phase: name, targets: taking_part, done, goal: phase.goal });
    let asked: Vec<u32> = requests.iter().map(|scheduled| scheduled.target).collect();
    let scope = Scope::of_plan(&record.plan);
    let streams = Streams::covers(
        &scope,
        &changes,
        volumes.as_ref().map(|(volumes, _)| volumes),
        migrations.as_ref(),
        insight.as_ref(),
        probing.as_ref(),
    );
    let objects = phase.migrates().then(|| objects(record, name));
    let (mut volumes, expected) = volumes.map_or((None, 0), |(volumes, expected)| (Some(volumes), expected));
    let (keeps, drains) = (phase.settings.kind.keeps_guests(), phase.drains());
    let mut tracker = Tracker::new(Beginning {
        phase,
        now: clock.now(),
        targets: &targets,
        fold,
        probes,
        keeps,
        volumes: volumes.as_ref().map(|_| VolumeFold::new(&targets, expected)),
        launchers: insight.as_ref().map(|_| {
            let fold = LauncherFold::new(&targets, !record.plan.is_adopted());
            let fold = if drains { fold.evicting() } else { fold };
            objects.iter().fold(fold, |fold, objects| fold.migrating_by(objects.iter().cloned()))
        }),
        migrations: match objects {
            Some(objects) => Some(MigrationFold::new(objects)),
            None if drains => {
                // Migrations that KubeVirt creates for evictions come after the beginning, even in a continued phase.
                let since = clock.zero_at(work.cluster.server_now());
                Some(MigrationFold::of_evicted(targets.iter().cloned(), since))
            }
            None => None,
        },
        streams,
        asked: &asked,
    });
    tracker.set_server_zero(clock.zero_at(work.cluster.server_now()));
    for change in first {
        let what = What::Instance(change);
        tracker.observe(Observation { stream: None, at: clock.now(), late: true, what });
    }
    let guard = work.lock.guard();
    let ground = match name.kind {
        PhaseKind::Create => Ground::watch(work.cluster, record).await?,
        _ => Ground::default(),
    };
    let launch = Launch {
        cluster: work.cluster,
        concurrency,
        patience: Duration::from_secs(work.settings.timeout_seconds),
        interrupt: &work.interrupt,
        guard: &guard,
        ground,
        maker,
    };
    if let Some(probing) = probing.as_ref().filter(|_| keeps && !requests.is_empty()) {
        tracker.take_asks().into_iter().for_each(|(prober, ask)| probing.ask(prober, ask));
        tokio::time::sleep(FIRST_ANSWERS).await;
    }
    launched.store(true, Ordering::Relaxed);
    // From here on the end of the phase lifts its cordons.
    let note_cordons = |phase: &PhaseRecord| {
        cordons.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&phase.cordons);
    };
    note_cordons(tracker.phase());
    let cordoned = draining::cordon(work.cluster, tracker.phase(), &record.run_id).await;
    if let Err(error) = cordoned {
        draining::lift(&work, tracker.phase_mut(), &record.run_id).await;
        note_cordons(tracker.phase());
        let (phase, changed) = tracker.finish(clock.now());
        record.put_phase(phase);
        saver.finish(record, &changed).await?;
        return Err(error);
    }
    if let Some(at) = start {
        sleep_until(at.into()).await;
    }
    let streams = Streams {
        cluster: work.cluster.clone(),
        clock,
        launching: launch.begin(requests),
        changes,
        volumes: volumes.take(),
        migrations: migrations.take(),
        has_unread_migrations: false,
        insight,
        probing,
        stalls: Stalls::new(work.cluster.pulse()),
        lists: JoinSet::new(),
        ready: Vec::new(),
    };
    let following = Following {
        cluster: work.cluster,
        clock,
        targets: &targets,
        streams,
        checkup: &checkup,
        saver: &mut saver,
        interrupt: work.interrupt.clone(),
        guard,
        events: work.events,
    };
    let cut = follow(following, &mut tracker).await;
    let stamps = tracker.delays().clone();
    let (mut phase, changed) = tracker.finish(clock.now());
    phase.state = if cut.is_some() { PhaseState::Interrupted } else { PhaseState::Done };
    (work.events)(&Event::requests(&phase.timelines));
    if !matches!(cut, Some(StopReason::LockLost | StopReason::RecordChanged)) {
        draining::lift(&work, &mut phase, &record.run_id).await;
        note_cordons(&phase);
    }
    phase.health = Some(checkup.end(cut.is_none(), &stamps).await);
    record.put_phase(phase);
    record.made.probers.extend(saver.made().lock().unwrap_or_else(PoisonError::into_inner).clone());
    let saved = phase_saved(&mut saver, record, &changed, cut);
    saving::telling(saved, work.events, name, work.cluster.longest_wait()).await?;
    (work.events)(&Event::PhaseEnded(name));
    Ok(cut)
}

/// VMs present when a phase begins or resumes
struct LineUp<'a> {
    targets: &'a [Target],
    existing: &'a mut Existing,
    alive: &'a HashSet<Target>,
    moving: &'a UnderWay,
}

impl LineUp<'_> {
    /// Excludes ineligible VMs, or reconciles a resumed phase; returns the VMs whose request need not be sent any more.
    fn of(
        self,
        work: &PhaseContext<'_>,
        record: &RunRecord,
        phase: &mut PhaseRecord,
        clock: Clock,
        first: &mut Vec<Change>,
    ) -> HashSet<u32> {
        let Self { targets, existing, alive, moving } = self;
        let (adopted, kind) = (&record.plan.adopted, phase.name.kind);
        if let (Step::Begin(_), Extent::Shard(_)) = (work.step, work.extent) {
            // It was lined up for all shards.
            return HashSet::new();
        }
        if let Step::Begin(_) = work.step {
            let left_out = if record.plan.is_adopted() {
                eligibility::leave_out_adopted(phase, record, &existing.ours, first, &moving.others)
            } else {
                eligibility::leave_out(phase, record, targets, existing, first, &moving.others)
            };
            for (target, reason) in left_out {
                (work.events)(&Event::LeftOut { target, reason });
            }
            eligibility::line_up(phase, record, targets, first);
            if phase.restarts() {
                eligibility::note_old(phase, targets, first);
            } else if phase.migrates() {
                eligibility::note_current(phase, targets, first);
            } else if phase.drains() {
                eligibility::note_leaving(phase, targets, first);
            }
            return HashSet::new();
        }
        // A recreated VM is not ours: it counts as gone.
        for adoptee in adopted {
            if existing.ours.get(&adoptee.target).is_some_and(|machine| machine.uid() != adoptee.uid) {
                existing.ours.remove(&adoptee.target);
            }
        }
        moving.note(phase, &objects(record, phase.name));
        resume::note_returned(phase, targets, first);
        let (restarts, migrates, drains) = (phase.restarts(), phase.migrates(), phase.drains());
        let nodes = &phase.settings.nodes.clone();
        let seen = &*first;
        let carried_out = |timeline: &Timeline, machine: &Standing| match adopted
            .get(timeline.target as usize)
        {
            _ if restarts => resume::is_restarted(timeline, machine, seen),
            _ if drains => resume::is_evicted(timeline, nodes, seen),
            _ if migrates => timeline.migration.as_ref().is_some_and(|facts| facts.uid.is_some()),
            Some(adoptee) => adopted::is_carried_out(adoptee, machine, kind, alive.contains(&adoptee.target)),
            None => resume::is_carried_out(machine, kind),
        };
        let server_zero = clock.zero_at(work.cluster.server_now());
        let done = resume::reconcile(phase, targets, existing, server_zero, carried_out);
        resume::note_gap(phase, clock.now());
        first.splice(..0, resume::missed(phase, targets, first));
        done
    }
}

/// Saves the end of the phase, unless the run belongs to another process by now.
async fn phase_saved(
    saver: &mut Saver,
    record: &RunRecord,
    changed: &BTreeSet<u32>,
    cut: Option<StopReason>,
) -> Result<(), ClusterError> {
    match cut {
        Some(StopReason::LockLost | StopReason::RecordChanged | StopReason::NothingToDrain) => Ok(()),
        Some(
            StopReason::Interrupted | StopReason::NotSaved | StopReason::TooManyFailed | StopReason::LeftOut,
        )
        | None => saver.finish(record, changed).await,
    }
}

/// The phase as it begins or continues, and its clock.
fn begin(work: &PhaseContext<'_>, record: &RunRecord, targets: u32) -> (PhaseRecord, Clock) {
    let name = work.step.name();
    match record.phase(name) {
        Some(known) => {
            let mut phase = known.clone();
            // A phase continues in the shape in which it was begun, and the kind of its VMs cannot change any more.
            let begun = std::mem::replace(&mut phase.settings, work.settings.clone());
            let PhaseSettings { halted, kind, shape, order, size, share, warm_up, nodes, .. } = begun;
            phase.settings =
                PhaseSettings { halted, kind, shape, order, size, share, warm_up, nodes, ..phase.settings };
            if !matches!(work.extent, Extent::Shard(_)) {
                phase.settings.shards = None;
            }
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

/// First delivery of the watch: objects that existed when it was opened.
pub(super) async fn first_list(changes: &mut Changes) -> Vec<Change> {
    match changes.next().await.map(|received| received.event) {
        Some(ChangeEvent::Changes(first)) => first,
        _ => Vec::new(),
    }
}

/// The watch on the instances of the run: by its label, or on the VMs that it has adopted.
pub(super) async fn watch(
    cluster: &Cluster,
    record: &RunRecord,
    needs: Needs,
) -> Result<Changes, ClusterError> {
    let scope = Scope::of_plan(&record.plan);
    if !record.plan.is_adopted() {
        return Changes::open(cluster, &scope, &run_id_selector(&record.run_id), needs).await;
    }
    Changes::open_on(cluster, &scope, record.plan.targets().into_iter().collect(), needs).await
}

/// The requests that a phase on adopted VMs would send now, in order.
pub async fn rehearse(
    cluster: &Cluster,
    record: &RunRecord,
    kind: PhaseKind,
    via: Via,
) -> Result<Vec<Timed>, ClusterError> {
    let mut changes = watch(cluster, record, Needs::Objects).await?;
    let alive = adopted::alive(&first_list(&mut changes).await);
    let machines = existing(cluster, record).await?.ours;
    let mut requests = Vec::new();
    for (adoptee, wish) in record.plan.adopted.iter().zip(record.wishes()) {
        let alive = alive.contains(&adoptee.target);
        let Some(machine) = machines.get(&adoptee.target) else { continue };
        if adopted::obstacle(adoptee, Some(machine), wish, kind, alive).is_none() {
            requests.push(adopted::request(adoptee, machine, kind, via, alive)?);
        }
    }
    Ok(requests)
}

/// The requests that a storm of running VMs with these settings would send now, in the order of the plan.
pub async fn rehearse_running(
    cluster: &Cluster,
    record: &RunRecord,
    settings: PhaseSettings,
) -> Result<Vec<Timed>, ClusterError> {
    let machines = existing(cluster, record).await?;
    let mut changes = watch(cluster, record, Needs::Objects).await?;
    let first = first_list(&mut changes).await;
    let targets = record.plan.targets();
    let name = PhaseName { kind: PhaseKind::Storm, number: record.next_storm() };
    let mut phase = PhaseRecord::new(name, record.created, settings, targets.len() as u32);
    let moving = migrating::others(cluster, &phase, record).await?;
    if record.plan.is_adopted() {
        eligibility::leave_out_adopted(&mut phase, record, &machines.ours, &first, &moving);
    } else {
        eligibility::leave_out(&mut phase, record, &targets, &machines, &first, &moving);
    }
    eligibility::line_up(&mut phase, record, &targets, &first);
    if phase.drains() {
        eligibility::note_leaving(&mut phase, &targets, &first);
        let pods = cluster.evictable(&Scope::of_plan(&record.plan)).await?;
        let each = phase.participants().filter_map(|timeline| {
            let instance = timeline.old_instance.as_deref()?;
            let node = timeline.migration.as_ref()?.from.as_deref()?;
            let (_, pod) = pods.get(instance)?.iter().find(|(place, _)| place == node)?;
            Some((targets.get(timeline.target as usize)?, instance, node, pod))
        });
        return each
            .map(|(target, instance, node, pod)| evictions::evict(target, instance, node, pod))
            .collect();
    }
    if phase.migrates() {
        eligibility::note_current(&mut phase, &targets, &first);
        let objects = objects(record, name);
        let each = phase.participants().filter_map(|timeline| {
            let place = timeline.target as usize;
            Some((targets.get(place)?, timeline.instance_uid.as_deref()?, objects.get(place)?))
        });
        return each
            .map(|(target, instance, object)| migrations::create(record, name, target, instance, object))
            .collect();
    }
    eligibility::note_old(&mut phase, &targets, &first);
    let each = phase.participants().filter_map(|timeline| {
        let target = targets.get(timeline.target as usize)?;
        Some((target, machines.ours.get(target)?, timeline.old_instance.as_deref()?))
    });
    each.map(|(target, machine, instance)| crate::cluster::machines::restart(target, machine.uid(), instance))
        .collect()
}

/// State of the VMs before requests are built
struct Known {
    /// VMs whose request was already carried out.
    done: HashSet<u32>,
    /// Existing VMs.
    machines: HashMap<Target, Standing>,
    /// Adopted VMs with an instance.
    alive: HashSet<Target>,
    /// Launcher pods and their nodes, by instance UID; in a drain only.
    pods: HashMap<String, Vec<(String, Evictable)>>,
}

/// Work for every participant whose request is not done already, in the order of the queue.
///
/// In a continued phase, remaining requests keep their distances, and the first of them is sent at once: requests
/// missed meanwhile must not become a storm of their own.
fn requests(
    work: &PhaseContext<'_>,
    record: &RunRecord,
    phase: &PhaseRecord,
    targets: &[Target],
    known: &Known,
) -> Result<Vec<Scheduled>, ClusterError> {
    let mut requests = Vec::with_capacity(targets.len());
    let objects = if phase.migrates() { objects(record, phase.name) } else { Vec::new() };
    // A shard uses the places of the whole queue: its beginning does not depend on its own first VM.
    let mut begin = phase.participants().all(|timeline| !timeline.is_asked()).then_some(Duration::ZERO);
    for (place, vm) in phase.places() {
        let (timeline, target) = (&phase.timelines[vm as usize], &targets[vm as usize]);
        if timeline.is_over() || known.done.contains(&vm) {
            continue;
        }
        let (kind, via) = (phase.name.kind, work.settings.via);
        let adoptee = record.plan.adopted.get(vm as usize);
        let errand = match (kind, adoptee) {
            _ if phase.restarts() => {
                let Some(machine) = known.machines.get(target) else { continue };
                let Some(instance) = &timeline.old_instance else { continue };
                Errand::Restart(machine.uid().into(), instance.clone())
            }
            _ if phase.drains() => {
                let Some(instance) = &timeline.old_instance else { continue };
                let Some((node, pod)) = draining::pod_of(timeline, &known.pods) else { continue };
                Errand::Evict(instance.clone(), node.as_str().into(), Box::new(pod.clone()))
            }
            _ if phase.migrates() => {
                let Some(instance) = &timeline.instance_uid else { continue };
                let Some(object) = objects.get(vm as usize) else { continue };
                Errand::Migrate(instance.as_str().into(), Box::new(object.clone()))
            }
            (_, Some(adoptee)) => {
                let Some(machine) = known.machines.get(target) else { continue };
                let alive = known.alive.contains(target);
                Errand::Made(Box::new(adopted::request(adoptee, machine, kind, via, alive)?))
            }
            (PhaseKind::Create, None) if work.template.is_none() => {
                return Err(ClusterError::new("create VMs", Kind::Invalid, "there is no manifest"));
            }
            (PhaseKind::Create, None) => Errand::Create,
            (_, None) => {
                let Some(machine) = known.machines.get(target) else { continue };
                let uid = machine.uid().into();
                if kind == PhaseKind::Stop { Errand::Stop(uid) } else { Errand::Start(uid) }
            }
        };
        let due = match phase.settings.shape.map_or(Due::After(Duration::ZERO), |shape| shape.due(place)) {
            Due::After(time) => Due::After(time.saturating_sub(*begin.get_or_insert(time))),
            wave @ Due::Wave(_) => wave,
        };
        requests.push(Scheduled { target: vm, due, errand });
    }
    Ok(requests)
}
