//! CSV cells that no program mistakes for a formula, a number, a date or a truth value.

use std::net::IpAddr;

use bootstorm_model::text::line;

/// Words that some program does not read as text: truth values, nulls, days, months and units of time.
///
/// The HTML pages have the same list (`people/html/assets/base.js`).
pub const WORDS: &str = "true false t f yes no y n on off null none nan na inf infinity today tomorrow yesterday now noon \
    midnight eod eom eoy am pm monday tuesday wednesday thursday friday saturday sunday mon tue wed thu fri sat sun \
    january february march april may june july august september october november december jan feb mar apr jun jul aug \
    sep sept oct nov dec d h m s w q e x b o ms us ns min mins sec secs hr hrs hour hours day days week weeks month \
    months year years minute minutes second seconds";

/// A text as a cell of a column
///
/// If it begins like a formula (`=`, `+`, `-`, `@`, also in their full-width forms), or if some program reads it as a
/// number, a date, a duration or a truth value, it is prefixed with the name of the column: `vm:007`. The prefix
/// survives where quotes and apostrophes do not. Control characters are made visible, so that a row stays one line; a
/// tab or a line end therefore cannot hide a formula.
pub fn cell(column: &str, text: &str) -> String {
    let text = line(text);
    if is_formula(&text) || is_misread(&text) { format!("{column}:{text}") } else { text.into_owned() }
}

/// A text as a cell of a file whose readers expect it unchanged, unless it is a formula.
pub fn safe(column: &str, text: &str) -> String {
    let text = line(text);
    if is_formula(&text) { format!("{column}:{text}") } else { text.into_owned() }
}

fn is_formula(text: &str) -> bool {
    matches!(
        text.trim_start().chars().next(),
        Some('=' | '+' | '-' | '@' | '\u{ff1d}' | '\u{ff0b}' | '\u{ff0d}' | '\u{ff20}')
    )
}

/// Whether a text consists only of numbers and words of [`WORDS`].
fn is_misread(text: &str) -> bool {
    if text.parse::<IpAddr>().is_ok() {
        return false;
    }
    let is_hexadecimal = |digits: &str| !digits.is_empty() && digits.bytes().all(|c| c.is_ascii_hexdigit());
    if text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).is_some_and(is_hexadecimal) {
        return true;
    }
    let mut pieces = text.split(|c: char| !c.is_alphanumeric()).flat_map(runs).peekable();
    let is_other = |piece: &str| {
        piece.bytes().all(|c| c.is_ascii_digit())
            || WORDS.split_whitespace().any(|word| word.eq_ignore_ascii_case(piece))
    };
    pieces.peek().is_some() && pieces.all(is_other)
}

/// A word split where digits and letters meet.
fn runs(word: &str) -> impl Iterator<Item = &str> {
    let mut rest = word;
    std::iter::from_fn(move || {
        let is_digit = rest.chars().next()?.is_ascii_digit();
        let end = rest.find(|c: char| c.is_ascii_digit() != is_digit).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(end);
        rest = after;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_begins_a_formula() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\u{ff1d}1+1"] {
            assert_eq!(cell("reason", text), format!("reason:{text}"));
            assert_eq!(safe("Namespace", text), format!("Namespace:{text}"));
        }
        for text in ["\t=1", "\r=1", "\n=1", "\0=1"] {
            assert!(safe("x", text).starts_with('\\') && !cell("x", text).starts_with('='), "{text}");
        }
        assert_eq!(cell("x", "a\nb"), "a\\nb");
    }

    #[test]
    fn a_name_that_is_taken_for_something_else_has_its_column_before_it() {
        // Each was changed by pandas 3.1.1, polars 2.1.0, duckdb 2.0.1, csvkit 2.1.0 or Gnumeric 1.12.55.
        for name in [
            "3-4", "007", "1e5", "7e16", "no", "y", "0x1f", "0b1", "mar-3", "5-jan", "1-jan-26", "true",
            "nan", "null", "none", "na", "inf", "12-25", "2026-11", "1.2.3", "1d", "02d8h", "2w", "9y",
            "5am", "today", "mon", "may", "sept-1", "1hour", "2days", "00",
        ] {
            assert_eq!(cell("vm", name), format!("vm:{name}"));
            assert_eq!(safe("vm", name), name);
        }
        for name in [
            "",
            "boot-storm-test-1",
            "web-1",
            "vm-1",
            "node-1",
            "10.244.0.7",
            "fd00::1",
            "::1",
            "1a",
            "e2e-web",
            "market",
            "monday-web",
            "launcher pod crashed",
            "db2",
        ] {
            assert_eq!(cell("vm", name), name);
        }
    }

    #[test]
    fn pages_know_the_same_words() {
        let script = include_str!("people/html/assets/base.js");
        let begin = script.find("new Set('").unwrap() + 9;
        let words = &script[begin..begin + script[begin..].find('\'').unwrap()];
        assert_eq!(words.split(' ').collect::<Vec<_>>(), WORDS.split_whitespace().collect::<Vec<_>>());
    }
}
