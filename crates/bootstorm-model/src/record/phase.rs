//! One execution of a phase: its settings, its timelines, and how well it was watched.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{FailureLimit, Health, Metrics, MigrationLimits, Share, StormKind, Timelines};
use crate::observation::StreamKind;
use crate::observe::{Milestone, Offset, Outcome, Timeline};
use crate::plan::{Order, Shape};

/// The kinds of timed phases
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PhaseKind {
    /// Every VM is created and started: the baseline.
    Create,
    /// Every VM is stopped.
    Stop,
    /// Every stopped VM is started at once.
    Storm,
}

impl PhaseKind {
    /// The subcommand that runs this phase.
    pub fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Stop => "stop",
            Self::Storm => "storm",
        }
    }

    /// The milestone that ends a VM's part in this phase when nothing probes the guests.
    pub fn goal(self) -> Milestone {
        match self {
            Self::Create | Self::Storm => Milestone::Running,
            Self::Stop => Milestone::Gone,
        }
    }

    /// The same for a storm of any kind.
    pub fn goal_of(self, storm: StormKind) -> Milestone {
        let own = storm.own_goal().filter(|_| self == Self::Storm);
        own.unwrap_or_else(|| self.goal())
    }
}

/// The name of one execution of a phase: `create`, `stop-1`, `storm-1`, `stop-2`, …
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhaseName {
    /// Kind of phase.
    pub kind: PhaseKind,
    /// Which execution of that kind, from 1; always 1 for create.
    pub number: u32,
}

impl PhaseName {
    /// The one create phase of a run.
    pub const CREATE: Self = Self { kind: PhaseKind::Create, number: 1 };
}

impl fmt::Display for PhaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            PhaseKind::Create => f.pad("create"),
            kind => f.pad(&format!("{}-{}", kind.word(), self.number)),
        }
    }
}

impl FromStr for PhaseName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("`{text}` is not the name of a phase (create, stop-1, storm-1, …)");
        if text == "create" {
            return Ok(Self::CREATE);
        }
        let (word, number) = text.split_once('-').ok_or_else(unknown)?;
        let kind = match word {
            "stop" => PhaseKind::Stop,
            "storm" => PhaseKind::Storm,
            _ => return Err(unknown()),
        };
        let number = number.parse().ok().filter(|number| *number > 0).ok_or_else(unknown)?;
        Ok(Self { kind, number })
    }
}

impl Serialize for PhaseName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PhaseName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Whether a phase is over
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PhaseState {
    /// Begun and not ended: a process works on it, or was killed while it did.
    Open,
    /// Cut short by the user; the same command continues it.
    Interrupted,
    /// Every VM reached the goal, failed, or ran out of time.
    Done,
}

impl PhaseState {
    /// The word used in JSON, annotations and tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Interrupted => "interrupted",
            Self::Done => "done",
        }
    }
}

/// How a VM's power is switched
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// Merge patch of `spec.runStrategy`.
    #[default]
    Patch,
    /// The `start` and `stop` subresources of virt-api.
    Subresource,
}

/// How a phase was run; unlike the plan, this may differ from phase to phase
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseSettings {
    /// Requests in flight at once. Never limits what is followed.
    pub concurrency: usize,
    /// Seconds that one VM may take from `requested` to the goal.
    pub timeout_seconds: u64,
    /// How power is switched.
    pub via: Via,
    /// How a storm brings its VMs back.
    #[serde(default, skip_serializing_if = "StormKind::is_start")]
    pub kind: StormKind,
    /// Seconds that one VM may take from Running until it answers its probes.
    #[serde(default = "default_ping_timeout")]
    pub ping_timeout_seconds: u64,
    /// Time limit of the phase in seconds, counted per process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase_timeout_seconds: Option<u64>,
    /// Seconds after its time limit that a VM waits for a stream that could show its goal.
    #[serde(default = "default_blind_limit")]
    pub blind_limit_seconds: u64,
    /// VMs are made without being started (create only).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub halted: bool,
    /// How many failed VMs end the phase early.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort_if_failed: Option<FailureLimit>,
    /// When the requests leave; all at once when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Shape>,
    /// The order in which they leave.
    #[serde(default, skip_serializing_if = "Order::is_name")]
    pub order: Order,
    /// How many VMs take part at most; the others are set aside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u32>,
    /// The share of the VMs that could take part which does, spread over their nodes; it decides `size`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<Share>,
    /// It warms caches up, and does not count among the repetitions.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub warm_up: bool,
    /// The nodes from which VMs are evicted, in a drain.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<String>,
    /// Whether launcher pods and events are watched too, to explain where the time goes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub explain: bool,
    /// How many processes in the cluster share the VMs; absent where one process has them all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shards: Option<u32>,
}

