//! What is to be done to each VM of a phase, and the request for it, which is made when its turn comes.
//!
//! Ten thousand requests made at once would take a second before the first one leaves, and tens of megabytes.

use serde_json::Value;

use crate::cluster::launchers::Evictable;
use crate::cluster::names::{Role, labels};
use crate::cluster::pace::Timed;
use crate::cluster::{ClusterError, Kind, evictions, machines, migrations};
use bootstorm_model::plan::manifest::HALTED;
use bootstorm_model::plan::{Target, Template};
use bootstorm_model::record::{PhaseName, RunRecord, Via};

/// What is to be done to a VM
#[derive(Debug)]
pub(crate) enum Errand {
    /// It is created.
    Create,
    /// It is started; its UID.
    Start(Box<str>),
    /// It is stopped; its UID.
    Stop(Box<str>),
    /// It is restarted; its UID, and that of its instance.
    Restart(Box<str>, Box<str>),
    /// Its launcher pod is evicted: UID of the instance, node, pod.
    Evict(Box<str>, Box<str>, Box<Evictable>),
    /// It is live-migrated; UID of its instance, and the object for that.
    Migrate(Box<str>, Box<Target>),
    /// A request that was made before.
    Made(Box<Timed>),
}

/// What requests are made of
#[derive(Debug)]
pub(crate) struct Maker {
    /// The record, without timelines.
    pub(crate) record: RunRecord,
    pub(crate) phase: PhaseName,
    pub(crate) targets: Vec<Target>,
    /// The VM manifest; needed to create VMs only.
    pub(crate) template: Option<Template>,
    /// VMs are created without being started.
    pub(crate) halted: bool,
    pub(crate) via: Via,
}

impl Maker {
    /// Makes the request for the VM at this place of the plan.
    pub(crate) fn make(&self, vm: u32, errand: Errand) -> Result<Timed, ClusterError> {
        let place = vm as usize;
        let none =
            |what: &str| ClusterError::new("make a request", Kind::Invalid, format!("there is no {what}"));
        let target = self.targets.get(place).ok_or_else(|| none("such VM"))?;
        match errand {
            Errand::Create => {
                let template = self.template.as_ref().ok_or_else(|| none("manifest"))?;
                machines::create(target, &manifest(&self.record, template, place, target, self.halted))
            }
            Errand::Start(uid) => machines::start(target, &uid, self.via),
            Errand::Stop(uid) => machines::stop(target, &uid, self.via),
            Errand::Restart(uid, instance) => machines::restart(target, &uid, &instance),
            Errand::Evict(instance, node, pod) => evictions::evict(target, &instance, &node, &pod),
            Errand::Migrate(instance, object) => {
                migrations::create(&self.record, self.phase, target, &instance, &object)
            }
            Errand::Made(request) => Ok(*request),
        }
    }
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
    record.plan.render(template, (position, target), &labels, strategy)
}
