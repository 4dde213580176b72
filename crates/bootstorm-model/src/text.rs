//! Text from a cluster, made safe for a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Maximum number of characters of one text in a message, a log line or a cell.
///
/// An API server may answer with megabytes; the beginning is what matters.
pub const LONGEST: usize = 2_000;

/// Escapes everything in a text that could move the cursor, change colours or reorder the line.
///
/// Control characters (C0, DEL, C1), line and paragraph separators, bidirectional controls and invisible characters
/// become `\ `, `\r`, `\t` or `\u{…}`. A VM's failure reason is written by the cluster, and so by anyone who can create
/// a VM. Idempotent.
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

/// The text as one printable line, cut with `…` after [`LONGEST`] characters.
pub fn line(text: &str) -> Cow<'_, str> {
    match clip(text, LONGEST) {
        Cow::Borrowed(whole) => printable(whole),
        Cow::Owned(clipped) => Cow::Owned(printable(&clipped).into_owned()),
    }
}

/// The first `most` characters; a cut is marked with `…`.
pub fn clip(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// Whether a character must not reach a terminal unescaped.
pub fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{61c}' | '\u{200e}' | '\u{200f}')
        || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || matches!(character, '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
        || matches!(character, '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_not_copied() {
        assert!(matches!(line("pod unschedulable: 0/3 nodes – ümlaut 虚拟机"), Cow::Borrowed(_)));
    }

    #[test]
    fn escape_sequences_and_line_ends_become_visible() {
        assert_eq!(printable("\u{1b}[31mred\r\n\u{9b}2J\u{202e}x"), r"\u{1b}[31mred\r\n\u{9b}2J\u{202e}x");
        assert_eq!(
            printable("\0\u{1b}]0;title\u{7}\u{feff}\u{e0041}"),
            r"\u{0}\u{1b}]0;title\u{7}\u{feff}\u{e0041}"
        );
    }

    #[test]
    fn twice_is_once() {
        let once = printable("\u{1b}\n\u{202e}").into_owned();
        assert_eq!(printable(&once), once);
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let shown = line(&"ü".repeat(1_000_000)).into_owned();
        assert_eq!(shown.chars().count(), LONGEST + 1);
        assert!(shown.ends_with('…'));
        assert_eq!(line(&"ü".repeat(LONGEST)).chars().count(), LONGEST);
    }
}
