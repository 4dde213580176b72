//! The bounded log of changes to one kind, from which watches read.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::delta::Reference;
use super::error::TooOld;
use super::object::Object;

/// Maximum number of changes of one kind that are kept.
const CAPACITY: usize = 100_000;
/// Maximum age of a kept change; an API server also keeps five minutes of history.
const MEMORY: Duration = Duration::from_secs(300);
/// Number of changes kept as values, since controllers read recently changed objects again and again. Older ones are
/// packed, which takes a hundredth of the room; so is an object that has not changed since. A cluster of few VMs packs
/// nothing.
const FRESH: usize = 2_048;
/// Maximum size of a dictionary in bytes: packed texts cannot refer further back.
const LONGEST: usize = 48 * 1024;
/// Number of packed versions after which a dictionary is re-evaluated.
const TRIED: u32 = 64;
/// Maximum number of changes per read, so that a reader holds the lock briefly.
const BATCH: usize = 2_000;

/// Kind of a change
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Created.
    Added,
    /// Changed.
    Modified,
    /// Deleted.
    Deleted,
}

/// One committed change
#[derive(Debug)]
pub struct Entry {
    /// Revision.
    pub revision: u64,
    /// Kind.
    pub action: Action,
    /// Object afterwards; for a deletion its last state, with the revision of the deletion.
    pub object: Object,
    /// Object before, unless it is new.
    pub previous: Option<Object>,
}

/// The changes of one kind, oldest first
#[derive(Debug, Default)]
pub(super) struct Log {
    entries: VecDeque<Kept>,
    /// Lowest revision from which reading may begin.
    floor: u64,
    /// Revision of the newest dropped entry.
    dropped: u64,
    /// Number of packed entries at the front.
    packed: usize,
    /// Common content of texts of this kind.
    dictionary: Dictionary,
}

/// A change in the log
#[derive(Debug)]
struct Kept {
    at: Instant,
    /// That of the entry, where a search finds it.
    revision: u64,
    entry: Arc<Entry>,
}

/// Texts relative to which others of their kind are packed
#[derive(Debug, Default)]
struct Dictionary {
    texts: Reference,
    /// Versions packed with this dictionary: number, packed size, and text size.
    packed: (u32, usize, usize),
}

impl Dictionary {
    /// Packs a version, unless it is packed.
    fn pack(&mut self, stored: &Object) -> Object {
        if stored.room().is_some() {
            return stored.cold().map_or_else(|| stored.clone(), Arc::new);
        }
        let (count, room, length) = self.packed;
        let old = self.texts.text();
        // Texts with little in common with these begin the next dictionary.
        if old.is_empty() || count >= TRIED && room * 5 > length {
            let text = stored.json();
            let kept = LONGEST.saturating_sub(text.len()).min(old.len());
            self.texts = Reference::new([&old[old.len() - kept..], &*text].concat().into());
            self.packed = (0, 0, 0);
        } else if count >= TRIED * 16 {
            self.packed = (0, 0, 0);
        }
        let packed = stored.packed(&self.texts);
        let (room, length) = packed.room().unwrap_or_default();
        self.packed = (self.packed.0 + 1, self.packed.1 + room, self.packed.2 + length);
        Arc::new(packed)
    }
}

impl Log {
    /// A log without history up to and including `floor`.
    pub(super) fn new(floor: u64) -> Self {
        Self { entries: VecDeque::new(), floor, dropped: 0, packed: 0, dictionary: Dictionary::default() }
    }

    /// Appends a change; returns a packed version, old enough that it is probably not read soon.
    pub(super) fn push(&mut self, now: Instant, entry: Arc<Entry>) -> Option<Object> {
        self.entries.push_back(Kept { at: now, revision: entry.revision, entry });
        while let Some(oldest) = self.entries.front() {
            if self.entries.len() <= CAPACITY && now.saturating_duration_since(oldest.at) <= MEMORY {
                break;
            }
            self.dropped = oldest.revision;
            self.floor = self.floor.max(oldest.revision);
            self.entries.pop_front();
            self.packed = self.packed.saturating_sub(1);
        }
        if self.entries.len() - self.packed <= FRESH {
            return None;
        }
        self.shrink(self.packed);
        self.packed += 1;
        Some(self.entries[self.packed - 1].entry.object.clone())
    }

