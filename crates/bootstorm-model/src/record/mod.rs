//! The record: the run, its phases, and their stored form.
//!
//! Pure: the engine moves the parts made by [`codec`] to and from the cluster without looking into them.

mod beside;
mod bounded;
pub mod codec;
pub mod facts;
pub mod health;
pub mod lifecycle;
pub mod limit;
pub mod made;
mod merge;
pub mod metrics;
pub mod phase;
pub mod series;
mod storm_kind;
mod timelines;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use bounded::at_most;
pub use facts::{ClusterFacts, MigrationLimits, NodeKind, RateLimit, StorageClassFacts, Workers};
pub use health::{ClockDifference, ClusterMark, Health};
pub use limit::{FailureLimit, Share};
pub use made::{Made, UidsByName};
pub use metrics::{Gauge, Line, Metric, Metrics, Unit};
pub use phase::{
    BLIND_LIMIT_SECONDS, Cordon, Gap, InsightHealth, MOST_GAPS, NO_OUTAGE, NOT_IN_STORM, OTHER_SHARD,
    PhaseKind, PhaseName, PhaseRecord, PhaseSettings, PhaseState, ProbeHealth, SetupRecord, Via, WatchHealth,
};

pub use series::{Series, SeriesKind};
pub use storm_kind::StormKind;
pub use timelines::{Timelines, Uids};

use crate::observe::{Milestone, Outcome, Timeline};
use crate::outage::Observation;
use crate::plan::Plan;

/// Version of the stored format: 7 since a phase may be stored as a whole and the changes since, and several processes
/// may work on it; 6 since storms migrate VMs and drain nodes, and outages are observed; 5 since there are several
/// kinds of storms; 4 since a record holds the UIDs of the objects that the run created, outcomes may be unknown, and
/// gaps may be open.
///
/// Programs refuse records with a newer version than their own. Records of versions 1 to 3 have no UIDs.
pub const FORMAT: u32 = 7;

/// Maximum number of phases in a stored run.
pub const MOST_PHASES: usize = 256;

/// Everything known about one run
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Version of the stored format.
    pub format: u32,
    /// UUID of this run; also the label that identifies its objects.
    pub run_id: String,
    /// Time at which `setup` froze the plan.
    pub created: Timestamp,
    /// The plan, frozen by `setup`.
    pub plan: Plan,
    /// The cluster as found by `setup`.
    #[serde(default)]
    pub facts: ClusterFacts,
    /// Result of `setup`.
    #[serde(default)]
    pub setup: SetupRecord,
    /// UIDs of the objects that the run created, except for its VMs, which are in the create phase.
    #[serde(default, skip_serializing_if = "Made::is_empty")]
    pub made: Made,
    /// Time at which adopted VMs were restored; nothing is done to them after that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored: Option<Timestamp>,
    /// The cleanup, once begun: the VMs and namespaces of the run are gone or being deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cleanup: Option<CleanupMark>,
    /// Series of storms, in the order in which they began.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub series: Vec<Series>,
    /// Phases whose after-hook has yet to run, or did not succeed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after_due: Vec<PhaseName>,
    /// Observation of outages; its recoveries are the phases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observation: Option<Box<Observation>>,
    /// The phases so far, in the order in which they began.
    #[serde(default, deserialize_with = "at_most::<MOST_PHASES, _, _>")]
    pub phases: Vec<PhaseRecord>,
}

/// Progress of the cleanup of a run
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CleanupMark {
    /// Time of its beginning, before anything was deleted.
    pub began: Timestamp,
    /// Time at which everything but the record was gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<Timestamp>,
}

/// What the run has done to the power of a VM
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wish {
    /// Whether something may have been done to it: it took part in a phase, even if no request for it was saved.
    pub touched: bool,
    /// The last stop or start; `None` if it is unknown whether it was carried out. Restarts, migrations and drains
    /// switch no VM off or on.
    pub last: Option<PhaseKind>,
    /// Whether the run may have stopped it: it took part in a stop.
    pub stopped: bool,
    /// Whether the run may have started it: it took part in a storm that starts VMs.
    pub started: bool,
    /// The last stop or start that was carried out, by all that is known of the VM: the answer may have been lost.
    pub carried_out: Option<PhaseKind>,
}

