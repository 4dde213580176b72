//! YAML errors, without quoting the text, which may hold passwords.

use serde_saphyr::Error;

/// Words shorter than this cannot reveal the text.
const SHORTEST_WORD: usize = 3;

/// One line: position and kind of the fault, without words of the text.
pub fn describe(error: &Error, text: &str) -> String {
    let error = error.without_snippet();
    let place = error
        .location()
        .map(|location| format!("line {}, column {}: ", location.line(), location.column()))
        .unwrap_or_default();
    format!("{place}{}", what(error, text))
}

fn what(error: &Error, text: &str) -> String {
    let fixed = match error {
        Error::UnknownAnchor { .. } => "an alias without its anchor; a value that begins with * needs quotes",
        Error::DuplicateMappingKey { .. } => "the same key twice",
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => "its aliases expand to too much",
        Error::Budget { .. } => "it is nested too deeply or too large",
        _ => return quoted_carefully(error, text),
    };
    fixed.to_owned()
}

/// The parser's own message, unless one of its words is also in the text and may have come from there.
fn quoted_carefully(error: &Error, text: &str) -> String {
    let message = error.to_string();
    let line = message.lines().next().unwrap_or_default();
    // The position is already given, and its numbers may occur anywhere in the text.
    let line = line.rsplit_once(" at line ").map_or(line, |(line, _)| line);
    let line = line.strip_prefix("error: ").unwrap_or(line);
    let line = match line.split_once(": ") {
        Some((place, rest)) if place.starts_with("line ") => rest,
        _ => line,
    };
    let mut words = line.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() >= SHORTEST_WORD);
    if text.is_empty() || words.any(|word| text.contains(word)) {
        "this is not valid YAML".to_owned()
    } else {
        line.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn fault(text: &str) -> String {
        describe(&serde_saphyr::from_multiple::<Value>(text).unwrap_err(), text)
    }

    #[test]
    fn the_place_is_told_and_the_text_is_not() {
        for text in [
            "password: *MARKER\n",
            "password: !MARKER!x y\n",
            "a: [MARKER\n",
            "MARKER: 1\nMARKER: 2\n",
            "password: 'MARKER\n",
            "password: \"MARKER\\q\"\n",
            "  MARKER\n a: MARKER: b\n",
            "%MARKER\n---\na: %MARKER\n",
            "a: @MARKER\n",
            "a: `MARKER`\n",
            "a: &MARKER &MARKER b\n",
            "? MARKER\n: - MARKER\n  b\n",
            "a: |9MARKER\n  x\n",
            "<<: MARKER\n",
            "a: !!binary MARKER%\n",
            "a: !!int MARKER\n",
            "a: ${MARKER}\n b: [\n",
        ] {
            match serde_saphyr::from_multiple::<Value>(text) {
                Ok(_) => {}
                Err(error) => {
                    let told = describe(&error, text);
                    assert!(!told.contains("MARKER") && told.lines().count() == 1, "{told}");
                    assert!(!describe(&error, "").contains("MARKER"));
                }
            }
        }
    }

    #[test]
    fn common_faults_are_explained() {
        assert!(fault("password: *hunter2\n").contains("line 1, column 11: an alias without its anchor"));
        assert!(fault("a: 1\na: 2\n").contains("the same key twice"));
        let deep = "[".repeat(10_000);
        assert!(fault(&deep).contains("line"), "{}", fault(&deep));
    }
}
