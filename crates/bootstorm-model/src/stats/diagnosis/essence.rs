//! Normalizes a message: the part that VMs with the same problem share, short enough for a line.

use std::borrow::Cow;

use crate::observe::Warning;

/// Maximum length of an essence.
const MOST: usize = 160;
/// Maximum number of scheduler reasons.
const MOST_REASONS: usize = 3;

/// One line for a warning: its reason and the essence of its message.
pub(super) fn of_warning(warning: &Warning) -> String {
    told(&warning.reason, &warning.message)
}

/// A word and the essence of the text that follows it.
pub(super) fn told(word: &str, message: &str) -> String {
    let essence = of(word, message);
    match (word.is_empty(), essence.is_empty()) {
        (true, _) => essence,
        (_, true) => word.to_owned(),
        _ => format!("{word}: {essence}"),
    }
}

fn of(word: &str, message: &str) -> String {
    let essence = match word {
        "FailedScheduling" | "Unschedulable" => scheduling(message),
        _ => without_value(first_sentence(refusal(message))).into_owned(),
    };
    super::super::reason::normalised(&clip(&essence))
}

/// Scheduling failures, extracted from `0/3 nodes are available: 2 Insufficient memory, 1 node(s) had untolerated taint
/// {a: b}. preemption: …`
fn scheduling(message: &str) -> String {
    let rest = message.split_once("nodes are available: ").map_or(message, |(_, rest)| rest);
    let mut reasons: Vec<&str> = Vec::new();
    for reason in first_sentence(rest).split(", ") {
        let without_count = reason.trim_start_matches(|c: char| c.is_ascii_digit()).trim();
        if !without_count.is_empty() && !reasons.contains(&without_count) {
            reasons.push(without_count);
        }
    }
    // Not in the scheduler's order, which follows the numbers of nodes.
    reasons.sort_unstable();
    let more = reasons.len().saturating_sub(MOST_REASONS);
    let shown = reasons[..reasons.len() - more].join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

/// Message of a quota, a limit or a webhook, without the pod's name and without totals.
fn refusal(message: &str) -> &str {
    let after = |end: &str| message.rfind(end).map(|start| start + end.len());
    let start = after("is forbidden: ").or_else(|| after(" is invalid: "));
    let words = &message[start.unwrap_or_default()..];
    if words.starts_with("exceeded quota") {
        words.split(", requested").next().unwrap_or(words)
    } else {
        words
    }
}

/// A field's fault without the value, which may be long: `spec.a: Invalid value: "300Mi": must be less`.
fn without_value(text: &str) -> Cow<'_, str> {
    let Some((field, value)) = text.split_once("Invalid value: ") else { return text.into() };
    let end = if value.starts_with('"') { "\": " } else { ": " };
    match value.split_once(end) {
        Some((_, fault)) => format!("{field}{fault}").into(),
        None => text.into(),
    }
}

/// The text up to the end of its first sentence; a dot in a name or a number does not end one.
fn first_sentence(text: &str) -> &str {
    let end = text.find(". ").unwrap_or(text.len());
    text[..end].trim().trim_end_matches('.')
}

pub(super) fn clip(text: &str) -> String {
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