impl Default for PhaseSettings {
    fn default() -> Self {
        Self {
            concurrency: 200,
            timeout_seconds: 600,
            via: Via::Patch,
            kind: StormKind::Start,
            ping_timeout_seconds: PING_TIMEOUT_SECONDS,
            phase_timeout_seconds: None,
            blind_limit_seconds: BLIND_LIMIT_SECONDS,
            halted: false,
            abort_if_failed: None,
            shape: None,
            order: Order::Name,
            size: None,
            share: None,
            warm_up: false,
            nodes: Vec::new(),
            explain: false,
            shards: None,
        }
    }
}

/// Reason for excluding a VM from an observed recovery.
pub const NO_OUTAGE: &str = "no outage";

/// Reason for excluding a VM from the part of one shard: another shard has it.
pub const OTHER_SHARD: &str = "another shard has it";

/// Reason for excluding a VM from a smaller storm.
pub const NOT_IN_STORM: &str = "not in this storm";

/// The guide's limit, also for records from before it could be chosen.
pub const PING_TIMEOUT_SECONDS: u64 = 600;

/// Default time that a VM past its deadline waits for a blind stream.
pub const BLIND_LIMIT_SECONDS: u64 = 120;

fn default_blind_limit() -> u64 {
    BLIND_LIMIT_SECONDS
}

fn default_ping_timeout() -> u64 {
    PING_TIMEOUT_SECONDS
}

/// How exactly the probes of a phase could see
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeHealth {
    /// Probers that were used.
    pub probers: usize,
    /// Time between two attempts on one VM, in milliseconds.
    pub interval_millis: u64,
    /// Whether a guest was on a prober's own link, where the kernel looks for a silent one once a second.
    #[serde(default, skip_serializing_if = "is_false")]
    pub neighbors: bool,
    /// Longest round trip of an echo through a stream, in microseconds.
    pub round_trip_micros: i64,
    /// Streams opened; more than there are probers means that some broke.
    pub streams: u32,
    /// Gaps of a stream, during which answers were delayed.
    #[serde(default)]
    pub gaps: Vec<Gap>,
}

/// A gap during which a stream did not deliver, so changes were seen late
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// When the stream was last known to deliver.
    pub from: Offset,
    /// When it delivered again; of an open gap, when that was noted.
    pub to: Offset,
    /// The stream; absent in records from before it was noted, and where no process was there to watch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamKind>,
    /// It had not ended when the phase was saved.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub open: bool,
}

impl Gap {
    /// These gaps in order, with those that overlap taken together: the times in which at least one stream did not deliver.
    pub fn together<'a>(gaps: impl IntoIterator<Item = &'a Self>) -> Vec<(Offset, Offset)> {
        let mut all: Vec<_> = gaps.into_iter().map(|gap| (gap.from, gap.to)).collect();
        all.sort_unstable();
        all.dedup_by(|(from, to), (_, before)| {
            let overlaps = *from <= *before;
            if overlaps {
                *before = (*before).max(*to);
            }
            overlaps
        });
        all
    }
}

/// How well a phase was watched
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchHealth {
    /// Watches that had to be opened again before their time was up.
    pub restarts: u32,
    /// Times without a connected watch.
    #[serde(default)]
    pub gaps: Vec<Gap>,
}

/// How the stages between the milestones of a start were watched
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InsightHealth {
    /// Streams beside the one on instances.
    pub streams: usize,
    /// What was not watched, with the reason, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Times in which a stream was broken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gap>,
}

/// Result of `setup`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetupRecord {
    /// Namespaces that `setup` made.
    pub namespaces: u32,
    /// How long making them took, in microseconds.
    pub took: Offset,
    /// Namespaces made at the same time.
    pub batch_size: usize,
    /// Whether `setup` ran to its end.
    pub done: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// A node that took pods before a drain, and takes none meanwhile
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cordon {
    /// Name of the node.
    pub node: String,
    /// Its UID.
    pub uid: String,
    /// It takes pods again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lifted: bool,
}

/// One execution of a phase
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhaseRecord {
    /// Which phase this is.
    pub name: PhaseName,
    /// Whether it is over.
    pub state: PhaseState,
    /// Wall-clock time at which it began; the zero of every offset in it.
    pub began: Timestamp,
    /// How far the server's clock was ahead of `began`, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_ahead_micros: Option<i64>,
    /// Until when it was watched, as far as was saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watched_until: Option<Offset>,
    /// How often it was continued by another process.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub continued: u32,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Offset>,
    /// The milestone that each VM has to reach.
    pub goal: Milestone,
    /// How it was run.
    pub settings: PhaseSettings,
    /// How well it was watched.
    #[serde(default)]
    pub watch: WatchHealth,
    /// How exactly the probes could see; absent when nothing was probed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probing: Option<ProbeHealth>,
    /// How far its times can be trusted; absent in records from before that was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// How launcher pods and events were watched; absent when they were not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insight: Option<InsightHealth>,
    /// What Prometheus measured of the cluster meanwhile; absent unless it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<Metrics>,
    /// How many VMs `KubeVirt` migrates at a time; absent unless VMs are migrated and that could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migrations: Option<MigrationLimits>,
    /// Nodes that were cordoned for a drain; noted before the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cordons: Vec<Cordon>,
    /// Order of the requests, as indexes of timelines; by index if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queue: Vec<u32>,
    /// One timeline per target, in the order of the plan's targets.
    pub timelines: Timelines,
}

