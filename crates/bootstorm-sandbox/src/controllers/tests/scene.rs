//! A create and a storm in paused time, from the program's point of view: what watches would have reported, folded into
//! the record of a run.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::value::{Value, json};
use jiff::Timestamp;

use super::stage::{Stage, machine};
use crate::model::{MisbehaviourTable, Profile, profile};
use crate::store::Action;
use crate::store::kind::{EVENTS, PODS, STORAGE_CLASSES, VIRTUAL_MACHINE_INSTANCES};
use bootstorm_engine::cluster::changes::Vmi;
use bootstorm_engine::cluster::launchers::Pod;
use bootstorm_engine::cluster::notices::CoreEvent;
use bootstorm_model::observe::{
    self, Fold, LauncherFold, Milestone, Offset, Outcome, Receipt, Timeline, Volume, VolumeFold,
};
use bootstorm_model::plan::{Plan, Target, TemplateSource};
use bootstorm_model::record::{PhaseRecord, PhaseSettings, PhaseState, RateLimit, RunRecord, Workers};

/// Simulated seconds after which a VM has not arrived.
const PATIENCE: f64 = 200.0;

/// A scene
pub(super) struct Scene {
    pub(super) profile: Profile,
    pub(super) vms: usize,
    /// Whether the VMs boot from volumes of the shared pool instead of container disks.
    pub(super) claims: bool,
    /// Seconds between the creation of two VMs, as with `--ramp`.
    pub(super) apart: f64,
}

impl Scene {
    pub(super) fn named(name: &str, vms: usize) -> Self {
        Self { profile: profile::named(name).expect("a profile"), vms, claims: false, apart: 0.0 }
    }

    pub(super) fn with(name: &str, overlay: &str, vms: usize) -> Self {
        let profile = profile::parse(name, &format!("base: {name}\n{overlay}")).expect("a profile");
        Self { profile, vms, claims: false, apart: 0.0 }
    }

    pub(super) fn on_claims(self) -> Self {
        Self { claims: true, ..self }
    }

    pub(super) fn created_apart(self, apart: f64) -> Self {
        Self { apart, ..self }
    }

    fn targets(&self) -> Vec<Target> {
        let target = |number| Target { namespace: format!("storm-{number}"), name: "vm".into() };
        (1..=self.vms).map(target).collect()
    }

    fn machine(&self) -> Value {
        let mut vm = machine("vm", "Always");
        if self.claims {
            vm["spec"]["dataVolumeTemplates"] = json!([{"metadata": {"name": "root"},
                "spec": {"source": {"blank": {}}, "storage": {"resources": {"requests": {"storage": "5Gi"}}}}}]);
            vm["spec"]["template"]["spec"]["volumes"] =
                json!([{"name": "root", "dataVolume": {"name": "root"}}]);
        }
        vm
    }

