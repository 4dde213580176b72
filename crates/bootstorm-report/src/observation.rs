//! Observations of outages: when each VM was down, why, and how exactly that is known.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use bootstorm_model::observation::StreamKind;
use bootstorm_model::observe::{Milestone, Offset, Outcome, Source, Timeline};
use bootstorm_model::outage::{Cause, Exactness, MOST_OUTAGES, Observation, Outage, Sign};
use bootstorm_model::plan::Target;
use bootstorm_model::record::{Gap, RunRecord, at_most};
use bootstorm_model::stats::Sample;

/// An observation
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObservationBlock {
    /// Beginning; zero of every second below.
    pub began: Timestamp,
    /// End of the watched time, in seconds.
    pub watched_seconds: f64,
    /// Whether it has ended.
    pub done: bool,
    /// Number of times that another process continued it.
    #[serde(default)]
    pub continued: u32,
    /// Watched VMs.
    pub vms: usize,
    /// VMs that were never seen up; their outages cannot be seen.
    pub never_up: usize,
    /// VMs that are down at its end but should be up.
    pub down: usize,
    /// VMs that were stopped or deleted on purpose; they are not expected back.
    #[serde(default)]
    pub resting: usize,
    /// Moves of running VMs to another node, which are not outages.
    pub moves: u32,
    /// Milestone at which a VM is back.
    pub goal: Milestone,
    /// Time between two probes of a guest in milliseconds; zero if none was probed.
    pub interval_millis: u64,
    /// Periods in which the cluster could not be watched.
    #[serde(default, deserialize_with = "at_most::<MOST_OUTAGES, _, _>")]
    pub gaps: Vec<BlindBlock>,
    /// Outages by cause, the most frequent first.
    #[serde(default)]
    pub causes: Vec<OutagesBlock>,
    /// Outages by previous node of the VMs, the most frequent first.
    #[serde(default)]
    pub nodes: Vec<OutagesBlock>,
    /// Lost nodes, and the recovery of their VMs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub node_losses: Vec<NodeLossBlock>,
    /// Every outage, in the order in which they began.
    #[serde(default, deserialize_with = "at_most::<MOST_OUTAGES, _, _>")]
    pub outages: Vec<OutageBlock>,
    /// Outages dropped because there were too many.
    #[serde(default)]
    pub dropped: u32,
}

/// A period in which a stream did not deliver
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BlindBlock {
    /// Beginning in seconds.
    pub from: f64,
    /// End in seconds.
    pub to: f64,
    /// Stream; absent if no process was watching.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamKind>,
}

/// Outages with a common cause or node
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutagesBlock {
    /// Cause or node.
    pub name: String,
    /// Number of outages.
    pub outages: usize,
    /// Number that have ended.
    pub back: usize,
    /// Median of the known seconds from the first sign to the goal.
    pub median: Option<f64>,
    /// Longest of these.
    pub max: Option<f64>,
}

/// The VMs of a lost node; each time is a median in seconds from the first sign; absent if not seen
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeLossBlock {
    /// Node.
    pub node: String,
    /// VMs of it that went down.
    pub vms: usize,
    /// Until Kubernetes noticed: the condition `Ready` of the node ceased to be true.
    pub noticed: Option<f64>,
    /// Until the VM was evicted: its pod, or its old instance, is being deleted.
    pub evicted: Option<f64>,
    /// Until a new instance existed.
    pub instance: Option<f64>,
    /// Until that ran.
    pub running: Option<f64>,
    /// VMs that came back on another node.
    pub elsewhere: usize,
}

