//! Live migrations: their progress, from the two objects that report it, and their failures.

use std::cmp::Reverse;
use std::time::Duration;

use super::lateness::Weighed;
use super::{Effect, Happened, Limit, Tracker};
use crate::observation::Stream;
use crate::observe::{
    Change, Instance, InstancePhase, Migration, Milestone, Offset, Outcome, Passed, Receipt, migration,
};

/// How long a failure waits for the reason: the migration object does not have it, its VMI does a moment later. Events
/// mostly state only that the source or the target reported a failure.
const TOLD_WITHIN: Duration = Duration::from_secs(2);
/// Reason of `KubeVirt`'s events about failed migrations.
const FAILED_MIGRATION: &str = "FailedMigration";

impl Tracker<'_> {
    /// Applies a change of the instance of a migrating VM: it stays the same one, on another node.
    pub(super) fn apply_move(&mut self, position: u32, change: &Change, receipt: Receipt) {
        let timeline = &self.phase.timelines[position as usize];
        if timeline.outcome == Outcome::Excluded {
            return;
        }
        self.unreadable.remove(&position);
        let known = timeline.instance_uid.clone();
        match change {
            Change::Present(instance) if known.as_ref() == Some(&instance.uid) => {
                if instance.address.is_some() && instance.address != timeline.address {
                    self.timeline(position).address.clone_from(&instance.address);
                }
                self.know_answerer(position, instance, receipt.at);
                self.plan_probing(position, receipt.at);
                let weighed = self.weighed_move(position, instance, receipt);
                self.note_move(position, instance, weighed);
                if matches!(instance.phase, InstancePhase::Succeeded | InstancePhase::Failed) {
                    self.end_without_instance(position, "its instance ended", receipt);
                }
            }
            Change::Present(_) => self.end_without_instance(position, "it has another instance", receipt),
            Change::Absent { uid, .. } if known.as_ref() == Some(uid) => {
                self.end_without_instance(position, "its instance disappeared", receipt);
            }
            Change::Absent { .. } => {}
        }
    }

    /// Applies a change of the instance from before an eviction: it may migrate; if it ends instead and another one
    /// boots, that is handled as in a restart.
    pub(super) fn apply_evicted(&mut self, position: u32, change: &Change, receipt: Receipt) {
        let Change::Present(instance) = change else { return };
        let timeline = &self.phase.timelines[position as usize];
        if timeline.outcome == Outcome::Excluded || timeline.old_instance.as_deref() != Some(&instance.uid) {
            return;
        }
        if instance.address.is_some() && timeline.instance_uid.is_none() {
            self.timeline(position).address.clone_from(&instance.address);
        }
        let weighed = self.weighed_move(position, instance, receipt);
        self.note_move(position, instance, weighed);
        let left = self.has_left(instance);
        let ended = instance.moving.as_ref().and_then(|moving| moving.ended).filter(|_| weighed.is_dated);
        let receipt = weighed.receipt;
        let timeline = &self.phase.timelines[position as usize];
        if left && timeline.is_asked() && instance.phase == InstancePhase::Running {
            let timeline = self.timeline(position);
            timeline.node.clone_from(&instance.node);
            if migration::moved(timeline, ended, receipt) {
                self.tell(receipt.at, Some(position), Happened::Passed(Milestone::Moved));
                self.check_goal(position, receipt.at);
            }
        }
        self.plan_probing(position, receipt.at);
    }

    /// Whether an instance is on a node that is not drained.
    pub(super) fn has_left(&self, instance: &Instance) -> bool {
        instance.node.as_ref().is_some_and(|node| !self.phase.settings.nodes.contains(node))
    }

    /// Records what an instance reports of its migration.
    fn note_move(&mut self, position: u32, instance: &Instance, Weighed { receipt, is_dated }: Weighed) {
        let (Some(fold), Some(moving)) = (self.migrations.as_mut(), &instance.moving) else { return };
        let passed = fold.apply_move(&mut self.phase.timelines, position, moving, (receipt, is_dated));
        self.touch(Some(position));
        self.moved(position, &passed, receipt.at);
    }

    /// Records that an evicted VM runs again as another instance, and so on another node.
    pub(super) fn moved_by_boot(&mut self, target: u32, at: Offset) {
        let nodes = self.phase.settings.nodes.clone();
        let timeline = self.timeline(target);
        let elsewhere = timeline.node.as_ref().is_some_and(|node| !nodes.contains(node));
        let running = timeline.moments.get(&Milestone::Running).copied().filter(|_| elsewhere);
        if let Some(running) = running.filter(|_| !timeline.has(Milestone::Moved)) {
            timeline.moments.insert(Milestone::Moved, running);
            self.tell(at, Some(target), Happened::Passed(Milestone::Moved));
        }
    }

    /// Applies a migration object.
    pub(super) fn migration(&mut self, migration: &Migration, receipt: Receipt) {
        let Some(position) = self.migrations.as_ref().and_then(|fold| fold.position(migration)) else {
            return;
        };
        let Weighed { receipt, is_dated } = self.weighed_migration(position, migration, receipt);
        let undated = (!is_dated).then(|| Migration { transitions: Vec::new(), ..migration.clone() });
        let Some(fold) = self.migrations.as_mut() else { return };
        let passed = fold.apply(&mut self.phase.timelines, undated.as_ref().unwrap_or(migration), receipt);
        self.touch(Some(position));
        self.moved(position, &passed, receipt.at);
    }

    /// Transfers earlier observations to the timeline, once the answer to its request has identified the migration.
    pub(super) fn join_migration(&mut self, target: u32, at: Offset) {
        let Some(fold) = self.migrations.as_ref() else { return };
        let passed = fold.join(&mut self.phase.timelines, target);
        self.moved(target, &passed, at);
    }

    /// Applies a list of migration objects, for the VMs that wait for one.
    pub(super) fn listed_migrations(
        &mut self,
        stream: Option<Stream>,
        began: Offset,
        listed: &[Migration],
        receipt: Receipt,
    ) {
        let Some(stream) = stream else { return };
        let receipt = Receipt { late: true, ..receipt };
        let mut news = false;
        for migration in listed {
            let position = self.migrations.as_ref().and_then(|fold| fold.position(migration));
            let Some(position) = position.filter(|position| self.due.contains_key(position)) else {
                continue;
            };
            let before = self.phase.timelines[position as usize].moments.len();
            self.migration(migration, receipt);
            news |= self.phase.timelines[position as usize].moments.len() != before;
        }
        self.proved(stream, began, news, receipt.at);
    }

    /// Ends a VM whose migration failed.
    pub(super) fn end_migration(&mut self, target: u32, at: Offset) {
        let reason = match self.failure_of(target) {
            Some(why) => format!("its migration failed: {why}"),
            None => "its migration failed, and KubeVirt gives no reason".to_owned(),
        };
        self.end(target, Outcome::Failed, Some(reason), at);
    }

    /// What is known about the failure of a migration.
    pub(super) fn failure_of(&self, target: u32) -> Option<String> {
        let timeline = &self.phase.timelines[target as usize];
        let told = timeline.migration.as_ref().and_then(|facts| facts.failure.clone());
        let warned = || {
            let warning = timeline.warnings.iter().rfind(|warning| warning.reason == FAILED_MIGRATION)?;
            Some(warning.message.clone())
        };
        told.or_else(warned)
    }

    /// Reports the milestones that a VM passed, and ends its part if that was the last one or the migration failed.
    fn moved(&mut self, position: u32, passed: &[Passed], at: Offset) {
        self.touch(Some(position));
        for passed in passed {
            self.tell(at, Some(passed.target), Happened::Passed(passed.milestone));
        }
        if let Some(fold) = self.launchers.as_ref() {
            // The target pod is known once the migration is.
            let passed = fold.join(&mut self.phase.timelines, position);
            self.passed(&passed, at);
        }
        self.check_goal(position, at);
        let timeline = &self.phase.timelines[position as usize];
        let failed = timeline.migration.as_ref().is_some_and(|facts| facts.failed);
        // KubeVirt retries if a VM has to leave its node.
        if !failed || timeline.is_over() || !timeline.is_asked() || self.phase.drains() {
            return;
        }
        if timeline.migration.as_ref().is_some_and(|facts| facts.failure.is_some()) {
            self.end_migration(position, at);
        } else {
            self.deadlines.push(Reverse((at.plus(TOLD_WITHIN), position, Limit::Told)));
        }
    }

    /// Ends a VM whose guest is gone; one that may have moved before, unseen, is unknown.
    fn end_without_instance(&mut self, target: u32, what: &str, receipt: Receipt) {
        let timeline = &self.phase.timelines[target as usize];
        if timeline.is_over() || !timeline.is_asked() {
            return;
        }
        let (outcome, reason) = if receipt.late {
            (Outcome::Unknown, format!("{what} while its migration could not be observed"))
        } else {
            (Outcome::Failed, format!("{what} before it had migrated"))
        };
        self.end(target, outcome, Some(reason), receipt.at);
        self.effects.push(Effect::Diagnose(target));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use jiff::Timestamp;

    use super::*;
    use crate::observation::{Observation, What};
    use crate::observe::{
        Fold, Instance, MigrationFacts, MigrationFold, MigrationPhase, Moment, Move, Source, Timeline,
        Warning,
    };
    use crate::plan::Target;
    use crate::record::{PhaseKind, PhaseName, PhaseRecord, PhaseSettings, StormKind};
    use crate::tracker::Beginning;

    fn vm() -> Target {
        Target { namespace: "shop".into(), name: "web".into() }
    }

    fn seconds(seconds: f64) -> Offset {
        Offset::from_seconds(seconds)
    }

    /// A storm of one VM whose migration was requested.
    fn storm(targets: &[Target]) -> Tracker<'_> {
        let name = PhaseName { kind: PhaseKind::Storm, number: 1 };
        let settings =
            PhaseSettings { kind: StormKind::Migrate, timeout_seconds: 60, ..PhaseSettings::default() };
        let mut phase = PhaseRecord::new(name, Timestamp::UNIX_EPOCH, settings, 1);
        let mut timeline = Timeline::new(0);
        timeline.instance_uid = Some("vmi".into());
        timeline.see(Milestone::Requested, Offset::ZERO);
        timeline.migration =
            Some(Box::new(MigrationFacts { uid: Some("m".into()), ..MigrationFacts::default() }));
        phase.timelines = vec![timeline].into();
        Tracker::new(Beginning {
            phase,
            now: Offset::ZERO,
            targets,
            fold: Fold::new(targets, false, HashSet::new()),
            probes: Vec::new(),
            keeps: false,
            volumes: None,
            launchers: None,
            migrations: Some(MigrationFold::new([vm()])),
            streams: Vec::new(),
            asked: &[0],
        })
    }

    /// The instance, which stays where it is.
    fn running(moving: Move) -> Instance {
        Instance {
            uid: "vmi".into(),
            target: vm(),
            phase: InstancePhase::Running,
            node: Some("node-1".into()),
            ready: true,
            moving: Some(Box::new(moving)),
            ..Instance::default()
        }
    }

    /// The migration object failed, with `KubeVirt`'s usual uninformative event.
    fn fails(tracker: &mut Tracker<'_>, at: f64) {
        tracker.phase.timelines[0].warnings.push(Warning {
            kind: "VirtualMachineInstanceMigration".into(),
            name: "web".into(),
            reason: FAILED_MIGRATION.into(),
            message: "source node reported migration failed".into(),
            count: 1,
            first: seconds(at),
            last: seconds(at),
        });
        let what = What::Migration(Migration {
            uid: "m".into(),
            object: vm(),
            vm: vm(),
            created: None,
            written: None,
            committed: None,
            is_repeated: false,
            phase: MigrationPhase::Failed,
            transitions: Vec::new(),
            failure: None,
            gone: false,
        });
        tracker.observe(Observation { stream: None, at: seconds(at), late: false, what });
    }

    fn ending<'a>(tracker: &'a Tracker<'_>) -> (Outcome, Option<&'a str>) {
        let timeline = &tracker.phase.timelines[0];
        (timeline.outcome, timeline.reason.as_deref())
    }

    #[test]
    fn a_failed_migration_waits_for_the_words_of_its_instance() {
        let targets = [vm()];
        let mut tracker = storm(&targets);
        fails(&mut tracker, 5.0);
        tracker.tick(seconds(6.0));
        assert_eq!(ending(&tracker), (Outcome::Pending, None));
        let moving = Move {
            uid: "m".into(),
            completed: true,
            failed: true,
            failure: Some("Live migration stuck for 150 seconds".into()),
            ..Move::default()
        };
        let what = What::Instance(Change::Present(running(moving)));
        tracker.observe(Observation { stream: None, at: seconds(6.5), late: false, what });
        let why = "its migration failed: Live migration stuck for 150 seconds";
        assert_eq!(ending(&tracker), (Outcome::Failed, Some(why)));
    }

    /// The end of a migration in second 3 of the server's clock, written then, in a change that arrives at `at`.
    fn migrated(at: f64, committed: Option<i64>) -> Moment {
        let targets = [vm()];
        let mut tracker = storm(&targets);
        tracker.set_server_zero(Timestamp::UNIX_EPOCH);
        let second = |second| Timestamp::from_second(second).unwrap();
        let moving = Move {
            uid: "m".into(),
            target_ready: true,
            started: Some(second(1)),
            ended: Some(second(3)),
            completed: true,
            ..Move::default()
        };
        let instance = Instance {
            written: Some(second(3)),
            committed: committed.map(second),
            node: Some("node-2".into()),
            ..running(moving)
        };
        let what = What::Instance(Change::Present(instance));
        tracker.observe(Observation { stream: None, at: seconds(at), late: false, what });
        tracker.phase.timelines[0].moments[&Milestone::Migrated]
    }

    #[test]
    fn the_end_of_a_migration_that_the_watch_held_up_is_not_seen() {
        assert_eq!(migrated(3.6, None), Moment { at: seconds(3.6), source: Source::Seen });
        assert_eq!(migrated(8.5, None), Moment { at: seconds(8.5), source: Source::Late });
        assert_eq!(migrated(8.5, Some(4)), Moment { at: seconds(3.0), source: Source::Stamped });
    }

    #[test]
    fn a_failed_migration_without_them_takes_the_event() {
        let targets = [vm()];
        let mut tracker = storm(&targets);
        fails(&mut tracker, 5.0);
        tracker.tick(seconds(7.1));
        let why = "its migration failed: source node reported migration failed";
        assert_eq!(ending(&tracker), (Outcome::Failed, Some(why)));
    }
}
