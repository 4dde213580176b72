//! Interruptions of continuously probed guests.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::observe::Offset;

/// Two answers reported one by one are at least this many intervals apart if attempts in between were lost.
///
/// Answers compared by the prober itself are exact; these have crossed the network.
const INTERVALS: i64 = 3;

/// A period in which a guest that had answered did not answer
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interruption {
    /// Last answer before it, from the beginning of the phase, in microseconds.
    pub last: Offset,
    /// First answer after it; absent while there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Offset>,
    /// Unanswered attempts in between; absent if they were not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<u32>,
}

impl Interruption {
    /// Duration from answer to answer; up to now if it goes on.
    pub fn length(&self, now: Offset) -> Offset {
        self.first.unwrap_or(now).since(self.last)
    }
}

/// Change in the state of a guest, derived from a prober's report
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It answers, and its earlier state is unknown; it could not have been known for so long.
    Answers {
        /// Time since which it was not probed, if it had been before.
        unprobed: Option<Offset>,
    },
    /// It no longer answers.
    Quiet(Interruption),
    /// It answers again.
    Back(Interruption),
    /// It was reported quiet, but was only slow: every attempt was answered after all.
    Slow,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    /// Last known answer.
    last: Option<Offset>,
    /// Whether it was reported quiet since.
    is_quiet: bool,
    /// Time since which it is not probed, if it was before.
    unprobed: Option<Offset>,
    /// Whether it is probed at a new address, at which it has not answered yet.
    has_moved: bool,
}

/// Milliseconds counted by a prober, in microseconds.
fn micros(millis: u64) -> Offset {
    Offset(i64::try_from(millis).unwrap_or(i64::MAX).saturating_mul(1000))
}

/// The continuously probed guests, by their position in the plan
#[derive(Debug, Default)]
pub struct Keeping {
    guests: HashMap<u32, State>,
    interval: Offset,
}

impl Keeping {
    /// Sets the time between two attempts, in milliseconds: the longest among the probers.
    pub fn set_interval(&mut self, millis: u64) {
        self.interval = self.interval.max(micros(millis));
    }

    /// Records an answer: the first at an address, or any answer if every answer is reported.
    pub fn answered(&mut self, target: u32, at: Offset) -> Option<Turn> {
        let is_apart = |last: Offset| at.since(last).0 >= self.interval.0 * INTERVALS;
        let state = self.guests.entry(target).or_default();
        let unprobed = state.unprobed.take();
        let was_quiet = std::mem::take(&mut state.is_quiet);
        state.has_moved = false;
        let last = state.last.replace(at);
        match last {
            None => Some(Turn::Answers { unprobed }),
            Some(last) if was_quiet || is_apart(last) => {
                Some(Turn::Back(Interruption { last, first: Some(at), lost: None }))
            }
            Some(_) => None,
        }
    }

    /// Records that a guest last answered this many milliseconds ago, and no longer answers or is no longer probed.
    pub fn quiet(&mut self, target: u32, at: Offset, millis: u64) -> Option<Turn> {
        let silent = micros(millis);
        let is_quiet = silent.0 >= self.interval.0 * INTERVALS;
        let state = self.guests.entry(target).or_default();
        let last = at.since(silent);
        state.last = Some(last);
        let is_new = is_quiet && !std::mem::replace(&mut state.is_quiet, is_quiet);
        is_new.then_some(Turn::Quiet(Interruption { last, first: None, lost: None }))
    }

    /// Records that a guest answers again, this many milliseconds after its previous answer, with this many lost
    /// attempts.
    pub fn back(&mut self, target: u32, at: Offset, millis: u64, lost: u32) -> Option<Turn> {
        let state = self.guests.entry(target).or_default();
        let was_quiet = std::mem::take(&mut state.is_quiet);
        state.last = Some(at);
        state.unprobed = None;
        if lost == 0 {
            return was_quiet.then_some(Turn::Slow);
        }
        let last = at.since(micros(millis));
        Some(Turn::Back(Interruption { last, first: Some(at), lost: Some(lost) }))
    }

    /// Records, if every answer is reported, that all answers up to `until` have been.
    pub fn told(&mut self, target: u32, until: Offset) -> Option<Turn> {
        let silent = until.since(self.guests.get(&target)?.last?);
        let millis = u64::try_from(silent.0 / 1000).ok()?;
        (silent.0 >= self.interval.0 * INTERVALS * 2).then(|| self.quiet(target, until, millis)).flatten()
    }

    /// Records that a guest is probed at another address from now on.
    pub fn moved(&mut self, target: u32) {
        if let Some(state) = self.guests.get_mut(&target) {
            state.has_moved = true;
        }
    }

    /// Whether a guest that answered has yet to answer again.
    pub fn is_away(&self, target: u32) -> bool {
        self.guests
            .get(&target)
            .is_some_and(|state| state.is_quiet || state.has_moved && state.last.is_some())
    }

    /// The interruption of a guest that does not answer at its new address; `None` if it was already reported.
    pub fn is_lost(&self, target: u32, now: Offset) -> Option<Interruption> {
        let state = self.guests.get(&target).filter(|state| state.has_moved && !state.is_quiet)?;
        let last = state.last?;
        let is_long = now.since(last).0 >= self.interval.0 * INTERVALS;
        is_long.then_some(Interruption { last, first: None, lost: None })
    }

    /// Records that no prober can hear a guest. Its last answer is known only if it was quiet before.
    pub fn unheard(&mut self, target: u32, since: Offset) {
        let Some(state) = self.guests.get_mut(&target) else { return };
        if !state.is_quiet && state.last.take().is_some() {
            state.unprobed = Some(since);
        }
    }

