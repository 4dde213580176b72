//! The JSON text of an object, written as far as it differs from the version before.

use crate::value::{Map, Value};
use bytes::Bytes;

/// Most objects have at most this many bytes of text.
const MOSTLY: usize = 8 * 1024;

/// The text of an object, and where the values of its fields are
#[derive(Debug)]
pub(super) struct Text {
    bytes: Bytes,
    fields: Vec<Field>,
}

/// The value of a field
#[derive(Debug, Clone)]
struct Field {
    from: u32,
    to: u32,
    /// The values of its own fields, counted from its beginning; those of theirs are not kept.
    fields: Vec<Field>,
}

impl Text {
    /// Writes an object. What it shares with the version before is copied from that one's text.
    pub(super) fn new(value: &Value, before: Option<(&Value, &Self)>) -> Self {
        let mut bytes = Vec::with_capacity(before.map_or(MOSTLY, |(_, text)| text.bytes.len() + MOSTLY / 16));
        let old = before.and_then(|(value, text)| Some((value.as_object()?, &*text.fields, &*text.bytes)));
        let fields = match value {
            Value::Object(fields) => write(&mut bytes, fields, old, 2),
            other => {
                plain(&mut bytes, other);
                Vec::new()
            }
        };
        bytes.shrink_to_fit();
        Self { bytes: bytes.into(), fields }
    }

    pub(super) fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

/// An object as it was: its fields, where their values are, and its text, in which these are counted.
type Old<'a> = (&'a Map, &'a [Field], &'a [u8]);

/// Writes an object, looking into values down to a depth.
fn write(bytes: &mut Vec<u8>, fields: &Map, old: Option<Old<'_>>, depth: u32) -> Vec<Field> {
    let begin = bytes.len();
    let mut places = Vec::with_capacity(fields.len());
    // Both are in the order of their names.
    let mut old_fields = old.into_iter().flat_map(|(map, places, _)| map.iter().zip(places)).peekable();
    let old_text = old.map_or(&[][..], |(_, _, text)| text);
    bytes.push(b'{');
    for (name, value) in fields.iter() {
        if bytes.len() > begin + 1 {
            bytes.push(b',');
        }
        plain(bytes, name.as_str());
        bytes.push(b':');
        while old_fields.next_if(|((old, _), _)| *old < name).is_some() {}
        let was = old_fields.next_if(|((old, _), _)| *old == name);
        let was =
            was.map(|((_, value), place)| (value, place, &old_text[place.from as usize..place.to as usize]));
        let from = bytes.len();
        let inner = match (value, was) {
            (value, Some((old, place, text))) if value.is_same(old) => {
                bytes.extend_from_slice(text);
                place.fields.clone()
            }
            (Value::Object(fields), was) if depth > 1 => {
                let was = was.and_then(|(old, place, text)| Some((old.as_object()?, &*place.fields, text)));
                write(bytes, fields, was, depth - 1)
            }
            _ => {
                plain(bytes, value);
                Vec::new()
            }
        };
        let (from, to) = ((from - begin) as u32, (bytes.len() - begin) as u32);
        places.push(Field { from, to, fields: inner });
    }
    bytes.push(b'}');
    places
}

fn plain<T: serde::Serialize + ?Sized>(bytes: &mut Vec<u8>, value: &T) {
    // Writing values into memory cannot fail.
    let _ = serde_json::to_writer(bytes, value);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::value::json;

    fn texts(versions: &[Value]) {
        let mut before: Option<(&Value, Text)> = None;
        for value in versions {
            let text = Text::new(value, before.as_ref().map(|(value, text)| (*value, text)));
            assert_eq!(text.bytes, value.to_string().as_bytes());
            before = Some((value, text));
        }
    }

    #[test]
    fn a_version_reads_as_if_written_anew() {
        let first =
            json!({"a": {"x": {"deep": [1]}, "y": "\u{1}\"", "z": {}}, "b": [], "c": {"k": {"l": 1}}});
        let mut versions = vec![first];
        let mut change = |edit: &dyn Fn(&mut Value)| {
            let mut next = versions.last().unwrap().clone();
            edit(&mut next);
            versions.push(next);
        };
        change(&|v| v["a"]["y"] = json!("longer than before"));
        change(&|v| v["a"]["x"]["deep"] = json!([1, 2]));
        change(&|v| v["a"]["w"] = json!({"new": true}));
        change(&|v| v["aa"] = json!(null));
        change(&|v| v["c"]["k"]["l"] = json!(2));
        change(&|v| v["c"] = json!("no object any more"));
        change(&|v| v["c"] = json!({"k": {"l": 2}}));
        change(&|v| {
            v["a"].as_object_mut().unwrap().remove("x");
        });
        change(&|v| *v = json!([v.clone()]));
        change(&|v| *v = json!({}));
        texts(&versions);
    }

    proptest! {
        #[test]
        fn any_changes_give_the_text_of_the_value(
            changes in prop::collection::vec((0_usize..4, 0_usize..4, 0_usize..4, 0_i32..5), 0..40),
        ) {
            let names = ["a", "bb", "c", "\u{e9}\""];
            let mut versions = vec![json!({})];
            for (one, two, three, what) in changes {
                let mut next = versions.last().unwrap().clone();
                let field = match what {
                    0 => { next.as_object_mut().unwrap().remove(names[one]); None }
                    1 => { next[names[one]] = json!(what); None }
                    2 => Some(&mut next[names[one]]),
                    _ => Some(&mut next[names[one]][names[two]]),
                };
                if let Some(field) = field {
                    *field = json!({"x": [what]});
                    field[names[three]] = json!(what);
                }
                versions.push(next);
            }
            texts(&versions);
        }
    }
}