impl PhaseRecord {
    /// A phase that is about to begin.
    pub fn new(name: PhaseName, began: Timestamp, settings: PhaseSettings, targets: u32) -> Self {
        Self {
            name,
            state: PhaseState::Open,
            began,
            server_ahead_micros: None,
            watched_until: None,
            continued: 0,
            ended: None,
            goal: name.kind.goal_of(settings.kind),
            settings,
            watch: WatchHealth::default(),
            probing: None,
            health: None,
            insight: None,
            metrics: None,
            migrations: None,
            cordons: Vec::new(),
            queue: Vec::new(),
            timelines: (0..targets).map(Timeline::new).collect(),
        }
    }

    /// Takes over a later state of it, which holds only the timelines that have changed.
    ///
    /// Fails, in words, where that is of another phase, or of VMs that this one does not have.
    pub fn change(&mut self, mut changed: Self) -> Result<(), String> {
        if changed.name != self.name {
            return Err(format!("a change is of {}", changed.name));
        }
        let later = std::mem::take(&mut changed.timelines);
        self.timelines.change(&later)?;
        let timelines = std::mem::take(&mut self.timelines);
        *self = Self { timelines, ..changed };
        Ok(())
    }

    /// It without timelines.
    #[must_use]
    pub fn header(&self) -> Self {
        Self {
            name: self.name,
            state: self.state,
            began: self.began,
            server_ahead_micros: self.server_ahead_micros,
            watched_until: self.watched_until,
            continued: self.continued,
            ended: self.ended,
            goal: self.goal,
            settings: self.settings.clone(),
            watch: self.watch.clone(),
            probing: self.probing.clone(),
            health: self.health.clone(),
            insight: self.insight.clone(),
            metrics: self.metrics.clone(),
            migrations: self.migrations,
            cordons: self.cordons.clone(),
            queue: self.queue.clone(),
            timelines: Timelines::default(),
        }
    }