    /// Plays the scene; `between` runs before the storm.
    pub(super) async fn play(&self, between: impl Fn(&Stage)) -> RunRecord {
        let stage =
            Arc::new(Stage::new(self.profile.clone(), self.profile.node.count, MisbehaviourTable::none()));
        let class = json!({
            "metadata": {"name": "pool", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
            "provisioner": "sandbox", "volumeBindingMode": "Immediate",
        });
        stage.store.create(&STORAGE_CLASSES, class).expect("a class");
        let targets = self.targets();
        for target in &targets {
            stage.namespace(&target.namespace);
        }
        let mut record = self.record();
        let create = self.phase(&stage, "create").await;
        record.phases.push(create);
        self.stop(&stage).await;
        between(&stage);
        let storm = self.phase(&stage, "storm-1").await;
        record.phases.push(storm);
        record
    }

    fn record(&self) -> RunRecord {
        let template = TemplateSource::ContainerDisk { image: "i".into() };
        let plan = Plan::resolve("storm", 1, self.vms as u32, "vm", template).expect("a plan");
        let mut record = RunRecord::new("id".into(), Timestamp::UNIX_EPOCH, plan);
        let limit = |component: &str, qps: f64, burst: f64, usual: f64| RateLimit {
            component: component.to_owned(),
            qps,
            burst: burst as u32,
            configured: (qps - usual).abs() > 1e-9,
        };
        let (controller, handler) = (&self.profile.virt_controller, &self.profile.virt_handler);
        record.facts.rate_limits = vec![
            limit("virt-controller", controller.qps, controller.burst, 200.0),
            limit("virt-handler", handler.qps, handler.burst, 50.0),
        ];
        let workers = [
            ("vm-controller-threads", controller.vm_workers, 3),
            ("vmi-controller-threads", controller.vmi_workers, 10),
        ];
        for (flag, count, _) in workers.into_iter().filter(|(_, count, usual)| count != usual) {
            let (component, count) = ("virt-controller".to_owned(), count as u32);
            record.facts.workers.push(Workers { component, flag: flag.to_owned(), count });
        }
        record
    }

    async fn stop(&self, stage: &Arc<Stage>) {
        let mut tasks = tokio::task::JoinSet::new();
        for target in self.targets() {
            let stage = stage.clone();
            tasks.spawn(async move { stage.power(&target.namespace, &target.name, "Halted").await });
        }
        tasks.join_all().await;
        stage
            .until("all instances gone", |stage| {
                stage.store.list(&VIRTUAL_MACHINE_INSTANCES, None).0.is_empty()
                    && stage.store.list(&PODS, None).0.is_empty()
            })
            .await;
    }

    async fn phase(&self, stage: &Arc<Stage>, name: &str) -> PhaseRecord {
        let targets = self.targets();
        let began = stage.clock.now();
        let before = stage.changes().len();
        let mut tasks = tokio::task::JoinSet::new();
        for (number, target) in targets.clone().into_iter().enumerate() {
            let (stage, vm, create) = (stage.clone(), self.machine(), name == "create");
            let wait = if create { self.apart * number as f64 } else { 0.0 };
            tasks.spawn(async move {
                stage.clock.sleep(wait).await;
                let asked = if create {
                    stage.create(&target.namespace, vm).await
                } else {
                    stage.power(&target.namespace, &target.name, "Always").await
                };
                (target, asked, stage.clock.now())
            });
        }
        let answers = tasks.join_all().await;
        let reachable = arrivals(stage, &targets, began).await;
        let settings = PhaseSettings { explain: true, ..PhaseSettings::default() };
        let mut phase =
            PhaseRecord::new(name.parse().expect("a name"), Timestamp::UNIX_EPOCH, settings, self.vms as u32);
        phase.state = PhaseState::Done;
        phase.goal = Milestone::Reachable;
        phase.insight = Some(bootstorm_model::record::InsightHealth { streams: 3, ..Default::default() });
        let offset = |at: f64| Offset::from_seconds(at - began);
        for (target, asked, answered) in answers {
            let position = targets.iter().position(|known| *known == target).expect("a target");
            phase.timelines[position].see(Milestone::Requested, offset(asked));
            phase.timelines[position].see(Milestone::Accepted, offset(answered));
        }
        see(stage, &targets, before, began, &mut phase.timelines);
        for (target, timeline) in targets.iter().zip(&mut phase.timelines) {
            match reachable.get(target) {
                Some(at) => {
                    timeline.see(Milestone::Reachable, offset(*at));
                    timeline.outcome = Outcome::Reached;
                }
                None => {
                    timeline.outcome = Outcome::TimedOut;
                    timeline.reason = Some("no answer".into());
                }
            }
        }
        phase.ended = Some(offset(stage.clock.now()));
        phase
    }
}

/// Times of the guests' answers, for those within their time.
async fn arrivals(stage: &Stage, targets: &[Target], began: f64) -> HashMap<Target, f64> {
    let mut found = HashMap::new();
    while found.len() < targets.len() && stage.clock.now() - began < PATIENCE {
        stage.clock.sleep(1.0).await;
        for target in targets {
            let vmi = stage.store.get(&VIRTUAL_MACHINE_INSTANCES, &target.namespace, &target.name);
            let presence = vmi.and_then(|vmi| stage.controllers.guests().presence(vmi.uid()));
            if let Some(at) = presence.and_then(|presence| presence.network_at) {
                found.entry(target.clone()).or_insert(at);
            }
        }
    }
    // Agents connect a little later.
    stage.clock.sleep(3.0).await;
    found
}

/// Folds the changes since the one with that number.
fn see(stage: &Stage, targets: &[Target], before: usize, began: f64, timelines: &mut [Timeline]) {
    let changes = stage.changes();
    let old: HashSet<String> = changes[..before]
        .iter()
        .filter(|change| change.kind.is(&VIRTUAL_MACHINE_INSTANCES))
        .map(|change| change.object.uid().to_owned())
        .collect();
    let mut fold = Fold::new(targets, false, old);
    let mut launchers = LauncherFold::new(targets, true);
    let mut volumes = VolumeFold::new(targets, 1);
    for change in &changes[before..] {
        let receipt = Receipt {
            at: Offset::from_seconds(change.at - began),
            late: false,
            server_zero: Timestamp::UNIX_EPOCH,
        };
        let value = change.object.value().clone();
        if change.kind.is(&VIRTUAL_MACHINE_INSTANCES) {
            let vmi: Vmi = serde_json::from_value(value.into()).expect("an instance");
            let instance = observe::Instance::from(vmi);
            let target = instance.target.clone();
            let told = match change.action {
                Action::Deleted => observe::Change::Absent { uid: instance.uid, target: target.clone() },
                _ => observe::Change::Present(instance),
            };
            fold.apply(timelines, &told, receipt);
            if let Some(position) = fold.position(&target) {
                launchers.join(timelines, position);
            }
        } else if change.kind.is(&PODS) {
            let pod: Pod = serde_json::from_value(value.into()).expect("a pod");
            if let Some(launcher) = pod.launcher(change.action == Action::Deleted) {
                launchers.apply(timelines, launcher, receipt);
            }
        } else if change.kind.is(&EVENTS) {
            let event: CoreEvent = serde_json::from_value(value.into()).expect("an event");
            if let Some(notice) = event.notice() {
                launchers.hear(timelines, notice, receipt);
            }
        } else if change.kind.plural == "datavolumes" {
            let target = Target { namespace: change.object.namespace().to_owned(), name: "vm".into() };
            let done = value["status"]["phase"] == "Succeeded";
            let (uid, state) = (change.object.uid().to_owned(), String::new());
            volumes.apply(
                timelines,
                Volume { uid, target, done, ready_since: None, kind: None, state },
                receipt,
            );
        }
    }
}