    /// Packs a change.
    fn shrink(&mut self, place: usize) {
        let entry = self.entries[place].entry.clone();
        // The previous version is that of an older change, which is packed already, unless that was dropped.
        let previous = entry
            .previous
            .as_ref()
            .map(|previous| self.at(previous.revision()).unwrap_or_else(|| self.dictionary.pack(previous)));
        let object = self.dictionary.pack(&entry.object);
        self.entries[place].entry =
            Arc::new(Entry { revision: entry.revision, action: entry.action, object, previous });
    }

    /// The version produced by a change in the log.
    fn at(&self, revision: u64) -> Option<Object> {
        let place = self.entries.partition_point(|kept| kept.revision < revision);
        let kept = self.entries.get(place).filter(|kept| kept.revision == revision)?;
        Some(kept.entry.object.clone())
    }

    /// Forgets everything up to and including `revision`.
    pub(super) fn forget(&mut self, revision: u64) {
        if let Some(newest) = self.entries.back() {
            self.dropped = newest.revision;
        }
        self.entries.clear();
        self.packed = 0;
        self.floor = revision;
    }

    /// Whether a new reader may begin after `revision`; 0 means from the beginning.
    pub(super) fn check(&self, revision: u64) -> Result<(), TooOld> {
        let complete = if revision == 0 { self.dropped == 0 } else { revision >= self.floor };
        if complete { Ok(()) } else { Err(TooOld { asked: revision, oldest: self.floor }) }
    }

    /// The next changes after `revision`, or an error if some of them have been dropped.
    pub(super) fn after(&self, revision: u64) -> Result<Vec<Arc<Entry>>, TooOld> {
        if revision < self.dropped {
            return Err(TooOld { asked: revision, oldest: self.floor });
        }
        let from = self.entries.partition_point(|kept| kept.revision <= revision);
        Ok(self.entries.range(from..).take(BATCH).map(|kept| kept.entry.clone()).collect())
    }

    /// The changes after `revision`, newest first, all of them.
    pub(super) fn back_to(&self, revision: u64) -> Result<impl Iterator<Item = &Arc<Entry>>, TooOld> {
        self.check(revision)?;
        let from = self.entries.partition_point(|kept| kept.revision <= revision);
        Ok(self.entries.range(from..).rev().map(|kept| &kept.entry))
    }
}

#[cfg(test)]
mod tests {
    use crate::value::json;

    use super::super::object::Stored;
    use super::*;
    use bootstorm_model::observe::clock::monotonic_now;

    fn entry(revision: u64) -> Arc<Entry> {
        let object = Arc::new(Stored::new(json!({"metadata": {"name": "a"}}), revision));
        Arc::new(Entry { revision, action: Action::Modified, object, previous: None })
    }

    #[test]
    fn old_changes_fall_off_the_end() {
        let mut log = Log::new(1);
        let now = monotonic_now();
        log.push(now, entry(2));
        log.push(now + MEMORY * 2, entry(3));
        assert_eq!(log.check(1), Err(TooOld { asked: 1, oldest: 2 }));
        assert_eq!(log.after(2).map(|entries| entries.len()), Ok(1));
        assert!(log.after(1).is_err());
    }

    #[test]
    fn a_reader_that_missed_nothing_survives_forgetting() {
        let mut log = Log::new(1);
        log.push(monotonic_now(), entry(5));
        log.forget(9);
        assert_eq!(log.after(5).map(|entries| entries.len()), Ok(0));
        assert!(log.after(4).is_err());
        assert!(log.check(8).is_err() && log.check(9).is_ok());
    }

    #[test]
    fn what_is_old_is_packed_and_reads_as_before() {
        let mut log = Log::new(1);
        let now = monotonic_now();
        let last = FRESH as u64 + 100;
        for revision in 2..=last {
            let settled = log.push(now, entry(revision));
            assert_eq!(settled.is_some(), revision > FRESH as u64 + 1, "{revision}");
        }
        let changes: Vec<_> = log.entries.iter().map(|kept| &kept.entry).collect();
        assert_eq!(changes.iter().filter(|change| change.object.room().is_some()).count(), 99);
        for (change, revision) in changes.into_iter().zip(2..) {
            assert_eq!(change.object.json(), entry(revision).object.json());
        }
    }
}
