//! Text and numbers for Markdown.

use bootstorm_model::text::printable;

/// Maximum length of a text; issues have a limit, and failure reasons have none.
const MOST: usize = 300;

/// A text as a code span that works inside tables too: no markup, no mention, no link.
pub(super) fn code(text: &str) -> String {
    let safe = shortened(text);
    let runs = safe.split(|character| character != '`').map(str::len);
    let fence = "`".repeat(runs.max().unwrap_or(0) + 1);
    // A cell ends at a bar even in code; the escape is removed before the code is read.
    let safe = safe.replace('|', "\\|");
    let space = if fence.len() > 1 || safe.is_empty() { " " } else { "" };
    format!("{fence}{space}{safe}{space}{fence}")
}

/// A sentence of ours, with everything escaped that could be markup.
pub(super) fn plain(text: &str) -> String {
    let mut escaped = String::new();
    for character in shortened(text).chars() {
        if matches!(character, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '@' | '&' | '~') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

fn shortened(text: &str) -> String {
    let safe = printable(text);
    match safe.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &safe[..end]),
        None => safe.into_owned(),
    }
}

/// Seconds for a cell.
pub(super) fn seconds(seconds: f64) -> String {
    format!("{seconds:.2} s")
}