    /// The phase, for one look: timelines that are packed are unpacked in the copy alone, and go with it.
    pub fn look(&self) -> Cow<'_, Self> {
        if self.timelines.are_open() { Cow::Borrowed(self) } else { Cow::Owned(self.clone()) }
    }

    /// The subcommand that runs or continues it, with the flag that it cannot do without.
    pub fn command(&self) -> &'static str {
        if self.name.kind == PhaseKind::Storm { self.settings.kind.command() } else { self.name.kind.word() }
    }

    /// Whether running VMs are live-migrated.
    pub fn migrates(&self) -> bool {
        self.name.kind == PhaseKind::Storm && self.settings.kind == StormKind::Migrate
    }

    /// Whether VMs are evicted from nodes.
    pub fn drains(&self) -> bool {
        self.name.kind == PhaseKind::Storm && self.settings.kind == StormKind::Drain
    }

    /// Whether running VMs are restarted.
    pub fn restarts(&self) -> bool {
        self.name.kind == PhaseKind::Storm && self.settings.kind == StormKind::Restart
    }

    /// When it ended, by the wall clock; `None` while it has not.
    pub fn ended_at(&self) -> Option<Timestamp> {
        let ended = jiff::SignedDuration::from_micros(self.ended?.0);
        self.began.checked_add(ended).ok()
    }

    /// Every gap of every stream.
    pub fn gaps(&self) -> impl Iterator<Item = &Gap> {
        let insight = self.insight.iter().flat_map(|insight| &insight.gaps);
        let probing = self.probing.iter().flat_map(|probing| &probing.gaps);
        self.watch.gaps.iter().chain(insight).chain(probing)
    }

    /// Every gap of every stream, to be changed.
    pub fn gaps_mut(&mut self) -> impl Iterator<Item = &mut Gap> {
        let insight = self.insight.iter_mut().flat_map(|insight| &mut insight.gaps);
        let probing = self.probing.iter_mut().flat_map(|probing| &mut probing.gaps);
        self.watch.gaps.iter_mut().chain(insight).chain(probing)
    }

    /// Whether it has outcomes that are unknown, or gaps that have not ended.
    pub fn says_what_is_unknown(&self) -> bool {
        self.gaps().any(|gap| gap.open) || self.timelines.iter().any(|t| t.outcome == Outcome::Unknown)
    }

    /// Number of VMs with this outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.timelines.iter().filter(|timeline| timeline.outcome == outcome).count()
    }

    /// The timelines of the VMs that took part.
    pub fn participants(&self) -> impl Iterator<Item = &Timeline> {
        self.timelines.iter().filter(|timeline| timeline.outcome != Outcome::Excluded)
    }

    /// The VMs that take part, in the order of their requests.
    ///
    /// A damaged order still names everybody once.
    pub fn queue(&self) -> Vec<u32> {
        let mut taken: Vec<bool> =
            self.timelines.iter().map(|timeline| timeline.outcome == Outcome::Excluded).collect();
        self.ordered(&mut taken)
    }

    /// The same with each VM's place in it. The places of VMs that other shards have are left free.
    pub fn places(&self) -> Vec<(u32, u32)> {
        let of_others = |timeline: &Timeline| timeline.reason.as_deref() == Some(OTHER_SHARD);
        let is_out = |timeline: &Timeline| timeline.outcome == Outcome::Excluded;
        let mut taken: Vec<bool> =
            self.timelines.iter().map(|timeline| is_out(timeline) && !of_others(timeline)).collect();
        let all = self.ordered(&mut taken);
        (0..).zip(all).filter(|(_, vm)| !is_out(&self.timelines[*vm as usize])).collect()
    }

    /// The VMs that are not taken, in the order of their requests.
    fn ordered(&self, taken: &mut [bool]) -> Vec<u32> {
        let all = self.queue.iter().copied().chain(0..self.timelines.len() as u32);
        let first =
            |vm: &u32| taken.get_mut(*vm as usize).is_some_and(|taken| !std::mem::replace(taken, true));
        all.filter(first).collect()
    }

    /// The VMs that were set aside: the storm was of fewer VMs than there are, or they had no outage.
    pub fn set_aside(&self) -> impl Iterator<Item = &Timeline> {
        let is_set_aside = |timeline: &&Timeline| {
            timeline.outcome == Outcome::Excluded
                && matches!(timeline.reason.as_deref(), Some(NOT_IN_STORM | NO_OUTAGE))
        };
        self.timelines.iter().filter(is_set_aside)
    }

    /// Time from the first to the last VM at `milestone`; zero if none passed it.
    pub fn skew(&self, milestone: Milestone) -> Offset {
        let mut times = self.timelines.iter().filter_map(|timeline| timeline.at(milestone));
        let Some(first) = times.next() else { return Offset::ZERO };
        let (low, high) = times.fold((first, first), |(low, high), at| (low.min(at), high.max(at)));
        high.since(low)
    }

    /// Time from the first request to the last `milestone`: how long the whole crowd needed.
    pub fn span_to(&self, milestone: Milestone) -> Option<Offset> {
        let first = self.timelines.iter().filter_map(|timeline| timeline.at(Milestone::Requested)).min()?;
        let last = self.timelines.iter().filter_map(|timeline| timeline.at(milestone)).max()?;
        Some(last.since(first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_of_several_streams_at_the_same_time_are_one() {
        let gap = |from, to| Gap { from: Offset(from), to: Offset(to), ..Gap::default() };
        let gaps = [gap(20, 30), gap(1, 5), gap(2, 3), gap(4, 9), gap(1, 2), gap(9, 10)];
        let whole = [(Offset(1), Offset(10)), (Offset(20), Offset(30))];
        assert_eq!(Gap::together(&gaps), whole);
        assert_eq!(Gap::together(&[]), []);
    }

    #[test]
    fn names_round_trip() {
        for text in ["create", "stop-1", "storm-12"] {
            let name: PhaseName = text.parse().unwrap();
            assert_eq!(name.to_string(), text);
            assert_eq!(serde_json::from_value::<PhaseName>(serde_json::json!(text)).unwrap(), name);
        }
        for text in ["", "storm", "storm-0", "storm-x", "create-1", "boot-1"] {
            assert!(text.parse::<PhaseName>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_queue_names_everybody_who_takes_part_once() {
        let name = "storm-1".parse().unwrap();
        let mut phase = PhaseRecord::new(name, Timestamp::UNIX_EPOCH, PhaseSettings::default(), 5);
        phase.timelines[1].outcome = Outcome::Excluded;
        assert_eq!(phase.queue(), [0, 2, 3, 4]);
        phase.queue = vec![4, 2, 0, 3];
        assert_eq!(phase.queue(), [4, 2, 0, 3]);
        phase.queue = vec![99, 4, 1, 4];
        assert_eq!(phase.queue(), [4, 0, 2, 3], "what is damaged is mended");
    }
}
