//! Shards: several processes in the cluster that work on the same phases, each on its share of the VMs.
//!
//! Pure. A VM's shard follows from its position in the plan alone, so that a process that was killed and runs again
//! finds the same share, whatever the others do.

mod assignment;
mod join;

use std::fmt;

use crate::observe::{Outcome, Timeline};
use crate::plan::Shape;
use crate::record::{OTHER_SHARD, PhaseRecord, PhaseSettings, StormKind, WatchHealth};

pub use assignment::{Assignment, Observing, Planned};
pub use join::join;

/// Maximum number of shards of a phase: each watches all instances of the run, so more of them cost more than they
/// gain.
pub const MOST_SHARDS: u32 = 64;

/// One of the processes that share the VMs of a phase
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shard {
    index: u32,
    of: u32,
}

impl Shard {
    /// The shard with this index, from 0, of this many; `None` if that is impossible.
    pub fn new(index: u32, of: u32) -> Option<Self> {
        (index < of && of <= MOST_SHARDS).then_some(Self { index, of })
    }

    /// Every shard of this many.
    pub fn all(of: u32) -> impl Iterator<Item = Self> {
        (0..of).map(move |index| Self { index, of })
    }

    /// Its index.
    pub fn index(self) -> u32 {
        self.index
    }

    /// Number of shards.
    pub fn of(self) -> u32 {
        self.of
    }

    /// Whether it begins phases and joins their parts.
    pub fn coordinates(self) -> bool {
        self.index == 0
    }

    /// Whether a VM is in its share.
    ///
    /// Positions alternate between shards: whatever the shape, the order and the size of a storm, all shards are
    /// equally busy at any time. With contiguous blocks, a storm at a rate would be sent by one shard after the other.
    pub fn has(self, vm: u32) -> bool {
        vm % self.of.max(1) == self.index
    }

    /// The position in the plan of the VM at this position in its share.
    pub fn position(self, local: u32) -> u32 {
        local.saturating_mul(self.of).saturating_add(self.index)
    }

    /// The phase as this shard works on it: VMs of other shards take no part. Watch health starts afresh.
    #[must_use]
    pub fn part(self, whole: &PhaseRecord) -> PhaseRecord {
        let mut part = whole.clone();
        (part.watch, part.insight, part.probing, part.health) = (WatchHealth::default(), None, None, None);
        for timeline in &mut part.timelines {
            if !self.has(timeline.target) && timeline.outcome != Outcome::Excluded {
                *timeline = Timeline {
                    outcome: Outcome::Excluded,
                    reason: Some(OTHER_SHARD.to_owned()),
                    ..Timeline::new(timeline.target)
                };
            }
        }
        part
    }

    /// Its share of a limit that holds for all shards together; at least one.
    pub fn share_of(self, limit: usize) -> usize {
        let (index, of) = (self.index as usize, self.of.max(1) as usize);
        (limit / of + usize::from(index < limit % of)).max(1)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.index, self.of)
    }
}

/// Reason why a phase with these settings cannot be shared; `None` if it can.
pub fn obstacle(settings: &PhaseSettings) -> Option<&'static str> {
    if settings.kind == StormKind::Drain {
        return Some("one process cordons and uncordons the nodes of a drain");
    }
    if settings.shards.unwrap_or(1) < 2 {
        return None;
    }
    if matches!(settings.shape, Some(Shape::WaveReady { .. })) {
        return Some(
            "a wave waits until all VMs of the last one are ready, and a shard knows only those of its share",
        );
    }
    settings
        .abort_if_failed
        .is_some()
        .then_some("a shard knows how many VMs of its share have failed, not how many of all")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Order;
    use crate::record::NOT_IN_STORM;

    fn phase(vms: u32) -> PhaseRecord {
        let began = "2026-01-01T00:00:00Z".parse().unwrap();
        PhaseRecord::new("storm-1".parse().unwrap(), began, PhaseSettings::default(), vms)
    }

    #[test]
    fn every_vm_has_one_shard_and_shares_are_even() {
        for of in 1..=7 {
            let mut shares = vec![0; of as usize];
            for vm in 0..100 {
                let having: Vec<u32> =
                    Shard::all(of).filter(|shard| shard.has(vm)).map(Shard::index).collect();
                assert_eq!(having.len(), 1, "{vm} of {of}");
                let place = shares[having[0] as usize];
                assert_eq!(Shard::new(having[0], of).unwrap().position(place), vm, "its place in the share");
                shares[having[0] as usize] += 1;
            }
            assert!(shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1, "{shares:?}");
        }
    }

    #[test]
    fn there_is_no_shard_outside_of_the_count() {
        assert!(Shard::new(0, 0).is_none() && Shard::new(2, 2).is_none());
        assert!(Shard::new(0, MOST_SHARDS + 1).is_none());
        assert_eq!(Shard::new(1, 2).unwrap().to_string(), "1 of 2");
    }

    #[test]
    fn a_limit_is_divided_without_a_remainder() {
        let shares = |limit, of| Shard::all(of).map(|shard| shard.share_of(limit)).collect::<Vec<_>>();
        assert_eq!(shares(200, 3), [67, 67, 66]);
        assert_eq!(shares(2, 4), [1, 1, 1, 1], "each needs one");
    }

    #[test]
    fn a_part_keeps_the_places_of_the_whole() {
        let mut whole = phase(7);
        whole.timelines[2].outcome = Outcome::Excluded;
        whole.timelines[2].reason = Some(NOT_IN_STORM.to_owned());
        whole.queue = Order::Random { seed: 3 }.queue(vec![0, 1, 3, 4, 5, 6], |_| None);
        let mut places: Vec<(u32, u32)> =
            Shard::all(3).flat_map(|shard| shard.part(&whole).places()).collect();
        places.sort_unstable();
        assert_eq!(places, whole.places());
        assert_eq!(places.iter().map(|(_, vm)| *vm).collect::<Vec<_>>(), whole.queue());
        let part = Shard::new(2, 3).unwrap().part(&whole);
        assert_eq!(part.timelines[2].reason.as_deref(), Some(NOT_IN_STORM), "nobody has it");
        assert_eq!(part.participants().map(|one| one.target).collect::<Vec<_>>(), [5]);
    }

    #[test]
    fn what_needs_all_vms_at_once_is_not_shared() {
        let settings = |shards| PhaseSettings { shards, ..PhaseSettings::default() };
        assert_eq!(obstacle(&settings(Some(4))), None);
        let waves = Some("50/ready").map(|text| Shape::wave_of(text).unwrap());
        assert!(obstacle(&PhaseSettings { shape: waves, ..settings(Some(2)) }).is_some());
        assert_eq!(obstacle(&PhaseSettings { shape: waves, ..settings(Some(1)) }), None);
        let limit = Some("5".parse().unwrap());
        assert!(obstacle(&PhaseSettings { abort_if_failed: limit, ..settings(Some(2)) }).is_some());
    }
}