    /// Records that the process that heard a guest before has ended then. Its last answer was lost with it, unless the
    /// guest was quiet since that answer: then it is away until it answers.
    pub fn taken_over(&mut self, target: u32, since: Offset, quiet: Option<Offset>) {
        let state = match quiet {
            Some(last) => State { last: Some(last), is_quiet: true, ..State::default() },
            None => State { unprobed: Some(since), ..State::default() },
        };
        self.guests.insert(target, state);
    }

    /// Time since which a guest that answered before has not been heard, because no prober could hear it.
    pub fn unheard_since(&self, target: u32) -> Option<Offset> {
        self.guests.get(&target)?.unprobed
    }

    /// Whether a guest answers, as far as known.
    pub fn answers(&self, target: u32) -> Option<bool> {
        let state = self.guests.get(&target)?;
        state.last.map(|_| !state.is_quiet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeping() -> Keeping {
        let mut keeping = Keeping::default();
        keeping.set_interval(200);
        keeping
    }

    fn at(millis: u64) -> Offset {
        micros(millis)
    }

    fn interruption(last: u64, first: Option<u64>, lost: Option<u32>) -> Interruption {
        Interruption { last: at(last), first: first.map(at), lost }
    }

    #[test]
    fn a_program_counts_what_was_lost() {
        let mut keeping = keeping();
        assert_eq!(keeping.answered(0, at(1000)), Some(Turn::Answers { unprobed: None }));
        assert_eq!(keeping.quiet(0, at(9700), 700), Some(Turn::Quiet(interruption(9000, None, None))));
        assert_eq!(keeping.answers(0), Some(false));
        let back = Turn::Back(interruption(9000, Some(11_000), Some(9)));
        assert_eq!(keeping.back(0, at(11_000), 2000, 9), Some(back));
        // A single lost packet is reported at once; slow answers are not lost.
        let back = Turn::Back(interruption(12_600, Some(13_000), Some(1)));
        assert_eq!(keeping.back(0, at(13_000), 400, 1), Some(back));
        assert!(keeping.quiet(0, at(15_000), 650).is_some());
        assert_eq!(keeping.back(0, at(15_100), 750, 0), Some(Turn::Slow));
        assert_eq!(keeping.answers(0), Some(true));
    }

    #[test]
    fn where_every_answer_is_told_the_time_between_them_counts() {
        let mut keeping = keeping();
        keeping.answered(0, at(0));
        assert_eq!(keeping.answered(0, at(350)), None, "delayed on its way");
        assert_eq!(keeping.told(0, at(1000)), None);
        assert_eq!(keeping.told(0, at(1600)), Some(Turn::Quiet(interruption(350, None, None))));
        assert_eq!(keeping.told(0, at(1800)), None, "once");
        let back = Turn::Back(interruption(350, Some(2000), None));
        assert_eq!(keeping.answered(0, at(2000)), Some(back));
        let back = Turn::Back(interruption(2000, Some(2600), None));
        assert_eq!(keeping.answered(0, at(2600)), Some(back));
    }

    #[test]
    fn a_guest_that_moves_is_away_from_its_last_answer_to_its_first_at_the_new_address() {
        let mut keeping = keeping();
        keeping.answered(0, at(0));
        assert_eq!(keeping.quiet(0, at(5000), 100), None, "dropped while it answered");
        assert_eq!(keeping.answered(0, at(5300)), None);
        assert_eq!(keeping.quiet(0, at(8000), 150), None);
        let back = Turn::Back(interruption(7850, Some(9000), None));
        assert_eq!(keeping.answered(0, at(9000)), Some(back));
    }

    #[test]
    fn a_guest_that_is_silent_at_its_new_address_is_away_since_its_last_answer() {
        let mut keeping = keeping();
        keeping.answered(0, at(1000));
        keeping.moved(0);
        assert!(keeping.is_away(0));
        assert_eq!(keeping.is_lost(0, at(1400)), None, "too early to say");
        assert_eq!(keeping.is_lost(0, at(3000)), Some(interruption(1000, None, None)));
        keeping.answered(0, at(3100));
        assert!(!keeping.is_away(0));
        keeping.moved(1);
        assert!(!keeping.is_away(1), "it never answered");
    }

    #[test]
    fn what_nobody_heard_is_unknown_and_no_interruption() {
        let mut keeping = keeping();
        keeping.answered(0, at(0));
        keeping.unheard(0, at(4000));
        assert_eq!(keeping.answers(0), None);
        assert_eq!(keeping.answered(0, at(9000)), Some(Turn::Answers { unprobed: Some(at(4000)) }));
        // A guest that was quiet before is away until it answers.
        keeping.quiet(0, at(12_000), 1000);
        keeping.unheard(0, at(12_500));
        let back = Turn::Back(interruption(11_000, Some(20_000), None));
        assert_eq!(keeping.answered(0, at(20_000)), Some(back));
    }

    #[test]
    fn a_guest_that_was_quiet_when_its_process_ended_is_away_until_it_answers() {
        let mut keeping = keeping();
        keeping.taken_over(0, at(5000), Some(at(3000)));
        keeping.taken_over(1, at(5000), None);
        assert_eq!((keeping.answers(0), keeping.answers(1)), (Some(false), None));
        let back = Turn::Back(interruption(3000, Some(9000), None));
        assert_eq!(keeping.answered(0, at(9000)), Some(back));
        assert_eq!(keeping.answered(1, at(9000)), Some(Turn::Answers { unprobed: Some(at(5000)) }));
    }
}
