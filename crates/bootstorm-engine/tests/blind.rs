//! The engine against the sandbox in one process, on paused time: whatever happens to its streams, a valid phase
//! reports no VM as late or failed that truly was in time, and every time in it is within its stated error.
//!
//! `BOOTSTORM_SCHEDULES` asks for more schedules than the short form has, `BOOTSTORM_SCHEDULE` for one by its seed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "what fails here fails the test"
)]

#[allow(dead_code, reason = "each of the tests that share it uses a part")]
mod local;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bootstorm_engine::phases::context::{Extent, PhaseContext};
use bootstorm_engine::phases::setup;
use bootstorm_engine::phases::timed;
use bootstorm_model::observe::{Milestone, Outcome, Source, Timeline};
use bootstorm_model::plan::{Plan, Template, TemplateSource};
use bootstorm_model::probe::{Probe, ProbePlan};
use bootstorm_model::record::{
    PhaseKind, PhaseRecord, PhaseSettings, PhaseState, RunRecord, StormKind, lifecycle,
};
use bootstorm_model::stats::validity::Validity;
use bootstorm_report::Graded;
use bootstorm_sandbox::faults::{Action, Effect, Match, Rule, SecondWriter};
use bootstorm_sandbox::store::kind;
use local::{Local, on_paused_time};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Number of schedules of the short form.
const SCHEDULES: u64 = 200;
/// A delay up to this, on a watch that stays open, is indistinguishable from the server's whole-second clock; so is the
/// uncertainty of the clock difference.
const UNTOLD: f64 = 1.25;
const IMAGE: &str = "example.org/disk:1";
/// Longer than any phase may take with its limits.
const FOREVER: Duration = Duration::from_secs(3_600);

/// An incident during a phase
#[derive(Debug, Clone, Copy)]
enum Incident {
    /// The server is unreachable.
    Outage(u64),
    /// All watches are cut.
    CutWatches,
    /// All watches are cut, and the history is lost.
    Expire,
    /// Open watches deliver nothing any more, without ending.
    Silence,
    /// For this many milliseconds, watch events cannot be decoded.
    Garble(u64),
    /// Prober streams are cut.
    CutProbers,
    /// For this many milliseconds, exec into probers is denied.
    DenyProbers(u64),
    /// A prober pod ends for good.
    FailProber,
    /// The prober pod is created but cannot ping.
    ClosePings,
    /// An instance is replaced.
    Replace,
    /// The process is killed, and the phase continued after this many milliseconds.
    Kill(u64),
    /// Time passes in which nothing of this process runs.
    Stall(u64),
    /// Requests are carried out, but their responses are lost.
    LoseAnswers(u64),
    /// For five seconds, events arrive this many milliseconds late, on watches that stay open.
    Lag(u64),
}

fn incident(dice: &mut StdRng) -> Incident {
    let millis = |dice: &mut StdRng, most: u64| dice.random_range(1..=most);
    match dice.random_range(0..14) {
        0 | 1 => Incident::Outage(millis(dice, 20_000)),
        2 => Incident::CutWatches,
        3 => Incident::Expire,
        4 => Incident::Silence,
        5 => Incident::Garble(millis(dice, 6_000)),
        6 => Incident::CutProbers,
        7 => Incident::DenyProbers(millis(dice, 20_000)),
        8 => Incident::Replace,
        9 => Incident::Kill(millis(dice, 8_000)),
        10 => Incident::Stall(millis(dice, 8_000)),
        12 => Incident::FailProber,
        11 => Incident::Lag(millis(dice, 5_000)),
        _ => Incident::LoseAnswers(millis(dice, 3_000)),
    }
}

