//! One VM in one phase, for display.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::downtime::Downtime;
use bootstorm_model::observe::{
    MigrationFacts, Milestone, Moment, Offset, Outcome, Source, Timeline, VolumeKind, Warning,
};
use bootstorm_model::plan::Target;
use bootstorm_model::record::{NO_OUTAGE, NOT_IN_STORM};
use bootstorm_model::stats;

/// Time at which a VM passed a milestone
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// Seconds from this VM's request, if nothing else is said.
    #[serde(serialize_with = "stats::micros")]
    pub seconds: f64,
    /// Seen by the client, or stamped by the server and exact to ±1 s.
    pub source: Source,
}

/// One VM in one phase
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Namespace of the VM.
    pub namespace: String,
    /// Name of the VM.
    pub name: String,
    /// Node on which it ran.
    pub node: Option<String>,
    /// First IP address that it reported.
    pub address: Option<String>,
    /// How its disks were filled; absent if it got none.
    #[serde(rename = "volume", default, skip_serializing_if = "Option::is_none")]
    pub volume_kind: Option<VolumeKind>,
    /// Its live migration; absent unless the phase migrates VMs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migration: Option<Box<MigrationFacts>>,
    /// The longest interruption of its guest while it migrated; absent if not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub downtime: Option<Downtime>,
    /// Outcome.
    pub outcome: Outcome,
    /// Reason why it did not reach the goal.
    pub reason: Option<String>,
    /// Cause that kept it from the goal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Requests sent for it.
    pub attempts: u32,
    /// 429 answers among them.
    pub throttled: u32,
    /// Seconds from the beginning of the phase to this VM's request.
    #[serde(rename = "requested_at_seconds", serialize_with = "stats::maybe_micros")]
    pub requested_at: Option<f64>,
    /// Wave of its request, from 1; absent without waves.
    pub wave: Option<u32>,
    /// Milestones that it passed.
    pub milestones: BTreeMap<Milestone, Mark>,
    /// Milestones that it passed after an unknown time: the process that sent its request was killed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<Milestone>,
    /// Seconds from the beginning of the phase at which it passed those.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub passed_at: BTreeMap<Milestone, Mark>,
    /// Probe → time of the guest's answer.
    #[serde(default)]
    pub probes: BTreeMap<String, Mark>,
    /// Kubernetes events of type `Warning`; repeated ones are merged. Only from the record of a run; documents do not
    /// have them.
    #[serde(skip)]
    pub warnings: Vec<Warning>,
}

impl Row {
    /// Whether the VM was not in the storm, or stayed up during an observed recovery.
    pub(super) fn is_set_aside(&self) -> bool {
        self.is_excluded_for(NOT_IN_STORM) || self.had_no_outage()
    }

    /// Whether the VM stayed up during an observed recovery.
    pub(super) fn had_no_outage(&self) -> bool {
        self.is_excluded_for(NO_OUTAGE)
    }

    fn is_excluded_for(&self, reason: &str) -> bool {
        self.outcome == Outcome::Excluded && self.reason.as_deref() == Some(reason)
    }

    /// The row of a timeline.
    pub(super) fn of(timeline: &Timeline, targets: &[Target]) -> Self {
        // A timeline beyond the plan exists only in a damaged file; it is shown, not dropped.
        let target = targets.get(timeline.target as usize).cloned().unwrap_or_else(|| Target {
            namespace: format!("(target {})", timeline.target),
            name: String::new(),
        });
        let marks = timeline.moments.iter().filter(|(milestone, _)| **milestone != Milestone::Requested);
        let milestones = marks.filter_map(|(milestone, moment)| {
            let seconds = stats::seconds_to(timeline, *milestone)?;
            Some((*milestone, Mark { seconds, source: moment.source }))
        });
        Self {
            namespace: target.namespace,
            name: target.name,
            node: timeline.node.clone(),
            address: timeline.address.clone(),
            volume_kind: timeline.volume_kind,
            migration: timeline.migration.clone(),
            downtime: None,
            outcome: timeline.outcome,
            reason: timeline.reason.clone(),
            cause: None,
            attempts: timeline.attempts,
            throttled: timeline.throttled,
            requested_at: timeline.at(Milestone::Requested).map(Offset::seconds),
            wave: None,
            milestones: milestones.collect(),
            unknown: unknown(timeline).map(|(milestone, _)| milestone).collect(),
            passed_at: unknown(timeline).collect(),
            probes: probes(timeline),
            warnings: timeline.warnings.clone(),
        }
    }

