//! Merges the pieces of a stored phase. Its timelines stay text: decoded, those of thousands of VMs would be the most
//! memory that a process ever takes.

use std::collections::BTreeMap;

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

const TIMELINES: &str = "timelines";

/// A phase whose fields are text, the newest of each
///
/// Serializes as the phase. Pieces are added from the newest to the oldest, which is the phase as a whole.
pub(super) struct Merged {
    fields: BTreeMap<String, Box<RawValue>>,
    timelines: Vec<Option<Box<RawValue>>>,
}

#[derive(Deserialize)]
struct OfTarget {
    target: usize,
}

impl Merged {
    /// For a phase of this many VMs.
    pub(super) fn new(vms: usize) -> Self {
        Self { fields: BTreeMap::new(), timelines: vec![None; vms] }
    }

    /// Adds an older piece. Fails if it is no piece of the phase.
    pub(super) fn add(&mut self, json: &[u8]) -> Result<(), String> {
        let told = |error: serde_json::Error| error.to_string();
        let mut fields: BTreeMap<String, &RawValue> = serde_json::from_slice(json).map_err(told)?;
        let timelines = fields.remove(TIMELINES).ok_or("it has no timelines")?;
        if self.fields.is_empty() {
            self.fields = fields.into_iter().map(|(key, value)| (key, value.to_owned())).collect();
        }
        for timeline in serde_json::from_str::<Vec<&RawValue>>(timelines.get()).map_err(told)? {
            let OfTarget { target } = serde_json::from_str(timeline.get()).map_err(told)?;
            let count = self.timelines.len();
            let place = self.timelines.get_mut(target);
            place
                .ok_or_else(|| format!("it changes VM {} of {count}", target + 1))?
                .get_or_insert_with(|| timeline.to_owned());
        }
        Ok(())
    }

    /// Shortens the longest timelines until the phase has at most this many bytes: details of a VM are lost, its times
    /// and its outcome are not. Fails if that is not enough.
    pub(super) fn fit(&mut self, most: u64) -> Result<(), String> {
        // Quotes, colon and comma.
        let fields: usize = self.fields.iter().map(|(key, value)| key.len() + value.get().len() + 4).sum();
        let rest = fields + TIMELINES.len() + 8;
        let length =
            |timeline: &Option<Box<RawValue>>| timeline.as_ref().map_or(4, |raw| raw.get().len()) + 1;
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        if rest + self.timelines.iter().map(length).sum::<usize>() <= most {
            return Ok(());
        }
        let share = most.saturating_sub(rest) / self.timelines.len().max(1);
        for timeline in self.timelines.iter_mut().filter(|timeline| length(timeline) > share) {
            let Some(raw) = timeline else { continue };
            *raw = shortened(raw, share.saturating_sub(1))?;
        }
        Ok(())
    }

    /// Whether every VM has a timeline.
    pub(super) fn is_whole(&self) -> bool {
        self.timelines.iter().all(Option::is_some)
    }
}

/// Details of a timeline, the most dispensable first.
const DETAILS: [&str; 10] = [
    "warnings",
    "interruptions",
    "findings",
    "launcher",
    "answer",
    "resent_after",
    "reason",
    "probes",
    "stamps",
    "migration",
];

/// A text is cut to this many characters.
const SHORT: usize = 100;

/// A timeline without as many of its details as it takes to have this many bytes.
fn shortened(raw: &RawValue, most: usize) -> Result<Box<RawValue>, String> {
    let told = |error: serde_json::Error| error.to_string();
    let mut fields: Map<String, Value> = serde_json::from_str(raw.get()).map_err(told)?;
    let mut text = String::new();
    for detail in DETAILS {
        while let Some(value) = fields.get_mut(detail) {
            match value {
                // Halved, since each step writes it again; the first entries matter most.
                Value::Array(all) if all.len() > 1 => all.truncate(all.len() / 2),
                Value::String(long) if long.chars().nth(SHORT).is_some() => {
                    *long = long.chars().take(SHORT).collect();
                }
                Value::String(_) => break,
                _ => {
                    fields.remove(detail);
                }
            }
            text = serde_json::to_string(&fields).map_err(told)?;
            if text.len() <= most {
                return RawValue::from_string(text).map_err(told);
            }
        }
    }
    Err(format!(
        "one VM has {} bytes, of which only {most} could be read again",
        text.len().max(raw.get().len())
    ))
}

impl Serialize for Merged {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.fields.len() + 1))?;
        for (key, value) in &self.fields {
            map.serialize_entry(key, value)?;
        }
        map.serialize_entry(TIMELINES, &self.timelines)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_everything_stays_as_it_was_written() {
        let mut merged = Merged::new(2);
        merged.add(br#"{"name": "b", "timelines": [{"target": 1, "new": 1.50}]}"#).unwrap();
        assert!(!merged.is_whole());
        merged.add(br#"{"name": "a", "old": 1, "timelines": [{"target": 0}, {"target": 1}]}"#).unwrap();
        assert!(merged.is_whole());
        let text = serde_json::to_string(&merged).unwrap();
        assert_eq!(text, r#"{"name":"b","timelines":[{"target": 0},{"target": 1, "new": 1.50}]}"#);
    }

    #[test]
    fn what_is_no_piece_of_the_phase_is_refused() {
        for piece in ["", "{}", r#"{"timelines": [{}]}"#, r#"{"timelines": [{"target": 2}]}"#] {
            assert!(Merged::new(2).add(piece.as_bytes()).is_err(), "{piece}");
        }
    }
}