/// Applies an incident of the cluster, not of the measuring process.
async fn happen(local: &Local, incident: Incident) {
    let faults = local.sandbox.faults();
    let rule = |verb: &str, resource: &str, effect: Effect| {
        faults.add(Rule { matching: Match::on(verb, resource), effect, remaining: None })
    };
    match incident {
        Incident::Outage(millis) => local.act(&Action::Outage(Duration::from_millis(millis))),
        Incident::CutWatches => local.act(&Action::CutWatches),
        Incident::Expire => {
            local.act(&Action::CutWatches);
            local.act(&Action::Expire);
        }
        Incident::Silence => local.wire.silence(),
        Incident::Garble(millis) => local.wire.garble(Duration::from_millis(millis)),
        Incident::CutProbers => local.act(&Action::CutExecs),
        Incident::DenyProbers(millis) => {
            let denied = rule("*", "pods/exec", Effect::Deny);
            local.act(&Action::CutExecs);
            tokio::time::sleep(Duration::from_millis(millis)).await;
            faults.remove(denied);
        }
        Incident::Replace => {
            let what = "delete-instance".parse().unwrap();
            local.act(&Action::Write(SecondWriter { what, matching: Match::default() }));
        }
        Incident::LoseAnswers(millis) => {
            let lost = [
                ("create", "virtualmachines"),
                ("patch", "virtualmachines"),
                ("create", "virtualmachineinstancemigrations"),
            ];
            let lost = lost.map(|(verb, resource)| rule(verb, resource, Effect::CutAfter));
            tokio::time::sleep(Duration::from_millis(millis)).await;
            for rule in lost {
                assert!(faults.remove(rule));
            }
        }
        Incident::FailProber => {
            let store = local.sandbox.store();
            store.modify(&kind::PODS, "default", "bootstorm-p-prober-1", |pod| {
                pod["status"]["phase"] = "Failed".into();
            });
            local.act(&Action::CutExecs);
        }
        Incident::Stall(millis) => tokio::time::advance(Duration::from_millis(millis)).await,
        Incident::Lag(millis) => {
            local.wire.lag(Duration::from_millis(millis));
            tokio::time::sleep(Duration::from_secs(5)).await;
            local.wire.lag(Duration::ZERO);
        }
        Incident::ClosePings => {
            let (store, pod) = (local.sandbox.store(), "bootstorm-p-prober-1");
            while store.get(&kind::PODS, "default", pod).is_none() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            store.modify(&kind::PODS, "default", pod, |pod| {
                pod["spec"]["securityContext"]["sysctls"] = bootstorm_sandbox::value::json!([]);
            });
            local.act(&Action::CutExecs);
        }
        Incident::Kill(_) => {}
    }
}

/// One seeded schedule from setup to the end of a storm
struct Schedule {
    seed: u64,
    dice: StdRng,
    local: Local,
    prefix: String,
    /// The incidents of each phase, and when.
    happened: Vec<(PhaseKind, Vec<(Duration, Incident)>)>,
}

impl Schedule {
    async fn run(seed: u64) -> Tally {
        let mut dice = StdRng::seed_from_u64(seed);
        let (vms, probed) = (dice.random_range(1..=5), dice.random_bool(0.5));
        let probers = if probed { dice.random_range(1..=2) } else { 0 };
        let mut schedule = Self::set_up(seed, dice, vms, probers).await;
        for kind in [PhaseKind::Create, PhaseKind::Stop, PhaseKind::Storm] {
            Box::pin(schedule.phase(kind, StormKind::Start)).await;
        }
        Box::pin(schedule.phase(PhaseKind::Storm, StormKind::Migrate)).await;
        Box::pin(schedule.phase(PhaseKind::Storm, StormKind::Restart)).await;
        schedule.check().await
    }

    async fn set_up(seed: u64, dice: StdRng, vms: u32, probers: usize) -> Self {
        let local = Local::start(seed);
        let prefix = "p".to_owned();
        let template = TemplateSource::ContainerDisk { image: IMAGE.into() };
        let mut plan = Plan::resolve(&prefix, 1, vms, "vm", template).unwrap();
        plan.probe = match probers {
            0 => ProbePlan { probes: Vec::new(), ..ProbePlan::default() },
            probers => ProbePlan { probes: vec![Probe::Ping], probers, ..ProbePlan::default() },
        };
        let cluster = local.cluster();
        let created = bootstorm_model::observe::clock::wall_now();
        let mut record = RunRecord::new(uuid::Uuid::new_v4().to_string(), created, plan);
        let mut store = cluster.begin_record(&mut record, None).await.unwrap();
        let interrupt = local.interrupt();
        setup::make_namespaces(&cluster, &mut record, &mut store, (20, &[]), interrupt, &|_| {})
            .await
            .unwrap();
        setup::close(&mut record, &mut store).await.unwrap();
        Self { seed, dice, local, prefix, happened: Vec::new() }
    }

