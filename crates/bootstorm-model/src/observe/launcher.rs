//! Launcher pods of VMs: the stages they passed, and what they wait for.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;

use super::fold::{Passed, floor};
use super::{
    LauncherState, Milestone, Moment, Notice, NoticeKind, Offset, Outcome, Receipt, Source, Timeline, Warning,
};
use crate::plan::Target;

/// State of one launcher pod, from a watch
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launcher {
    /// UID of the pod.
    pub uid: String,
    /// Its name.
    pub name: String,
    /// UID of its VMI.
    pub instance: String,
    /// Namespace and name of that VMI.
    pub target: Target,
    /// Milestones passed, with the server's timestamps where present.
    pub passed: Vec<(Milestone, Option<Timestamp>)>,
    /// Its node.
    pub node: Option<String>,
    /// What it is doing or waiting for, in a few words.
    pub state: String,
    /// Claims that it mounts.
    pub claims: Vec<String>,
    /// Whether it was deleted.
    pub gone: bool,
    /// UID of the live migration whose target it is (label `kubevirt.io/migrationJobUID`).
    pub migration: Option<String>,
}

/// Knowledge about one pod
#[derive(Debug)]
struct Known {
    position: u32,
    instance: String,
    migration: Option<String>,
    state: LauncherState,
    node: Option<String>,
    moments: BTreeMap<Milestone, Moment>,
    stamps: BTreeMap<Milestone, i64>,
    pulled_for: Offset,
    gone: bool,
}

/// Folds launcher pods and events into the timelines of a phase that starts VMs
///
/// A pod may be seen before its VMI, which comes on another stream: its milestones are kept until the timeline knows
/// the
/// VMI. Pods of other VMIs have no effect.
#[derive(Debug)]
pub struct LauncherFold {
    index: HashMap<Target, u32>,
    /// VM by namespace, where the namespace holds that VM and nothing else.
    alone: HashMap<String, u32>,
    pods: HashMap<String, Known>,
    /// Pods of a VM.
    of: HashMap<u32, Vec<String>>,
    /// Namespace and claim → VM.
    claims: HashMap<(String, String), u32>,
    /// UID of a warning → its count at the last receipt.
    said: HashMap<String, u32>,
    /// UIDs of counted events.
    counted: HashSet<String>,
    /// Migration objects of the phase, by namespace and name → VM; `None` unless the phase migrates VMs.
    migrations: Option<HashMap<Target, u32>>,
    /// Whether VMs are evicted: some migrate, others boot elsewhere.
    evicts: bool,
}

impl LauncherFold {
    /// A fold for the targets of a plan. `ours` states that their namespaces hold nothing else.
    pub fn new(targets: &[Target], ours: bool) -> Self {
        let mut alone: HashMap<String, Option<u32>> = HashMap::new();
        for (target, position) in targets.iter().zip(0..).filter(|_| ours) {
            alone.entry(target.namespace.clone()).and_modify(|only| *only = None).or_insert(Some(position));
        }
        Self {
            index: targets.iter().cloned().zip(0..).collect(),
            alone: alone.into_iter().filter_map(|(namespace, only)| Some((namespace, only?))).collect(),
            pods: HashMap::new(),
            of: HashMap::new(),
            claims: HashMap::new(),
            said: HashMap::new(),
            counted: HashSet::new(),
            migrations: None,
            evicts: false,
        }
    }

    /// Adapts the fold to a phase that evicts VMs: pods in which they boot elsewhere and pods to which they migrate
    /// count.
    #[must_use]
    pub fn evicting(mut self) -> Self {
        self.migrations = Some(HashMap::new());
        self.evicts = true;
        self
    }

    /// Adapts the fold to a phase that migrates VMs by these objects, in the order of its VMs: only target pods count.
    #[must_use]
    pub fn migrating_by(mut self, objects: impl IntoIterator<Item = Target>) -> Self {
        self.migrations = Some(objects.into_iter().zip(0..).collect());
        self
    }

