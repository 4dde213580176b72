//! Timelines of a phase: in memory while it runs, packed as in the record once it is settled.

use std::borrow::Cow;
use std::fmt;
use std::io::Read;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, OnceLock};

use flate2::read::GzDecoder;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::at_most;
use crate::observe::Timeline;
use crate::plan::MOST_TARGETS;

/// Maximum number of timelines in a stored phase.
const MOST_TIMELINES: usize = MOST_TARGETS as usize;

/// One timeline per target, in the order of the plan's targets
///
/// Timelines of a phase that was loaded from the cluster stay packed as in the record, at a fraction of their size in
/// memory: a series of 40 storms of 100 VMs grows by a third of what it would otherwise. [`Timelines::read`] unpacks
/// them temporarily; access as a list unpacks them permanently, and a change drops the packed form. A clone of packed
/// timelines is packed.
#[derive(Default)]
pub struct Timelines {
    open: OnceLock<Vec<Timeline>>,
    packed: Option<Packed>,
}

/// Timelines as stored in the record
#[derive(Clone)]
struct Packed {
    /// The stored phase and its changes: each gzip JSON with a field `timelines`, which was read successfully before.
    pieces: Arc<[Vec<u8>]>,
    /// Number of timelines.
    count: usize,
}

/// The part of a stored phase that is read again
#[derive(Deserialize)]
struct TimelinesOnly<T> {
    timelines: Vec<T>,
}

/// What identifies a VM in a phase
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Uids {
    target: u32,
    /// [`Timeline::machine_uid`]
    pub machine_uid: Option<Box<str>>,
    /// [`Timeline::instance_uid`]
    pub instance_uid: Option<Box<str>>,
}

/// An entry of a list in the order of the plan's targets
trait OfTarget {
    fn target(&self) -> u32;
}

impl OfTarget for Timeline {
    fn target(&self) -> u32 {
        self.target
    }
}

impl OfTarget for Uids {
    fn target(&self) -> u32 {
        self.target
    }
}

impl Packed {
    fn unpack<T: OfTarget + DeserializeOwned>(&self) -> Vec<T> {
        let mut all = Vec::new();
        for piece in &*self.pieces {
            let mut json = Vec::new();
            let read = GzDecoder::new(&**piece).read_to_end(&mut json).map_err(|error| error.to_string());
            let read = read.and_then(|_| serde_json::from_slice(&json).map_err(|error| error.to_string()));
            if let Err(error) =
                read.and_then(|TimelinesOnly { timelines }| change(&mut all, self.count, timelines))
            {
                unreachable!("a phase that was read before can be read again: {error}");
            }
        }
        all
    }
}

/// Replaces earlier timelines by later ones; all of them must exist already.
fn change<T: OfTarget>(known: &mut Vec<T>, count: usize, mut later: Vec<T>) -> Result<(), String> {
    if known.is_empty() && later.len() == count {
        // It was read without knowing how many there would be.
        later.shrink_to_fit();
        *known = later;
        return Ok(());
    }
    for timeline in later {
        let place = timeline.target() as usize;
        *known.get_mut(place).ok_or_else(|| format!("it changes VM {} of {count}", place + 1))? = timeline;
    }
    Ok(())
}

impl Timelines {
    /// Replaces these timelines by the pieces of the stored phase, in gzip JSON, from which they were read.
    pub(super) fn pack(&mut self, pieces: Vec<Vec<u8>>) {
        *self = Self::packed(pieces, self.len());
    }

    /// Packed timelines: this many, in the pieces of the stored phase.
    pub(super) fn packed(pieces: Vec<Vec<u8>>, count: usize) -> Self {
        Self { open: OnceLock::new(), packed: Some(Packed { pieces: pieces.into(), count }) }
    }

    /// Replaces timelines by later ones of the same VMs.
    pub(super) fn change(&mut self, later: &Self) -> Result<(), String> {
        let (count, later) = (self.len(), later.read().into_owned());
        change(self, count, later)
    }

    /// Whether they are unpacked.
    pub fn are_open(&self) -> bool {
        self.packed.is_none() || self.open.get().is_some()
    }

