//! State of the streams, and how far each is known to have delivered everything.

use std::collections::HashMap;

use super::deadline::LIST_EVERY;
use super::stream_state::Open;
use super::{Effect, Happened, Tracker};
use crate::observation::{Stream, StreamKind};
use crate::observe::{Change, Instance, Offset, Receipt, Volume};
use crate::plan::Target;
use crate::record::{Gap, PhaseRecord};

/// An expected interruption no longer than this hides nothing.
const SHORTEST_GAP: Offset = Offset(20_000);

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
        listed: &[Instance],
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
            let known = self.phase.timelines[target as usize].instance_uid.clone();
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
        for volume in listed {
            let position = self.fold.position(&volume.target).filter(|target| self.due.contains_key(target));
            if position.is_none() {
                continue;
            }
            let fold = self.volumes.as_mut();
            let passed = fold.and_then(|fold| fold.apply(&mut self.phase.timelines, volume, receipt));
            self.touch(position);
            if let Some(target) = passed {
                news = true;
                self.check_goal(target, receipt.at);
            }
        }
        self.proved(stream, began, news, receipt.at);
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
