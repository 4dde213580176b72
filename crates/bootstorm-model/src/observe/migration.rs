//! Live migrations: folds their objects into timelines.
//!
//! Two objects report a migration. The `VirtualMachineInstanceMigration` has its phase from the queue to the end. The
//! migrating VMI has `status.migrationState` from the moment at which its target pod runs, and names the migration by
//! its
//! UID. Different components write the two, so either may be seen first; the first sight of a milestone counts.
//! (`KubeVirt` v1.0 to v1.9, `pkg/virt-controller/watch/migration/migration.go`, and `types.go` of `kubevirt.io/api`.)

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use super::fold::{Passed, pass};
use super::{MigrationFacts, MigrationPhase, Milestone, Move, Outcome, Receipt, Timeline};
use crate::plan::Target;

/// State of one `VirtualMachineInstanceMigration` as reported by a watch
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// UID of the object.
    pub uid: String,
    /// Namespace and name of the object itself.
    pub object: Target,
    /// VM that it migrates.
    pub vm: Target,
    /// `metadata.creationTimestamp`.
    pub created: Option<Timestamp>,
    /// A time at which this state was not committed yet, on the API server's clock: the latest in
    /// `metadata.managedFields`, or that of a request whose answer is older.
    pub written: Option<Timestamp>,
    /// A time by which this state was committed, on the API server's clock: that of an answer that is newer.
    pub committed: Option<Timestamp>,
    /// Whether an earlier change may have reported the same, but could not be read.
    pub is_repeated: bool,
    /// `status.phase`.
    pub phase: MigrationPhase,
    /// `status.phaseTransitionTimestamps`: whole seconds on virt-controller's clock.
    pub transitions: Vec<(MigrationPhase, Timestamp)>,
    /// `status.migrationState.failureReason`, or a condition that reports a problem.
    pub failure: Option<String>,
    /// Whether it was deleted.
    pub gone: bool,
}

/// Observations of one migration
#[derive(Debug, Default)]
struct Sighting {
    /// First sight of each milestone.
    receipts: BTreeMap<Milestone, Receipt>,
    /// The servers' own timestamps.
    stamps: BTreeMap<Milestone, i64>,
    facts: MigrationFacts,
}

impl Sighting {
    fn see(&mut self, milestone: Milestone, receipt: Receipt) {
        self.receipts.entry(milestone).or_insert(receipt);
    }

    fn fail(&mut self, why: Option<&String>) {
        self.facts.failed = true;
        if self.facts.failure.is_none() {
            self.facts.failure = why.cloned().filter(|why| !why.is_empty());
        }
    }
}

/// Migrations that belong to a phase
#[derive(Debug)]
enum Whose {
    /// Those that it creates, by namespace and name.
    Ours(HashMap<Target, u32>),
    /// Those that `KubeVirt` creates for these VMs from then on, because they are evicted.
    Evicted(HashMap<Target, u32>, Timestamp),
}

/// Folds migrations into the timelines of a phase that migrates VMs
///
/// A VMI may report a migration before it is known which one is ours: observations are kept until then. Migrations by
/// others have no effect.
#[derive(Debug)]
pub struct MigrationFold {
    whose: Whose,
    /// Observations by VM and UID.
    seen: HashMap<u32, HashMap<String, Sighting>>,
}

impl MigrationFold {
    /// A fold of the migration objects that the phase creates, in the order of its VMs.
    pub fn new(objects: impl IntoIterator<Item = Target>) -> Self {
        Self { whose: Whose::Ours(objects.into_iter().zip(0..).collect()), seen: HashMap::new() }
    }

    /// A fold of the migrations that `KubeVirt` creates for evicted VMs, from `since` on the server's clock.
    pub fn of_evicted(vms: impl IntoIterator<Item = Target>, since: Timestamp) -> Self {
        Self { whose: Whose::Evicted(vms.into_iter().zip(0..).collect(), since), seen: HashMap::new() }
    }

    /// The VM of a migration; `None` if the migration does not belong to the phase.
    pub fn position(&self, migration: &Migration) -> Option<u32> {
        match &self.whose {
            Whose::Ours(objects) => objects.get(&migration.object).copied(),
            Whose::Evicted(vms, since) => {
                let is_new = migration.created.is_some_and(|at| at.as_second() >= since.as_second());
                vms.get(&migration.vm).copied().filter(|_| is_new)
            }
        }
    }