/// One outage of a VM
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutageBlock {
    /// Namespace of the VM.
    pub namespace: String,
    /// Name of the VM.
    pub name: String,
    /// First sign.
    pub sign: Sign,
    /// Instant of the sign in seconds; for a sign in a gap, the latest possible one.
    pub at: f64,
    /// Earliest possible instant.
    pub earliest: f64,
    /// How exactly the instant is known, in words.
    pub exact: String,
    /// Most likely cause.
    pub cause: Cause,
    /// Node on which it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_node: Option<String>,
    /// Node on which it came back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Instant of its return in seconds; absent while it is down, or if unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back: Option<f64>,
    /// How that is known: seen, stamped by the server, or noticed late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back_by: Option<Source>,
    /// Seconds from the first sign until it was back; absent if either is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took: Option<f64>,
    /// Seconds from the last answer of the guest to the next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silence: Option<f64>,
    /// Whether the probes did not cover all of that time, so that it may have been shorter.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unprobed: bool,
    /// Unanswered attempts in between, if they were counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<u32>,
    /// Instant at which Kubernetes noticed the loss of its node, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noticed: Option<f64>,
    /// Instant of its eviction: from then on its pod, or its old instance, is being deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evicted: Option<f64>,
    /// Outcome.
    pub outcome: Outcome,
}

impl ObservationBlock {
    /// The observation of a record; `None` for a run that caused its storms.
    pub(super) fn of(record: &RunRecord) -> Option<Self> {
        let observation = record.observation.as_deref()?;
        let targets = record.plan.targets();
        let mut outages: Vec<OutageBlock> = observation
            .all()
            .filter_map(|timeline| OutageBlock::of(timeline, &targets, observation.goal))
            .collect();
        outages.sort_by(|a, b| {
            a.at.total_cmp(&b.at).then_with(|| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)))
        });
        let seconds = |offset: Offset| offset.seconds();
        Some(Self {
            began: observation.began,
            watched_seconds: seconds(observation.watched_until),
            done: observation.ended.is_some(),
            continued: observation.continued,
            vms: observation.vms.len(),
            never_up: observation.never_up(),
            down: outages.iter().filter(|outage| outage.is_down()).count(),
            moves: observation.vms.iter().map(|vm| vm.moves).sum(),
            goal: observation.goal,
            interval_millis: observation.interval_millis,
            gaps: blind(observation),
            resting: observation.resting(),
            causes: OutagesBlock::all(&outages, |outage| outage.cause.words().to_owned()),
            nodes: OutagesBlock::all(&outages, |outage| {
                outage.left_node.clone().unwrap_or_else(|| "unknown".to_owned())
            }),
            node_losses: NodeLossBlock::all(observation),
            outages,
            dropped: observation.dropped,
        })
    }

    /// Whether any VM is not known to be back.
    pub fn missed(&self) -> bool {
        self.counted().any(|outage| outage.outcome != Outcome::Reached)
    }

    /// End of an outage of a VM; for an open one, the end of the axis. A VM that is down on purpose stays down until
    /// its next outage begins.
    pub(super) fn until(&self, outages: &[&OutageBlock], index: usize) -> f64 {
        let outage = outages[index];
        let next = outages.get(index + 1).filter(|_| outage.is_intended()).map(|next| next.at);
        outage.back.or(next).unwrap_or_else(|| self.end())
    }

    /// Outages of VMs that should be up.
    pub(super) fn counted(&self) -> impl Iterator<Item = &OutageBlock> {
        self.outages.iter().filter(|outage| !outage.is_intended())
    }

    /// Number of outages and VMs, and of ended outages, in words.
    pub(super) fn tally(&self) -> String {
        let count = |n: usize, noun: &str| if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") };
        let vms: BTreeSet<_> = self.counted().map(|outage| (&outage.namespace, &outage.name)).collect();
        match self.counted().count() {
            0 => "no outage".to_owned(),
            n => {
                let back = self.counted().filter(|outage| !outage.is_down()).count();
                format!("{} of {}, {back} back", count(n, "outage"), count(vms.len(), "VM"))
            }
        }
    }

    /// End of its axis in seconds; everything drawn lies before it.
    pub(super) fn end(&self) -> f64 {
        let ends = self.outages.iter().map(|outage| outage.back.unwrap_or(outage.at));
        ends.chain(self.gaps.iter().map(|gap| gap.to)).fold(self.watched_seconds, f64::max).max(1.0)
    }

    /// VMs that were down, in the order in which they went down, each with its outages.
    pub(super) fn by_vm(&self) -> Vec<(&OutageBlock, Vec<&OutageBlock>)> {
        let mut places: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        let mut vms: Vec<(&OutageBlock, Vec<&OutageBlock>)> = Vec::new();
        for outage in &self.outages {
            let place = *places.entry((&outage.namespace, &outage.name)).or_insert_with(|| {
                vms.push((outage, Vec::new()));
                vms.len() - 1
            });
            vms[place].1.push(outage);
        }
        vms
    }

    /// Notes for the reader beside the outages, one sentence each.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let vms = |n: usize| if n == 1 { "1 VM".to_owned() } else { format!("{n} VMs") };
        if self.never_up > 0 {
            notes.push(format!("{} never seen up, so no outage can be detected", vms(self.never_up)));
        }
        if self.down > 0 {
            notes.push(format!("{} not back", vms(self.down)));
        }
        if self.resting > 0 {
            notes.push(format!("{} stopped or deleted on purpose, and not waited for", vms(self.resting)));
        }
        if !self.gaps.is_empty() {
            // Each watch has its own gaps, and several may be blind at the same time.
            let at = |gap: &BlindBlock| Gap {
                from: Offset::from_seconds(gap.from),
                to: Offset::from_seconds(gap.to),
                ..Gap::default()
            };
            let gaps: Vec<Gap> = self.gaps.iter().map(at).collect();
            let together = Gap::together(&gaps);
            let blind: f64 = together.iter().map(|(from, to)| to.since(*from).seconds()).sum();
            let times = match together.len() {
                1 => "1 gap".to_owned(),
                more => format!("{more} gaps"),
            };
            notes.push(format!(
                "not watched for {blind:.1}s in {times}: changes in that time are dated by the server's \
                 timestamps (±1 s), \
                 or its time is unknown"
            ));
        }
        let unknown =
            self.outages.iter().filter(|outage| outage.back.is_some() && outage.took.is_none()).count();
        if unknown > 0 {
            notes.push(format!("{} came back after an unknown time", vms(unknown)));
        }
        if self.moves > 0 {
            notes.push(format!("{} moves of running VMs to another node, which are not outages", self.moves));
        }
        if self.interval_millis == 0 {
            notes.push("guests were not probed: a VM is back when it is Running and Ready".to_owned());
        }
        if self.dropped > 0 {
            notes.push(format!("{} more outages were not recorded", self.dropped));
        }
        notes
    }
}

