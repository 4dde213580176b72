//! Others work on the same cluster: whatever they copy, replace, relabel or leave in the run's namespaces, and
//! whenever, their objects are never written to.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[allow(dead_code, reason = "each of the tests that share it uses a part")]
mod local;

use std::time::Duration;

use bootstorm_engine::cluster::Cluster;
use bootstorm_engine::cluster::lease::Held;
use bootstorm_engine::cluster::ownership::Estate;
use bootstorm_engine::phases::cleanup::{self, Choice, Leftovers, Order, Sort};
use bootstorm_engine::phases::context::{Extent, PhaseContext};
use bootstorm_engine::phases::timed;
use bootstorm_engine::phases::{Interrupt, setup};
use bootstorm_model::observe::clock::monotonic_now;
use bootstorm_model::plan::{Plan, Template, TemplateSource};
use bootstorm_model::record::{PhaseKind, PhaseSettings, RunRecord, Via, lifecycle};
use bootstorm_sandbox::ledger::Ledger;
use bootstorm_sandbox::store::{Kind, Object, Store, kind};
use bootstorm_sandbox::value::{Value, json};

use local::{Local, on_paused_time};

/// Seeds to try; `BOOTSTORM_BYSTANDERS=2000` tries more, and `BOOTSTORM_BYSTANDERS=17..18` a single one.
const SEEDS: &str = "0..24";
const PREFIX: &str = "p";
const VMS: u32 = 3;
const CHOICE: Choice = Choice { keep_record: false, delete_foreign: false };

/// A seeded source of small numbers
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % most
    }
}

/// A foreign object as created
struct Bystander {
    kind: &'static Kind,
    made: Object,
    how: &'static str,
}

/// All other users of the cluster
struct Others {
    store: Store,
    dice: Dice,
    made: Vec<Bystander>,
    count: u32,
}