    /// The timelines, for reading; packed ones stay packed.
    pub fn read(&self) -> Cow<'_, [Timeline]> {
        match (&self.packed, self.open.get()) {
            (Some(packed), None) => Cow::Owned(packed.unpack()),
            _ => Cow::Borrowed(self),
        }
    }

    /// The UIDs in the timelines, in the order of the plan's targets; packed ones stay packed, and nothing else of them
    /// is decoded.
    pub fn uids(&self) -> Vec<Uids> {
        match (&self.packed, self.open.get()) {
            (Some(packed), None) => packed.unpack(),
            _ => self.iter().map(Uids::from).collect(),
        }
    }

    /// Number of timelines.
    pub fn len(&self) -> usize {
        self.packed.as_ref().map_or_else(|| self.open.get().map_or(0, Vec::len), |packed| packed.count)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<&Timeline> for Uids {
    fn from(timeline: &Timeline) -> Self {
        Self {
            target: timeline.target,
            machine_uid: timeline.machine_uid.clone(),
            instance_uid: timeline.instance_uid.as_deref().map(Into::into),
        }
    }
}

impl Deref for Timelines {
    type Target = Vec<Timeline>;

    fn deref(&self) -> &Vec<Timeline> {
        self.open.get_or_init(|| self.packed.as_ref().map(Packed::unpack).unwrap_or_default())
    }
}

impl DerefMut for Timelines {
    fn deref_mut(&mut self) -> &mut Vec<Timeline> {
        let packed = self.packed.take();
        if self.open.get().is_none() {
            self.open = OnceLock::from(packed.as_ref().map(Packed::unpack).unwrap_or_default());
        }
        // Initialised above.
        self.open.get_mut().unwrap_or_else(|| unreachable!("the timelines are open"))
    }
}

impl Clone for Timelines {
    fn clone(&self) -> Self {
        match &self.packed {
            Some(packed) => Self { open: OnceLock::new(), packed: Some(packed.clone()) },
            None => Self { open: self.open.clone(), packed: None },
        }
    }
}

impl From<Vec<Timeline>> for Timelines {
    fn from(timelines: Vec<Timeline>) -> Self {
        Self { open: OnceLock::from(timelines), packed: None }
    }
}

impl FromIterator<Timeline> for Timelines {
    fn from_iter<I: IntoIterator<Item = Timeline>>(timelines: I) -> Self {
        timelines.into_iter().collect::<Vec<Timeline>>().into()
    }
}

impl<'a> IntoIterator for &'a Timelines {
    type Item = &'a Timeline;
    type IntoIter = std::slice::Iter<'a, Timeline>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a> IntoIterator for &'a mut Timelines {
    type Item = &'a mut Timeline;
    type IntoIter = std::slice::IterMut<'a, Timeline>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

impl PartialEq for Timelines {
    fn eq(&self, other: &Self) -> bool {
        self.read() == other.read()
    }
}

impl fmt::Debug for Timelines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.read().fmt(f)
    }
}

impl Serialize for Timelines {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.read().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Timelines {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        at_most::<MOST_TIMELINES, _, Timeline>(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::codec::{self, StoredPhase};
    use crate::record::{PhaseName, PhaseRecord, PhaseSettings};

    fn settled() -> (PhaseRecord, PhaseRecord) {
        let began = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut phase = PhaseRecord::new(PhaseName::CREATE, began, PhaseSettings::default(), 3);
        phase.timelines[1].node = Some("node-1".into());
        let pieces = StoredPhase::new(&phase).unwrap().packed();
        let mut loaded = codec::decode_phase(phase.name, &pieces).unwrap();
        codec::settle(&mut loaded, pieces);
        (phase, loaded)
    }

    #[test]
    fn a_look_leaves_stored_timelines_packed_and_access_unpacks_them() {
        let (phase, loaded) = settled();
        assert_eq!((loaded.timelines.len(), loaded.timelines.are_open()), (3, false));
        assert_eq!(loaded, phase);
        assert_eq!(serde_json::to_value(&loaded).unwrap(), serde_json::to_value(&phase).unwrap());
        assert_eq!(format!("{loaded:?}"), format!("{phase:?}"));
        assert_eq!(loaded.timelines.read()[1].node.as_deref(), Some("node-1"));
        assert_eq!(loaded.look().participants().count(), 3);
        assert!(!loaded.timelines.are_open(), "a look leaves them as they are");
        assert_eq!(loaded.timelines[1].node.as_deref(), Some("node-1"));
        assert!(loaded.timelines.are_open());
        assert!(!loaded.clone().timelines.are_open(), "a clone has the packed form alone");
    }

    #[test]
    fn uids_are_read_from_packed_and_open_timelines_alike() {
        let (mut phase, _) = settled();
        phase.timelines[0].machine_uid = Some("m".into());
        phase.timelines[2].instance_uid = Some("i".into());
        let pieces = StoredPhase::new(&phase).unwrap().packed();
        let mut loaded = codec::decode_phase(phase.name, &pieces).unwrap();
        codec::settle(&mut loaded, pieces);
        let uids = loaded.timelines.uids();
        assert!(!loaded.timelines.are_open());
        assert_eq!(uids, phase.timelines.uids());
        assert_eq!((uids[0].machine_uid.as_deref(), uids[2].instance_uid.as_deref()), (Some("m"), Some("i")));
    }

    #[test]
    fn what_is_changed_is_not_read_from_the_packed_form_again() {
        let (_, mut loaded) = settled();
        loaded.timelines[2].node = Some("node-2".into());
        assert_eq!(loaded.clone().timelines.read()[2].node.as_deref(), Some("node-2"));
        loaded.timelines.truncate(1);
        assert_eq!((loaded.timelines.len(), loaded.clone().timelines.len()), (1, 1));
        assert_eq!(Timelines::default().len(), 0);
        let mut none = Timelines::default();
        none.push(Timeline::new(0));
        assert_eq!(none.len(), 1);
    }
}
