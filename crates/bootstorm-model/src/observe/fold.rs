//! Folds watch events into timelines.
//!
//! A VM's observations belong to one VMI UID. A phase that starts VMs counts only instances that did not exist before
//! it; a phase that stops VMs waits for the instances that did.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use super::{Milestone, Move, Offset, Outcome, Source, Timeline};
use crate::plan::Target;
use crate::probe::binding::Answerer;

/// The phase of a `VirtualMachineInstance`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InstancePhase {
    /// The object exists; no launcher pod yet (also the empty phase before admission sets the default).
    #[default]
    Pending,
    /// The launcher pod exists.
    Scheduling,
    /// The launcher pod runs.
    Scheduled,
    /// The domain runs.
    Running,
    /// The guest shut down.
    Succeeded,
    /// The guest crashed, was killed, or its pod disappeared.
    Failed,
}

impl InstancePhase {
    /// The milestone of a start that an instance passes with this phase.
    pub fn milestone(self) -> Option<Milestone> {
        match self {
            Self::Scheduling => Some(Milestone::Pod),
            Self::Scheduled => Some(Milestone::Scheduled),
            Self::Running => Some(Milestone::Running),
            Self::Pending | Self::Succeeded | Self::Failed => None,
        }
    }
}

/// State of one `VirtualMachineInstance` as reported by a watch
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a condition of its own")]
pub struct Instance {
    /// UID of the object.
    pub uid: String,
    /// Namespace and name; the same as its VM's.
    pub target: Target,
    /// `metadata.creationTimestamp`.
    pub created: Option<Timestamp>,
    /// A time at which this state was not committed yet, on the API server's clock: the latest in
    /// `metadata.managedFields`, or that of a request whose answer is older.
    pub written: Option<Timestamp>,
    /// A time by which this state was committed, on the API server's clock: that of an answer that is newer.
    pub committed: Option<Timestamp>,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// `metadata.deletionTimestamp`: when its deletion was requested.
    pub deleted: Option<Timestamp>,
    /// `status.phase`.
    pub phase: InstancePhase,
    /// `status.nodeName`.
    pub node: Option<String>,
    /// First non-empty `status.interfaces[].ipAddress`.
    pub address: Option<String>,
    /// The probed interface, and what answers there instead of the guest, if anything does.
    pub answerer: Option<(String, Answerer)>,
    /// Condition `Ready`.
    pub ready: bool,
    /// Time since which the condition `Ready` has had its status.
    ///
    /// virt-controller copies it from the pod's condition, or takes the time at which it noticed the change (KubeVirt
    /// 1.6, `pkg/virt-controller/watch/vmi/vmi.go`, `syncReadyConditionFromPod`).
    pub ready_since: Option<Timestamp>,
    /// Condition `Paused`.
    pub paused: bool,
    /// Whether its launcher pod is being deleted: the condition `Ready` is false with reason `PodTerminating`.
    pub pod_ends: bool,
    /// Condition `AgentConnected`.
    pub agent: bool,
    /// `status.phaseTransitionTimestamps`: whole seconds on the writers' clocks.
    pub transitions: Vec<(InstancePhase, Timestamp)>,
    /// `status.migrationState`: its current or last live migration.
    pub moving: Option<Box<Move>>,
    /// The guest's memory in bytes: `status.memory.guestCurrent`, else `spec.domain.memory.guest`.
    pub memory: Option<u64>,
    /// `spec.evictionStrategy`: what happens to it when its pod is evicted.
    pub eviction: Option<String>,
    /// `status.evacuationNodeName`: the node that it has to leave by migration because its pod was evicted there.
    pub evacuating: Option<String>,
    /// Reason and message why it cannot be live-migrated (condition `LiveMigratable` is false).
    pub immobile: Option<String>,
}

impl Instance {
    /// The same without timestamps, which do not tell when it came to be so.
    #[must_use]
    pub fn undated(&self) -> Self {
        Self { created: None, transitions: Vec::new(), ..self.clone() }
    }

    /// Whether it is being live-migrated.
    pub fn is_migrating(&self) -> bool {
        self.moving.as_ref().is_some_and(|moving| moving.is_under_way())
    }
}

/// A change reported by the cluster
#[expect(clippy::large_enum_variant, reason = "nearly every change is a present one, and lives shortly")]
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// An instance appeared or changed.
    Present(Instance),
    /// An instance no longer exists.
    Absent {
        /// Its UID.
        uid: String,
        /// VM of the instance.
        target: Target,
    },
}

