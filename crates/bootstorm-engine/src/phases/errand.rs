//! Work for each VM of a phase, and its request, which is built when its turn comes.
//!
//! Building ten thousand requests at once would take a second before the first one is sent, and tens of megabytes.

use std::sync::Arc;

use serde_json::Value;

use crate::cluster::launchers::Evictable;
use crate::cluster::names::{Role, labels};
use crate::cluster::pace::Timed;
use crate::cluster::{ClusterError, Kind, evictions, machines, migrations};
use bootstorm_model::plan::manifest::HALTED;
use bootstorm_model::plan::{Target, Template};
use bootstorm_model::record::{PhaseName, RunRecord, Via};

/// Work for a VM
#[derive(Debug)]
pub(crate) enum Errand {
    /// Create it.
    Create,
    /// Start it; its UID.
    Start(Box<str>),
    /// Stop it; its UID.
    Stop(Box<str>),
    /// Restart it; its UID, and that of its instance.
    Restart(Box<str>, Box<str>),
    /// Evict its launcher pod: UID of the instance, node, pod.
    Evict(Box<str>, Box<str>, Box<Evictable>),
    /// Live-migrate it; UID of its instance, and the migration object.
    Migrate(Box<str>, Box<Target>),
    /// A request built earlier.
    Made(Box<Timed>),
}

/// Inputs for building requests
#[derive(Debug)]
pub(crate) struct Maker {
    /// Record, without timelines.
    pub(crate) record: RunRecord,
    pub(crate) phase: PhaseName,
    pub(crate) targets: Arc<[Target]>,
    /// VM manifest; needed to create VMs only.
    pub(crate) template: Option<Template>,
    /// Whether VMs are created without being started.
    pub(crate) halted: bool,
    pub(crate) via: Via,
}

impl Maker {
    /// Builds the request for the VM at this place of the plan.
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