    /// Applies the state of a pod.
    pub fn apply(&mut self, timelines: &mut [Timeline], launcher: Launcher, receipt: Receipt) -> Vec<Passed> {
        let Some(position) = self.index.get(&launcher.target).copied() else { return Vec::new() };
        for claim in launcher.claims {
            self.claims.insert((launcher.target.namespace.clone(), claim), position);
        }
        let (of, uid) = (&mut self.of, &launcher.uid);
        let known = self.pods.entry(uid.clone()).or_insert_with(|| {
            of.entry(position).or_default().push(uid.clone());
            Known {
                position,
                instance: launcher.instance,
                migration: launcher.migration,
                state: LauncherState { pod: launcher.name, state: String::new() },
                node: None,
                moments: BTreeMap::new(),
                stamps: BTreeMap::new(),
                pulled_for: Offset::ZERO,
                gone: false,
            }
        });
        known.state.state = launcher.state;
        known.node = launcher.node.or(known.node.take());
        known.gone |= launcher.gone;
        for (milestone, stamp) in launcher.passed {
            known.pass(milestone, stamp, receipt);
        }
        self.join(timelines, position)
    }

    /// Applies an event.
    pub fn hear(&mut self, timelines: &mut [Timeline], notice: Notice, receipt: Receipt) -> Vec<Passed> {
        let Some(position) = self.whose(&notice) else { return Vec::new() };
        let Some(timeline) = timelines.get_mut(position as usize) else { return Vec::new() };
        match notice.what {
            NoticeKind::Warning { reason, message, count } => {
                let before = self.said.insert(notice.uid, count).unwrap_or(0);
                let of_another = self.pods.get(&notice.about).is_some_and(|pod| {
                    timeline.instance_uid.as_ref().is_some_and(|instance| *instance != pod.instance)
                });
                let matters =
                    timeline.is_asked() && !matches!(timeline.outcome, Outcome::Reached | Outcome::Excluded);
                if matters && !of_another && count > before {
                    timeline.warn(Warning {
                        kind: notice.kind,
                        name: notice.name,
                        reason,
                        message,
                        count: count - before,
                        first: receipt.at,
                        last: receipt.at,
                    });
                }
                Vec::new()
            }
            NoticeKind::Attached => {
                let Some(known) = self.pods.get_mut(&notice.about) else { return Vec::new() };
                known.attach(notice.stamp, receipt);
                self.join(timelines, position)
            }
            NoticeKind::Pulled(waited) => {
                if let Some(known) =
                    self.pods.get_mut(&notice.about).filter(|_| self.counted.insert(notice.uid))
                {
                    known.pulled_for.0 = known.pulled_for.0.saturating_add(waited.0);
                    self.join(timelines, position);
                }
                Vec::new()
            }
        }
    }

    /// Transfers the milestones of a VM's pods to its timeline, as far as they are pods of the timeline's VMI.
    pub fn join(&self, timelines: &mut [Timeline], position: u32) -> Vec<Passed> {
        let Some(timeline) = timelines.get_mut(position as usize) else { return Vec::new() };
        if timeline.outcome == Outcome::Excluded
            || timeline.instance_uid.is_none() && timeline.old_instance.is_none()
        {
            return Vec::new();
        }
        let mut passed = Vec::new();
        for uid in self.of.get(&position).into_iter().flatten() {
            let Some(known) = self.pods.get(uid) else { continue };
            let boots = timeline.instance_uid.as_ref() == Some(&known.instance);
            let moves = self.evicts
                && known.migration.is_some()
                && timeline.old_instance.as_deref() == Some(&known.instance);
            if !boots && !moves || !self.counts(timeline, known) {
                continue;
            }
            for (milestone, moment) in &known.moments {
                let is_new = !timeline.has(*milestone);
                // Volumes are attached one after the other.
                if is_new || *milestone == Milestone::Attached {
                    let at = match moment.source {
                        Source::Stamped => moment.at.max(floor(timeline, *milestone)),
                        Source::Seen | Source::Late => moment.at,
                    };
                    timeline.moments.insert(*milestone, Moment { at, ..*moment });
                }
                if is_new {
                    passed.push(Passed { target: position, milestone: *milestone });
                }
            }
            for (milestone, stamp) in &known.stamps {
                timeline.stamps.entry(*milestone).or_insert(*stamp);
            }
            if timeline.node.is_none() {
                timeline.node.clone_from(&known.node);
            }
            timeline.pulled_for = timeline.pulled_for.max(known.pulled_for);
            if !known.gone {
                timeline.launcher =
                    (timeline.outcome != Outcome::Reached).then(|| Box::new(known.state.clone()));
            }
        }
        passed
    }

    /// Whether a pod counts in the phase: target pods if it migrates VMs, booting pods otherwise.
    fn counts(&self, timeline: &Timeline, known: &Known) -> bool {
        match &self.migrations {
            None => known.migration.is_none(),
            Some(_) if self.evicts && known.migration.is_none() => true,
            Some(_) => {
                let ours = timeline.migration.as_ref().and_then(|facts| facts.uid.as_deref());
                known.migration.is_some() && known.migration.as_deref() == ours
            }
        }
    }