/// When a change was received, and whether it may have waited in a gap of the watch
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// Time at which the client received it.
    pub at: Offset,
    /// Whether it came from a list, or was replayed after a gap: the milestone may have been passed earlier.
    pub late: bool,
    /// Reading of the server's clock at the beginning of the phase, as far as known.
    pub server_zero: Timestamp,
}

impl Receipt {
    /// Position of a server's timestamp on the phase's axis.
    pub fn stamped(self, stamp: Timestamp) -> Offset {
        Offset(stamp.as_microsecond() - self.server_zero.as_microsecond())
    }
}

/// A milestone just passed by a VM
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passed {
    /// Position of the VM.
    pub target: u32,
    /// The milestone.
    pub milestone: Milestone,
}

/// Folds changes into the timelines of one phase
#[derive(Debug)]
pub struct Fold {
    stops: bool,
    index: HashMap<Target, u32>,
    old: HashSet<String>,
    /// UIDs of instances that disappeared during the phase.
    gone: HashSet<String>,
}

impl Fold {
    /// A fold for the targets of a plan, in their order.
    ///
    /// `stops` states that the phase stops VMs. `old` holds the UIDs of instances that existed before the phase.
    pub fn new(targets: &[Target], stops: bool, old: HashSet<String>) -> Self {
        let index = targets.iter().cloned().zip(0..).collect();
        Self { stops, index, old, gone: HashSet::new() }
    }

    /// Whether an instance predates the phase, or is known to be gone.
    pub fn is_old(&self, instance: &Instance) -> bool {
        self.old.contains(&instance.uid)
    }

    /// Counts the VM's instance among those that predate the phase.
    pub fn forget(&mut self, timeline: &mut Timeline) {
        if let Some(uid) = timeline.instance_uid.clone() {
            self.old.insert(uid);
            forget_instance(timeline);
            timeline.restarts -= 1;
        }
    }

    /// Position of a target in the plan.
    pub fn position(&self, target: &Target) -> Option<u32> {
        self.index.get(target).copied()
    }

    /// Applies one change and returns the milestones that it passed.
    ///
    /// Changes to VMs or instances outside the phase have no effect.
    pub fn apply(&mut self, timelines: &mut [Timeline], change: &Change, receipt: Receipt) -> Vec<Passed> {
        let target = match change {
            Change::Present(instance) => &instance.target,
            Change::Absent { target, .. } => target,
        };
        let Some(position) = self.position(target) else { return Vec::new() };
        let Some(timeline) = timelines.get_mut(position as usize) else { return Vec::new() };
        if timeline.outcome == Outcome::Excluded {
            return Vec::new();
        }
        // Any later event about an instance that is gone is out of date.
        match change {
            Change::Present(instance) if self.gone.contains(&instance.uid) => return Vec::new(),
            Change::Absent { uid, .. } if !uid.is_empty() => {
                self.gone.insert(uid.clone());
            }
            _ => {}
        }
        let passed =
            if self.stops { stop(timeline, change, receipt) } else { self.start(timeline, change, receipt) };
        passed.into_iter().map(|milestone| Passed { target: position, milestone }).collect()
    }

    fn start(&self, timeline: &mut Timeline, change: &Change, receipt: Receipt) -> Vec<Milestone> {
        if let Some(passed) = old_instance(timeline, change, receipt) {
            return passed;
        }
        let instance = match change {
            Change::Present(instance) => instance,
            Change::Absent { uid, .. } => {
                if timeline.instance_uid.as_ref() == Some(uid) && !timeline.is_over() {
                    forget_instance(timeline);
                }
                return Vec::new();
            }
        };
        if self.old.contains(&instance.uid) {
            return Vec::new();
        }
        if timeline.instance_uid.as_ref() != Some(&instance.uid) {
            if timeline.is_over() {
                return Vec::new();
            }
            if timeline.instance_uid.is_some() {
                forget_instance(timeline);
            }
            timeline.instance_uid = Some(instance.uid.clone());
        }
        if timeline.node.is_none() {
            timeline.node.clone_from(&instance.node);
        }
        let final_phase = matches!(instance.phase, InstancePhase::Succeeded | InstancePhase::Failed);
        if final_phase {
            // Another guest may get it from now on, and would answer.
            timeline.address = None;
        } else if instance.address.is_some() {
            // The latest address counts: a guest may report none for a while, or a different one.
            timeline.address.clone_from(&instance.address);
        }
        stamp(timeline, instance);
        let mut passed = Vec::new();
        for (milestone, is_passed) in [
            (Milestone::Instance, true),
            (Milestone::Pod, !final_phase && instance.phase >= InstancePhase::Scheduling),
            (Milestone::Scheduled, !final_phase && instance.phase >= InstancePhase::Scheduled),
            (Milestone::Running, instance.phase == InstancePhase::Running),
            (Milestone::Ready, instance.phase == InstancePhase::Running && instance.ready),
            (Milestone::Address, instance.phase == InstancePhase::Running && instance.address.is_some()),
            (Milestone::Agent, instance.phase == InstancePhase::Running && instance.agent),
        ] {
            if is_passed && pass(timeline, milestone, receipt) {
                passed.push(milestone);
            }
        }
        passed
    }
}

