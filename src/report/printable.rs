//! Text from a cluster, made safe for a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The text with everything that could move the cursor, change colours or reorder the line written as an escape
///
/// Control characters (C0, DEL, C1), line and paragraph separators, and the bidirectional controls become
/// `\n`, `\r`, `\t` or `\u{…}`. A VM's failure reason is written by the cluster, so by anyone who can create a VM.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '\n' | '\r' | '\t' => safe.extend(character.escape_default()),
            character if is_unsafe(character) => {
                // Writing to a string cannot fail.
                let _ = write!(safe, "\\u{{{:x}}}", u32::from(character));
            }
            character => safe.push(character),
        }
    }
    Cow::Owned(safe)
}

fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{61c}' | '\u{200e}' | '\u{200f}')
        || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_not_copied() {
        assert!(matches!(printable("pod unschedulable: 0/3 nodes – ümlaut"), Cow::Borrowed(_)));
    }

    #[test]
    fn escape_sequences_and_line_ends_become_visible() {
        assert_eq!(printable("\u{1b}[31mred\r\n\u{9b}2J\u{202e}x"), r"\u{1b}[31mred\r\n\u{9b}2J\u{202e}x");
    }
}