    /// The VM that an event is about.
    pub fn whose(&self, notice: &Notice) -> Option<u32> {
        if let Some(known) = self.pods.get(&notice.about) {
            return Some(known.position);
        }
        let named = |name: &str| {
            let target = Target { namespace: notice.namespace.clone(), name: name.to_owned() };
            self.index.get(&target).copied()
        };
        match notice.kind.as_str() {
            "VirtualMachine" | "VirtualMachineInstance" => named(&notice.name),
            "VirtualMachineInstanceMigration" => {
                let object = Target { namespace: notice.namespace.clone(), name: notice.name.clone() };
                return self.migrations.as_ref()?.get(&object).copied();
            }
            // virt-launcher-NAME-xxxxx
            "Pod" => {
                notice.name.strip_prefix("virt-launcher-").and_then(|rest| named(rest.rsplit_once('-')?.0))
            }
            _ => self.claims.get(&(notice.namespace.clone(), notice.name.clone())).copied(),
        }
        .or_else(|| self.alone.get(&notice.namespace).copied())
    }
}

impl Known {
    /// The first time counts; a late one falls back to the server's timestamp.
    fn pass(&mut self, milestone: Milestone, stamp: Option<Timestamp>, receipt: Receipt) {
        if self.moments.contains_key(&milestone) {
            return;
        }
        if let Some(stamp) = stamp {
            self.stamps.insert(milestone, stamp.as_second());
        }
        self.moments.insert(milestone, moment(stamp, receipt));
    }

    /// The last volume counts, as long as the pod waits for volumes.
    fn attach(&mut self, stamp: Option<Timestamp>, receipt: Receipt) {
        let waits = !self.moments.contains_key(&Milestone::Prepared);
        if waits || !self.moments.contains_key(&Milestone::Attached) {
            self.moments.insert(Milestone::Attached, moment(stamp, receipt));
        }
    }
}