/// Applies a change to the instance that ran before a restart; `None` if the change is about another instance.
fn old_instance(timeline: &mut Timeline, change: &Change, receipt: Receipt) -> Option<Vec<Milestone>> {
    let (uid, milestone) = match change {
        Change::Present(instance) => {
            let ends = matches!(instance.phase, InstancePhase::Succeeded | InstancePhase::Failed);
            (&instance.uid, (instance.deleting || ends).then_some(Milestone::Stopping))
        }
        Change::Absent { uid, .. } => (uid, Some(Milestone::Gone)),
    };
    if timeline.old_instance.as_deref() != Some(uid) {
        return None;
    }
    // Whatever happened to it before the request was not our doing.
    let passed = milestone.filter(|milestone| timeline.is_asked() && note(timeline, *milestone, receipt));
    Some(passed.into_iter().collect())
}

/// Records the server's own timestamps beside the observations.
fn stamp(timeline: &mut Timeline, instance: &Instance) {
    if let Some(created) = instance.created {
        timeline.stamps.entry(Milestone::Instance).or_insert(created.as_second());
    }
    for (phase, at) in &instance.transitions {
        let Some(milestone) = phase.milestone() else { continue };
        timeline.stamps.entry(milestone).or_insert(at.as_second());
    }
}

/// Forgets the observations of an instance that was replaced or disappeared.
fn forget_instance(timeline: &mut Timeline) {
    // The disks stay as they are; endings belong to the instance before a restart.
    timeline
        .moments
        .retain(|milestone, _| *milestone <= Milestone::Volume || *milestone >= Milestone::Stopping);
    timeline.stamps.retain(|milestone, _| *milestone <= Milestone::Volume);
    timeline.probes.clear();
    timeline.instance_uid = None;
    timeline.node = None;
    timeline.address = None;
    timeline.launcher = None;
    timeline.pulled_for = Offset::ZERO;
    timeline.restarts += 1;
}

/// Follows the instance of a VM that is being stopped.
///
/// Until the request is sent, changes to instances are unrelated: the VM may be waiting for its turn, and a replaced
/// instance simply becomes the one to stop. An instance created before the request was accepted is stopped by it too,
/// even if another instance of the VM has disappeared since.
fn stop(timeline: &mut Timeline, change: &Change, receipt: Receipt) -> Vec<Milestone> {
    match change {
        Change::Present(instance) => {
            if timeline.instance_uid.as_ref() != Some(&instance.uid) {
                let replaces = timeline.instance_uid.is_none() || timeline.has(Milestone::Gone);
                if timeline.is_asked() && !(replaces && was_there(timeline, instance, receipt)) {
                    return Vec::new();
                }
                timeline.restarts += u32::from(timeline.is_asked());
                timeline.moments.retain(|milestone, _| *milestone < Milestone::Stopping);
                timeline.instance_uid = Some(instance.uid.clone());
                timeline.node.clone_from(&instance.node);
            }
            let stopping = instance.deleting
                || matches!(instance.phase, InstancePhase::Succeeded | InstancePhase::Failed);
            if stopping && timeline.is_asked() && note(timeline, Milestone::Stopping, receipt) {
                return vec![Milestone::Stopping];
            }
        }
        Change::Absent { uid, .. } => {
            let ours = timeline.instance_uid.as_ref().is_none_or(|known| known == uid);
            if ours && !timeline.is_asked() {
                timeline.instance_uid = None;
                timeline.node = None;
            } else if ours && note(timeline, Milestone::Gone, receipt) {
                return vec![Milestone::Gone];
            }
        }
    }
    Vec::new()
}