fn blind(observation: &Observation) -> Vec<BlindBlock> {
    let block = |gap: &Gap| BlindBlock { from: gap.from.seconds(), to: gap.to.seconds(), stream: gap.stream };
    observation.gaps.iter().filter(|gap| gap.stream != Some(StreamKind::Prober)).map(block).collect()
}

impl OutagesBlock {
    fn all(outages: &[OutageBlock], name: impl Fn(&OutageBlock) -> String) -> Vec<Self> {
        let mut groups: BTreeMap<String, Vec<&OutageBlock>> = BTreeMap::new();
        for outage in outages.iter().filter(|outage| !outage.is_intended()) {
            groups.entry(name(outage)).or_default().push(outage);
        }
        let one = |(name, outages): (String, Vec<&OutageBlock>)| {
            let sample = Sample::new(outages.iter().filter_map(|outage| outage.took), 0);
            let values = sample.values();
            Self {
                name,
                outages: outages.len(),
                back: outages.iter().filter(|outage| outage.back.is_some()).count(),
                median: values.get(values.len().saturating_sub(1) / 2).copied(),
                max: values.last().copied(),
            }
        };
        let mut blocks: Vec<Self> = groups.into_iter().map(one).collect();
        blocks.sort_by_key(|block| std::cmp::Reverse(block.outages));
        blocks
    }
}