impl Wish {
    /// Whether the run has stopped it, and not started it since.
    pub fn has_stopped(&self) -> bool {
        self.carried_out == Some(PhaseKind::Stop)
    }

    /// Adds a phase in which the VM took part.
    fn add(&mut self, phase: &PhaseRecord, timeline: &Timeline) {
        self.touched = true;
        let kind = phase.name.kind;
        if kind == PhaseKind::Storm && !phase.settings.kind.is_start() {
            return;
        }
        let stops = kind == PhaseKind::Stop;
        self.last = timeline.has(Milestone::Accepted).then_some(kind);
        (self.stopped, self.started) = (self.stopped || stops, self.started || !stops);
        if was_carried_out(timeline) {
            self.carried_out = Some(kind);
        }
    }
}

/// Whether a request was carried out, by all that is known of its VM; its answer may have been lost.
fn was_carried_out(timeline: &Timeline) -> bool {
    let shown = || timeline.moments.keys().any(|milestone| *milestone > Milestone::Requested);
    timeline.has(Milestone::Accepted)
        || timeline.untimed
        || timeline.outcome == Outcome::Reached
        || timeline.outcome != Outcome::Failed && shown()
}

impl RunRecord {
    /// The record of a run that has just been set up.
    pub fn new(run_id: String, created: Timestamp, plan: Plan) -> Self {
        Self {
            format: FORMAT,
            run_id,
            created,
            plan,
            facts: ClusterFacts::default(),
            setup: SetupRecord::default(),
            made: Made::default(),
            restored: None,
            cleanup: None,
            series: Vec::new(),
            after_due: Vec::new(),
            observation: None,
            phases: Vec::new(),
        }
    }

    /// Stores the current state of a phase; the record is in the newest format from then on.
    pub fn put_phase(&mut self, phase: PhaseRecord) {
        match self.phase_mut(phase.name) {
            Some(known) => *known = phase,
            None => self.phases.push(phase),
        }
        self.format = self.format.max(FORMAT);
    }

    /// The record without timelines.
    #[must_use]
    pub fn header(&self) -> Self {
        Self {
            format: self.format,
            run_id: self.run_id.clone(),
            created: self.created,
            plan: self.plan.clone(),
            facts: self.facts.clone(),
            setup: self.setup.clone(),
            made: self.made.clone(),
            restored: self.restored,
            cleanup: self.cleanup,
            series: self.series.clone(),
            after_due: self.after_due.clone(),
            observation: self.observation.clone(),
            phases: self.phases.iter().map(PhaseRecord::header).collect(),
        }
    }

    /// The phase with that name.
    pub fn phase(&self, name: PhaseName) -> Option<&PhaseRecord> {
        self.phases.iter().find(|phase| phase.name == name)
    }

    /// UIDs of the VMs in the order of the plan, as of their creation by the run; empty if it has created none, and
    /// `None` for a VM whose UID is unknown.
    pub fn machine_uids(&self) -> Vec<Option<Box<str>>> {
        let uids = self.last_of(PhaseKind::Create).map(|create| create.timelines.uids()).unwrap_or_default();
        uids.into_iter().map(|uids| uids.machine_uid).collect()
    }

    /// The phase with that name, for changes.
    pub fn phase_mut(&mut self, name: PhaseName) -> Option<&mut PhaseRecord> {
        self.phases.iter_mut().find(|phase| phase.name == name)
    }

    /// The phase that began last.
    pub fn last_phase(&self) -> Option<&PhaseRecord> {
        self.phases.last()
    }

    /// The last phase of a kind.
    pub fn last_of(&self, kind: PhaseKind) -> Option<&PhaseRecord> {
        self.phases.iter().rev().find(|phase| phase.name.kind == kind)
    }

