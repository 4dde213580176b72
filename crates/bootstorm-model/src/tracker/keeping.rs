//! Continuously probed guests, and the meaning of their silence.

use std::time::Duration;

use super::{Happened, Tracker};
use crate::observation::Stream;
use crate::observe::{Milestone, Moment, Offset, Outcome, Source};
use crate::probe::{Answered, Interruption, Keeping, Turn};

/// The silence of a guest is noticed within this time.
const NOTICED_WITHIN: Duration = Duration::from_secs(2);

impl Tracker<'_> {
    /// Records an answer of a continuously probed guest.
    pub(super) fn answered_again(&mut self, answered: Answered, at: Offset) {
        let Answered { target, probe } = answered;
        if !self.has_answered(target, probe) {
            // A guest that never answered has no measurable downtime.
            let moment = Moment { at, source: Source::Seen };
            self.timeline(target).probes.insert(probe.to_string(), moment);
        }
        self.turn(answered.target, at, |keeping| keeping.answered(answered.target, at));
    }

    /// Records that a continuously probed guest no longer answers, or is no longer probed.
    pub(super) fn quiet(&mut self, id: u32, at: Offset, millis: u64) {
        let Some(Answered { target, .. }) = self.roster.quiet(id) else { return };
        self.turn(target, at, |keeping| keeping.quiet(target, at, millis));
    }

    /// Records that a guest answers again.
    pub(super) fn back(&mut self, id: u32, at: Offset, gap: u64, lost: u32) {
        let Some((Answered { target, .. }, _)) = self.roster.who(id) else { return };
        self.turn(target, at, |keeping| keeping.back(target, at, gap, lost));
    }

    /// Records that a prober that reports every answer has reported all of them up to then.
    pub(super) fn told(&mut self, stream: Option<Stream>, until: Offset) {
        let Some(stream) = stream.filter(|_| self.keeping.is_some()) else { return };
        for target in self.roster.of(stream.number as usize) {
            self.turn(target, until, |keeping| keeping.told(target, until));
        }
    }

    /// Whether a migrated guest that answered before has yet to answer again, or moved so recently that its silence
    /// would not have been noticed.
    pub fn awaits_guests(&self, now: Offset) -> bool {
        let Some(keeping) = &self.keeping else { return false };
        let mut reached = self.phase.timelines.iter().filter(|timeline| timeline.outcome == Outcome::Reached);
        reached.any(|timeline| {
            let moved = timeline.at(Milestone::Migrated);
            let lately = moved.is_some_and(|moved| now < moved.plus(NOTICED_WITHIN));
            keeping.is_away(timeline.target) || lately && keeping.answers(timeline.target) == Some(true)
        })
    }

    /// Records the guests that do not answer at their new addresses, and those that were not heard again, at the end of
    /// a phase.
    pub(super) fn note_lost(&mut self, now: Offset) {
        let Some(keeping) = &self.keeping else { return };
        for timeline in &mut *self.phase.timelines {
            if let Some(lost) = keeping.is_lost(timeline.target, now) {
                timeline.interruptions.push(lost);
                self.changed.insert(timeline.target);
            }
            if let Some(since) = keeping.unheard_since(timeline.target) {
                timeline.unprobed_for = Offset(timeline.unprobed_for.0 + now.since(since).0);
                self.changed.insert(timeline.target);
            }
        }
    }

    /// Continues with the guests that the process before has heard.
    pub(super) fn hear_on(&mut self) {
        let since = self.phase.watched_until.unwrap_or_default();
        let Some(keeping) = &mut self.keeping else { return };
        for timeline in self.phase.timelines.iter().filter(|timeline| !timeline.probes.is_empty()) {
            let open = timeline.interruptions.last().filter(|known| known.first.is_none());
            keeping.taken_over(timeline.target, since, open.map(|open| open.last));
        }
    }

    /// Records the loss of a prober, whose guests cannot be heard any more.
    pub(super) fn unheard(&mut self, prober: usize, since: Offset) {
        let targets = self.roster.of(prober);
        if let Some(keeping) = &mut self.keeping {
            for target in targets {
                keeping.unheard(target, since);
            }
        }
    }

    fn turn(&mut self, target: u32, at: Offset, take: impl FnOnce(&mut Keeping) -> Option<Turn>) {
        let Some(turn) = self.keeping.as_mut().and_then(take) else { return };
        let timeline = self.timeline(target);
        let open = timeline.interruptions.last_mut().filter(|known| known.first.is_none());
        let what = match turn {
            Turn::Answers { unprobed } => {
                if let Some(since) = unprobed {
                    timeline.unprobed_for = Offset(timeline.unprobed_for.0 + at.since(since).0);
                }
                return;
            }
            Turn::Quiet(began) => {
                match open {
                    Some(known) => *known = began,
                    None => timeline.interruptions.push(began),
                }
                Happened::Quiet { last: began.last }
            }
            Turn::Back(ended) => {
                match open {
                    Some(known) => *known = ended,
                    None => timeline.interruptions.push(ended),
                }
                Happened::Back(ended)
            }
            Turn::Slow => {
                timeline.interruptions.pop_if(|known: &mut Interruption| known.first.is_none());
                return;
            }
        };
        self.tell(at, Some(target), what);
    }
}