    /// Its timeline, with the times that count from its request on the axis of the phase.
    ///
    /// Without the time of the request that is the beginning of the phase.
    pub(super) fn timeline(&self, target: u32) -> Timeline {
        let mut timeline = Timeline::new(target);
        timeline.volume_kind = self.volume_kind;
        let measured = !self.milestones.is_empty();
        let requested = self.requested_at.map(Offset::from_seconds).or(measured.then_some(Offset::ZERO));
        let moment = |mark: &Mark| {
            let (zero, after) = (requested.unwrap_or(Offset::ZERO), Offset::from_seconds(mark.seconds));
            Moment { at: Offset(zero.0.saturating_add(after.0)), source: mark.source }
        };
        timeline.moments =
            self.milestones.iter().map(|(milestone, mark)| (*milestone, moment(mark))).collect();
        if let Some(at) = requested {
            timeline.moments.insert(Milestone::Requested, Moment { at, source: Source::Seen });
        }
        let lost = |milestone: &Milestone| {
            let undated = Moment { at: Offset::ZERO, source: Source::Late };
            let dated = |mark: &Mark| Moment { at: Offset::from_seconds(mark.seconds), source: mark.source };
            (*milestone, self.passed_at.get(milestone).map_or(undated, dated))
        };
        timeline.moments.extend(self.unknown.iter().map(lost));
        timeline.untimed = !self.unknown.is_empty();
        timeline.node.clone_from(&self.node);
        timeline.address.clone_from(&self.address);
        timeline.migration.clone_from(&self.migration);
        timeline.attempts = self.attempts;
        timeline.throttled = self.throttled;
        timeline.outcome = self.outcome;
        timeline.reason.clone_from(&self.reason);
        timeline
    }

    /// Seconds from the request to a milestone.
    pub fn seconds(&self, milestone: Milestone) -> Option<f64> {
        self.milestones.get(&milestone).map(|mark| mark.seconds)
    }

    /// Word for the outcome, as in the guide's tables.
    pub fn status(&self) -> &'static str {
        match self.outcome {
            Outcome::Pending => "Pending",
            Outcome::Reached => "Success",
            Outcome::Failed => "Failed",
            Outcome::TimedOut => "Timed out",
            Outcome::Unknown => "Unknown",
            Outcome::Excluded => "Excluded",
        }
    }
}

/// Milestones passed without a known request time, from the beginning of the phase.
fn unknown(timeline: &Timeline) -> impl Iterator<Item = (Milestone, Mark)> {
    let is_lost = timeline.untimed && !timeline.has(Milestone::Requested);
    let mark = |moment: &Moment| Mark { seconds: moment.at.seconds().max(0.0), source: moment.source };
    let passed = timeline.moments.iter().map(move |(milestone, moment)| (*milestone, mark(moment)));
    passed.filter(move |_| is_lost)
}

/// Answers of a guest, in seconds from its request.
fn probes(timeline: &Timeline) -> BTreeMap<String, Mark> {
    let requested = timeline.at(Milestone::Requested);
    let mark = |moment: &Moment| {
        let seconds = moment.at.since(requested?).seconds().max(0.0);
        Some(Mark { seconds, source: moment.source })
    };
    timeline.probes.iter().filter_map(|(probe, moment)| Some((probe.clone(), mark(moment)?))).collect()
}
