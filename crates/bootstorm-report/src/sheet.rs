//! Cells of CSV files: text that no spreadsheet takes for a formula.

use bootstorm_model::text::line;

/// A text as a cell
///
/// What begins like a formula (`=`, `+`, `-`, `@`, also in their wide forms) gets an apostrophe in front, which
/// spreadsheets take for "this is text". Control characters become visible, so that a row stays one line; a tab or
/// a line end in front of a formula therefore cannot hide it.
pub fn cell(text: &str) -> String {
    let text = line(text);
    let formula = matches!(
        text.trim_start().chars().next(),
        Some('=' | '+' | '-' | '@' | '\u{ff1d}' | '\u{ff0b}' | '\u{ff0d}' | '\u{ff20}')
    );
    if formula { format!("'{text}") } else { text.into_owned() }
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn no_cell_begins_a_formula() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "＝1+1"] {
            assert!(cell(text).starts_with('\''), "{text}");
        }
        for text in ["\t=1", "\r=1", "\n=1", "\0=1"] {
            assert!(cell(text).starts_with('\\'), "{text}");
        }
        assert_eq!(cell("boot-storm-test-1"), "boot-storm-test-1");
        assert_eq!(cell("a\nb"), "a\\nb");
        assert_eq!(cell(""), "");
    }
}
