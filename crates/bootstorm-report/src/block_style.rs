//! YAML in block style for the documents that `serde_json` would write, at the same speed.
//!
//! A text stays plain if no YAML reader, of version 1.1 or 1.2, can mistake it for anything else; every other text is
//! quoted with the escapes of JSON, which YAML supports too. Numbers have no exponent, which readers of version 1.1
//! mistake for text.

use std::io;

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter};

/// Writes a value as a YAML document that ends with a line end; characters selected by `picks` are escaped.
pub(super) fn to_string(
    value: &(impl Serialize + ?Sized),
    picks: fn(char) -> bool,
) -> Result<String, serde_json::Error> {
    let mut bytes = Vec::with_capacity(4096);
    value.serialize(&mut Serializer::with_formatter(&mut bytes, BlockStyle::new(picks)))?;
    bytes.push(b'\n');
    String::from_utf8(bytes).map_err(serde::ser::Error::custom)
}

/// Text on the line before a value
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Nothing: the value is the document.
    Nothing,
    /// Its key and a colon.
    Key,
    /// The dash of its item.
    Dash,
}

/// A mapping or a sequence being written
#[derive(Clone, Copy)]
struct Open {
    before: Before,
    indent: usize,
    is_empty: bool,
}

/// State of a document being written
struct BlockStyle {
    picks: fn(char) -> bool,
    open: Vec<Open>,
    before: Before,
    is_key: bool,
    /// The current text, with the escapes of JSON.
    text: Vec<u8>,
    is_text: bool,
    is_escaped: bool,
}

impl BlockStyle {
    fn new(picks: fn(char) -> bool) -> Self {
        Self {
            picks,
            open: Vec::new(),
            before: Before::Nothing,
            is_key: false,
            text: Vec::new(),
            is_text: false,
            is_escaped: false,
        }
    }

    /// Opens a mapping, or a sequence, whose dashes need no indentation below a key.
    fn begin(&mut self, is_sequence: bool) {
        let outer = self.open.last().map_or(0, |open| open.indent);
        let indent = match self.before {
            Before::Nothing => 0,
            Before::Key if is_sequence => outer,
            Before::Key | Before::Dash => outer + 2,
        };
        self.open.push(Open { before: self.before, indent, is_empty: true });
    }

    /// Begins an entry of the innermost collection: the first one may follow a dash.
    fn entry<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        let Some(open) = self.open.last_mut() else { return Ok(()) };
        let first = std::mem::replace(&mut open.is_empty, false);
        match open.before {
            Before::Nothing if first => Ok(()),
            Before::Dash if first => writer.write_all(b" "),
            _ => {
                writer.write_all(b"\n")?;
                indent(writer, open.indent)
            }
        }
    }

    fn end<W: ?Sized + io::Write>(&mut self, writer: &mut W, empty: &[u8]) -> io::Result<()> {
        let Some(open) = self.open.pop().filter(|open| open.is_empty) else { return Ok(()) };
        gap(writer, open.before)?;
        writer.write_all(empty)
    }

    /// Writes a value that is not a text; as a key, it becomes one.
    fn scalar<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: &[u8]) -> io::Result<()> {
        if self.is_text {
            self.text.extend_from_slice(value);
            return Ok(());
        }
        gap(writer, self.before)?;
        writer.write_all(value)
    }

    /// The text with additional escapes.
    fn picked(&self) -> Option<String> {
        let text = std::str::from_utf8(&self.text)
            .ok()
            .filter(|text| !text.is_ascii() || text.contains(self.picks))?;
        let mut safe = String::with_capacity(text.len() + 16);
        for character in text.chars() {
            match character {
                character if !(self.picks)(character) => safe.push(character),
                character if u32::from(character) > 0xffff => {
                    safe.push_str(&format!("\\U{:08x}", u32::from(character)));
                }
                character => safe.push_str(&format!("\\u{:04x}", u32::from(character))),
            }
        }
        Some(safe)
    }
}

fn indent<W: ?Sized + io::Write>(writer: &mut W, mut columns: usize) -> io::Result<()> {
    const SPACES: &[u8; 32] = &[b' '; 32];
    while columns > 0 {
        let some = columns.min(SPACES.len());
        writer.write_all(&SPACES[..some])?;
        columns -= some;
    }
    Ok(())
}

fn gap<W: ?Sized + io::Write>(writer: &mut W, before: Before) -> io::Result<()> {
    if before == Before::Nothing { Ok(()) } else { writer.write_all(b" ") }
}

/// Whether an unquoted text can only be read as itself.
fn is_plain(text: &[u8]) -> bool {
    const WORDS: [&[u8]; 9] = [b"null", b"true", b"false", b"yes", b"no", b"on", b"off", b"y", b"n"];
    let inside = |byte: &u8| byte.is_ascii_alphanumeric() || b" _-./+%()".contains(byte);
    text.first().is_some_and(u8::is_ascii_alphabetic)
        && text.last().is_some_and(|last| *last != b' ')
        && text.iter().all(inside)
        && !WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// A number without an exponent, and with a decimal point.
fn decimal(value: f64) -> String {
    let text = value.to_string();
    if text.contains('.') { text } else { text + ".0" }
}

macro_rules! integers {
    ($($name:ident: $type:ty,)*) => {
        $(fn $name<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: $type) -> io::Result<()> {
            let mut digits = [0; 40];
            let length = {
                let mut rest = &mut digits[..];
                io::Write::write_fmt(&mut rest, format_args!("{value}"))?;
                40 - rest.len()
            };
            self.scalar(writer, &digits[..length])
        })*
    };
}

