//! Merges records of one phase that several processes kept at the same time.

use super::{Gap, Health, InsightHealth, PhaseRecord, PhaseState, ProbeHealth};
use crate::observe::Offset;

impl PhaseRecord {
    /// Adds another process's view of its part of the phase, and its end: everything but timelines.
    ///
    /// `shift` moves its time axis, `named` adds the origin to a sentence of it.
    pub fn add_beside(&mut self, of: &Self, shift: Offset, named: impl Fn(&str) -> String) {
        let plus = |at: Offset| Offset(at.0.saturating_add(shift.0));
        let gap = |gap: &Gap| Gap { from: plus(gap.from), to: plus(gap.to), ..*gap };
        let gaps = |gaps: &[Gap]| gaps.iter().map(gap).collect::<Vec<Gap>>();
        let is_first = self.watched_until.is_none() && self.ended.is_none() && self.health.is_none();
        self.state = match (self.state, of.state) {
            (PhaseState::Open, _) | (_, PhaseState::Open) => PhaseState::Open,
            (PhaseState::Interrupted, _) | (_, PhaseState::Interrupted) => PhaseState::Interrupted,
            (PhaseState::Done, PhaseState::Done) => PhaseState::Done,
        };
        let later = |known: Option<Offset>, of: Option<Offset>| known.max(of.map(plus));
        (self.ended, self.watched_until) =
            (later(self.ended, of.ended), later(self.watched_until, of.watched_until));
        self.continued = self.continued.max(of.continued);
        self.watch.restarts = self.watch.restarts.saturating_add(of.watch.restarts);
        self.watch.gaps.extend(gaps(&of.watch.gaps));
        if let Some(probing) = &of.probing {
            let known = self.probing.get_or_insert_with(ProbeHealth::default);
            known.probers += probing.probers;
            known.interval_millis = known.interval_millis.max(probing.interval_millis);
            known.neighbors |= probing.neighbors;
            known.round_trip_micros = known.round_trip_micros.max(probing.round_trip_micros);
            known.streams = known.streams.saturating_add(probing.streams);
            known.gaps.extend(gaps(&probing.gaps));
        }
        if let Some(insight) = &of.insight {
            let known = self.insight.get_or_insert_with(InsightHealth::default);
            known.streams += insight.streams;
            known.missing.extend(insight.missing.iter().map(|missing| named(missing)));
            known.gaps.extend(gaps(&insight.gaps));
        }
        self.health = match (self.health.take(), &of.health) {
            (Some(known), Some(health)) => Some(known.beside(health)),
            // What one process did not measure counts as not measured for all.
            (None, Some(health)) if is_first => Some(Health::default().beside(health)),
            _ => None,
        };
    }
}

impl Health {
    /// Merges this health with one measured at the same time. Values of a single cluster or clock are dropped.
    #[must_use]
    pub fn beside(mut self, other: &Self) -> Self {
        self.timer.merge(&other.timer);
        self.watch.merge(&other.watch);
        self.stamps.merge(&other.stamps);
        self.processor = self.processor.max(other.processor);
        self.measured = self.measured.max(other.measured);
        self.processors = self.processors.max(other.processors);
        self.retries = self.retries.saturating_add(other.retries);
        self
    }
}
