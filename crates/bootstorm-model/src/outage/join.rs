//! The observations of shards as one.

use std::collections::BTreeMap;

use super::recovery::shifted;
use super::{MOST_OUTAGES, Observation, Watched};
use crate::observe::clock::between;
use crate::observe::{Milestone, Offset, Timeline};
use crate::record::{Gap, MOST_GAPS};
use crate::shards::Shard;

/// Joins the observations of so many shards, by index, into one of all VMs; `None` if no shard has begun.
///
/// The axis begins with the first shard. The VMs of a shard without an observation count as never seen up. Nobody watches
/// the VMs of a shard before it begins, so that time is a gap. The whole has ended once every shard has.
pub fn join(of: u32, vms: usize, parts: BTreeMap<u32, Observation>) -> Option<Observation> {
    let first = parts.values().min_by_key(|part| part.began)?;
    let complete = parts.len() == of as usize;
    let mut joined = Observation {
        server_ahead_micros: first.server_ahead_micros,
        ..Observation::new(first.began, vms, first.goal)
    };
    let (mut until, mut ended) = (Vec::new(), Vec::new());
    for (index, part) in parts {
        let Some(shard) = Shard::new(index, of) else { continue };
        let zero = zero_of(&joined, &part);
        let moved = |at: Offset| at.since(zero);
        until.push(moved(part.watched_until));
        ended.push(part.ended.map(moved));
        joined.continued += part.continued;
        joined.interval_millis = joined.interval_millis.max(part.interval_millis);
        joined.dropped += part.dropped;
        let began = moved(Offset::ZERO);
        if began > Offset::ZERO {
            joined.gaps.push(Gap { to: began, ..Gap::default() });
        }
        joined.gaps.extend(part.gaps.into_iter().map(|gap| Gap {
            from: moved(gap.from),
            to: moved(gap.to),
            ..gap
        }));
        let placed = |timeline: &Timeline| Timeline {
            target: shard.position(timeline.target),
            ..shifted(timeline, zero)
        };
        joined.outages.extend(part.outages.iter().map(placed));
        for (local, vm) in (0..).zip(part.vms) {
            let Some(place) = joined.vms.get_mut(shard.position(local) as usize) else { continue };
            *place = Watched {
                silent_since: vm.silent_since.map(moved),
                open: vm.open.as_deref().map(|open| Box::new(placed(open))),
                ..vm
            };
        }
    }
    joined.watched_until = until.into_iter().min().unwrap_or_default();
    if !complete {
        joined.gaps.push(Gap { to: joined.watched_until, open: true, ..Gap::default() });
    }
    joined.gaps.sort_by_key(|gap| (gap.from, gap.to));
    if joined.gaps.len() > MOST_GAPS {
        for gap in std::mem::take(&mut joined.gaps) {
            gap.note(&mut joined.gaps);
        }
    }
    joined.outages.sort_by_key(|timeline| (over(timeline), timeline.target));
    if joined.outages.len() > MOST_OUTAGES {
        joined.dropped += (joined.outages.len() - MOST_OUTAGES) as u32;
        joined.outages.truncate(MOST_OUTAGES);
    }
    let ended: Option<Vec<Offset>> = ended.into_iter().collect();
    joined.ended = ended.filter(|_| complete).and_then(|ended| ended.into_iter().max());
    Some(joined)
}

/// The beginning of the joined axis on the axis of a part.
fn zero_of(joined: &Observation, part: &Observation) -> Offset {
    between((part.began, part.server_ahead_micros), (joined.began, joined.server_ahead_micros))
}

/// When an outage was over: its last milestone.
fn over(timeline: &Timeline) -> Option<Offset> {
    Milestone::ALL.iter().filter_map(|milestone| timeline.at(*milestone)).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Outcome;

    const MINUTE: i64 = 60_000_000;

    /// The observation of a share of two VMs that began so many seconds late, with an outage of the second one.
    fn part(late: i64, outage: i64) -> Observation {
        let began = jiff::Timestamp::from_second(1_800_000_000 + late).unwrap();
        let mut part = Observation::new(began, 2, Milestone::Ready);
        let mut timeline = Timeline { outcome: Outcome::Reached, ..Timeline::new(1) };
        timeline.see(Milestone::Requested, Offset(outage));
        timeline.see(Milestone::Ready, Offset(outage + 1));
        part.outages = vec![timeline];
        part.gaps = vec![Gap { from: Offset(5), to: Offset(6), ..Gap::default() }];
        part.vms[0].was_up = true;
        part.vms[0].silent_since = Some(Offset(7));
        (part.watched_until, part.ended) = (Offset(MINUTE), Some(Offset(MINUTE)));
        part
    }

    #[test]
    fn parts_have_one_axis_and_the_places_of_the_plan() {
        let parts = BTreeMap::from([(0, part(2, 10)), (1, part(0, 20))]);
        let joined = join(2, 4, parts).unwrap();
        assert_eq!(joined.began.as_second(), 1_800_000_000);
        let of = |timeline: &Timeline| (timeline.target, timeline.at(Milestone::Requested).unwrap().0);
        assert_eq!(joined.outages.iter().map(of).collect::<Vec<_>>(), [(3, 20), (2, 2_000_010)]);
        let gaps: Vec<_> = joined.gaps.iter().map(|gap| (gap.from.0, gap.to.0, gap.open)).collect();
        let late = (0, 2_000_000, false);
        assert_eq!(
            gaps,
            [late, (5, 6, false), (2_000_005, 2_000_006, false)],
            "the later one was blind at first"
        );
        let silent: Vec<_> = joined.vms.iter().map(|vm| vm.silent_since.map(|at| at.0)).collect();
        assert_eq!(silent, [Some(2_000_007), Some(7), None, None]);
        assert_eq!((joined.watched_until.0, joined.ended), (MINUTE, Some(Offset(MINUTE + 2_000_000))));
    }

    #[test]
    fn an_observation_goes_on_until_every_shard_has_ended() {
        let mut parts = BTreeMap::from([(0, part(0, 10))]);
        let joined = join(2, 4, parts.clone()).unwrap();
        assert_eq!((joined.ended, joined.never_up()), (None, 3), "the other shard has not begun");
        assert!(joined.gaps.iter().any(|gap| gap.open && gap.to == joined.watched_until));
        parts.insert(1, Observation { ended: None, ..part(0, 10) });
        assert_eq!(join(2, 4, parts).unwrap().ended, None);
        assert!(join(2, 4, BTreeMap::new()).is_none());
    }

    #[test]
    fn clocks_that_disagree_are_corrected_by_the_clock_of_the_server() {
        let ahead = |micros| Some(micros);
        let first = Observation { server_ahead_micros: ahead(0), ..part(0, 10) };
        // Its clock is a minute slow, so it seems to begin a minute earlier.
        let slow = Observation { server_ahead_micros: ahead(MINUTE), ..part(-60, 20) };
        let joined = join(2, 4, BTreeMap::from([(0, first), (1, slow)])).unwrap();
        let at: Vec<i64> = joined.outages.iter().map(|one| one.at(Milestone::Requested).unwrap().0).collect();
        assert_eq!(at, [10, 20]);
    }
}
