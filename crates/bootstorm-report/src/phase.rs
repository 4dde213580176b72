//! One phase, for display: settings, durations, figures and rows.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use bootstorm_model::observe::{Milestone, Offset, Outcome, Source, Timeline};
use bootstorm_model::plan::{MOST_TARGETS, Target};
use bootstorm_model::probe::Probe;
use bootstorm_model::record::{
    self, Gap, Metrics, MigrationLimits, PhaseKind, PhaseName, PhaseRecord, PhaseSettings, PhaseState,
    StormKind,
};
use bootstorm_model::stats::{self, Arrival, Curve, FirstRequest, Level, Quantile, Sample, Stage, Summary};

use super::diagnosis::DiagnosisBlock;
use super::downtime::{Downtime, DowntimeBlock};
use super::failures::{FailureBlock, OutliersBlock};
use super::natural;
use super::nodes::{BalanceBlock, NodeBlock};
use super::probing::ProbingBlock;
use super::row::Row;
use super::validity::ValidityBlock;
use super::volumes::VolumesBlock;
use super::waves::{self, WaveBlock};

/// Maximum number of rows of one phase in a document.
const MOST_ROWS: usize = MOST_TARGETS as usize;

/// Amount of detail about a phase in tables
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Shown {
    /// Rows and statistics.
    Full,
    /// One line.
    #[default]
    Brief,
}

/// One phase
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhaseBlock {
    /// Name.
    pub name: PhaseName,
    /// Kind.
    pub kind: PhaseKind,
    /// Whether it has ended.
    pub state: PhaseState,
    /// Beginning.
    pub began: Timestamp,
    /// Number of times that another process continued it.
    #[serde(default)]
    pub continued: u32,
    /// Milestone that each VM had to reach.
    pub goal: Milestone,
    /// Settings.
    pub settings: PhaseSettings,
    /// Outcomes of its VMs.
    pub counts: Counts,
    /// Durations over all VMs.
    pub spans: Spans,
    /// Effort, and quality of the watch.
    pub effort: Attempts,
    /// Resolution of the probes; absent if nothing was probed from a pod.
    #[serde(default)]
    pub probing: Option<ProbingBlock>,
    /// How far its times can be trusted; absent if unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validity: Option<ValidityBlock>,
    /// Statistics per milestone, over the participants.
    pub statistics: BTreeMap<Milestone, Summary>,
    /// Times until shares of the VMs were back.
    pub recovery: Recovery,
    /// Stages between milestones.
    pub stages: Vec<StageBlock>,
    /// How disks were filled; absent if none were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volumes: Option<VolumesBlock>,
    /// Results per node.
    pub nodes: Vec<NodeBlock>,
    /// Distribution over nodes; absent if no VM has a node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance: Option<BalanceBlock>,
    /// Waves of requests; empty without waves.
    #[serde(default)]
    pub waves: Vec<WaveBlock>,
    /// Failure reasons, most frequent first.
    #[serde(default)]
    pub failures: Vec<FailureBlock>,
    /// Causes that kept VMs from the goal, most frequent first.
    #[serde(default)]
    pub diagnoses: Vec<DiagnosisBlock>,
    /// VMs that were much slower than the rest.
    #[serde(default)]
    pub outliers: OutliersBlock,
    /// Prometheus measurements of the cluster meanwhile; absent unless requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<Metrics>,
    /// Limits on concurrent migrations; absent unless VMs are migrated and the limits could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migrations: Option<MigrationLimits>,
    /// Time in which guests did not answer while they migrated; absent if not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub downtime: Option<DowntimeBlock>,
    /// One row per VM, in natural order.
    #[serde(deserialize_with = "record::at_most::<MOST_ROWS, _, _>")]
    pub rows: Vec<Row>,
    /// Number of VMs set aside: not in this storm, or without an outage.
    #[serde(skip)]
    pub aside: usize,
    /// Amount of detail in tables.
    #[serde(skip)]
    pub shown: Shown,
    /// Probe that decides when a VM is reachable.
    #[serde(skip)]
    pub deciding: Option<Probe>,
}

/// Outcomes of the VMs of a phase
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// VMs in the phase.
    pub vms: usize,
    /// Participants: all but the excluded ones.
    pub participants: usize,
    /// Reached the goal.
    pub reached: usize,
    /// Cannot reach it.
    pub failed: usize,
    /// Ran out of time.
    pub timed_out: usize,
    /// Unknown whether they reached it in time.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unknown: usize,
    /// Did not take part.
    pub excluded: usize,
    /// Undecided.
    pub pending: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(n: &usize) -> bool {
    *n == 0
}