    /// Applies the state of a migration object; returns the milestones that it passed.
    pub fn apply(
        &mut self,
        timelines: &mut [Timeline],
        migration: &Migration,
        receipt: Receipt,
    ) -> Vec<Passed> {
        let Some(position) = self.position(migration) else { return Vec::new() };
        let Some(timeline) = timelines.get_mut(position as usize) else { return Vec::new() };
        if timeline.outcome == Outcome::Excluded {
            return Vec::new();
        }
        // The name is fixed, so that a create whose answer was lost can be found by it.
        let facts = timeline.migration.get_or_insert_default();
        let is_known = facts.uid.as_deref() == Some(&migration.uid);
        // KubeVirt creates another one for an eviction whose migration failed: the milestones of the last one do not
        // count.
        let is_next = matches!(self.whose, Whose::Evicted(..)) && facts.failed && !is_known;
        if facts.uid.is_none() || is_next {
            facts.uid = Some(migration.uid.as_str().into());
            (facts.failed, facts.phase) = (false, None);
        }
        if is_next {
            let of_last = |milestone: &Milestone| *milestone > Milestone::Accepted && !milestone.is_of_stop();
            timeline.moments.retain(|milestone, _| !of_last(milestone));
            timeline.stamps.clear();
        }
        let sighting = self.seen.entry(position).or_default().entry(migration.uid.clone()).or_default();
        for (phase, at) in &migration.transitions {
            if let Some(milestone) = phase.milestone() {
                sighting.stamps.entry(milestone).or_insert(at.as_second());
            }
        }
        sighting.facts.phase = Some(migration.phase);
        if migration.phase == MigrationPhase::Failed {
            sighting.fail(migration.failure.as_ref());
        } else {
            for phase in MigrationPhase::WAY.into_iter().filter(|phase| *phase <= migration.phase) {
                if let Some(milestone) = phase.milestone() {
                    sighting.see(milestone, receipt);
                }
            }
        }
        if migration.gone && migration.phase < MigrationPhase::Succeeded {
            sighting.fail(Some(&DELETED.to_owned()));
        }
        self.join(timelines, position)
    }

    /// The milestones that a VMI reports of its migration for the first time, each with its timestamp if it has one.
    pub fn news_of_move(&self, position: u32, moving: &Move) -> Vec<(Milestone, Option<Timestamp>)> {
        let seen = self.seen.get(&position).and_then(|of| of.get(&moving.uid));
        let is_new = |milestone| seen.is_none_or(|sighting| !sighting.receipts.contains_key(&milestone));
        let told = [
            (Milestone::Target, moving.target_ready.then_some(None)),
            (Milestone::Copying, moving.started.map(Some)),
            (Milestone::Migrated, moving.completed.then_some(moving.ended)),
        ];
        let told = told.into_iter().filter_map(|(milestone, stamp)| Some((milestone, stamp?)));
        told.filter(|(milestone, _)| is_new(*milestone)).collect()
    }

    /// Applies the migration that a VMI reports; returns the milestones that it passed. `is_dated`: its timestamps tell
    /// when they were passed.
    pub fn apply_move(
        &mut self,
        timelines: &mut [Timeline],
        position: u32,
        moving: &Move,
        (receipt, is_dated): (Receipt, bool),
    ) -> Vec<Passed> {
        if moving.uid.is_empty() {
            return Vec::new();
        }
        let sighting = self.seen.entry(position).or_default().entry(moving.uid.clone()).or_default();
        for (milestone, stamp) in [(Milestone::Copying, moving.started), (Milestone::Migrated, moving.ended)]
        {
            if let Some(at) = stamp.filter(|_| is_dated) {
                sighting.stamps.entry(milestone).or_insert(at.as_second());
            }
        }
        let facts = &mut sighting.facts;
        for (known, told) in
            [(&mut facts.from, &moving.from), (&mut facts.to, &moving.to), (&mut facts.mode, &moving.mode)]
        {
            if told.is_some() {
                known.clone_from(told);
            }
        }
        if moving.failed {
            sighting.fail(moving.failure.as_ref());
        } else {
            for (milestone, is_passed) in [
                (Milestone::Target, moving.target_ready),
                (Milestone::Copying, moving.started.is_some()),
                (Milestone::Migrated, moving.completed),
            ] {
                if is_passed {
                    sighting.see(milestone, receipt);
                }
            }
        }
        self.join(timelines, position)
    }