impl Others {
    /// A copy of an object as a backup tool, a clone or `kubectl create` makes it: with its labels but without server
    /// fields.
    fn copy(object: &Object) -> Value {
        let mut copy = object.to_value();
        let metadata = copy["metadata"].as_object_mut().unwrap();
        for key in
            ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "finalizers"]
        {
            metadata.remove(key);
        }
        metadata.remove("ownerReferences");
        metadata.remove("deletionTimestamp");
        copy.as_object_mut().unwrap().remove("status");
        copy
    }

    fn make(&mut self, kind: &'static Kind, object: Value, how: &'static str) {
        if let Ok(made) = self.store.create(kind, object) {
            self.made.push(Bystander { kind, made, how });
        }
    }

    fn any(&mut self, kind: &'static Kind) -> Option<Object> {
        let (all, _) = self.store.list(kind, None);
        let ours: Vec<Object> = all
            .into_iter()
            .filter(|object| object.value().pointer("/metadata/labels/bootstorm.dev~1run").is_some())
            .filter(|object| !self.made.iter().any(|bystander| bystander.made.uid() == object.uid()))
            .collect();
        let place = usize::try_from(self.dice.below(ours.len().max(1) as u64)).unwrap();
        ours.into_iter().nth(place)
    }

    /// A random action by others. While a cleanup deletes namespaces, no one adds objects to them: no precondition
    /// covers the moment between its last list and the request.
    fn act(&mut self, cleaning: bool, window: Option<&Ledger>) {
        self.count += 1;
        let number = self.count;
        match self.dice.below(if cleaning { 5 } else { 8 }) {
            0 => {
                let Some(vm) = self.any(&kind::VIRTUAL_MACHINES) else { return };
                let mut copy = Self::copy(&vm);
                copy["metadata"]["namespace"] = json!("default");
                copy["metadata"]["name"] = json!(format!("clone-{number}"));
                self.make(&kind::VIRTUAL_MACHINES, copy, "a clone elsewhere");
            }
            1 => {
                let Some(namespace) = self.any(&kind::NAMESPACES) else { return };
                let mut copy = Self::copy(&namespace);
                copy["metadata"]["name"] = json!(format!("{PREFIX}-1{number}"));
                self.make(&kind::NAMESPACES, copy, "a copy of a namespace");
            }
            2 => {
                let Some(vm) = self.any(&kind::VIRTUAL_MACHINES) else { return };
                let namespace = self.store.get(&kind::NAMESPACES, "", vm.namespace());
                if window.is_some_and(|ledger| is_about_to_be_switched(ledger, &vm)) {
                    return;
                }
                if cleaning || namespace.is_none_or(|namespace| namespace.is_deleting()) {
                    return;
                }
                self.store.remove(&kind::VIRTUAL_MACHINES, vm.namespace(), vm.name(), vm.uid());
                let mut copy = Self::copy(&vm);
                copy["spec"]["runStrategy"] =
                    json!(if self.dice.below(2) == 0 { "Always" } else { "Halted" });
                self.make(&kind::VIRTUAL_MACHINES, copy, "a VM made anew");
            }
            3 => {
                let Some(namespace) = self.any(&kind::NAMESPACES) else { return };
                for kind in kind::all().iter().filter(|kind| kind.namespaced) {
                    for object in self.store.list(kind, Some(namespace.name())).0 {
                        self.store.remove(kind, object.namespace(), object.name(), object.uid());
                        self.made.retain(|bystander| bystander.made.uid() != object.uid());
                    }
                }
                self.store.remove(&kind::NAMESPACES, "", namespace.name(), namespace.uid());
                self.make(&kind::NAMESPACES, Self::copy(&namespace), "a namespace made anew");
            }
            4 => {
                let of = if self.dice.below(2) == 0 { &kind::NAMESPACES } else { &kind::VIRTUAL_MACHINES };
                let Some(object) = self.any(of) else { return };
                let strip =
                    |object: &mut Value| object["metadata"]["labels"] = json!({"bootstorm.dev/run": PREFIX});
                self.store.modify(of, object.namespace(), object.name(), strip);
            }
            _ => {
                let Some(namespace) = self.any(&kind::NAMESPACES).filter(|found| !found.is_deleting()) else {
                    return;
                };
                let kinds: [&'static Kind; 5] = [
                    &kind::CONFIG_MAPS,
                    &kind::SECRETS,
                    &kind::PERSISTENT_VOLUME_CLAIMS,
                    &kind::SERVICES,
                    &kind::VOLUME_SNAPSHOTS,
                ];
                let of = kinds[usize::try_from(self.dice.below(5)).unwrap()];
                let metadata = json!({"name": format!("theirs-{number}"), "namespace": namespace.name()});
                let object = if of.is(&kind::PERSISTENT_VOLUME_CLAIMS) {
                    json!({"metadata": metadata, "spec": {
                        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}})
                } else {
                    json!({"metadata": metadata})
                };
                self.make(of, object, "something in a namespace of the run");
            }
        }
    }

    /// Asserts that all foreign objects are as created and that no request wrote to them.
    fn are_untouched(&self, local: &Local, seed: u64) {
        for Bystander { kind, made, how } in &self.made {
            let name = format!("seed {seed}: {how}, {} {}/{}", kind.plural, made.namespace(), made.name());
            assert!(!local.sandbox.server().ledger().has_written(made.uid()), "{name} was written");
            let now = self.store.get(kind, made.namespace(), made.name());
            let now = now.unwrap_or_else(|| panic!("{name} is gone"));
            assert_eq!(now.uid(), made.uid(), "{name} was replaced");
            assert!(!now.is_deleting(), "{name} is being deleted");
            let power = |object: &Object| object.value()["spec"]["runStrategy"].clone();
            assert_eq!(power(&now), power(made), "{name} was switched");
        }
    }
}

/// Whether a VM was just read to be started or stopped by its subresource, and that request is not carried out yet.
///
/// Subresources take no precondition, so a VM that is recreated between the two is hit. That window is documented, and
/// nothing else is excluded here.
fn is_about_to_be_switched(ledger: &Ledger, vm: &Object) -> bool {
    let count = |verb, resource| ledger.count_of(verb, resource, vm.namespace(), vm.name());
    let done = |action| count("update", action).carried_out;
    count("get", "virtualmachines").received > done("virtualmachines/start") + done("virtualmachines/stop")
}

/// One process of the tool, which may be killed
struct Process<'a> {
    cluster: &'a Cluster,
    interrupt: Interrupt,
    template: &'a Template,
    seed: u64,
}

