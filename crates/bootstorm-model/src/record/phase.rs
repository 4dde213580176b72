//! One execution of a phase: its settings, its timelines, and how well it was observed.

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

    /// The milestone that ends a VM's part in this phase if guests are not probed.
    pub fn goal(self) -> Milestone {
        match self {
            Self::Create | Self::Storm => Milestone::Running,
            Self::Stop => Milestone::Gone,
        }
    }

    /// Like [`Self::goal`], for a storm of any kind.
    pub fn goal_of(self, storm: StormKind) -> Milestone {
        let own = storm.own_goal().filter(|_| self == Self::Storm);
        own.unwrap_or_else(|| self.goal())
    }
}

/// Name of one execution of a phase: `create`, `stop-1`, `storm-1`, `stop-2`, …
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhaseName {
    /// Kind of phase.
    pub kind: PhaseKind,
    /// Number of the execution of that kind, from 1; always 1 for create.
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

/// Whether a phase has ended
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PhaseState {
    /// Begun and not ended: a process is working on it, or was killed while doing so.
    Open,
    /// Interrupted by the user; the same command continues it.
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

/// Method of switching a VM's power
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// JSON patch of `spec.runStrategy` that tests the UID.
    #[default]
    Patch,
    /// The `start` and `stop` subresources of virt-api.
    Subresource,
}

/// Settings of a phase; unlike the plan, they may differ from phase to phase
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseSettings {
    /// Requests in flight at once. Never limits observation.
    pub concurrency: usize,
    /// Seconds that one VM may take from `requested` to the goal.
    pub timeout_seconds: u64,
    /// Method of switching power.
    pub via: Via,
    /// How a storm brings its VMs back.
    #[serde(default, skip_serializing_if = "StormKind::is_start")]
    pub kind: StormKind,
    /// Seconds that one VM may take from Running to answering its probes.
    #[serde(default = "default_ping_timeout")]
    pub ping_timeout_seconds: u64,
    /// Time limit of the phase in seconds, counted per process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase_timeout_seconds: Option<u64>,
    /// Seconds after its time limit that a VM waits for a stream that could show its goal.
    #[serde(default = "default_blind_limit")]
    pub blind_limit_seconds: u64,
    /// Whether VMs are created without being started (create only).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub halted: bool,
    /// Number of failed VMs that ends the phase early.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort_if_failed: Option<FailureLimit>,
    /// When requests are sent; all at once if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Shape>,
    /// Order in which requests are sent.
    #[serde(default, skip_serializing_if = "Order::is_name")]
    pub order: Order,
    /// Maximum number of participants; other VMs are set aside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u32>,
    /// Share of the available VMs that takes part, spread over their nodes; it determines `size`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<Share>,
    /// Whether it warms up caches, and does not count as a repetition.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub warm_up: bool,
    /// Nodes from which VMs are evicted, in a drain.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<String>,
    /// Whether launcher pods and events are watched too, to explain where the time goes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub explain: bool,
    /// Number of processes in the cluster that share the VMs; absent if one process has them all.
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

/// Reason for excluding a VM from the part of one shard: it belongs to another.
pub const OTHER_SHARD: &str = "another shard has it";

/// Reason for excluding a VM from a smaller storm.
pub const NOT_IN_STORM: &str = "not in this storm";

/// The guide's limit, also used for records from before it could be chosen.
pub const PING_TIMEOUT_SECONDS: u64 = 600;

/// Default time that a VM past its deadline waits for a blind stream.
pub const BLIND_LIMIT_SECONDS: u64 = 120;

fn default_blind_limit() -> u64 {
    BLIND_LIMIT_SECONDS
}

fn default_ping_timeout() -> u64 {
    PING_TIMEOUT_SECONDS
}

/// Resolution of a phase's probes
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeHealth {
    /// Number of probers.
    pub probers: usize,
    /// Time between two attempts on one VM, in milliseconds.
    pub interval_millis: u64,
    /// Whether a guest was on a prober's own link, where the kernel resolves a silent address once a second.
    #[serde(default, skip_serializing_if = "is_false")]
    pub neighbors: bool,
    /// Longest round trip of an echo on a stream, in microseconds.
    pub round_trip_micros: i64,
    /// Streams opened; more than the number of probers means that some broke.
    pub streams: u32,
    /// Gaps of a stream, during which answers were delayed.
    #[serde(default)]
    pub gaps: Vec<Gap>,
}

/// A period in which a stream did not deliver, so that changes were seen late
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Time at which the stream was last known to deliver.
    pub from: Offset,
    /// Time at which it delivered again; for an open gap, the time of recording.
    pub to: Offset,
    /// Stream; absent in older records, and if no process was watching.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamKind>,
    /// Whether it had not ended when the phase was saved.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub open: bool,
}

/// Maximum number of gaps that are recorded, so that an observation of months can be read again.
pub const MOST_GAPS: usize = 10_000;
/// Gaps of a stream this close to each other are one: it delivered next to nothing between them.
const ONE_GAP: Offset = Offset(100_000);

impl Gap {
    /// Adds a gap. One that has ended close to the gap before it of the same stream extends that, and so does any once
    /// there are [`MOST_GAPS`]: nothing was missed in the time between them, but claiming less is safe.
    pub fn note(self, gaps: &mut Vec<Self>) {
        let is_full = gaps.len() >= MOST_GAPS;
        let last = gaps.iter_mut().rev().find(|gap| gap.stream == self.stream && !gap.open);
        let is_near = |last: &Self| self.from.since(last.to) <= ONE_GAP && self.from >= last.from;
        match last {
            Some(last) if is_full || !self.open && is_near(last) => {
                (last.to, last.open) = (last.to.max(self.to), self.open);
            }
            _ => gaps.push(self),
        }
    }

    /// Merges overlapping gaps, in order: the periods in which at least one stream did not deliver.
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
    /// Watches that had to be reopened before their time.
    pub restarts: u32,
    /// Periods without a connected watch.
    #[serde(default)]
    pub gaps: Vec<Gap>,
}

/// How the stages between the milestones of a start were watched
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InsightHealth {
    /// Streams beside the one for instances.
    pub streams: usize,
    /// Streams that were not watched and the reason, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Periods in which a stream was broken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gap>,
}

/// Result of `setup`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetupRecord {
    /// Namespaces created by `setup`.
    pub namespaces: u32,
    /// Time taken to create them, in microseconds.
    pub took: Offset,
    /// Namespaces created concurrently.
    pub batch_size: usize,
    /// Whether `setup` completed.
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

/// A node that was schedulable before a drain, and is cordoned during it
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cordon {
    /// Name of the node.
    pub node: String,
    /// Its UID.
    pub uid: String,
    /// Whether it is schedulable again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lifted: bool,
}

/// One execution of a phase
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhaseRecord {
    /// Name.
    pub name: PhaseName,
    /// Whether it has ended.
    pub state: PhaseState,
    /// Wall-clock time of its beginning; the zero of every offset in it.
    pub began: Timestamp,
    /// How far the server's clock was ahead of `began`, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_ahead_micros: Option<i64>,
    /// End of the watched time, as far as saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watched_until: Option<Offset>,
    /// Number of times that another process continued it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub continued: u32,
    /// End.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Offset>,
    /// Milestone that each VM has to reach.
    pub goal: Milestone,
    /// Settings.
    pub settings: PhaseSettings,
    /// How well it was watched.
    #[serde(default)]
    pub watch: WatchHealth,
    /// Resolution of the probes; absent if nothing was probed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probing: Option<ProbeHealth>,
    /// How far its times can be trusted; absent in records from before this was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// How launcher pods and events were watched; absent if they were not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insight: Option<InsightHealth>,
    /// Prometheus measurements of the cluster meanwhile; absent unless requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<Metrics>,
    /// Limits on concurrent migrations; absent unless VMs are migrated and the limits could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migrations: Option<MigrationLimits>,
    /// Nodes that were cordoned for a drain; recorded before the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cordons: Vec<Cordon>,
    /// Order of the requests, as indexes of timelines; by index if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queue: Vec<u32>,
    /// One timeline per target, in the order of the plan's targets.
    pub timelines: Timelines,
}

impl PhaseRecord {
    /// Whether the VMs are off after it: a stop, or a creation that starts none.
    pub fn leaves_vms_off(&self) -> bool {
        self.name.kind == PhaseKind::Stop || self.settings.halted
    }

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

    /// Applies a later state of the phase, which holds only the timelines that have changed.
    ///
    /// Fails with a sentence if that is of another phase, or has VMs that this one does not have.
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

    /// The phase without timelines.
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

    /// The phase with readable timelines; packed ones are unpacked only in the returned copy.
    pub fn look(&self) -> Cow<'_, Self> {
        if self.timelines.are_open() { Cow::Borrowed(self) } else { Cow::Owned(self.clone()) }
    }

    /// The subcommand that runs or continues it, with the flag that it requires.
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

    /// Wall-clock time of its end; `None` if it has not ended.
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

    /// Every gap of every stream, for changes.
    pub fn gaps_mut(&mut self) -> impl Iterator<Item = &mut Gap> {
        let insight = self.insight.iter_mut().flat_map(|insight| &mut insight.gaps);
        let probing = self.probing.iter_mut().flat_map(|probing| &mut probing.gaps);
        self.watch.gaps.iter_mut().chain(insight).chain(probing)
    }

    /// Whether it has unknown outcomes, or gaps that have not ended.
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

    /// The participants, in the order of their requests.
    ///
    /// Even a damaged order names every VM once.
    pub fn queue(&self) -> Vec<u32> {
        let mut taken: Vec<bool> =
            self.timelines.iter().map(|timeline| timeline.outcome == Outcome::Excluded).collect();
        self.ordered(&mut taken)
    }

    /// The participants, in the order of their requests, each with its place. The places of VMs of other shards are
    /// left free.
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

    /// VMs that were set aside: the storm was smaller, or they had no outage.
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
    fn gaps_are_bounded_and_none_is_lost() {
        let mut gaps = Vec::new();
        let stream = Some(StreamKind::Instances);
        let end = |number: i64| Offset(number * 1_000_000);
        for number in 0..MOST_GAPS as i64 + 100 {
            Gap { from: Offset(end(number).0 - 30_000), to: end(number), stream, open: false }
                .note(&mut gaps);
        }
        assert_eq!((gaps.len(), gaps.last().unwrap().to), (MOST_GAPS, end(MOST_GAPS as i64 + 99)));
        Gap { from: end(20_000), to: end(20_001), stream, open: true }.note(&mut gaps);
        let last = *gaps.last().unwrap();
        assert!(gaps.len() == MOST_GAPS && last.open && last.to == end(20_001), "{last:?}");
        let mut near = vec![Gap { from: Offset(0), to: Offset(50_000), stream, open: false }];
        Gap { from: Offset(90_000), to: Offset(95_000), stream, open: false }.note(&mut near);
        Gap { from: Offset(91_000), to: Offset(92_000), stream: None, open: false }.note(&mut near);
        assert_eq!(near.iter().map(|gap| gap.to).collect::<Vec<_>>(), [Offset(95_000), Offset(92_000)]);
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
