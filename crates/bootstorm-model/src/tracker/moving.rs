//! Live migrations: how far each came, by the two objects that tell of it, and how it failed.

use std::cmp::Reverse;
use std::time::Duration;

use super::{Effect, Happened, Limit, Tracker};
use crate::observation::Stream;
use crate::observe::{
    Change, InstancePhase, Migration, MigrationPhase, Milestone, Offset, Outcome, Passed, Receipt, migration,
};

/// How long a failure waits for the reason: the migration object does not say it, its VMI does a moment later. Events
/// mostly say only that the source or the target reported a failure.
const TOLD_WITHIN: Duration = Duration::from_secs(2);
/// The reason of `KubeVirt`'s events about migrations that failed.
const FAILED_MIGRATION: &str = "FailedMigration";

impl Tracker<'_> {
    /// Takes a change of the instance of a VM that migrates into account: it stays the same one, on another node.
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
                if let (Some(fold), Some(moving)) = (self.migrations.as_mut(), &instance.moving) {
                    let passed = fold.apply_move(&mut self.phase.timelines, position, moving, receipt);
                    self.touch(Some(position));
                    self.moved(position, &passed, receipt.at);
                }
                if matches!(instance.phase, InstancePhase::Succeeded | InstancePhase::Failed) {
                    self.end_without_instance(position, "its instance ended", receipt);
                }
            }
            Change::Present(_) => self.end_without_instance(position, "it has another instance", receipt),
            Change::Absent { uid, .. } if known.as_ref() == Some(uid) => {
                self.end_without_instance(position, "its instance went", receipt);
            }
            Change::Absent { .. } => {}
        }
    }

    /// Takes a change of the instance from before an eviction into account: it may migrate; whether it ends instead, and
    /// another one boots, is told as in a restart.
    pub(super) fn apply_evicted(&mut self, position: u32, change: &Change, receipt: Receipt) {
        let Change::Present(instance) = change else { return };
        let timeline = &self.phase.timelines[position as usize];
        if timeline.outcome == Outcome::Excluded || timeline.old_instance.as_deref() != Some(&instance.uid) {
            return;
        }
        if instance.address.is_some() && timeline.instance_uid.is_none() {
            self.timeline(position).address.clone_from(&instance.address);
        }
        if let (Some(fold), Some(moving)) = (self.migrations.as_mut(), &instance.moving) {
            let passed = fold.apply_move(&mut self.phase.timelines, position, moving, receipt);
            self.touch(Some(position));
            self.moved(position, &passed, receipt.at);
        }
        let left = instance.node.as_ref().is_some_and(|node| !self.phase.settings.nodes.contains(node));
        let ended = instance.moving.as_ref().and_then(|moving| moving.ended);
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

    /// A VM that was evicted runs again, as another instance: where it boots is another node.
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

    /// Takes a migration object into account.
    pub(super) fn migration(&mut self, migration: &Migration, receipt: Receipt) {
        let Some(position) = self.migrations.as_ref().and_then(|fold| fold.position(migration)) else {
            return;
        };
        let receipt = self.weighed_migration(position, migration, receipt);
        let Some(fold) = self.migrations.as_mut() else { return };
        let passed = fold.apply(&mut self.phase.timelines, migration, receipt);
        self.touch(Some(position));
        self.moved(position, &passed, receipt.at);
    }

    /// Puts what was seen before onto the timeline, once the answer to its request has said which migration it is.
    pub(super) fn join_migration(&mut self, target: u32, at: Offset) {
        let Some(fold) = self.migrations.as_ref() else { return };
        let passed = fold.join(&mut self.phase.timelines, target);
        self.moved(target, &passed, at);
    }

    /// Takes a list of migration objects into account, for the VMs that wait for one.
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
            None => "its migration failed, and KubeVirt does not say why".to_owned(),
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

    /// Tells what a VM passed, and ends its part where that was all or the migration failed.
    fn moved(&mut self, position: u32, passed: &[Passed], at: Offset) {
        for passed in passed {
            self.tell(at, Some(passed.target), Happened::Passed(passed.milestone));
        }
        if let Some(fold) = self.launchers.as_ref() {
            // Which pod is the target is known with the migration.
            let passed = fold.join(&mut self.phase.timelines, position);
            self.passed(&passed, at);
        }
        self.check_goal(position, at);
        let timeline = &self.phase.timelines[position as usize];
        let failed = timeline.migration.as_ref().is_some_and(|facts| facts.failed);
        // KubeVirt tries again where a VM has to leave its node.
        if !failed || timeline.is_over() || !timeline.is_asked() || self.phase.drains() {
            return;
        }
        if timeline.migration.as_ref().is_some_and(|facts| facts.failure.is_some()) {
            self.end_migration(position, at);
        } else {
            self.deadlines.push(Reverse((at.plus(TOLD_WITHIN), position, Limit::Told)));
        }
    }

    /// Ends a VM whose guest is not there any more; one that may have moved before, unseen, is unknown.
    fn end_without_instance(&mut self, target: u32, what: &str, receipt: Receipt) {
        let timeline = &self.phase.timelines[target as usize];
        if timeline.is_over() || !timeline.is_asked() {
            return;
        }
        let (outcome, reason) = if receipt.late {
            (Outcome::Unknown, format!("{what} while nobody could see whether it had migrated"))
        } else {
            (Outcome::Failed, format!("{what} before it had migrated"))
        };
        self.end(target, outcome, Some(reason), receipt.at);
        self.effects.push(Effect::Diagnose(target));
    }

    /// The receipt of a migration object, late where virt-controller's timestamp shows that it waited somewhere.
    fn weighed_migration(&mut self, position: u32, migration: &Migration, receipt: Receipt) -> Receipt {
        let timeline = &self.phase.timelines[position as usize];
        if receipt.late || timeline.is_over() {
            return receipt;
        }
        let is_new = |milestone: Milestone| !timeline.has(milestone);
        let is_now = |phase: MigrationPhase| phase == migration.phase;
        let stamps = migration.transitions.iter();
        let stamps = stamps.filter(|(phase, _)| is_now(*phase) && phase.milestone().is_some_and(is_new));
        let last = stamps.map(|(_, at)| *at).max();
        self.weighed_by(last, receipt)
    }
}
