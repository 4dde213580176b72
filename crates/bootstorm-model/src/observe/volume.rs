//! Disks created for VMs: when they were ready, and how they were filled.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use super::fold::pass;
use super::{Milestone, Outcome, Receipt, Timeline, VolumeKind};
use crate::plan::Target;

/// State of one `DataVolume`, from a watch
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// UID of the object.
    pub uid: String,
    /// VM for which it was created.
    pub target: Target,
    /// Whether it is filled and can be used.
    pub done: bool,
    /// Server timestamp of its readiness.
    pub ready_since: Option<Timestamp>,
    /// How it is filled, if known.
    pub kind: Option<VolumeKind>,
    /// Its state, in a few words.
    pub state: String,
}

/// Folds disks into the timelines of a phase
#[derive(Debug)]
pub struct VolumeFold {
    index: HashMap<Target, u32>,
    /// Disks per VM.
    expected: usize,
    known: HashMap<u32, BTreeMap<String, Volume>>,
}

impl VolumeFold {
    /// A fold for the targets of a plan, with the number of disks per VM.
    pub fn new(targets: &[Target], expected: usize) -> Self {
        Self { index: targets.iter().cloned().zip(0..).collect(), expected, known: HashMap::new() }
    }

    /// State of a VM's unfinished disks.
    pub fn unfinished(&self, position: u32) -> Option<&str> {
        let mut open = self.known.get(&position)?.values().filter(|volume| !volume.done);
        open.next().map(|volume| volume.state.as_str())
    }

    /// Whether some of a VM's disks are neither known to be filled nor among the listed ones, given by their UIDs.
    ///
    /// CDI before 1.57 deletes a `DataVolume` at once when it is filled, so a missing one may well be filled.
    pub fn are_missing(&self, position: u32, listed: &[String]) -> bool {
        let known = self.known.get(&position).into_iter().flatten();
        let done = known.filter(|(uid, volume)| volume.done && !listed.contains(uid)).count();
        done + listed.len() < self.expected
    }

    /// Records a disk; returns the VM whose disks are now all ready.
    ///
    /// A disk that is garbage-collected after it was filled stays filled.
    pub fn apply(&mut self, timelines: &mut [Timeline], volume: Volume, receipt: Receipt) -> Option<u32> {
        let position = *self.index.get(&volume.target)?;
        let timeline = timelines.get_mut(position as usize)?;
        if timeline.outcome == Outcome::Excluded {
            return None;
        }
        let known = self.known.entry(position).or_default();
        let before = known.get(&volume.uid);
        let done = volume.done || before.is_some_and(|before| before.done);
        let kind = volume.kind.or(before.and_then(|before| before.kind));
        let ready_since = volume.ready_since.or(before.and_then(|before| before.ready_since));
        known.insert(volume.uid.clone(), Volume { done, ready_since, kind, ..volume });
        let finished: Vec<&Volume> = known.values().filter(|volume| volume.done).collect();
        let kinds = finished.iter().map(|volume| volume.kind.unwrap_or(VolumeKind::Unknown)).collect();
        if self.expected == 0 || finished.len() < self.expected {
            return None;
        }
        timeline.volume_kind = VolumeKind::of_all(kinds);
        let last = finished.iter().filter_map(|volume| volume.ready_since).max();
        if let Some(last) = last {
            timeline.stamps.insert(Milestone::Volume, last.as_second());
        }
        pass(timeline, Milestone::Volume, receipt).then_some(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Offset;

    fn volume(uid: &str, done: bool, kind: Option<VolumeKind>) -> Volume {
        let target = Target { namespace: "p-1".into(), name: "vm".into() };
        Volume { uid: uid.into(), target, done, ready_since: None, kind, state: String::new() }
    }

    fn seen(at: i64) -> Receipt {
        Receipt { at: Offset(at), late: false, server_zero: "2026-01-01T00:00:00Z".parse().unwrap() }
    }

    fn fold(expected: usize) -> (VolumeFold, Vec<Timeline>) {
        let mut timeline = Timeline::new(0);
        timeline.see(Milestone::Requested, Offset(0));
        (VolumeFold::new(&[volume("", false, None).target], expected), vec![timeline])
    }

    #[test]
    fn a_vm_is_provisioned_when_its_last_disk_is() {
        let (mut fold, mut timelines) = fold(2);
        let clone = Some(VolumeKind::CsiClone);
        assert_eq!(fold.apply(&mut timelines, volume("a", true, clone), seen(5)), None);
        assert_eq!(fold.apply(&mut timelines, volume("a", true, clone), seen(6)), None, "the same one");
        assert_eq!(fold.apply(&mut timelines, volume("b", false, None), seen(7)), None);
        let blank = Some(VolumeKind::Blank);
        assert_eq!(fold.apply(&mut timelines, volume("b", true, blank), seen(9)), Some(0));
        assert_eq!(timelines[0].at(Milestone::Volume), Some(Offset(9)));
        assert_eq!(timelines[0].volume_kind, clone, "the blank disk beside it says nothing");
        assert_eq!(fold.apply(&mut timelines, volume("b", true, None), seen(11)), None);
        assert_eq!(timelines[0].at(Milestone::Volume), Some(Offset(9)));
    }

    #[test]
    fn a_disk_that_is_gone_is_missing_unless_it_was_seen_to_be_filled() {
        let (mut fold, mut timelines) = fold(2);
        let listed = |uids: &[&str]| uids.iter().map(|uid| (*uid).to_owned()).collect::<Vec<_>>();
        assert!(fold.are_missing(0, &[]) && fold.are_missing(0, &listed(&["a"])));
        assert!(!fold.are_missing(0, &listed(&["a", "b"])));
        fold.apply(&mut timelines, volume("a", true, None), seen(5));
        fold.apply(&mut timelines, volume("b", false, None), seen(5));
        assert!(!fold.are_missing(0, &listed(&["b"])));
        assert!(fold.are_missing(0, &[]) && fold.are_missing(0, &listed(&["a"])));
    }

    #[test]
    fn a_kind_is_not_invented() {
        let (mut fold, mut timelines) = fold(1);
        fold.apply(&mut timelines, volume("a", true, None), seen(5));
        assert_eq!(timelines[0].volume_kind, Some(VolumeKind::Unknown));
        let mixed = vec![VolumeKind::Import, VolumeKind::Snapshot, VolumeKind::Blank];
        assert_eq!(VolumeKind::of_all(mixed), Some(VolumeKind::Mixed));
    }

    #[test]
    fn what_was_missed_is_taken_from_the_servers_timestamp() {
        let (mut fold, mut timelines) = fold(1);
        let late = Receipt { late: true, ..seen(60_000_000) };
        let at = "2026-01-01T00:00:04Z".parse().unwrap();
        fold.apply(&mut timelines, Volume { ready_since: Some(at), ..volume("a", true, None) }, late);
        assert_eq!(timelines[0].at(Milestone::Volume), Some(Offset::from_seconds(4.0)));
        assert!(timelines[0].is_stamped(Milestone::Volume));
    }
}
