//! Documents for programs: JSON and YAML that are exact, and yet safe to print on a terminal.
//!
//! Every value reads back unchanged. Characters that could control a terminal are written as escapes, which JSON and
//! YAML both support.

use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};

use serde::Serialize;

use super::{Unwritable, block_style};
use bootstorm_model::text::is_unsafe;

/// Indented JSON with a final line end.
pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<String, Unwritable> {
    let mut text = Vec::new();
    write_json(value, &mut text).map_err(|cause| Unwritable::new("JSON", &cause))?;
    String::from_utf8(text).map_err(|cause| Unwritable::new("JSON", &cause))
}

/// Writes indented JSON with a final line end, incrementally: it may have tens of megabytes.
pub fn write_json<T: Serialize + ?Sized>(value: &T, to: &mut dyn Write) -> io::Result<()> {
    // A JSON writer writes every quotation mark separately; checking blocks is much faster.
    let mut pieces = BufWriter::new(Escaping(to));
    serde_json::to_writer_pretty(&mut pieces, value)?;
    pieces.write_all(b"\n")?;
    pieces.flush()
}

/// Escapes characters that control a terminal. Every write must be whole characters, as those of a JSON writer are, and any
/// number of them together.
struct Escaping<'a>(&'a mut dyn Write);

impl Write for Escaping<'_> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if is_plain(piece) {
            self.0.write_all(piece)?;
        } else {
            let text = std::str::from_utf8(piece).map_err(io::Error::other)?;
            self.0.write_all(escaped(text.to_owned(), steers).as_bytes())?;
        }
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// JSON without line ends.
pub(super) fn line<T: Serialize + ?Sized>(value: &T) -> Result<String, Unwritable> {
    let text = serde_json::to_string(value).map_err(|cause| Unwritable::new("JSON", &cause))?;
    Ok(escaped(text, is_unsafe))
}

/// YAML in block style.
pub fn yaml<T: Serialize + ?Sized>(value: &T) -> Result<String, Unwritable> {
    // One serializer for all types: one for each would be a tenth of the program.
    let value: &dyn erased_serde::Serialize = &value;
    block_style::to_string(value, steers).map_err(|cause| Unwritable::new("YAML", &cause))
}

/// Whether a text consists of printable ASCII and line ends only, as nearly all do; tests many bytes at a time.
fn is_plain(text: &[u8]) -> bool {
    let is_odd = |byte: &u8| !(0x20..0x7f).contains(byte) && *byte != b'\n';
    text.chunks(256).all(|chunk| !chunk.iter().fold(false, |odd, byte| odd | is_odd(byte)))
}

/// JSON with the characters selected by `picks` escaped. The text must contain such characters in strings only.
pub(super) fn escaped(text: String, picks: impl Fn(char) -> bool) -> String {
    if !text.contains(&picks) {
        return text;
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if picks(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(safe, "\\u{unit:04x}");
            }
        } else {
            safe.push(character);
        }
    }
    safe
}

/// Line ends outside strings are layout; those inside are already escaped by the writer.
fn steers(character: char) -> bool {
    character != '\n' && is_unsafe(character)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json as value};

    use super::*;

    const HOSTILE: [&str; 8] = [
        "\u{1b}]0;title\u{7}",
        "\u{9b}31m\u{85}\u{7f}",
        "a\u{202e}b\u{2028}c\u{feff}",
        "\0\r\n\t",
        "line\nline\u{202e}",
        "- x: &a *b !!c # d",
        "",
        "<script>alert(1)</script>",
    ];

    #[test]
    fn documents_hold_nothing_that_steers_and_read_back_exactly() {
        let document = value!({"texts": HOSTILE, "maps": HOSTILE.map(|text| value!({text: text}))});
        let json = json(&document).unwrap();
        let yaml = yaml(&document).unwrap();
        for text in [&json, &yaml] {
            assert!(!text.contains(steers), "{text}");
        }
        assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), document);
        assert_eq!(serde_saphyr::from_str::<Value>(&yaml).unwrap(), document);
    }

    #[test]
    fn each_text_alone_reads_back_from_yaml() {
        for text in HOSTILE {
            let yaml = yaml(&value!({"text": text})).unwrap();
            assert!(!yaml.contains(steers), "{yaml:?}");
            assert_eq!(serde_saphyr::from_str::<Value>(&yaml).unwrap(), value!({"text": text}), "{yaml}");
        }
    }
}