/// Durations over all VMs, in seconds
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Spans {
    /// First to last request: simultaneity of the storm.
    #[serde(rename = "request_skew_seconds", serialize_with = "stats::maybe_micros")]
    pub request_skew: Option<f64>,
    /// First to last accepted request.
    #[serde(rename = "accept_skew_seconds", serialize_with = "stats::maybe_micros")]
    pub accept_skew: Option<f64>,
    /// First request to last accepted one: duration of issuing the requests.
    #[serde(rename = "issue_seconds", serialize_with = "stats::maybe_micros")]
    pub issue: Option<f64>,
    /// First request to the last VM that ran (start phases).
    #[serde(rename = "running_seconds", serialize_with = "stats::maybe_micros")]
    pub running: Option<f64>,
    /// First request to the last VM that reached the goal.
    #[serde(rename = "goal_seconds", serialize_with = "stats::maybe_micros")]
    pub goal: Option<f64>,
    /// First request to the end of the phase: duration of monitoring.
    #[serde(rename = "monitoring_seconds", serialize_with = "stats::maybe_micros")]
    pub monitoring: Option<f64>,
    /// Beginning to end of the phase.
    #[serde(rename = "total_seconds", serialize_with = "stats::maybe_micros")]
    pub total: Option<f64>,
}

/// Effort of a phase, and quality of its watch
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Attempts {
    /// Requests sent.
    pub requests: u64,
    /// VMs that needed more than one.
    pub retried_vms: usize,
    /// 429 answers.
    pub throttled_answers: u64,
    /// Time spent waiting after them, summed over the VMs.
    #[serde(rename = "throttled_seconds", serialize_with = "stats::micros")]
    pub throttled: f64,
    /// Watches that had to be reopened.
    pub watch_restarts: u32,
    /// Periods without a connected watch.
    pub watch_gaps: usize,
    /// Their total duration.
    #[serde(rename = "watch_gap_seconds", serialize_with = "stats::micros")]
    pub watch_gap: f64,
    /// VMs with a time based on a server timestamp.
    pub stamped_vms: usize,
}

/// Seconds from the first request until a share of the VMs reached the goal
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Recovery {
    /// 50 %.
    #[serde(rename = "t50_seconds")]
    pub t50: Quantile,
    /// 90 %.
    #[serde(rename = "t90_seconds")]
    pub t90: Quantile,
    /// 95 %.
    #[serde(rename = "t95_seconds")]
    pub t95: Quantile,
    /// 99 %.
    #[serde(rename = "t99_seconds")]
    pub t99: Quantile,
    /// Every VM.
    #[serde(rename = "t100_seconds")]
    pub t100: Quantile,
    /// Whether the time of the first request was lost, so that nothing can be counted from it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub start_unknown: bool,
}

/// The stretch between two milestones
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StageBlock {
    /// First milestone.
    pub from: Milestone,
    /// Last milestone.
    pub to: Milestone,
    /// Statistics over the VMs that passed both.
    pub summary: Summary,
}

impl PhaseBlock {
    /// The block of a phase.
    pub(super) fn of(phase: &PhaseRecord, targets: &[Target], deciding: Option<Probe>, shown: Shown) -> Self {
        let waves = waves::of_vms(phase);
        let mut rows: Vec<Row> = phase
            .timelines
            .iter()
            .zip(&waves)
            .map(|(timeline, wave)| {
                let downtime = Downtime::of(timeline, phase).filter(|_| phase.probing.is_some());
                Row { wave: *wave, downtime, ..Row::of(timeline, targets) }.diagnosed(timeline, phase.goal)
            })
            .collect();
        rows.sort_unstable_by(|a, b| {
            natural::compare(&a.namespace, &b.namespace).then_with(|| natural::compare(&a.name, &b.name))
        });
        let stages = Stage::all(&phase.timelines, phase.goal).into_iter();
        let curve = Curve::of_phase(phase);
        let nodes = NodeBlock::all(phase);
        Self {
            name: phase.name,
            kind: phase.name.kind,
            state: phase.state,
            began: phase.began,
            continued: phase.continued,
            goal: phase.goal,
            settings: phase.settings.clone(),
            counts: Counts::of(phase),
            spans: Spans::of(phase, &curve),
            effort: Attempts::of(phase),
            probing: phase.probing.as_ref().map(ProbingBlock::of),
            validity: None,
            statistics: statistics(phase),
            recovery: Recovery::of(&curve),
            stages: stages
                .map(|stage| StageBlock { from: stage.from, to: stage.to, summary: stage.summary })
                .collect(),
            volumes: VolumesBlock::of(phase),
            balance: BalanceBlock::of(&nodes),
            nodes,
            waves: WaveBlock::all(phase, &waves),
            failures: FailureBlock::all(&rows),
            diagnoses: DiagnosisBlock::all(phase, targets),
            outliers: OutliersBlock::of(phase, targets),
            metrics: phase.metrics.clone(),
            migrations: phase.migrations,
            downtime: DowntimeBlock::of(phase),
            aside: phase.set_aside().count(),
            rows,
            shown,
            deciding,
        }
    }