    /// Transfers the observations of a VM's migration to its timeline, once it is known which migration that is.
    pub fn join(&self, timelines: &mut [Timeline], position: u32) -> Vec<Passed> {
        let Some(timeline) = timelines.get_mut(position as usize) else { return Vec::new() };
        if timeline.outcome == Outcome::Excluded {
            return Vec::new();
        }
        let uid = timeline.migration.as_ref().and_then(|facts| facts.uid.clone());
        let sighting = uid.and_then(|uid| self.seen.get(&position)?.get(&*uid));
        let Some(sighting) = sighting else { return Vec::new() };
        for (milestone, stamp) in &sighting.stamps {
            timeline.stamps.entry(*milestone).or_insert(*stamp);
        }
        let mut passed = Vec::new();
        for (milestone, receipt) in &sighting.receipts {
            if !timeline.has(*milestone) && pass(timeline, *milestone, *receipt) {
                passed.push(Passed { target: position, milestone: *milestone });
            }
        }
        let facts = timeline.migration.get_or_insert_default();
        let told = &sighting.facts;
        facts.phase = told.phase.or(facts.phase);
        facts.failed |= told.failed;
        for (known, told) in [
            (&mut facts.from, &told.from),
            (&mut facts.to, &told.to),
            (&mut facts.mode, &told.mode),
            (&mut facts.failure, &told.failure),
        ] {
            if told.is_some() {
                known.clone_from(told);
            }
        }
        if timeline.has(Milestone::Migrated)
            && let Some(to) = timeline.migration.as_ref().and_then(|facts| facts.to.clone())
        {
            timeline.node = Some(to);
        }
        passed
    }
}

/// Records that an evicted instance runs on another node; `ended` is the end of its migration.
pub fn moved(timeline: &mut Timeline, ended: Option<Timestamp>, receipt: Receipt) -> bool {
    if let Some(ended) = ended {
        timeline.stamps.entry(Milestone::Moved).or_insert(ended.as_second());
    }
    !timeline.has(Milestone::Moved) && pass(timeline, Milestone::Moved, receipt)
}