impl Formatter for BlockStyle {
    fn write_null<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.scalar(writer, b"null")
    }

    fn write_bool<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: bool) -> io::Result<()> {
        self.scalar(writer, if value { b"true" } else { b"false" })
    }

    integers! {
        write_i8: i8,
        write_i16: i16,
        write_i32: i32,
        write_i64: i64,
        write_i128: i128,
        write_u8: u8,
        write_u16: u16,
        write_u32: u32,
        write_u64: u64,
        write_u128: u128,
    }

    fn write_f32<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f32) -> io::Result<()> {
        self.scalar(writer, decimal(f64::from(value)).as_bytes())
    }

    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        self.scalar(writer, decimal(value).as_bytes())
    }

    fn write_number_str<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: &str) -> io::Result<()> {
        self.scalar(writer, value.as_bytes())
    }

    fn write_raw_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, json: &str) -> io::Result<()> {
        // JSON is YAML in flow style.
        self.scalar(writer, json.as_bytes())
    }

    fn begin_string<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.text.clear();
        (self.is_text, self.is_escaped) = (true, false);
        Ok(())
    }

    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, _: &mut W, fragment: &str) -> io::Result<()> {
        self.text.extend_from_slice(fragment.as_bytes());
        Ok(())
    }

    fn write_char_escape<W: ?Sized + io::Write>(&mut self, _: &mut W, escape: CharEscape) -> io::Result<()> {
        self.is_escaped = true;
        CompactFormatter.write_char_escape(&mut self.text, escape)
    }

    fn end_string<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.is_text = false;
        if !self.is_key {
            gap(writer, self.before)?;
        }
        if !self.is_escaped && is_plain(&self.text) {
            return writer.write_all(&self.text);
        }
        writer.write_all(b"\"")?;
        match self.picked() {
            Some(safe) => writer.write_all(safe.as_bytes())?,
            None => writer.write_all(&self.text)?,
        }
        writer.write_all(b"\"")
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.begin(true);
        Ok(())
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.end(writer, b"[]")
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, _: bool) -> io::Result<()> {
        self.entry(writer)?;
        self.before = Before::Dash;
        writer.write_all(b"-")
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.begin(false);
        Ok(())
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.end(writer, b"{}")
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, _: bool) -> io::Result<()> {
        self.is_key = true;
        self.entry(writer)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.is_key = false;
        self.before = Before::Key;
        writer.write_all(b":")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use bootstorm_model::text::is_unsafe;

    use super::*;

    fn yaml(value: &Value) -> String {
        to_string(value, |character| character == '\u{202e}').unwrap()
    }

    #[test]
    fn documents_look_as_people_write_them() {
        let document = json!({
            "name": "storm-1",
            "empty": {"list": [], "map": {}},
            "rows": [{"vm": "a", "times": [1.5, 1e-7, 3]}, [[1], []], "yes", "12", "two words", null, true],
            "odd key: x": "line\nline",
            "direction": "a\u{202e}b",
        });
        let expected = "\
direction: \"a\\u202eb\"
empty:
  list: []
  map: {}
name: storm-1
odd key: x
rows:
- times:
  - 1.5
  - 0.0000001
  - 3
  vm: a
- - - 1
  - []
- \"yes\"
- \"12\"
- two words
- null
- true
";
        let text = yaml(&document).replace("\"odd key: x\": \"line\\nline\"", "odd key: x");
        assert_eq!(text, expected);
    }

    #[test]
    fn documents_that_are_no_mapping_are_documents_too() {
        for (value, text) in
            [(json!([]), "[]\n"), (json!({}), "{}\n"), (json!("a"), "a\n"), (json!([1, [2]]), "- 1\n- - 2\n")]
        {
            assert_eq!(yaml(&value), text);
        }
        let numbered = std::collections::BTreeMap::from([(1, "a"), (22, "b")]);
        assert_eq!(to_string(&numbered, |_| false).unwrap(), "\"1\": a\n\"22\": b\n");
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            "[a-z]{0,5}",
            ".{0,8}",
            "[-?:,#&*!|>'\"%@ \\[\\]{}~=<.0-9eE+]{0,5}",
            "(?i)(true|no|null|y|on|\\.inf|0x1f|1e3|2001-01-01|<<)"
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1e12..1e12f64).prop_map(Value::from),
            text.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(text.clone(), inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_document_reads_back_as_it_was(value in any_value()) {
            let text = to_string(&value, |character| character != '\n' && is_unsafe(character)).unwrap();
            let read: Value = serde_saphyr::from_str(&text)
                .map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
            prop_assert_eq!(read, value, "{}", text);
        }
    }
}