    /// Runs a create with these incidents; returns the record.
    async fn create(self, settings: PhaseSettings, incidents: Vec<(u64, Incident)>) -> RunRecord {
        let local = &self.local;
        let began = tokio::time::Instant::now();
        let happening = async {
            for (at, incident) in incidents {
                tokio::time::sleep_until(began + Duration::from_millis(at)).await;
                happen(local, incident).await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            over = process(local, &self.prefix, PhaseKind::Create, settings) => assert!(over),
            () = happening => {}
        }
        local.cluster().load(&self.prefix).await.unwrap().unwrap().0
    }

    fn settings(&mut self, kind: PhaseKind) -> PhaseSettings {
        let paced = self.dice.random_bool(0.3);
        PhaseSettings {
            timeout_seconds: self.dice.random_range(if kind == PhaseKind::Stop { 2..=40 } else { 5..=25 }),
            ping_timeout_seconds: self.dice.random_range(2..=20),
            blind_limit_seconds: self.dice.random_range(1..=60),
            concurrency: 20,
            shape: paced.then(|| "rate 1/s".parse().unwrap()),
            explain: self.dice.random_bool(0.5),
            ..PhaseSettings::default()
        }
    }

    /// Runs a phase with its incidents to completion, however often it is killed.
    async fn phase(&mut self, kind: PhaseKind, storm: StormKind) {
        let settings = PhaseSettings { kind: storm, ..self.settings(kind) };
        let count = self.dice.random_range(0..=3);
        let mut incidents: Vec<(Duration, Incident)> = (0..count)
            .map(|_| (Duration::from_millis(self.dice.random_range(0..20_000)), incident(&mut self.dice)))
            .collect();
        // Deletions have no timestamp that could tell how late they are seen. Nor does the end of a migration have one
        // that every version writes at the same moment.
        let stops = kind == PhaseKind::Stop || storm != StormKind::Start;
        incidents.retain(|(_, incident)| !stops || !matches!(incident, Incident::Lag(_)));
        incidents.sort_by_key(|(at, _)| *at);
        self.happened.push((kind, incidents.clone()));
        let began = tokio::time::Instant::now();
        loop {
            let kill = incidents.iter().position(|(_, incident)| matches!(incident, Incident::Kill(_)));
            let (before, killed) = match kill {
                Some(kill) => {
                    let after = incidents.split_off(kill + 1);
                    let killed = incidents.pop();
                    (std::mem::replace(&mut incidents, after), killed)
                }
                None => (std::mem::take(&mut incidents), None),
            };
            let local = &self.local;
            let happening = async {
                for (at, incident) in before {
                    tokio::time::sleep_until(began + at).await;
                    happen(local, incident).await;
                }
                match killed {
                    Some((at, _)) => tokio::time::sleep_until(began + at).await,
                    None => std::future::pending().await,
                }
            };
            let working = process(local, &self.prefix, kind, settings.clone());
            let over = tokio::select! {
                over = tokio::time::timeout(FOREVER, working) => over.unwrap_or_else(|_| {
                    panic!("schedule {}: {} does not end", self.seed, kind.word())
                }),
                () = happening => false,
            };
            // Pending faults end with the process.
            self.local.sandbox.faults().clear();
            self.local.wire.lag(Duration::ZERO);
            if over {
                return;
            }
            let pause = match killed {
                Some((_, Incident::Kill(millis))) => millis,
                _ => 500,
            };
            self.local.forget_lock(&self.prefix);
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    }

    /// Compares the report with the truth.
    async fn check(self) -> Tally {
        let Self { seed, local, prefix, happened, .. } = self;
        let (record, _) = local.cluster().load(&prefix).await.unwrap().unwrap();
        let truth = local.stop();
        let mut tally = Tally::default();
        let grades: HashMap<_, _> = Graded::of_run(&record).into_iter().map(|g| (g.phase, g.grade)).collect();
        for phase in &record.phases {
            assert_eq!(phase.state, PhaseState::Done, "schedule {seed}: {}", phase.name);
            let valid = grades[&phase.name] == Validity::Valid;
            tally.phases += 1;
            tally.valid += usize::from(valid);
            let zero = phase.began.as_microsecond();
            let limit = phase.settings.timeout_seconds as f64;
            for (timeline, target) in phase.timelines.iter().zip(record.plan.targets()) {
                let at = |at: i64| (at - zero) as f64 / 1e6;
                let vm = format!("schedule {seed}: {happened:?}: {} {target} {timeline:?}", phase.name);
                assert_ne!(timeline.outcome, Outcome::Pending, "{vm}");
                tally.unknown += usize::from(timeline.outcome == Outcome::Unknown);
                assert!(!valid || timeline.outcome != Outcome::Unknown, "{vm}");
                let Some(requested) =
                    timeline.at(Milestone::Requested).map(bootstorm_model::observe::Offset::seconds)
                else {
                    continue;
                };
                let ended = phase.ended.unwrap().seconds();
                let milestone =
                    if phase.name.kind == PhaseKind::Stop { Milestone::Gone } else { Milestone::Running };
                let missed = matches!(timeline.outcome, Outcome::Failed | Outcome::TimedOut);
                if missed && valid && phase.goal == milestone {
                    let through = truth.through(&target, milestone, (zero, requested, ended));
                    assert!(through.is_none_or(|through| through > requested + limit), "{vm}: {through:?}");
                }
                if !valid {
                    continue;
                }
                if phase.migrates() {
                    let moved = truth.moved(&target, (zero, requested, ended));
                    let in_time = moved.is_some_and(|moved| moved <= requested + limit);
                    assert!(!missed || !in_time || refused(timeline), "{vm}: {moved:?}");
                    if let Some((moment, moved)) = timeline.moments.get(&Milestone::Migrated).zip(moved) {
                        let error = moment.at.seconds() - moved;
                        let own = phase.health.as_ref().map_or(0.0, |health| health.timer.longest.seconds());
                        let fits = match moment.source {
                            Source::Seen => (-0.01..=0.1 + own).contains(&error),
                            Source::Stamped => (-1.3..=0.3).contains(&error),
                            Source::Late => error >= -0.01,
                        };
                        assert!(fits, "migrated is {error:.3} s off: {vm}");
                        tally.migrated += 1;
                    }
                    continue;
                }
                for milestone in [Milestone::Running, Milestone::Gone, Milestone::Reachable] {
                    let Some(moment) = timeline.moments.get(&milestone) else { continue };
                    let Some(true_at) = truth.of(timeline, milestone).map(at) else { continue };
                    let error = moment.at.seconds() - true_at;
                    let resolution = if milestone == Milestone::Reachable { 1.0 } else { 0.05 };
                    // What the report says about this program, and what the server's whole seconds cannot tell.
                    let own = phase.health.as_ref().map_or(0.0, |health| health.timer.longest.seconds());
                    let lagged = happened.iter().any(|(kind, incidents)| {
                        *kind == phase.name.kind
                            && incidents.iter().any(|(_, incident)| matches!(incident, Incident::Lag(_)))
                    });
                    let clock = phase.health.as_ref().and_then(|health| health.clock);
                    let clock = clock.map_or(1.0, |clock| clock.most.since(clock.least).seconds());
                    let resolution = resolution + own + if lagged { UNTOLD + clock } else { 0.0 };
                    let fits = match moment.source {
                        Source::Seen => (-0.01..=resolution).contains(&error),
                        Source::Stamped => (-1.3..=0.3).contains(&error),
                        Source::Late => error >= -0.01,
                    };
                    assert!(fits, "{milestone} is {error:.3} s off: {vm}");
                    tally.times += 1;
                }
            }
        }
        tally
    }
}

/// One process that works on a phase; returns whether it completed it.
async fn process(local: &Local, prefix: &str, kind: PhaseKind, settings: PhaseSettings) -> bool {
    let cluster = local.cluster();
    let Ok(Some((mut record, store))) = cluster.load(prefix).await else { return false };
    let Ok(lock) = cluster.lock(prefix, &record.run_id, "me", &local.interrupt()).await else { return false };
    let Ok(step) = lifecycle::next_of(&record, kind, settings.kind) else { return true };
    let is_done = |phase: &PhaseRecord| {
        phase.name.kind == kind && phase.settings.kind == settings.kind && phase.state == PhaseState::Done
    };
    if record.phases.iter().any(is_done) {
        lock.release().await;
        return true;
    }
    let template = Template::container_disk(IMAGE);
    let work = PhaseContext {
        cluster: &cluster,
        lock: &lock,
        step,
        settings,
        template: (kind == PhaseKind::Create).then_some(&template),
        gate: None,
        extent: Extent::Whole,
        interrupt: local.interrupt(),
        events: &|_| {},
    };
    let outcome = Box::pin(timed::run(work, &mut record, store)).await;
    lock.release().await;
    matches!(outcome, Ok(None))
}

#[test]
fn silence_is_no_outcome_where_nothing_could_be_asked() {
    on_paused_time(async {
        let schedule = Box::pin(Schedule::set_up(3, StdRng::seed_from_u64(3), 3, 1)).await;
        let settings =
            PhaseSettings { timeout_seconds: 600, ping_timeout_seconds: 20, ..PhaseSettings::default() };
        let record = Box::pin(schedule.create(settings, vec![(0, Incident::ClosePings)])).await;
        for timeline in &record.phases[0].timelines {
            assert!(timeline.at(Milestone::Running).is_some());
            assert_eq!(timeline.outcome, Outcome::Unknown, "{timeline:?}");
            let reason = timeline.reason.as_deref().unwrap_or_default();
            assert!(reason.contains("ping over IPv4 could not be tried"), "{reason}");
        }
    });
}

/// Totals over many schedules
#[derive(Debug, Default)]
struct Tally {
    phases: usize,
    valid: usize,
    unknown: usize,
    times: usize,
    migrated: usize,
}

/// Whether a VM failed because of an incident, not because something was missed: its instance was replaced.
fn refused(timeline: &Timeline) -> bool {
    timeline.reason.as_deref().is_some_and(|reason| reason.contains("instance"))
}

/// A create of some VMs with this many probers and these incidents.
fn created(vms: u32, probers: usize, settings: PhaseSettings, incidents: &[(u64, Incident)]) -> RunRecord {
    on_paused_time(async {
        let schedule = Schedule::set_up(1, StdRng::seed_from_u64(1), vms, probers).await;
        Box::pin(schedule.create(settings, incidents.to_vec())).await
    })
}

fn grade(record: &RunRecord) -> Validity {
    Graded::of_run(record)[0].grade
}

#[test]
fn an_outage_across_the_deadline_is_judged_by_the_servers_stamps() {
    let settings = PhaseSettings { timeout_seconds: 14, ..PhaseSettings::default() };
    let record = created(3, 0, settings, &[(2_500, Incident::Outage(18_000))]);
    let phase = &record.phases[0];
    for timeline in &phase.timelines {
        assert_eq!(timeline.outcome, Outcome::Reached, "{timeline:?}");
        assert!(timeline.is_stamped(Milestone::Running), "{timeline:?}");
    }
    assert!(phase.watch.gaps.iter().any(|gap| gap.to.since(gap.from).seconds() > 17.0), "{:?}", phase.watch);
    assert_ne!(grade(&record), Validity::Valid);
}

#[test]
fn past_the_limit_on_blindness_the_outcome_is_unknown() {
    let settings = PhaseSettings { timeout_seconds: 14, blind_limit_seconds: 5, ..PhaseSettings::default() };
    let record = created(3, 0, settings, &[(2_500, Incident::Outage(60_000))]);
    let phase = &record.phases[0];
    for timeline in &phase.timelines {
        assert_eq!(timeline.outcome, Outcome::Unknown, "{timeline:?}");
        assert!(timeline.reason.as_ref().unwrap().contains("the watch on instances was interrupted"));
    }
    assert!(phase.watch.gaps.iter().any(|gap| gap.open), "{:?}", phase.watch);
    assert_ne!(grade(&record), Validity::Valid);
    assert_eq!(record.format, bootstorm_model::record::FORMAT);
}

#[test]
fn guests_that_nobody_may_ask_are_unknown_and_not_silent() {
    let settings =
        PhaseSettings { ping_timeout_seconds: 10, blind_limit_seconds: 10, ..PhaseSettings::default() };
    let record = created(3, 1, settings, &[(2_000, Incident::DenyProbers(600_000))]);
    for timeline in &record.phases[0].timelines {
        assert_eq!(timeline.outcome, Outcome::Unknown, "{timeline:?}");
    }
    assert!(record.phases[0].probing.as_ref().unwrap().gaps.iter().any(|gap| gap.open));
    assert_ne!(grade(&record), Validity::Valid);
}

#[test]
fn a_prober_that_has_failed_is_made_again_and_its_vms_go_to_another_one() {
    for probers in [1, 2] {
        let settings = PhaseSettings { ping_timeout_seconds: 60, ..PhaseSettings::default() };
        let record = created(4, probers, settings, &[(4_000, Incident::FailProber)]);
        for timeline in &record.phases[0].timelines {
            assert_eq!(timeline.outcome, Outcome::Reached, "{probers} probers: {timeline:?}");
        }
        assert_eq!(record.made.probers.len(), probers, "{:?}", record.made);
    }
}

#[test]
fn changes_that_come_late_on_an_open_watch_are_stamped_and_the_delay_is_measured() {
    let record = created(8, 0, PhaseSettings::default(), &[(1_000, Incident::Lag(4_000))]);
    let phase = &record.phases[0];
    let stamped = phase
        .timelines
        .iter()
        .filter(|timeline| timeline.moments.values().any(|m| m.source == Source::Stamped));
    assert!(stamped.count() > 0, "{phase:?}");
    let delays = &phase.health.as_ref().unwrap().stamps;
    assert!((2.0..4.2).contains(&delays.longest.seconds()), "{delays:?}");
    assert_ne!(grade(&record), Validity::Valid);
}

#[test]
fn a_clean_run_is_valid_and_all_is_seen() {
    let record = created(4, 1, PhaseSettings::default(), &[]);
    assert_eq!(grade(&record), Validity::Valid);
    for timeline in &record.phases[0].timelines {
        assert!(timeline.moments.values().all(|moment| moment.source == Source::Seen), "{timeline:?}");
    }
}

#[test]
fn no_vm_that_was_through_in_time_is_reported_otherwise_in_a_valid_phase() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seeds = match number("BOOTSTORM_SCHEDULE") {
        Some(seed) => seed..seed + 1,
        None => 0..number("BOOTSTORM_SCHEDULES").unwrap_or(SCHEDULES),
    };
    let mut all = Tally::default();
    let next = AtomicU64::new(seeds.start);
    let worker = || {
        let mut tallies = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return tallies;
            }
            // A failing one has printed why; the others run nevertheless.
            tallies.push(std::panic::catch_unwind(|| on_paused_time(Schedule::run(seed))).map_err(|_| seed));
        }
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let tallies = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a worker")).collect::<Vec<_>>()
    });
    let failed: Vec<u64> = tallies.iter().filter_map(|tally| tally.as_ref().err().copied()).collect();
    assert!(failed.is_empty(), "schedules that fail: {failed:?}");
    for one in tallies.into_iter().flatten() {
        all.phases += one.phases;
        all.valid += one.valid;
        all.unknown += one.unknown;
        all.times += one.times;
        all.migrated += one.migrated;
    }
    eprintln!("{} schedules: {all:?}", seeds.end - seeds.start);
    let all_of_them = seeds.end - seeds.start >= SCHEDULES;
    assert!(!all_of_them || all.valid * 4 > all.phases, "so few valid phases show nothing: {all:?}");
    assert!(
        !all_of_them || all.unknown > 0 && all.times > 500 && all.migrated > 50,
        "too little happens: {all:?}"
    );
}