/// Reason for the end of a migration whose object is deleted while it is in progress.
const DELETED: &str = "somebody deleted the migration before it was over";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{Offset, Source};

    fn object(n: u32) -> Target {
        Target { namespace: "p".into(), name: format!("m-{n}") }
    }

    fn seen(at: i64) -> Receipt {
        Receipt { at: Offset(at), late: false, server_zero: "2026-01-01T00:00:00Z".parse().unwrap() }
    }

    fn migration(phase: MigrationPhase) -> Migration {
        Migration {
            uid: "ours".into(),
            object: object(0),
            vm: Target { namespace: "p".into(), name: "vm".into() },
            created: None,
            written: None,
            committed: None,
            is_repeated: false,
            phase,
            transitions: Vec::new(),
            failure: None,
            gone: false,
        }
    }

    fn moving(uid: &str) -> Move {
        Move {
            uid: uid.into(),
            from: Some("a".into()),
            to: Some("b".into()),
            target_ready: true,
            ..Move::default()
        }
    }

    fn fold() -> (MigrationFold, Vec<Timeline>) {
        let mut timelines = vec![Timeline::new(0), Timeline::new(1)];
        timelines[0].see(Milestone::Requested, Offset(1));
        (MigrationFold::new([object(0), object(1)]), timelines)
    }

    #[test]
    fn what_a_vmi_tells_counts_once_it_is_known_whose_it_is() {
        let (mut fold, mut timelines) = fold();
        let done = Move {
            completed: true,
            started: Some("2026-01-01T00:00:01Z".parse().unwrap()),
            ..moving("foreign")
        };
        assert!(fold.apply_move(&mut timelines, 0, &done, (seen(2), true)).is_empty());
        assert!(
            fold.apply_move(&mut timelines, 0, &moving("ours"), (seen(30), true)).is_empty(),
            "whose is it?"
        );
        let passed = fold.apply(&mut timelines, &migration(MigrationPhase::Scheduled), seen(50));
        let passed: Vec<_> = passed.iter().map(|passed| passed.milestone).collect();
        assert_eq!(passed, [Milestone::Pod, Milestone::Target]);
        assert_eq!(timelines[0].at(Milestone::Target), Some(Offset(30)), "when it was seen");
        let done = Move { completed: true, ..moving("ours") };
        let passed = fold.apply_move(&mut timelines, 0, &done, (seen(90), true));
        assert_eq!(passed.iter().map(|passed| passed.milestone).collect::<Vec<_>>(), [Milestone::Migrated]);
        assert_eq!(timelines[0].node.as_deref(), Some("b"));
        assert_eq!(timelines[1], Timeline::new(1));
    }

    #[test]
    fn a_failure_is_told_by_either_object_and_passes_nothing() {
        let (mut fold, mut timelines) = fold();
        fold.apply(&mut timelines, &migration(MigrationPhase::Running), seen(5));
        let failed =
            Move { failed: true, completed: true, failure: Some("not converged".into()), ..moving("ours") };
        assert!(fold.apply_move(&mut timelines, 0, &failed, (seen(9), true)).is_empty());
        fold.apply(&mut timelines, &migration(MigrationPhase::Failed), seen(10));
        let facts = timelines[0].migration.clone().unwrap();
        assert!(facts.failed && !timelines[0].has(Milestone::Migrated));
        assert_eq!(facts.failure.as_deref(), Some("not converged"));
        let gone = Migration { object: object(1), gone: true, ..migration(MigrationPhase::Pending) };
        fold.apply(&mut timelines, &gone, seen(11));
        assert!(timelines[1].migration.clone().unwrap().failed, "deleted while it waited");
    }

    #[test]
    fn an_eviction_is_about_the_migration_that_kubevirt_makes_for_it_and_the_next_after_a_failure() {
        let at = |second| format!("2026-01-01T00:00:0{second}Z").parse().unwrap();
        let vm = Target { namespace: "p".into(), name: "vm".into() };
        let mut fold = MigrationFold::of_evicted([vm], at(3));
        let mut timelines = vec![Timeline::new(0)];
        let made = |uid: &str, second, phase| Migration {
            uid: uid.into(),
            created: Some(at(second)),
            ..migration(phase)
        };
        fold.apply(&mut timelines, &made("old", 2, MigrationPhase::Succeeded), seen(1));
        assert_eq!(timelines[0], Timeline::new(0), "from before the drain");
        fold.apply(&mut timelines, &made("first", 3, MigrationPhase::Running), seen(5));
        fold.apply(&mut timelines, &made("first", 3, MigrationPhase::Failed), seen(6));
        assert!(timelines[0].migration.as_ref().unwrap().failed);
        fold.apply(&mut timelines, &made("second", 7, MigrationPhase::Scheduling), seen(8));
        let facts = timelines[0].migration.clone().unwrap();
        assert_eq!((facts.uid.as_deref(), facts.failed), (Some("second"), false));
        assert_eq!(timelines[0].at(Milestone::Pod), Some(Offset(8)));
        assert!(!timelines[0].has(Milestone::Copying));
    }

    #[test]
    fn what_was_missed_falls_back_on_virt_controllers_clock() {
        let (mut fold, mut timelines) = fold();
        let at = |second| format!("2026-01-01T00:00:0{second}Z").parse().unwrap();
        let transitions = vec![(MigrationPhase::Scheduling, at(2)), (MigrationPhase::Succeeded, at(6))];
        let late = Receipt { late: true, ..seen(9_000_000) };
        fold.apply(&mut timelines, &Migration { transitions, ..migration(MigrationPhase::Succeeded) }, late);
        let moment = |milestone| timelines[0].moments[&milestone];
        assert_eq!(moment(Milestone::Migrated).at, Offset(6_000_000));
        assert_eq!(moment(Milestone::Pod).source, Source::Stamped);
        assert_eq!(moment(Milestone::Copying).source, Source::Late, "no timestamp of it");
    }
}
