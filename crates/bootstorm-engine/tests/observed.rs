//! Observed outages against the sandbox's truth, while watches are cut, the server is unreachable, and the observer is
//! killed.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[allow(dead_code, reason = "each of the tests that share it uses a part")]
mod local;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bootstorm_engine::phases::observing::{self, Limits, ObserveContext};
use bootstorm_model::observe::clock::wall_now;
use bootstorm_model::observe::{Milestone, Outcome, Source};
use bootstorm_model::outage::{Exactness, Observation, Sign, recoveries};
use bootstorm_model::plan::Target;
use bootstorm_sandbox::faults::Action;
use bootstorm_sandbox::store::{DeleteOptions, kind};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;

use local::{Local, on_paused_time};

const SCHEDULES: u64 = 24;
const VMS: usize = 4;
/// How long each is observed.
const LASTING: Duration = Duration::from_secs(900);

fn targets() -> Vec<Target> {
    (0..VMS).map(|number| Target { namespace: "shop".into(), name: format!("web-{number}") }).collect()
}

fn is_ready(local: &Local, target: &Target) -> bool {
    let store = local.sandbox.store();
    let found = store.get(&kind::VIRTUAL_MACHINE_INSTANCES, &target.namespace, &target.name);
    found.is_some_and(|instance| {
        let conditions = instance.value()["status"]["conditions"].as_array().cloned().unwrap_or_default();
        !instance.is_deleting()
            && conditions.iter().any(|one| one["type"] == "Ready" && one["status"] == "True")
    })
}

async fn shop(local: &Local) {
    let store = local.sandbox.store();
    store.create(&kind::NAMESPACES, json!({"metadata": {"name": "shop"}})).unwrap();
    for Target { namespace, name } in targets() {
        let spec = json!({"runStrategy": "Always", "template": {"spec": {
            "domain": {"memory": {"guest": "256Mi"}, "devices": {}}}}});
        let vm = json!({"metadata": {"name": name, "namespace": namespace}, "spec": spec});
        store.create(&kind::VIRTUAL_MACHINES, vm).unwrap();
    }
    while !targets().iter().all(|target| is_ready(local, target)) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Observes until it is over, as one of several processes.
async fn process(local: &Local, kept: &Arc<Mutex<Option<Observation>>>) {
    let cluster = local.cluster();
    let known = kept.lock().unwrap().clone();
    let goes_on = known.is_some();
    let clock = observing::clock(&cluster, known.as_ref());
    let observation = known.unwrap_or_else(|| Observation::new(clock.began(), VMS, Milestone::Ready));
    let place = Arc::clone(kept);
    let work = ObserveContext {
        cluster: &cluster,
        targets: &targets(),
        observation,
        probes: None,
        limits: Limits { after: Some(LASTING), settled: None },
        interrupt: local.interrupt(),
        events: &|_| {},
        save: Arc::new(move |observation| {
            *place.lock().unwrap() = Some(observation.clone());
            Ok(())
        }),
        pause: observing::TO_FILE,
        is_continued: false,
    };
    let (observation, _) = Box::pin(observing::observe(work, clock, goes_on)).await.unwrap();
    *kept.lock().unwrap() = Some(observation);
}

/// Incidents of the observer and the VMs; returns the deletions, each as VM and microseconds since 1970.
async fn schedule(seed: u64) -> (Local, Observation, Vec<(usize, i64)>, bool) {
    let mut dice = StdRng::seed_from_u64(seed);
    let local = Local::start(seed);
    shop(&local).await;
    let kept = Arc::new(Mutex::new(None));
    let (mut deletions, mut blinded) = (Vec::new(), false);
    // Every third schedule is watched without a gap.
    let calm = seed.is_multiple_of(3);
    let mut observer = Box::pin(process(&local, &kept));
    for _ in 0..dice.random_range(4..12) {
        let wait = Duration::from_millis(dice.random_range(500..60_000));
        let ended = tokio::select! {
            () = &mut observer => true,
            () = tokio::time::sleep(wait) => false,
        };
        assert!(!ended, "schedule {seed}: it ends too early");
        let vm = dice.random_range(0..VMS);
        if dice.random_bool(0.6) && is_ready(&local, &targets()[vm]) {
            let Target { namespace, name } = targets()[vm].clone();
            deletions.push((vm, wall_now().as_microsecond()));
            let options = DeleteOptions::default();
            local
                .sandbox
                .store()
                .delete(&kind::VIRTUAL_MACHINE_INSTANCES, &namespace, &name, &options)
                .unwrap();
        }
        if calm {
            continue;
        }
        blinded = true;
        match dice.random_range(0..5) {
            0 => local.act(&Action::CutWatches),
            1 => local.act(&Action::Outage(Duration::from_secs(dice.random_range(1..90)))),
            2 => local.wire.silence(),
            3 => local.act(&Action::Expire),
            _ => {
                drop(observer);
                tokio::time::sleep(Duration::from_millis(dice.random_range(10..40_000))).await;
                observer = Box::pin(process(&local, &kept));
            }
        }
    }
    observer.await;
    let observation = kept.lock().unwrap().clone().unwrap();
    (local, observation, deletions, blinded)
}

#[test]
fn every_observed_outage_is_true_and_as_exact_as_it_says() {
    let (mut reported, mut exact) = (0, 0);
    for seed in 0..SCHEDULES {
        let (local, observation, deletions, blinded) = on_paused_time(schedule(seed));
        let truth = local.stop();
        let began = observation.began.as_microsecond();
        let mut open = deletions.clone();
        for timeline in observation.all() {
            let outage = timeline.outage.as_ref().unwrap();
            let (low, high) = match outage.exactness {
                Exactness::Watch if outage.sign == Sign::Deleting => (outage.at.0 - 100_000, outage.at.0),
                // Its deletion was missed, but its end was seen.
                Exactness::Watch => (i64::MIN / 2, outage.at.0),
                Exactness::Stamp => (outage.at.0 - 1_000_000, outage.at.0 + 1_100_000),
                Exactness::Gap { from, to } => (from.0 - 1_000_000, to.0 + 1_100_000),
                Exactness::Probe { .. } => panic!("schedule {seed}: nothing was probed"),
            };
            exact += usize::from(outage.exactness == Exactness::Watch);
            let fits = |(vm, at): &(usize, i64)| {
                *vm == timeline.target as usize && (low..=high).contains(&(at - began))
            };
            let place = open.iter().position(fits);
            let place =
                place.unwrap_or_else(|| panic!("schedule {seed}: {outage:?} of {open:?} from {began}"));
            open.remove(place);
            reported += 1;
            if let (Some(moment), Some(at)) =
                (timeline.moments.get(&Milestone::Running), truth.of(timeline, Milestone::Running))
            {
                let late = moment.at.0 - (at - began);
                let most = if moment.source == Source::Seen { 200_000 } else { 1_100_000 };
                assert!(
                    moment.source == Source::Late || late.abs() <= most,
                    "schedule {seed}: {late} of {timeline:?}"
                );
            }
            let is_decided =
                matches!(timeline.outcome, Outcome::Reached | Outcome::TimedOut | Outcome::Unknown);
            assert!(is_decided, "schedule {seed}: {timeline:?}");
        }
        assert!(blinded || open.is_empty(), "schedule {seed}: {open:?} were not seen");
        let members: usize = recoveries(&observation).iter().map(|phase| phase.participants().count()).sum();
        assert_eq!(members, observation.all().count(), "schedule {seed}");
    }
    assert!(reported > 20 && exact > 5, "the schedules show {reported} outages, {exact} of them seen");
}