/// Whether an instance existed when the stop was accepted, as far as whole seconds can show.
fn was_there(timeline: &Timeline, instance: &Instance, receipt: Receipt) -> bool {
    let accepted = timeline.at(Milestone::Accepted).unwrap_or(receipt.at);
    instance.created.is_none_or(|created| receipt.stamped(created) <= accepted)
}

/// Records a milestone of a start; a late receipt falls back to the server's timestamp if there is one.
pub(super) fn pass(timeline: &mut Timeline, milestone: Milestone, receipt: Receipt) -> bool {
    if receipt.late
        && let Some(stamp) = timeline.stamps.get(&milestone)
        && let Ok(stamp) = Timestamp::from_second(*stamp)
    {
        let at = receipt.stamped(stamp).clamp(floor(timeline, milestone).min(receipt.at), receipt.at);
        return timeline.fill(milestone, at);
    }
    note(timeline, milestone, receipt)
}

/// The latest known time of what a VM passes before a milestone: a timestamp is truncated, and what was passed before it
/// may have been seen later in the same second.
///
/// Left out is what has no fixed place: volumes are attached whenever the event says, and init containers may have
/// finished before the network is known.
pub(super) fn floor(timeline: &Timeline, milestone: Milestone) -> Offset {
    let is_before = |earlier: Milestone| match (earlier, milestone) {
        (Milestone::Prepared, Milestone::Initialized) => false,
        (
            Milestone::Requested
            | Milestone::Instance
            | Milestone::Pod
            | Milestone::Placed
            | Milestone::Prepared
            | Milestone::Initialized
            | Milestone::Started
            | Milestone::Scheduled
            | Milestone::Running
            | Milestone::Target
            | Milestone::Copying,
            _,
        ) => earlier < milestone,
        _ => false,
    };
    let before = timeline.moments.iter().filter(|(earlier, _)| is_before(**earlier));
    let known = before.filter(|(_, moment)| moment.source != Source::Late).map(|(_, moment)| moment.at);
    known.max().unwrap_or(Offset(i64::MIN))
}

