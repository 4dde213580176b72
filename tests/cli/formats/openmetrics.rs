//! A strict reader of the `OpenMetrics` text format, as far as we use it.

use std::collections::HashSet;

/// Asserts that a text follows the grammar and the rules about families.
#[track_caller]
pub(super) fn check(text: &str) {
    let body = text.strip_suffix("# EOF\n").expect("it ends with # EOF and a line end");
    let (mut families, mut series) = (HashSet::new(), HashSet::new());
    let (mut family, mut kind, mut unit) = (String::new(), String::new(), String::new());
    for line in body.lines() {
        if let Some(meta) = line.strip_prefix("# ") {
            let mut words = meta.splitn(3, ' ');
            let (word, name) = (words.next().unwrap(), words.next().unwrap());
            let rest = words.next().unwrap_or_else(|| panic!("nothing behind {line}"));
            if word == "TYPE" {
                assert!(families.insert(name.to_owned()), "the family {name} is interrupted");
                assert!(["gauge", "counter", "info", "stateset"].contains(&rest), "{line}");
                (family, kind, unit) = (name.to_owned(), rest.to_owned(), String::new());
            }
            assert_eq!(name, family, "metadata of another family: {line}");
            match word {
                "TYPE" | "HELP" => {}
                "UNIT" => rest.clone_into(&mut unit),
                _ => panic!("unknown metadata {line}"),
            }
            assert!(unit.is_empty() || family.ends_with(&format!("_{unit}")), "{line}");
            continue;
        }
        let (name, labels, value) = sample(line);
        let suffix = match kind.as_str() {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        assert_eq!(name, format!("{family}{suffix}"), "a sample of another family: {line}");
        let number: f64 =
            value.replace("+Inf", "inf").parse().unwrap_or_else(|_| panic!("no number: {line}"));
        match kind.as_str() {
            "counter" => assert!(number >= 0.0 && number.is_finite(), "{line}"),
            "info" => assert_eq!(value, "1", "{line}"),
            "stateset" => {
                assert!(["0", "1"].contains(&value), "{line}");
                assert!(labels.iter().any(|(label, _)| *label == family), "{line}");
            }
            _ => assert!(!number.is_nan(), "{line}"),
        }
        let names: HashSet<&String> = labels.iter().map(|(label, _)| label).collect();
        assert_eq!(names.len(), labels.len(), "a label twice: {line}");
        assert!(series.insert((name.to_owned(), labels)), "a series twice: {line}");
    }
    assert!(!series.is_empty());
}

type Labels = Vec<(String, String)>;

/// Splits `name{label="value",…} number`.
fn sample(line: &str) -> (&str, Labels, &str) {
    let (name, rest) = line.split_once('{').unwrap_or_else(|| panic!("no labels: {line}"));
    assert!(is_name(name), "{line}");
    let mut labels = Vec::new();
    let mut rest = rest;
    loop {
        let (label, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("no label: {line}"));
        assert!(is_name(label) && !label.contains(':') && !label.starts_with("__"), "{line}");
        let mut value = String::new();
        let mut characters = after.char_indices();
        let end = loop {
            match characters.next().unwrap_or_else(|| panic!("an open quote: {line}")) {
                (at, '"') => break at,
                (_, '\\') => match characters.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, escaped @ ('"' | '\\'))) => value.push(escaped),
                    other => panic!("escape {other:?} in {line}"),
                },
                (_, character) => value.push(character),
            }
        };
        labels.push((label.to_owned(), value));
        rest = &after[end + 1..];
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => break,
        }
    }
    let value = rest.strip_prefix("} ").unwrap_or_else(|| panic!("no value: {line}"));
    (name, labels, value)
}

fn is_name(name: &str) -> bool {
    let first = name.chars().next().is_some_and(|first| first.is_ascii_alphabetic() || "_:".contains(first));
    first && name.chars().all(|character| character.is_ascii_alphanumeric() || "_:".contains(character))
}
