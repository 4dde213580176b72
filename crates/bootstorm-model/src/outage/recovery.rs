//! Recoveries: overlapping outages, seen as a storm that another party caused.

use super::Observation;
use crate::observe::{Milestone, Offset, Outcome, Timeline};
use crate::record::{
    Gap, MOST_PHASES, NO_OUTAGE, PhaseKind, PhaseName, PhaseRecord, PhaseSettings, PhaseState, ProbeHealth,
    StormKind, WatchHealth,
};

/// The recoveries of an observation as storm phases, in the order in which they began.
///
/// Overlapping outages belong together. A VM has one outage in a recovery; its next one begins another. The zero of
/// each
/// VM is its own first sign; the phase begins at the earliest of them. Outages of VMs that were taken down on purpose
/// are left out: those VMs are not expected back. Beyond 256 recoveries, the last ones are kept.
pub fn recoveries(observation: &Observation) -> Vec<PhaseRecord> {
    let counts = |timeline: &&Timeline| timeline.outage.is_some() && timeline.outcome != Outcome::Excluded;
    let mut outages: Vec<&Timeline> = observation.all().filter(counts).collect();
    outages.sort_by_key(|timeline| (began(timeline), timeline.target));
    let mut groups: Vec<Group<'_>> = Vec::new();
    for outage in outages {
        let (from, to) = (began(outage), ended(outage, observation));
        let fits = |group: &&mut Group<'_>| {
            group.until >= from && group.outages.iter().all(|one| one.target != outage.target)
        };
        match groups.iter_mut().rev().take(RECENT).find(fits) {
            Some(group) => {
                group.until = group.until.max(to);
                group.outages.push(outage);
            }
            None => groups.push(Group { from, until: to, outages: vec![outage] }),
        }
    }
    let surplus = groups.len().saturating_sub(MOST_PHASES);
    let numbered = groups.iter().skip(surplus).zip(1..);
    numbered.map(|(group, number)| group.phase(observation, number)).collect()
}

/// Number of recoveries that one more outage may still join.
const RECENT: usize = 8;

/// Overlapping outages
struct Group<'a> {
    from: Offset,
    until: Offset,
    outages: Vec<&'a Timeline>,
}

/// Latest possible beginning of an outage.
fn began(timeline: &Timeline) -> Offset {
    let known = timeline.at(Milestone::Requested);
    known.or(timeline.outage.as_ref().map(|outage| outage.at)).unwrap_or_default()
}

/// Its end; for an open outage, the end of the watched time.
fn ended(timeline: &Timeline, observation: &Observation) -> Offset {
    let last = timeline.at(observation.goal).filter(|_| timeline.outcome == Outcome::Reached);
    let ready = timeline.at(Milestone::Ready).filter(|_| timeline.outcome == Outcome::Unknown);
    last.or(ready).unwrap_or(observation.watched_until).max(began(timeline))
}

impl Group<'_> {
    fn phase(&self, observation: &Observation, number: u32) -> PhaseRecord {
        let zero = self.from;
        let moved = jiff::SignedDuration::from_micros(zero.0);
        let name = PhaseName { kind: PhaseKind::Storm, number };
        let settings =
            PhaseSettings { kind: StormKind::Observed, timeout_seconds: 0, ..PhaseSettings::default() };
        let vms = observation.vms.len() as u32;
        let began = observation.began.checked_add(moved).unwrap_or(observation.began);
        let mut phase = PhaseRecord::new(name, began, settings, vms);
        phase.goal = observation.goal;
        phase.server_ahead_micros = observation.server_ahead_micros;
        for timeline in &mut phase.timelines {
            timeline.outcome = Outcome::Excluded;
            timeline.reason = Some(NO_OUTAGE.into());
        }
        for outage in &self.outages {
            if let Some(place) = phase.timelines.get_mut(outage.target as usize) {
                *place = shifted(outage, zero);
            }
        }
        let over = self.outages.iter().all(|outage| outage.is_over());
        phase.state = if over { PhaseState::Done } else { PhaseState::Open };
        phase.ended = over.then(|| self.until.since(zero));
        phase.watched_until = Some(observation.watched_until.min(self.until).since(zero));
        let overlaps = |gap: &&Gap| gap.to >= zero && gap.from <= self.until;
        let gaps = observation.gaps.iter().filter(overlaps);
        let gaps: Vec<Gap> =
            gaps.map(|gap| Gap { from: gap.from.since(zero), to: gap.to.since(zero), ..*gap }).collect();
        if observation.goal == Milestone::Reachable {
            phase.probing = Some(ProbeHealth {
                probers: 1,
                interval_millis: observation.interval_millis,
                ..ProbeHealth::default()
            });
        }
        phase.watch = WatchHealth { restarts: u32::try_from(gaps.len()).unwrap_or(u32::MAX), gaps };
        phase
    }
}

/// A timeline on an axis that begins at `zero`.
pub(super) fn shifted(timeline: &Timeline, zero: Offset) -> Timeline {
    let mut timeline = timeline.clone();
    for moment in timeline.moments.values_mut().chain(timeline.probes.values_mut()) {
        moment.at = moment.at.since(zero);
    }
    if let Some(outage) = &mut timeline.outage {
        outage.shift(zero);
    }
    timeline
}
