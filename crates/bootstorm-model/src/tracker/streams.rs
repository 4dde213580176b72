//! State of the streams, and how far each is known to have delivered everything.

use std::collections::HashMap;
use std::time::Duration;

use super::deadline::LIST_EVERY;
use super::stream_state::Open;
use super::{Effect, Happened, Tracker};
use crate::observation::{Stream, StreamKind};
use crate::observe::{Change, Instance, Milestone, Offset, Receipt, Volume};
use crate::plan::Target;
use crate::record::{Gap, PhaseRecord};

/// An expected interruption no longer than this hides nothing.
const SHORTEST_GAP: Offset = Offset(20_000);

/// A timestamp of the server is truncated by up to this.
const A_SECOND: Duration = Duration::from_secs(1);

impl Tracker<'_> {
    pub(super) fn gap_opened(
        &mut self,
        stream: Option<Stream>,
        since: Offset,
        expected: bool,
        why: Option<String>,
    ) {
        let found = stream.and_then(|stream| Some((stream, self.streams.get_mut(&stream)?)));
        let Some((stream, state)) = found else { return };
        self.dirty = true;
        match &mut state.gap {
            // The same gap, with a newer reason.
            Some(gap) => gap.why = why.or(gap.why.take()),
            None => {
                state.gap = Some(Open { since, expected, why, said: false });
                if stream.kind == StreamKind::Prober {
                    self.unheard(stream.number as usize, since);
                }
            }
        }
    }

    pub(super) fn gap_closed(&mut self, stream: Option<Stream>, at: Offset) {
        let Some((stream, state)) = stream.and_then(|stream| Some((stream, self.streams.get_mut(&stream)?)))
        else {
            return;
        };
        if let Some(gap) = state.gap.take() {
            state.last_heard = at;
            if !gap.expected || at.since(gap.since) >= SHORTEST_GAP {
                self.note_gap(stream, gap.since, at);
            }
        }
        if stream.kind == StreamKind::Prober {
            self.ask_again(stream.number as usize, at);
        }
    }

    /// Records a gap that has ended.
    fn note_gap(&mut self, stream: Stream, from: Offset, to: Offset) {
        let gap = Gap { from, to, stream: Some(stream.kind), open: false };
        if matches!(stream.kind, StreamKind::Instances | StreamKind::Volumes | StreamKind::Migrations) {
            self.phase.watch.restarts += 1;
        }
        if let Some(gaps) = gaps_of(&mut self.phase, stream.kind) {
            gap.note(gaps);
        }
        self.dirty = true;
        self.tell(to, None, Happened::Seeing { stream, gap: to.since(from) });
    }

    /// Adds the gaps that have not ended to a copy of the phase.
    pub(super) fn note_open_gaps(&self, phase: &mut PhaseRecord, now: Offset) {
        for (stream, state) in &self.streams {
            if let (Some(open), Some(gaps)) = (&state.gap, gaps_of(phase, stream.kind)) {
                gaps.push(Gap {
                    from: open.since,
                    to: now.max(open.since),
                    stream: Some(stream.kind),
                    open: true,
                });
            }
        }
    }

    /// Reports blind streams, and reassigns the targets of lost probers.
    pub(super) fn watch_streams(&mut self, now: Offset) {
        let mut lost = Vec::new();
        for (stream, state) in &mut self.streams {
            if state.worth_a_word_at(*stream).is_some_and(|at| at <= now)
                && let Some(gap) = &mut state.gap
            {
                gap.said = true;
                lost.push((*stream, gap.since, gap.why.clone()));
            }
        }
        for (stream, since, why) in lost {
            self.tell(now, None, Happened::Blind { stream, since, why });
            if stream.kind == StreamKind::Prober {
                self.hand_over(stream.number as usize, now);
            }
        }
    }

    /// Requests a list of the objects that a watch covers, unless one is in progress.
    pub(super) fn want_list(&mut self, stream: Stream, now: Offset) {
        let Some(state) = self.streams.get_mut(&stream) else { return };
        let too_soon = state.asked.is_some_and(|asked| now < asked.plus(LIST_EVERY));
        if !state.listing && !too_soon {
            (state.listing, state.asked) = (true, Some(now));
            self.effects.push(Effect::List(stream));
        }
    }

    /// Applies a list of instances, for the VMs that wait for one.
    ///
    /// Nothing else is read from it: whatever arrives on the watch meanwhile is newer.
    pub(super) fn listed(
        &mut self,
        stream: Option<Stream>,
        began: Offset,
        (listed, unreadable): (&[Instance], &[Target]),
        receipt: Receipt,
    ) {
        let Some(stream) = stream else { return };
        let receipt = Receipt { late: true, ..receipt };
        let mut news = false;
        let due: Vec<u32> = self.due.keys().copied().filter(|target| self.covers(stream, *target)).collect();
        let mut here_by_vm: HashMap<&Target, Vec<&Instance>> = HashMap::new();
        for instance in listed {
            here_by_vm.entry(&instance.target).or_default().push(instance);
        }
        for target in due {
            let vm = &self.targets[target as usize];
            let before = self.phase.timelines[target as usize].moments.len();
            let here = here_by_vm.remove(vm).unwrap_or_default();
            let timeline = &self.phase.timelines[target as usize];
            // One that was created since the list was requested is missing in it, and one that cannot be read is there.
            let is_newer = timeline.at(Milestone::Instance).is_some_and(|at| at.plus(A_SECOND) > began);
            let known = timeline.instance_uid.clone().filter(|_| !is_newer && !unreadable.contains(vm));
            let gone = known.filter(|uid| here.iter().all(|instance| instance.uid != *uid));
            if let Some(uid) = gone {
                self.apply(&Change::Absent { uid, target: vm.clone() }, receipt);
            }
            for instance in here {
                self.apply(&Change::Present(instance.clone()), receipt);
            }
            news |= self.phase.timelines[target as usize].moments.len() != before;
        }
        self.proved(stream, began, news, receipt.at);
    }

    /// Applies a list of disks, likewise.
    pub(super) fn listed_volumes(
        &mut self,
        stream: Option<Stream>,
        began: Offset,
        listed: Vec<Volume>,
        receipt: Receipt,
    ) {
        let Some(stream) = stream else { return };
        let receipt = Receipt { late: true, ..receipt };
        let mut news = false;
        let mut here: HashMap<u32, Vec<String>> = HashMap::new();
        for volume in listed {
            let position = self.fold.position(&volume.target).filter(|target| self.due.contains_key(target));
            let Some(target) = position else { continue };
            here.entry(target).or_default().push(volume.uid.clone());
            let fold = self.volumes.as_mut();
            let passed = fold.and_then(|fold| fold.apply(&mut self.phase.timelines, volume, receipt));
            self.touch(position);
            if let Some(target) = passed {
                news = true;
                self.check_goal(target, receipt.at);
            }
        }
        self.note_missing(stream, &here);
        self.proved(stream, began, news, receipt.at);
    }

    /// Records the VMs whose missing disks may have been filled, and deleted for it, while nobody watched; `here` has
    /// the UIDs of the others.
    fn note_missing(&mut self, stream: Stream, here: &HashMap<u32, Vec<String>>) {
        let Some(fold) = self.volumes.as_ref().filter(|_| self.phase.goal == Milestone::Volume) else {
            return;
        };
        let has_gap = self.streams.get(&stream).is_some_and(|state| state.gap.is_some())
            || self.phase.watch.gaps.iter().any(|gap| gap.stream == Some(stream.kind));
        let may_be_filled = |target: &u32| {
            let timeline = &self.phase.timelines[*target as usize];
            let before_us = timeline.at(Milestone::Requested).is_none_or(|asked| asked < self.taken_over);
            let listed = here.get(target).map_or(&[][..], Vec::as_slice);
            (has_gap || before_us)
                && self.covers(stream, *target)
                && self.was_accepted(*target)
                && !timeline.has(Milestone::Volume)
                && fold.are_missing(*target, listed)
        };
        let missing: Vec<u32> = self.due.keys().copied().filter(may_be_filled).collect();
        for target in missing {
            let why = "it has fewer DataVolumes than disks; CDI before 1.57 deletes them once they are filled, which \
                       may have happened while they could not be observed";
            self.unreadable.insert(target, why.into());
        }
    }

    /// Everything up to `began` is known. If only the list showed it, the watch is not to be trusted.
    pub(super) fn proved(&mut self, stream: Stream, began: Offset, news: bool, at: Offset) {
        let Some(state) = self.streams.get_mut(&stream) else { return };
        state.listing = false;
        state.proved = state.proved.max(began);
        let last_heard = state.last_heard;
        if news && state.gap.is_none() {
            state.last_heard = at;
            self.note_gap(stream, last_heard, at);
            self.effects.push(Effect::Reopen(stream));
        }
        self.judge(at);
    }

    /// Whether a stream covers a VM.
    pub(super) fn covers(&self, stream: Stream, target: u32) -> bool {
        let covers = self.streams.get(&stream).map(|state| &state.covers);
        covers.is_some_and(|covers| {
            covers.as_ref().is_none_or(|namespace| *namespace == self.targets[target as usize].namespace)
        })
    }
}

