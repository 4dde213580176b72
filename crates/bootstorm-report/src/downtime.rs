//! Time in which guests did not answer while their VMs migrated.

use serde::{Deserialize, Serialize};

use bootstorm_model::observe::{Offset, Timeline};
use bootstorm_model::record::PhaseRecord;
use bootstorm_model::stats::{self, Sample, Summary};

/// The longest interruption of one guest
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Downtime {
    /// Seconds from its last answer to the first one after; zero if no attempt was lost.
    #[serde(serialize_with = "stats::micros")]
    pub seconds: f64,
    /// Unanswered attempts in between; absent if they were not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<u32>,
    /// Whether it did not answer again before the phase ended: a lower bound.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub open: bool,
}

/// Interruptions of all guests of a phase
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DowntimeBlock {
    /// Guests that answered before their VM migrated.
    pub guests: usize,
    /// Guests that never answered: their downtime is unknown.
    pub silent: usize,
    /// Guests that no prober could hear for longer than they are known to have been silent: it is unknown, too.
    #[serde(default)]
    pub unheard: usize,
    /// Guests that missed at least one attempt.
    pub interrupted: usize,
    /// Guests that no longer answered when the phase ended.
    pub away: usize,
    /// Their longest interruptions, from answer to answer.
    pub summary: Summary,
}

impl Downtime {
    /// The longest interruption of a guest; `None` if it is unknown.
    pub(super) fn of(timeline: &Timeline, phase: &PhaseRecord) -> Option<Self> {
        let known = Self::known(timeline, end_of(phase))?;
        (!is_unheard(timeline, &known, phase)).then_some(known)
    }

    /// The longest known interruption of a guest; `None` if it never answered.
    fn known(timeline: &Timeline, ended: Offset) -> Option<Self> {
        if timeline.migration.is_none() || timeline.probes.is_empty() {
            return None;
        }
        let zero = timeline.moments.values().map(|moment| moment.at).min().unwrap_or(Offset::ZERO);
        let since = timeline.interruptions.iter().filter(|one| one.first.is_none_or(|first| first >= zero));
        let longest = since.max_by_key(|one| one.length(ended));
        Some(longest.map_or(Self { seconds: 0.0, lost: Some(0), open: false }, |one| Self {
            seconds: one.length(ended).seconds(),
            lost: one.lost,
            open: one.first.is_none(),
        }))
    }
}

impl DowntimeBlock {
    /// The block of a phase; `None` unless its guests were probed while VMs migrated.
    pub(super) fn of(phase: &PhaseRecord) -> Option<Self> {
        if !phase.migrates() && !phase.drains() || phase.probing.is_none() {
            return None;
        }
        let ended = end_of(phase);
        let silent =
            phase.participants().filter(|timeline| Downtime::known(timeline, ended).is_none()).count();
        let known: Vec<Downtime> =
            phase.participants().filter_map(|timeline| Downtime::of(timeline, phase)).collect();
        Some(Self {
            guests: known.len(),
            silent,
            unheard: phase.participants().count() - silent - known.len(),
            interrupted: known.iter().filter(|one| one.seconds > 0.0).count(),
            away: known.iter().filter(|one| one.open).count(),
            summary: Summary::of(&Sample::new(known.iter().map(|one| one.seconds), 0)),
        })
    }
}

/// Whether a guest may have been silent for longer than known, while no prober could hear it.
///
/// As everywhere, two answers up to three intervals apart are no interruption.
fn is_unheard(timeline: &Timeline, known: &Downtime, phase: &PhaseRecord) -> bool {
    let interval = phase.probing.as_ref().map_or(0, |probing| probing.interval_millis) as f64 / 1000.0;
    timeline.unprobed_for.seconds() > known.seconds.max(3.0 * interval)
}

/// End of the watched time of a phase.
fn end_of(phase: &PhaseRecord) -> Offset {
    phase.ended.or(phase.watched_until).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bootstorm_model::observe::{Milestone, Moment, Outcome, Source};
    use bootstorm_model::probe::Interruption;
    use bootstorm_model::record::{PhaseKind, PhaseName, PhaseSettings, ProbeHealth, StormKind};

    fn guest(interruptions: &[(f64, Option<f64>)]) -> Timeline {
        let at = Offset::from_seconds;
        let mut timeline = Timeline { migration: Some(Box::default()), ..Timeline::new(0) };
        timeline.see(Milestone::Requested, at(1.0));
        timeline.probes.insert("ping".into(), Moment { at: at(0.2), source: Source::Seen });
        timeline.interruptions = interruptions
            .iter()
            .map(|(last, first)| Interruption { last: at(*last), first: first.map(at), lost: Some(2) })
            .collect();
        timeline
    }

    #[test]
    fn the_longest_interruption_since_the_request_is_the_downtime_of_a_guest() {
        let end = Offset::from_seconds(20.0);
        let of = |timeline: &Timeline| Downtime::known(timeline, end).map(|one| (one.seconds, one.open));
        assert_eq!(of(&guest(&[])), Some((0.0, false)));
        assert_eq!(of(&guest(&[(0.1, Some(0.9)), (4.0, Some(4.5)), (8.0, Some(8.2))])), Some((0.5, false)));
        assert_eq!(of(&guest(&[(4.0, Some(4.5)), (12.0, None)])), Some((8.0, true)));
        let silent = Timeline { migration: Some(Box::default()), ..Timeline::new(0) };
        assert_eq!(of(&silent), None, "it never answered");
    }

    #[test]
    fn a_guest_that_nobody_could_hear_for_longer_has_no_known_downtime() {
        let settings = PhaseSettings { kind: StormKind::Migrate, ..PhaseSettings::default() };
        let name = PhaseName { kind: PhaseKind::Storm, number: 1 };
        let mut phase = PhaseRecord::new(name, jiff::Timestamp::UNIX_EPOCH, settings, 4);
        phase.probing = Some(ProbeHealth { interval_millis: 200, ..ProbeHealth::default() });
        phase.ended = Some(Offset::from_seconds(20.0));
        let unheard = |seconds: f64, interruptions: &[(f64, Option<f64>)]| Timeline {
            unprobed_for: Offset::from_seconds(seconds),
            outcome: Outcome::Reached,
            ..guest(interruptions)
        };
        let one = [(4.0, Some(7.0))];
        let all = [unheard(0.5, &[]), unheard(4.0, &[]), unheard(2.0, &one), unheard(4.0, &one)];
        let known = all.iter().map(|timeline| Downtime::of(timeline, &phase).map(|one| one.seconds));
        assert_eq!(known.collect::<Vec<_>>(), [Some(0.0), None, Some(3.0), None]);
        phase.timelines = all.to_vec().into();
        let block = DowntimeBlock::of(&phase).unwrap();
        assert_eq!((block.guests, block.silent, block.unheard), (2, 0, 2));
    }
}