    /// Number of VMs that have to reach the goal for the phase to be good.
    pub fn wanted(&self) -> usize {
        self.counts.vms.saturating_sub(self.aside)
    }

    /// Title: its name, with the kind if the storm does not start stopped VMs: `storm-2 (restart)`.
    pub fn title(&self) -> String {
        match self.settings.kind {
            kind if kind.is_start() => self.name.to_string(),
            kind => format!("{} ({})", self.name, kind.word()),
        }
    }

    /// The timelines of its VMs, by the places of their rows.
    pub(crate) fn timelines(&self) -> Vec<Timeline> {
        self.rows.iter().zip(0..).map(|(row, target)| row.timeline(target)).collect()
    }

    /// Recovery towards a milestone, from the rows.
    pub(crate) fn curve(&self, milestone: Milestone) -> Curve {
        Curve::of(&self.timelines(), milestone, self.goal, self.first_request())
    }

    /// Times to a milestone, from the rows.
    pub(crate) fn sample(&self, milestone: Milestone) -> Sample {
        Sample::to_milestone(&self.timelines(), milestone, self.goal)
    }

    /// First request; absent in results without the times of requests.
    pub(crate) fn first_request(&self) -> FirstRequest {
        // Reports from before these times were written do not say whether the first known request was the first of all.
        let is_undated = |row: &Row| !row.unknown.is_empty() && row.passed_at.is_empty();
        if self.recovery.start_unknown || self.rows.iter().any(is_undated) {
            return FirstRequest::Lost;
        }
        let known = self.rows.iter().filter_map(|row| row.requested_at).min_by(f64::total_cmp);
        known.map_or(FirstRequest::Absent, |first| FirstRequest::At(Offset::from_seconds(first)))
    }

    /// Whether the times of its requests were measured, as far as they were not lost.
    pub(crate) fn has_recovery(&self) -> bool {
        self.first_request() != FirstRequest::Absent
    }

    /// Distinguishes unknown figures from those that were not reached, after reading: both are written as `null`.
    pub(super) fn complete_unknown(&mut self) {
        let depends = |summary: &Summary| summary.unknown > 0;
        let has_rows = !self.rows.is_empty();
        if self.first_request() == FirstRequest::Lost || has_rows && depends(&self.summary(self.goal)) {
            let start_unknown = self.recovery.start_unknown;
            self.recovery = Recovery { start_unknown, ..Recovery::of(&self.curve(self.goal)) };
        }
        if has_rows && self.nodes.iter().any(|node| depends(&node.summary)) {
            let timelines = self.timelines();
            for node in self.nodes.iter_mut().filter(|node| depends(&node.summary)) {
                let here = timelines
                    .iter()
                    .filter(|timeline| timeline.outcome != Outcome::Excluded && timeline.node == node.node);
                restore(&mut node.summary, &Summary::of(&Sample::to_milestone(here, self.goal, self.goal)));
            }
        }
        let has_unknown: Vec<Milestone> = self
            .statistics
            .iter()
            .filter(|(_, of)| of.unknown > 0)
            .map(|(milestone, _)| *milestone)
            .collect();
        for milestone in has_unknown {
            let again = Summary::of(&self.sample(milestone));
            let Some(summary) = self.statistics.get_mut(&milestone) else { continue };
            restore(summary, &again);
        }
    }

    /// Word for the kind of phase: `create`, `stop`, or that of the storm.
    pub fn kind_word(&self) -> &'static str {
        if self.kind == PhaseKind::Storm { self.settings.kind.word() } else { self.kind.word() }
    }

    /// Zero of a VM's times, and zero of the recovery.
    pub fn zero(&self) -> (&'static str, &'static str) {
        match self.settings.kind {
            StormKind::Observed => ("each VM’s first sign", "the first sign"),
            _ => ("each VM’s own request", "the first request"),
        }
    }

    /// Whether the phase has completed.
    pub fn is_done(&self) -> bool {
        self.state == PhaseState::Done
    }

    /// Whether the guests were probed: it was the goal, or some VM answered.
    pub fn is_probed(&self) -> bool {
        let answers = !self.goal.is_of_migration();
        self.goal == Milestone::Reachable || answers && self.statistics.contains_key(&Milestone::Reachable)
    }

    /// Statistics of a milestone; all VMs count as missing if none passed it.
    pub fn summary(&self, milestone: Milestone) -> Summary {
        let nobody = || {
            let open = self.counts.unknown.min(self.counts.participants);
            let missing = std::iter::repeat_n(Arrival::Missing, self.counts.participants - open);
            Summary::of(&Sample::of(missing.chain(std::iter::repeat_n(Arrival::Undecided, open))))
        };
        self.statistics.get(&milestone).copied().unwrap_or_else(nobody)
    }
}