/// Records a milestone at its receipt, marked if late.
fn note(timeline: &mut Timeline, milestone: Milestone, receipt: Receipt) -> bool {
    if timeline.has(milestone) {
        return false;
    }
    if receipt.late { timeline.notice(milestone, receipt.at) } else { timeline.see(milestone, receipt.at) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(n: u32) -> Target {
        Target { namespace: format!("p-{n}"), name: "vm".into() }
    }

    fn instance(uid: &str, phase: InstancePhase) -> Instance {
        Instance { uid: uid.into(), target: target(1), phase, ..Instance::default() }
    }

    #[test]
    fn a_stamped_time_is_not_before_an_earlier_milestone_of_the_pod_that_was_seen() {
        let mut timeline = Timeline::new(0);
        timeline.see(Milestone::Requested, Offset::ZERO);
        timeline.see(Milestone::Started, Offset(8_220_000));
        timeline.stamps.insert(Milestone::Scheduled, began().as_second() + 7);
        let receipt = Receipt { at: Offset(12_000_000), late: true, server_zero: began() };
        assert!(pass(&mut timeline, Milestone::Scheduled, receipt));
        assert_eq!(timeline.at(Milestone::Scheduled), Some(Offset(8_220_000)));
        // Init containers may finish before the network is known.
        timeline.see(Milestone::Prepared, Offset(9_000_000));
        assert_eq!(floor(&timeline, Milestone::Initialized), Offset::ZERO);
    }

    fn began() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    fn seen(at: i64) -> Receipt {
        Receipt { at: Offset(at), late: false, server_zero: began() }
    }

    fn fold(stops: bool, old: &[&str]) -> (Fold, Vec<Timeline>) {
        let old = old.iter().map(|uid| (*uid).to_owned()).collect();
        (Fold::new(&[target(1), target(2)], stops, old), vec![Timeline::new(0), Timeline::new(1)])
    }

    #[test]
    fn a_start_passes_the_milestones_even_when_states_are_skipped() {
        let (mut fold, mut timelines) = fold(false, &[]);
        timelines[0].see(Milestone::Requested, Offset(0));
        let passed =
            fold.apply(&mut timelines, &Change::Present(instance("a", InstancePhase::Running)), seen(50));
        let passed: Vec<_> = passed.into_iter().map(|passed| passed.milestone).collect();
        assert_eq!(passed, [Milestone::Instance, Milestone::Pod, Milestone::Scheduled, Milestone::Running]);
        assert_eq!(timelines[0].at(Milestone::Running), Some(Offset(50)));
    }

    #[test]
    fn an_instance_from_before_does_not_count() {
        let (mut fold, mut timelines) = fold(false, &["old"]);
        timelines[0].see(Milestone::Requested, Offset(0));
        let change = Change::Present(instance("old", InstancePhase::Running));
        assert!(fold.apply(&mut timelines, &change, seen(1)).is_empty());
        let gone = Change::Absent { uid: "old".into(), target: target(1) };
        assert!(fold.apply(&mut timelines, &gone, seen(2)).is_empty());
        assert_eq!(timelines[0].restarts, 0);
        let change = Change::Present(instance("new", InstancePhase::Running));
        assert_eq!(fold.apply(&mut timelines, &change, seen(3)).len(), 4);
    }

    #[test]
    fn a_restart_times_the_end_of_the_old_instance_and_the_start_of_a_new_one() {
        let (mut fold, mut timelines) = fold(false, &["old"]);
        timelines[0].old_instance = Some("old".into());
        let leaving =
            |deleting| Change::Present(Instance { deleting, ..instance("old", InstancePhase::Running) });
        let milestones = |passed: Vec<Passed>| passed.iter().map(|one| one.milestone).collect::<Vec<_>>();
        assert!(fold.apply(&mut timelines, &leaving(true), seen(1)).is_empty(), "nobody asked for that yet");
        timelines[0].see(Milestone::Requested, Offset(2));
        assert!(fold.apply(&mut timelines, &leaving(false), seen(3)).is_empty());
        let passed = fold.apply(&mut timelines, &leaving(true), seen(4));
        assert_eq!(milestones(passed), [Milestone::Stopping]);
        let gone = Change::Absent { uid: "old".into(), target: target(1) };
        assert_eq!(milestones(fold.apply(&mut timelines, &gone, seen(5))), [Milestone::Gone]);
        assert_eq!((timelines[0].restarts, timelines[0].instance_uid.as_deref()), (0, None));
        let new = |uid| Change::Present(instance(uid, InstancePhase::Running));
        assert_eq!(fold.apply(&mut timelines, &new("a"), seen(6)).len(), 4);
        // A crashing instance takes its milestones with it.
        let crashed = Change::Absent { uid: "a".into(), target: target(1) };
        fold.apply(&mut timelines, &crashed, seen(7));
        assert_eq!((timelines[0].at(Milestone::Running), timelines[0].restarts), (None, 1));
        assert_eq!(timelines[0].at(Milestone::Gone), Some(Offset(5)));
    }

    #[test]
    fn a_second_incarnation_replaces_the_first_but_keeps_the_request() {
        let (mut fold, mut timelines) = fold(false, &[]);
        timelines[0].see(Milestone::Requested, Offset(1));
        fold.apply(&mut timelines, &Change::Present(instance("a", InstancePhase::Scheduled)), seen(10));
        fold.apply(&mut timelines, &Change::Present(instance("a", InstancePhase::Failed)), seen(20));
        fold.apply(&mut timelines, &Change::Absent { uid: "a".into(), target: target(1) }, seen(30));
        assert!(!timelines[0].has(Milestone::Instance));
        fold.apply(&mut timelines, &Change::Present(instance("b", InstancePhase::Running)), seen(40));
        assert_eq!(timelines[0].at(Milestone::Instance), Some(Offset(40)));
        assert_eq!(timelines[0].at(Milestone::Requested), Some(Offset(1)));
        assert_eq!(timelines[0].restarts, 1);
    }

    #[test]
    fn a_vm_that_reached_its_goal_is_left_alone() {
        let (mut fold, mut timelines) = fold(false, &[]);
        fold.apply(&mut timelines, &Change::Present(instance("a", InstancePhase::Running)), seen(10));
        timelines[0].outcome = Outcome::Reached;
        fold.apply(&mut timelines, &Change::Absent { uid: "a".into(), target: target(1) }, seen(20));
        fold.apply(&mut timelines, &Change::Present(instance("b", InstancePhase::Running)), seen(30));
        assert_eq!(timelines[0].at(Milestone::Running), Some(Offset(10)));
        assert_eq!(timelines[0].instance_uid.as_deref(), Some("a"));
    }

    #[test]
    fn a_late_receipt_uses_the_servers_timestamp_and_says_so() {
        let (mut fold, mut timelines) = fold(false, &[]);
        timelines[0].see(Milestone::Requested, Offset(100));
        let mut running = instance("a", InstancePhase::Running);
        let stamp = began() + jiff::SignedDuration::from_secs(5);
        running.transitions = vec![(InstancePhase::Running, stamp)];
        let late = Receipt { at: Offset(60_000_000), late: true, server_zero: began() };
        fold.apply(&mut timelines, &Change::Present(running), late);
        let at = timelines[0].at(Milestone::Running).unwrap();
        assert_eq!(at, Offset::from_seconds(5.0));
        assert!(timelines[0].is_stamped(Milestone::Running));
        assert_eq!(timelines[0].moments[&Milestone::Pod].source, super::super::Source::Late);
    }

    #[test]
    fn a_stop_ends_when_the_same_instance_is_gone() {
        let (mut fold, mut timelines) = fold(true, &[]);
        fold.apply(&mut timelines, &Change::Present(instance("a", InstancePhase::Running)), seen(1));
        timelines[0].see(Milestone::Requested, Offset(2));
        let mut leaving = instance("a", InstancePhase::Running);
        leaving.deleting = true;
        assert_eq!(fold.apply(&mut timelines, &Change::Present(leaving), seen(3)).len(), 1);
        let other = Change::Absent { uid: "b".into(), target: target(1) };
        assert!(fold.apply(&mut timelines, &other, seen(4)).is_empty());
        let gone = Change::Absent { uid: "a".into(), target: target(1) };
        assert_eq!(fold.apply(&mut timelines, &gone, seen(5))[0].milestone, Milestone::Gone);
    }

    #[test]
    fn what_happens_before_its_turn_is_not_the_stop() {
        let (mut fold, mut timelines) = fold(true, &[]);
        let gone = |uid: &str| Change::Absent { uid: uid.into(), target: target(1) };
        fold.apply(&mut timelines, &Change::Present(instance("a", InstancePhase::Running)), seen(1));
        assert!(fold.apply(&mut timelines, &gone("a"), seen(2)).is_empty());
        assert_eq!((timelines[0].at(Milestone::Gone), timelines[0].instance_uid.as_deref()), (None, None));
        fold.apply(&mut timelines, &Change::Present(instance("b", InstancePhase::Running)), seen(3));
        timelines[0].see(Milestone::Requested, Offset(4));
        assert!(fold.apply(&mut timelines, &gone("a"), seen(5)).is_empty());
        assert_eq!(fold.apply(&mut timelines, &gone("b"), seen(6))[0].milestone, Milestone::Gone);
    }

    #[test]
    fn an_instance_that_was_replaced_while_the_stop_was_under_way_is_followed_and_a_later_one_is_not() {
        let (mut fold, mut timelines) = fold(true, &[]);
        let gone = |uid: &str| Change::Absent { uid: uid.into(), target: target(1) };
        let made = |uid: &str, second: i64| Instance {
            created: Some(began() + jiff::SignedDuration::from_secs(second)),
            ..instance(uid, InstancePhase::Running)
        };
        fold.apply(&mut timelines, &Change::Present(made("a", -9)), seen(1));
        timelines[0].see(Milestone::Requested, Offset(1_500_000));
        assert_eq!(fold.apply(&mut timelines, &gone("a"), seen(1_600_000)).len(), 1);
        timelines[0].see(Milestone::Accepted, Offset(1_800_000));
        fold.apply(&mut timelines, &Change::Present(made("b", 1)), seen(1_900_000));
        assert!(!timelines[0].has(Milestone::Gone), "b runs");
        assert_eq!(fold.apply(&mut timelines, &gone("b"), seen(3_000_000))[0].milestone, Milestone::Gone);
        fold.apply(&mut timelines, &Change::Present(made("c", 2)), seen(4_000_000));
        assert_eq!(timelines[0].at(Milestone::Gone), Some(Offset(3_000_000)), "somebody started it again");
    }

    #[test]
    fn strangers_are_ignored() {
        let (mut fold, mut timelines) = fold(false, &[]);
        let mut stranger = instance("x", InstancePhase::Running);
        stranger.target.namespace = "elsewhere".into();
        assert!(fold.apply(&mut timelines, &Change::Present(stranger), seen(1)).is_empty());
    }
}