impl NodeLossBlock {
    /// Every lost node that had VMs, by name.
    fn all(observation: &Observation) -> Vec<Self> {
        let mut nodes: BTreeMap<&str, Vec<(&Timeline, &Outage)>> = BTreeMap::new();
        for timeline in observation.all() {
            if let Some(outage) = timeline.outage.as_deref().filter(|outage| outage.cause == Cause::NodeLost)
                && let Some(node) = outage.left_node.as_deref()
            {
                nodes.entry(node).or_default().push((timeline, outage));
            }
        }
        nodes.into_iter().map(|(node, outages)| Self::of(node, &outages)).collect()
    }

    fn of(node: &str, outages: &[(&Timeline, &Outage)]) -> Self {
        type Instant = fn(&Timeline, &Outage) -> Option<Offset>;
        let median = |instant: Instant| {
            let after = |(timeline, outage): &(&Timeline, &Outage)| {
                let zero = timeline.at(Milestone::Requested)?;
                Some(instant(timeline, outage)?.since(zero).seconds().max(0.0))
            };
            let sample = Sample::new(outages.iter().filter_map(after), 0);
            sample.values().get(sample.values().len().saturating_sub(1) / 2).copied()
        };
        let is_elsewhere = |(timeline, _): &&(&Timeline, &Outage)| {
            timeline.outcome == Outcome::Reached && timeline.node.as_deref().is_some_and(|now| now != node)
        };
        Self {
            node: node.to_owned(),
            vms: outages.len(),
            noticed: median(|_, outage| outage.noticed),
            evicted: median(|_, outage| outage.evicted),
            instance: median(|timeline, _| timeline.at(Milestone::Instance)),
            running: median(|timeline, _| timeline.at(Milestone::Running)),
            elsewhere: outages.iter().filter(is_elsewhere).count(),
        }
    }
}

impl OutageBlock {
    fn of(timeline: &Timeline, targets: &[Target], goal: Milestone) -> Option<Self> {
        let outage = timeline.outage.as_deref()?;
        let target = targets.get(timeline.target as usize)?;
        let at = timeline.at(Milestone::Requested).unwrap_or(outage.at);
        let (earliest, exact) = match outage.exactness {
            Exactness::Watch => (at, "seen".to_owned()),
            Exactness::Stamp => (at, "stamped, ±1s".to_owned()),
            Exactness::Probe { interval } => (at, format!("between two probes, {}ms", interval.0 / 1000)),
            Exactness::Gap { from, to } => {
                (from, format!("between {:.1}s and {:.1}s", from.seconds(), to.seconds()))
            }
        };
        let is_known = matches!(timeline.outcome, Outcome::Reached | Outcome::Unknown);
        let moments = &timeline.moments;
        let back = moments.get(&goal).or(moments.get(&Milestone::Ready)).filter(|_| is_known);
        let took = timeline.seconds_to(goal).filter(|_| timeline.outcome == Outcome::Reached);
        Some(Self {
            namespace: target.namespace.clone(),
            name: target.name.clone(),
            sign: outage.sign,
            at: at.seconds(),
            earliest: earliest.seconds(),
            exact,
            cause: outage.cause,
            left_node: outage.left_node.clone(),
            node: timeline.node.clone(),
            back: back.map(|moment| moment.at.seconds()),
            back_by: back.map(|moment| moment.source),
            took: took.map(|took| took.max(0.0)),
            silence: outage.silence().map(Offset::seconds),
            unprobed: outage.unprobed,
            lost: outage.lost,
            noticed: outage.noticed.map(Offset::seconds),
            evicted: outage.evicted.map(Offset::seconds),
            outcome: timeline.outcome,
        })
    }

    /// Whether the VM should be up, and is not known to be back.
    pub(super) fn is_down(&self) -> bool {
        self.back.is_none() && !self.is_intended()
    }

    /// Whether the VM was stopped or deleted on purpose, so that it is not expected back.
    pub(super) fn is_intended(&self) -> bool {
        self.outcome == Outcome::Excluded
    }
}
