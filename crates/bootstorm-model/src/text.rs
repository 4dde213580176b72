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

/// A number with at least so many decimals, and up to six if fewer would move it onto or across a limit.
///
/// The text never contradicts a judgement by these limits: 1.996 is `1.996` and not `2.00` where a grade begins at 2.
pub fn beside(value: f64, limits: &[f64], decimals: usize) -> String {
    let shown = |decimals: usize| format!("{value:.decimals$}");
    let is_true = |text: &String| {
        let rounded: f64 = text.parse().unwrap_or(value);
        limits.iter().all(|limit| rounded.partial_cmp(limit) == value.partial_cmp(limit))
    };
    (decimals..6).map(shown).find(is_true).unwrap_or_else(|| shown(6.max(decimals)))
}

/// A text with its numbers as `<n>`, and its UUIDs, hashes and random name suffixes as `<id>`
///
/// Units stay: `600s` becomes `<n>s`. Digits inside a word stay, since `worker2x` is a name.
pub fn normalised(text: &str) -> String {
    let mut common = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if !first.is_ascii_alphanumeric() {
            common.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        if let Some(after) = after_uuid(rest) {
            common.push_str("<id>");
            rest = after;
            continue;
        }
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        push_word(&mut common, word);
        rest = after;
    }
    common
}

fn push_word(text: &mut String, word: &str) {
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    let unit = &word[digits..];
    if is_hash(word) || text.ends_with('-') && is_random_ending(word) {
        text.push_str("<id>");
    } else if digits > 0 && unit.len() <= 3 && unit.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        // `1m30s` and `10.244.1.7` each have several parts, but count as one number.
        text.push_str("<n>");
        text.push_str(unit);
    } else {
        text.push_str(word);
    }
}

/// Rest of a text after a leading UUID.
fn after_uuid(text: &str) -> Option<&str> {
    let mut rest = text;
    for (index, length) in [8, 4, 4, 4, 12].into_iter().enumerate() {
        if index > 0 {
            rest = rest.strip_prefix('-')?;
        }
        let (part, after) = rest.split_at_checked(length)?;
        if !part.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        rest = after;
    }
    (!rest.starts_with(|c: char| c.is_ascii_alphanumeric())).then_some(rest)
}

/// Eight or more hexadecimal digits, with at least one letter and one figure: a digest, not a word or a number.
fn is_hash(word: &str) -> bool {
    word.len() >= 8
        && word.bytes().all(|byte| byte.is_ascii_hexdigit())
        && word.bytes().any(|byte| byte.is_ascii_digit())
        && word.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// The five characters that Kubernetes appends to generated names, from an alphabet without vowels.
fn is_random_ending(word: &str) -> bool {
    word.len() == 5 && word.bytes().all(|byte| b"bcdfghjklmnpqrstvwxz2456789".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_beside_a_limit_has_the_decimals_that_tell_them_apart() {
        assert_eq!(beside(1.996, &[2.0, 3.0], 2), "1.996");
        assert_eq!(beside(1.994, &[2.0, 3.0], 2), "1.99");
        assert_eq!(beside(2.0, &[2.0, 3.0], 2), "2.00");
        assert_eq!(beside(2.003, &[2.0], 2), "2.003");
        assert_eq!(beside(4.96, &[5.0], 1), "4.96");
        assert_eq!(beside(0.1 + 0.2, &[0.3], 1), "0.300000", "no text tells them apart");
        assert_eq!(beside(12.0, &[], 1), "12.0");
    }

    #[test]
    fn numbers_and_ids_are_replaced_and_words_are_not() {
        let cases = [
            ("not running after 600s", "not running after <n>s"),
            (
                "0/3 nodes are available: 3 Insufficient memory",
                "<n>/<n> nodes are available: <n> Insufficient memory",
            ),
            ("pod virt-launcher-boot-storm-vm-x7k2p is gone", "pod virt-launcher-boot-storm-vm-<id> is gone"),
            ("uid 6f1e0c1c-0d6a-4c7e-9c55-1b2f4a9d7e10 changed", "uid <id> changed"),
            ("dial tcp 10.244.1.7:8443: refused", "dial tcp <n>.<n>.<n>.<n>:<n>: refused"),
            (
                "namespace boot-storm-test-17, volume sha 9f86d081884c",
                "namespace boot-storm-test-<n>, volume sha <id>",
            ),
            ("ErrorUnschedulable: decade of cafe", "ErrorUnschedulable: decade of cafe"),
            ("über 2 µs", "über <n> µs"),
        ];
        for (given, expected) in cases {
            assert_eq!(normalised(given), expected);
        }
    }

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
