//! Examples in the help, wrapped to the terminal so that pasting them gives whole commands.

/// Indentation of continuation lines.
const REST: &str = "      ";

/// The text with its examples wrapped to this many columns, as far as words allow: commands continue after a backslash,
/// comments stay comments. Other text is unchanged.
pub(super) fn folded(text: &str, width: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut is_example = false;
    for line in text.replace("\\\n", "\u{0}").lines() {
        if !line.starts_with(' ') && !line.is_empty() {
            is_example = line == "Examples:";
        }
        let line = line.split('\u{0}').map(str::trim_end).collect::<Vec<_>>();
        let whole = line.iter().enumerate().map(|(at, part)| if at == 0 { *part } else { part.trim_start() });
        let whole = whole.collect::<Vec<_>>().join(" ");
        if !is_example || whole.chars().count() <= width && line.len() == 1 {
            lines.push(whole);
        } else if let Some(comment) = whole.trim_start().strip_prefix("# ") {
            let words: Vec<String> = comment.split(' ').map(str::to_owned).collect();
            lines.extend(filled("  # ", "  # ", "", &words, width));
        } else {
            lines.extend(filled("  ", REST, " \\", &units(&whole, width), width));
        }
    }
    lines.join("\n")
}

/// Wraps pieces into lines: the first line and the rest have different indents; all but the last end with `end`.
fn filled(first: &str, rest: &str, end: &str, pieces: &[String], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for (place, piece) in pieces.iter().enumerate() {
        let room = if place + 1 == pieces.len() { 0 } else { end.chars().count() };
        let is_empty = line.is_empty();
        if !is_empty && line.chars().count() + 1 + piece.chars().count() + room > width {
            lines.push(format!("{line}{end}"));
            line.clear();
        }
        match (line.is_empty(), lines.is_empty()) {
            (false, _) => line.push(' '),
            (true, true) => line.push_str(first),
            (true, false) => line.push_str(rest),
        }
        line.push_str(piece);
    }
    lines.push(line);
    lines
}

/// Units of a command that stay on one line: a flag with its value, or single words if that is too wide.
fn units(command: &str, width: usize) -> Vec<String> {
    let mut units: Vec<String> = Vec::new();
    for word in words(command.trim()) {
        let begins = word.starts_with(['-', '>', '|', '\\']);
        match units.last_mut().filter(|_| !begins) {
            Some(unit) if REST.len() + unit.chars().count() + 3 + word.chars().count() <= width => {
                unit.push(' ');
                unit.push_str(&word);
            }
            _ => units.push(word),
        }
    }
    units
}

/// The words of a command, each with its quotes.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for character in command.chars() {
        match (character, quote) {
            (' ', None) => {
                words.push(std::mem::take(&mut word));
                continue;
            }
            ('\'' | '"', None) => quote = Some(character),
            (character, Some(open)) if character == open => quote = None,
            _ => {}
        }
        word.push(character);
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_goes_on_after_a_backslash_and_a_comment_stays_one() {
        let text = "Examples:\n  # The same storm, on slow storage and with many VMs\n  \
                    kubectl bootstorm run --sandbox --goal 'a b c d' --dry-run\n\nExit codes:\n  0  all good, and more of it";
        let folds = "Examples:\n  # The same storm, on slow\n  # storage and with many VMs\n  kubectl bootstorm run \\\n      \
                     --sandbox \\\n      --goal 'a b c d' \\\n      --dry-run\n\nExit codes:\n  0  all good, and more of it";
        assert_eq!(folded(text, 30), folds);
        assert_eq!(folded(text, 100), text);
    }

    #[test]
    fn what_was_broken_by_hand_is_broken_anew() {
        let text = "Examples:\n  kubectl bootstorm dashboard --days 30 \\\n    --output-html a.html";
        assert_eq!(
            folded(text, 100),
            "Examples:\n  kubectl bootstorm dashboard --days 30 --output-html a.html"
        );
    }
}
