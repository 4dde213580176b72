//! Weighs the changes of instances and migrations: whether the watch held them up.

use jiff::Timestamp;

use super::Tracker;
use super::lateness::{Commit, Weighed, weigh};
use crate::observe::{Instance, Migration, MigrationPhase, Milestone, Receipt};
use crate::record::PhaseKind;

impl Tracker<'_> {
    /// The receipt of a change of an instance, late if it may have been held up. A stop has no timestamps.
    pub(super) fn weighed(&mut self, position: u32, instance: &Instance, receipt: Receipt) -> Weighed {
        let timeline = &self.phase.timelines[position as usize];
        let stops = self.phase.name.kind == PhaseKind::Stop;
        if receipt.late || stops || self.fold.is_old(instance) || timeline.is_over() {
            return receipt.into();
        }
        let new =
            |milestone| !timeline.has(milestone) || timeline.instance_uid.as_ref() != Some(&instance.uid);
        let stamps = instance.transitions.iter().filter_map(|(phase, at)| Some((phase.milestone()?, *at)));
        let stamps = stamps.chain(instance.created.map(|at| (Milestone::Instance, at)));
        let last = stamps.filter(|(milestone, _)| new(*milestone)).map(|(_, at)| at).max();
        let is_repeated = self.has_unnamed || self.unreadable.contains_key(&position);
        let commit = Commit { after: instance.written, by: instance.committed, is_repeated };
        self.weighed_by(last, commit, receipt)
    }

    /// The receipt of a change of an instance that migrates, late if it may have been held up.
    pub(super) fn weighed_move(&mut self, position: u32, instance: &Instance, receipt: Receipt) -> Weighed {
        let timeline = &self.phase.timelines[position as usize];
        if receipt.late || timeline.is_over() {
            return receipt.into();
        }
        let moving = self.migrations.as_ref().zip(instance.moving.as_ref());
        let mut news = moving.map(|(fold, moving)| fold.news_of_move(position, moving)).unwrap_or_default();
        if self.phase.drains() && !timeline.has(Milestone::Moved) && self.has_left(instance) {
            news.push((Milestone::Moved, instance.moving.as_ref().and_then(|moving| moving.ended)));
        }
        // What has no timestamp of its own was not so before the change was written.
        let last = news.iter().filter_map(|(_, stamp)| stamp.or(instance.written)).max();
        let is_repeated = self.has_unnamed || self.unreadable.contains_key(&position);
        let commit = Commit { after: instance.written, by: instance.committed, is_repeated };
        self.weighed_by(last, commit, receipt)
    }

    /// The receipt of a change of a migration object, late if it may have been held up.
    pub(super) fn weighed_migration(
        &mut self,
        position: u32,
        migration: &Migration,
        receipt: Receipt,
    ) -> Weighed {
        let timeline = &self.phase.timelines[position as usize];
        if receipt.late || timeline.is_over() {
            return receipt.into();
        }
        let is_new = |milestone: Milestone| !timeline.has(milestone);
        let is_now = |phase: MigrationPhase| phase == migration.phase;
        let stamps = migration.transitions.iter();
        let stamps = stamps.filter(|(phase, _)| is_now(*phase) && phase.milestone().is_some_and(is_new));
        let last = stamps.map(|(_, at)| *at).max();
        let commit =
            Commit { after: migration.written, by: migration.committed, is_repeated: migration.is_repeated };
        self.weighed_by(last, commit, receipt)
    }

    fn weighed_by(&mut self, last: Option<Timestamp>, commit: Commit, receipt: Receipt) -> Weighed {
        let (weighed, delay) = weigh(last, commit, receipt);
        if let Some(delay) = delay {
            self.delays.add(delay);
        }
        weighed
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::observation::{Observation, What};
    use crate::observe::{Change, Fold, InstancePhase, Offset, Source, Timeline};
    use crate::plan::Target;
    use crate::record::{PhaseName, PhaseRecord, PhaseSettings};
    use crate::tracker::Beginning;

    fn vm() -> Target {
        Target { namespace: "shop".into(), name: "web".into() }
    }

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// The timeline of a VM whose instance was Scheduled after 3.4 s and Running in second 3 by its writer's clock,
    /// which the API server wrote in second `written`, and the watch delivered after `seen` seconds.
    fn running(written: Option<i64>, seen: f64) -> (Timeline, bool) {
        running_after((written, None), seen, None)
    }

    /// The same, committed by a second; `between` happens between the two.
    fn running_after(
        (written, by): (Option<i64>, Option<i64>),
        seen: f64,
        between: Option<What>,
    ) -> (Timeline, bool) {
        let name = PhaseName { kind: PhaseKind::Storm, number: 1 };
        let settings = PhaseSettings { timeout_seconds: 60, ..PhaseSettings::default() };
        let mut phase = PhaseRecord::new(name, Timestamp::UNIX_EPOCH, settings, 1);
        let mut timeline = Timeline::new(0);
        timeline.see(Milestone::Requested, Offset::ZERO);
        phase.timelines = vec![timeline].into();
        let targets = [vm()];
        let mut tracker = Tracker::new(Beginning {
            phase,
            now: Offset::ZERO,
            targets: &targets,
            fold: Fold::new(&targets, false, HashSet::new()),
            probes: Vec::new(),
            keeps: false,
            volumes: None,
            launchers: None,
            migrations: None,
            streams: Vec::new(),
            asked: &[0],
        });
        tracker.set_server_zero(Timestamp::UNIX_EPOCH);
        let starting = Instance {
            uid: "vmi".into(),
            target: vm(),
            created: Some(second(3)),
            written: written.map(|_| second(3)),
            phase: InstancePhase::Scheduled,
            ..Instance::default()
        };
        let running = Instance {
            written: written.map(second),
            committed: by.map(second),
            phase: InstancePhase::Running,
            transitions: vec![(InstancePhase::Running, second(3))],
            ..starting.clone()
        };
        let present = |instance| Some(What::Instance(Change::Present(instance)));
        for (what, at) in [(present(starting), 3.4), (between, 3.5), (present(running), seen)] {
            let Some(what) = what else { continue };
            tracker.observe(Observation { stream: None, at: Offset::from_seconds(at), late: false, what });
        }
        let delayed = tracker.delays().quantile(1.0) > Some(Offset::ZERO);
        (tracker.phase().timelines[0].clone(), delayed)
    }

    fn source(timeline: &Timeline) -> (f64, Source) {
        let moment = timeline.moments[&Milestone::Running];
        (moment.at.seconds(), moment.source)
    }

    #[test]
    fn a_change_that_its_writer_wrote_late_was_seen_at_once() {
        let (timeline, delayed) = running(Some(5), 5.8);
        assert_eq!((source(&timeline), delayed), ((5.8, Source::Seen), false));
    }

    #[test]
    fn what_a_change_that_could_not_be_read_reported_was_not_passed_when_a_later_one_was_written() {
        for whose in [Some(vm()), None] {
            let (timeline, _) =
                running_after((Some(5), None), 5.8, Some(What::Unreadable(whose, "phase".into())));
            assert_eq!(source(&timeline), (3.4, Source::Stamped));
        }
    }

    /// Not before what was seen earlier in the same second.
    #[test]
    fn a_change_that_the_watch_held_up_is_stamped() {
        for written in [Some(3), None] {
            let (timeline, delayed) = running_after((written, Some(4)), 5.8, None);
            assert_eq!((source(&timeline), delayed), ((3.4, Source::Stamped), true), "{written:?}");
        }
    }

    #[test]
    fn whether_it_was_committed_or_delivered_late_is_not_guessed() {
        for written in [Some(3), None] {
            let (timeline, delayed) = running(written, 5.8);
            assert_eq!((source(&timeline), delayed), ((5.8, Source::Late), false), "{written:?}");
        }
    }
}