impl Process<'_> {
    async fn lock(&self, run_id: &str) -> Held {
        self.cluster.lock(PREFIX, run_id, "tester@host/1", &self.interrupt).await.unwrap()
    }

    async fn set_up(&self) {
        let (mut record, mut store) = match self.cluster.load(PREFIX).await.unwrap() {
            Some(found) => found,
            None => {
                let source = TemplateSource::ContainerDisk { image: "example.org/disk:1".into() };
                let mut plan = Plan::resolve(PREFIX, 1, VMS, "vm", source).unwrap();
                plan.probe.probes.clear();
                let id = format!("run-{}", self.cluster.server().len());
                let mut record = RunRecord::new(id, "2026-01-01T00:00:00Z".parse().unwrap(), plan);
                let store = self.cluster.begin_record(&mut record, None).await.unwrap();
                (record, store)
            }
        };
        let lock = self.lock(&record.run_id).await;
        let interrupt = self.interrupt.clone();
        let made =
            setup::make_namespaces(self.cluster, &mut record, &mut store, (2, &[]), interrupt, &|_| {}).await;
        if made.is_ok() {
            setup::close(&mut record, &mut store).await.unwrap();
        }
        lock.release().await;
    }

    async fn phase(&self, kind: PhaseKind, via: Via) {
        let Some((mut record, store)) = self.cluster.load(PREFIX).await.unwrap() else { return };
        let Ok(step) = lifecycle::next(&record, kind) else { return };
        let lock = self.lock(&record.run_id).await;
        let settings = PhaseSettings {
            via,
            timeout_seconds: 2,
            explain: false,
            concurrency: 2,
            ..PhaseSettings::default()
        };
        let work = PhaseContext {
            cluster: self.cluster,
            lock: &lock,
            step,
            settings,
            template: Some(self.template),
            gate: None,
            extent: Extent::Whole,
            interrupt: self.interrupt.clone(),
            events: &|_| {},
        };
        // Errors caused by others are no failure of this test.
        let _ = Box::pin(timed::run(work, &mut record, store)).await;
        lock.release().await;
    }

    /// Returns what is left of the run, if anything.
    async fn clean_up(&self) -> Option<Leftovers> {
        let (record, _) = self.cluster.load(PREFIX).await.unwrap()?;
        let estate = Estate::of(&record);
        let lock = self.lock(&record.run_id).await;
        let deadline = monotonic_now() + Duration::from_secs(120);
        let order = Order {
            estate: &estate,
            sorts: &Sort::ALL,
            place: None,
            choice: CHOICE,
            lock: None,
            concurrency: 4,
            deadline,
        };
        let outcome = cleanup::run(self.cluster, order, &|_| {}).await;
        lock.release().await;
        outcome.unwrap_or_else(|error| panic!("seed {}: a cleanup ends: {error:?}", self.seed));
        Some(cleanup::verify(self.cluster, order).await.unwrap())
    }
}

async fn live(seed: u64) {
    let local = Local::of("instant", 2, seed);
    let cluster = local.cluster();
    let template = Template::container_disk("example.org/disk:1");
    let process = Process { cluster: &cluster, interrupt: local.interrupt(), template: &template, seed };
    let mut others =
        Others { store: local.sandbox.store().clone(), dice: Dice(seed), made: Vec::new(), count: 0 };
    let mut dice = Dice(!seed);
    let via = if dice.below(4) == 0 { Via::Subresource } else { Via::Patch };
    let window = (via == Via::Subresource).then(|| local.sandbox.server().ledger());
    let steps: [Option<PhaseKind>; 6] = [
        None,
        Some(PhaseKind::Create),
        Some(PhaseKind::Stop),
        Some(PhaseKind::Storm),
        Some(PhaseKind::Stop),
        Some(PhaseKind::Storm),
    ];
    let last = 2 + usize::try_from(dice.below(5)).unwrap();
    for step in &steps[..last.min(steps.len())] {
        // Killed at a random instant and restarted.
        for _ in 0..=dice.below(2) {
            let killed = Duration::from_millis(if dice.below(3) == 0 { dice.below(60) } else { 30_000 });
            let acting = async {
                for _ in 0..others.dice.below(3) {
                    tokio::time::sleep(Duration::from_millis(others.dice.below(50))).await;
                    others.act(false, window);
                }
                std::future::pending::<()>().await;
            };
            tokio::select! {
                () = acting => {}
                () = tokio::time::sleep(killed) => {}
                () = async {
                    match step {
                        None => process.set_up().await,
                        Some(kind) => process.phase(*kind, via).await,
                    }
                } => {}
            }
        }
    }
    let killed = Duration::from_millis(dice.below(300));
    let acting = async {
        tokio::time::sleep(Duration::from_millis(others.dice.below(100))).await;
        others.act(true, window);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = acting => {}
        () = tokio::time::sleep(killed) => {}
        _ = process.clean_up() => {}
    }
    let left = process.clean_up().await;
    others.are_untouched(&local, seed);
    if let Some(left) = left {
        assert!(left.is_empty(), "seed {seed}: {left:?}");
    }
}

#[test]
fn nothing_of_others_is_ever_written() {
    let seeds = std::env::var("BOOTSTORM_BYSTANDERS").unwrap_or_else(|_| SEEDS.to_owned());
    let (from, to) = seeds.split_once("..").unwrap_or(("0", &seeds));
    let (from, to): (u64, u64) = (from.parse().unwrap(), to.parse().unwrap());
    for seed in from..to {
        on_paused_time(live(seed));
    }
}