    /// What the run has done to the power of each VM, in the order of the plan.
    pub fn wishes(&self) -> Vec<Wish> {
        let mut wishes = vec![Wish::default(); self.plan.size() as usize];
        for phase in &self.phases {
            let timelines = phase.timelines.read();
            let took_part = |timeline: &&Timeline| timeline.outcome != Outcome::Excluded;
            for (wish, timeline) in wishes.iter_mut().zip(&*timelines).filter(|(_, one)| took_part(one)) {
                wish.add(phase, timeline);
            }
        }
        wishes
    }

    /// Whether adopted VMs may be in another state than before.
    pub fn has_to_restore(&self) -> bool {
        self.plan.is_adopted() && self.restored.is_none() && !self.phases.is_empty()
    }

    /// The first boot of the VMs, with which storms are compared: the create phase, or the first start of VMs that it
    /// did not start.
    pub fn baseline(&self) -> Option<&PhaseRecord> {
        let create = self.last_of(PhaseKind::Create)?;
        if !create.settings.halted {
            return Some(create);
        }
        let first = self.phases.iter().find(|phase| phase.name.kind == PhaseKind::Storm);
        // In a smaller storm, the other VMs have no first boot yet.
        first.filter(|first| first.settings.size.is_none())
    }

    /// Whether a phase is the first boot of the VMs.
    pub fn is_baseline(&self, name: PhaseName) -> bool {
        self.baseline().is_some_and(|baseline| baseline.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Offset;
    use crate::plan::TemplateSource;

    #[test]
    fn only_stops_and_starts_switch_vms() {
        let template = TemplateSource::ContainerDisk { image: "i".into() };
        let plan = Plan::resolve("p", 1, 4, "vm", template).unwrap();
        let mut record = RunRecord::new("id".into(), "2026-01-01T00:00:00Z".parse().unwrap(), plan);
        let add = |record: &mut RunRecord, name: &str, kind, change: &dyn Fn(&mut PhaseRecord)| {
            let settings = PhaseSettings { kind, ..PhaseSettings::default() };
            let mut phase = PhaseRecord::new(name.parse().unwrap(), record.created, settings, 4);
            change(&mut phase);
            record.phases.push(phase);
        };
        let accept = |timeline: &mut Timeline| {
            timeline.see(Milestone::Accepted, Offset(1));
        };
        add(&mut record, "storm-1", StormKind::Restart, &|phase| {
            phase.timelines.iter_mut().for_each(accept);
        });
        let restarted = Wish { touched: true, ..Wish::default() };
        assert_eq!(record.wishes(), [restarted; 4]);
        add(&mut record, "stop-1", StormKind::Start, &|phase| {
            let vms = &mut phase.timelines;
            accept(&mut vms[0]);
            vms[1].outcome = Outcome::Excluded;
            // Carried out, but the answer was not saved.
            vms[2].untimed = true;
            // Refused.
            vms[3].outcome = Outcome::Failed;
        });
        let stopped = Wish { stopped: true, ..restarted };
        let accepted = Wish { last: Some(PhaseKind::Stop), carried_out: Some(PhaseKind::Stop), ..stopped };
        let lost = Wish { carried_out: Some(PhaseKind::Stop), ..stopped };
        assert_eq!(record.wishes(), [accepted, restarted, lost, stopped]);
        add(&mut record, "storm-2", StormKind::Start, &|phase| {
            let vms = &mut phase.timelines;
            accept(&mut vms[0]);
            vms[1].outcome = Outcome::Excluded;
            // Its time was up before it was asked.
            vms[2].outcome = Outcome::TimedOut;
            vms[3].outcome = Outcome::Excluded;
        });
        let storm = Some(PhaseKind::Storm);
        let started = Wish { last: storm, started: true, carried_out: storm, ..stopped };
        let not_asked = Wish { started: true, ..lost };
        assert_eq!(record.wishes(), [started, restarted, not_asked, stopped]);
        add(&mut record, "storm-3", StormKind::Migrate, &|_| {});
        assert_eq!(record.wishes(), [started, restarted, not_asked, stopped]);
    }
}