/// Marks the percentiles that are unknown by the rows.
fn restore(summary: &mut Summary, again: &Summary) {
    let read = [&mut summary.p50, &mut summary.p90, &mut summary.p95, &mut summary.p99];
    for (read, again) in read.into_iter().zip([again.p50, again.p90, again.p95, again.p99]) {
        if again == Quantile::Unknown {
            *read = again;
        }
    }
}

impl Counts {
    /// Counts the outcomes of a phase.
    pub fn of(phase: &PhaseRecord) -> Self {
        let excluded = phase.count(Outcome::Excluded);
        Self {
            vms: phase.timelines.len(),
            participants: phase.timelines.len() - excluded,
            reached: phase.count(Outcome::Reached),
            failed: phase.count(Outcome::Failed),
            timed_out: phase.count(Outcome::TimedOut),
            unknown: phase.count(Outcome::Unknown),
            excluded,
            pending: phase.count(Outcome::Pending),
        }
    }

    /// Participants that did not reach the goal, as far as decided.
    pub fn unsuccessful(&self) -> usize {
        self.failed + self.timed_out
    }
}

impl Spans {
    /// Duration of the phase: from its first request, before which shards and clusters wait for each other; from its
    /// beginning, if the time of that request is unknown.
    pub fn took(&self) -> Option<f64> {
        self.monitoring.or(self.total)
    }

    fn of(phase: &PhaseRecord, curve: &Curve) -> Self {
        let passed = |milestone| phase.timelines.iter().filter_map(move |timeline| timeline.at(milestone));
        let first = stats::FirstRequest::of(phase).at();
        let accepted = passed(Milestone::Accepted).next();
        let span = |milestone| {
            let last = passed(milestone).max();
            last.zip(first).map(|(last, first)| last.since(first).seconds().max(0.0))
        };
        Self {
            request_skew: stats::request_skew(phase).map(Offset::seconds),
            accept_skew: accepted.map(|_| phase.skew(Milestone::Accepted).seconds()),
            issue: span(Milestone::Accepted),
            running: span(Milestone::Running),
            goal: curve.last(),
            monitoring: first.zip(phase.ended).map(|(first, ended)| ended.since(first).seconds()),
            total: phase.ended.map(Offset::seconds),
        }
    }
}

impl Attempts {
    fn of(phase: &PhaseRecord) -> Self {
        let timelines = &phase.timelines;
        let is_stamped =
            |timeline: &&Timeline| timeline.moments.values().any(|moment| moment.source == Source::Stamped);
        Self {
            requests: timelines.iter().map(|timeline| u64::from(timeline.attempts)).sum(),
            retried_vms: timelines.iter().filter(|timeline| timeline.attempts > 1).count(),
            throttled_answers: timelines.iter().map(|timeline| u64::from(timeline.throttled)).sum(),
            throttled: timelines.iter().map(|timeline| timeline.throttled_for.seconds()).sum(),
            watch_restarts: phase.watch.restarts,
            watch_gaps: phase.watch.gaps.len(),
            watch_gap: Gap::together(&phase.watch.gaps)
                .into_iter()
                .fold(0.0, |all, (from, to)| all + to.since(from).seconds()),
            stamped_vms: phase.participants().filter(is_stamped).count(),
        }
    }
}

impl Recovery {
    fn of(curve: &Curve) -> Self {
        Self {
            t50: curve.time_to(Level::P50),
            t90: curve.time_to(Level::P90),
            t95: curve.time_to(Level::P95),
            t99: curve.time_to(Level::P99),
            t100: curve.time_to(Level::P100),
            start_unknown: curve.is_lost(),
        }
    }
}

/// Statistics of the goal and of every other milestone that any participant passed.
fn statistics(phase: &PhaseRecord) -> BTreeMap<Milestone, Summary> {
    let later = Milestone::ALL.into_iter().filter(|milestone| *milestone != Milestone::Requested);
    let shown = later.filter(|milestone| {
        *milestone == phase.goal || phase.participants().any(|timeline| timeline.has(*milestone))
    });
    let summary = |milestone| Summary::of(&Sample::to_milestone(&phase.timelines, milestone, phase.goal));
    shown.map(|milestone| (milestone, summary(milestone))).collect()
}