/// The gaps of a kind of stream.
fn gaps_of(phase: &mut PhaseRecord, kind: StreamKind) -> Option<&mut Vec<Gap>> {
    Some(match kind {
        StreamKind::Instances | StreamKind::Volumes | StreamKind::Migrations => &mut phase.watch.gaps,
        StreamKind::Pods | StreamKind::Events => &mut phase.insight.get_or_insert_default().gaps,
        StreamKind::Prober => &mut phase.probing.as_mut()?.gaps,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use jiff::Timestamp;

    use super::*;
    use crate::observation::{Observation, What};
    use crate::observe::{Fold, Outcome, Timeline, VolumeFold};
    use crate::record::{PhaseKind, PhaseName, PhaseSettings};
    use crate::tracker::Beginning;

    const DISKS: Stream = Stream { kind: StreamKind::Volumes, number: 0 };

    fn seconds(seconds: f64) -> Offset {
        Offset::from_seconds(seconds)
    }

    /// Outcome of a VM whose disk is listed like this after its time, with a gap of the watch or not, and taken over
    /// at some time.
    fn outcome(listed: Vec<Volume>, gap: bool, taken_over: f64) -> Outcome {
        let targets = [Target { namespace: "p-1".into(), name: "vm".into() }];
        let name = PhaseName { kind: PhaseKind::Create, number: 1 };
        let settings = PhaseSettings { halted: true, timeout_seconds: 60, ..PhaseSettings::default() };
        let mut phase = PhaseRecord::new(name, Timestamp::UNIX_EPOCH, settings, 1);
        phase.goal = Milestone::Volume;
        let mut timeline = Timeline::new(0);
        timeline.see(Milestone::Requested, seconds(1.0));
        timeline.see(Milestone::Accepted, seconds(1.0));
        phase.timelines = vec![timeline].into();
        let mut tracker = Tracker::new(Beginning {
            phase,
            now: seconds(taken_over),
            targets: &targets,
            fold: Fold::new(&targets, false, HashSet::new()),
            probes: Vec::new(),
            keeps: false,
            volumes: Some(VolumeFold::new(&targets, 1)),
            launchers: None,
            migrations: None,
            streams: vec![(DISKS, None)],
            asked: &[],
        });
        let mut see = |at, what| {
            tracker.observe(Observation { stream: Some(DISKS), at: seconds(at), late: false, what });
        };
        if gap {
            see(20.0, What::GapOpened { since: seconds(15.0), expected: false, why: None });
            see(30.0, What::GapClosed);
        }
        tracker.tick(seconds(62.0));
        let what = What::Volumes(seconds(62.0), listed);
        tracker.observe(Observation { stream: Some(DISKS), at: seconds(62.5), late: false, what });
        tracker.phase.timelines[0].outcome
    }

    #[test]
    fn a_disk_that_may_have_been_collected_unseen_proves_nothing() {
        assert_eq!(outcome(Vec::new(), false, 0.0), Outcome::TimedOut);
        assert_eq!(outcome(Vec::new(), true, 0.0), Outcome::Unknown);
        assert_eq!(outcome(Vec::new(), false, 10.0), Outcome::Unknown, "taken over");
        let volume = Volume {
            uid: "u".into(),
            target: Target { namespace: "p-1".into(), name: "vm".into() },
            done: false,
            ready_since: None,
            kind: None,
            state: "DataVolume vm-root is Pending".into(),
        };
        assert_eq!(outcome(vec![volume.clone()], true, 10.0), Outcome::TimedOut);
        let filled = Volume { done: true, ready_since: Some(Timestamp::UNIX_EPOCH), ..volume };
        assert_eq!(outcome(vec![filled], true, 10.0), Outcome::Reached);
    }
}