/// Moment of a milestone that was just reported.
fn moment(stamp: Option<Timestamp>, receipt: Receipt) -> Moment {
    match stamp {
        _ if !receipt.late => Moment { at: receipt.at, source: Source::Seen },
        Some(stamp) => Moment { at: receipt.stamped(stamp).min(receipt.at), source: Source::Stamped },
        None => Moment { at: receipt.at, source: Source::Late },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Milestone::{Attached, Placed, Pod, Prepared, Requested};

    fn target() -> Target {
        Target { namespace: "p-1".into(), name: "vm".into() }
    }

    fn zero() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    fn at(at: i64) -> Receipt {
        Receipt { at: Offset(at), late: false, server_zero: zero() }
    }

    fn pod(uid: &str, instance: &str, passed: &[Milestone]) -> Launcher {
        Launcher {
            uid: uid.into(),
            name: format!("virt-launcher-vm-{uid}"),
            instance: instance.into(),
            target: target(),
            passed: passed.iter().map(|milestone| (*milestone, None)).collect(),
            node: None,
            state: "Pending".into(),
            claims: vec!["disk".into()],
            gone: false,
            migration: None,
        }
    }

    fn notice(kind: &str, name: &str, about: &str, what: NoticeKind) -> Notice {
        Notice {
            uid: "e".into(),
            namespace: "p-1".into(),
            kind: kind.into(),
            name: name.into(),
            about: about.into(),
            what,
            stamp: None,
        }
    }

    fn warning(count: u32) -> NoticeKind {
        NoticeKind::Warning { reason: "FailedScheduling".into(), message: "0/3 nodes".into(), count }
    }

    fn began() -> (LauncherFold, Vec<Timeline>) {
        let mut timeline = Timeline::new(0);
        timeline.see(Requested, Offset(1));
        timeline.instance_uid = Some("i".into());
        (LauncherFold::new(&[target()], true), vec![timeline])
    }

    #[test]
    fn a_pod_that_is_seen_before_its_instance_waits_for_it() {
        let (mut fold, mut timelines) = began();
        timelines[0].instance_uid = None;
        assert!(fold.apply(&mut timelines, pod("a", "i", &[Pod]), at(5)).is_empty());
        assert!(!timelines[0].has(Pod));
        timelines[0].instance_uid = Some("i".into());
        assert_eq!(fold.join(&mut timelines, 0), [Passed { target: 0, milestone: Pod }]);
        assert_eq!(timelines[0].at(Pod), Some(Offset(5)));
        assert_eq!(timelines[0].launcher.as_ref().unwrap().pod, "virt-launcher-vm-a");
    }

    #[test]
    fn the_pod_of_another_instance_changes_nothing() {
        let (mut fold, mut timelines) = began();
        assert!(fold.apply(&mut timelines, pod("a", "old", &[Pod, Placed]), at(5)).is_empty());
        fold.hear(&mut timelines, notice("Pod", "virt-launcher-vm-a", "a", warning(1)), at(6));
        assert!(timelines[0].warnings.is_empty() && timelines[0].launcher.is_none());
    }

    #[test]
    fn the_last_volume_ends_the_attaching() {
        let (mut fold, mut timelines) = began();
        fold.apply(&mut timelines, pod("a", "i", &[Pod, Placed]), at(5));
        let attached = || notice("Pod", "virt-launcher-vm-a", "a", NoticeKind::Attached);
        assert_eq!(fold.hear(&mut timelines, attached(), at(7)).len(), 1);
        assert!(fold.hear(&mut timelines, attached(), at(9)).is_empty());
        assert_eq!(timelines[0].at(Attached), Some(Offset(9)));
        fold.apply(&mut timelines, pod("a", "i", &[Pod, Placed, Prepared]), at(11));
        fold.hear(&mut timelines, attached(), at(13));
        assert_eq!((timelines[0].at(Attached), timelines[0].at(Placed)), (Some(Offset(9)), Some(Offset(5))));
    }

    #[test]
    fn waiting_for_images_is_summed_once_per_event() {
        let (mut fold, mut timelines) = began();
        fold.apply(&mut timelines, pod("a", "i", &[Pod]), at(5));
        let pulled = |uid: &str| Notice {
            uid: uid.into(),
            ..notice("Pod", "virt-launcher-vm-a", "a", NoticeKind::Pulled(Offset(40)))
        };
        for uid in ["x", "y", "x"] {
            fold.hear(&mut timelines, pulled(uid), at(9));
        }
        assert_eq!(timelines[0].pulled_for, Offset(80));
    }

    #[test]
    fn warnings_find_their_vm_by_name_owner_or_namespace() {
        let (mut fold, mut timelines) = began();
        fold.apply(&mut timelines, pod("a", "i", &[Pod]), at(5));
        for (kind, name) in [
            ("Pod", "virt-launcher-vm-zzzzz"),
            ("VirtualMachineInstance", "vm"),
            ("PersistentVolumeClaim", "disk"),
            ("Pod", "importer-x"),
        ] {
            let said = Notice { uid: name.into(), ..notice(kind, name, "?", warning(1)) };
            fold.hear(&mut timelines, said, at(6));
        }
        assert_eq!(timelines[0].warnings.iter().map(|w| w.count).sum::<u32>(), 4);
        let elsewhere = Notice { namespace: "q".into(), ..notice("Pod", "a", "?", warning(1)) };
        fold.hear(&mut timelines, elsewhere, at(6));
        assert_eq!(timelines[0].warnings.iter().map(|w| w.count).sum::<u32>(), 4);
        let strangers = LauncherFold::new(&[target()], false);
        assert_eq!(strangers.whose(&notice("Pod", "importer-x", "?", warning(1))), None);
    }

    #[test]
    fn a_repeated_event_counts_as_often_as_it_says() {
        let (mut fold, mut timelines) = began();
        for (count, at_micros) in [(1, 3), (4, 8), (4, 9)] {
            fold.hear(&mut timelines, notice("VirtualMachine", "vm", "?", warning(count)), at(at_micros));
        }
        assert_eq!((timelines[0].warnings[0].count, timelines[0].warnings[0].last), (4, Offset(8)));
    }

    #[test]
    fn what_passed_in_a_gap_is_taken_from_the_server() {
        let (mut fold, mut timelines) = began();
        let stamp = zero() + jiff::SignedDuration::from_secs(4);
        let late = Receipt { late: true, ..at(60_000_000) };
        let launcher =
            Launcher { passed: vec![(Placed, Some(stamp)), (Prepared, None)], ..pod("a", "i", &[]) };
        fold.apply(&mut timelines, launcher, late);
        assert_eq!(timelines[0].at(Placed), Some(Offset::from_seconds(4.0)));
        assert!(timelines[0].is_stamped(Placed));
        assert_eq!(timelines[0].moments[&Prepared].source, Source::Late);
    }
}
