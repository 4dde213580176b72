//! Failures by reason: the same problem of many VMs is one line, whatever names and numbers it mentions.

use std::collections::BTreeMap;

/// VMs that failed for the same reason
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReasonGroup {
    /// Reason: verbatim if it is the same for all VMs, otherwise with `<n>` and `<id>` for the differences.
    pub reason: String,
    /// Positions of the VMs in the grouped sequence, in order.
    pub members: Vec<usize>,
}

/// Label for VMs without a reason.
const NO_REASON: &str = "no reason was found";

/// Groups reasons, the most frequent first, equally frequent ones alphabetically.
pub fn group<'a>(reasons: impl IntoIterator<Item = Option<&'a str>>) -> Vec<ReasonGroup> {
    let mut groups: BTreeMap<String, (Option<&str>, Vec<usize>)> = BTreeMap::new();
    for (position, reason) in reasons.into_iter().enumerate() {
        let reason = reason.filter(|reason| !reason.is_empty()).unwrap_or(NO_REASON);
        let (words, members) = groups.entry(normalised(reason)).or_insert((Some(reason), Vec::new()));
        if *words != Some(reason) {
            *words = None;
        }
        members.push(position);
    }
    let mut groups: Vec<ReasonGroup> = groups
        .into_iter()
        .map(|(common, (words, members))| ReasonGroup {
            reason: words.map_or(common, str::to_owned),
            members,
        })
        .collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.members.len()));
    groups
}

/// A reason with its numbers as `<n>`, and its UUIDs, hashes and random name suffixes as `<id>`
///
/// Units stay: `600s` becomes `<n>s`. Digits inside a word stay, since `worker2x` is a name.
pub fn normalised(reason: &str) -> String {
    let mut text = String::with_capacity(reason.len());
    let mut rest = reason;
    while let Some(first) = rest.chars().next() {
        if !first.is_ascii_alphanumeric() {
            text.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        if let Some(after) = after_uuid(rest) {
            text.push_str("<id>");
            rest = after;
            continue;
        }
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        push_word(&mut text, word);
        rest = after;
    }
    text
}

/// A reason for display: differences between VMs become an ellipsis.
pub fn shown(reason: &str) -> String {
    reason.replace("<n>", "…").replace("<id>", "…")
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
    use proptest::prelude::*;

    use super::*;

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
    fn a_group_of_equal_words_keeps_them_and_the_largest_comes_first() {
        let reasons = [
            Some("still Scheduling after 600s"),
            Some("VM a-1 crashed"),
            None,
            Some("VM a-2 crashed"),
            Some("VM a-3 crashed"),
            Some("still Scheduling after 600s"),
        ];
        let groups: Vec<_> = group(reasons).into_iter().map(|group| (group.reason, group.members)).collect();
        assert_eq!(
            groups,
            [
                ("VM a-<n> crashed".to_owned(), vec![1, 3, 4]),
                ("still Scheduling after 600s".to_owned(), vec![0, 5]),
                ("no reason was found".to_owned(), vec![2]),
            ]
        );
    }

    proptest! {
        #[test]
        fn any_text_is_taken_and_a_second_time_changes_nothing(reason in "[a-z0-9 äß<>/:.-]{0,60}") {
            let once = normalised(&reason);
            prop_assert_eq!(normalised(&once), once);
        }

        #[test]
        fn nobody_is_lost(reasons in prop::collection::vec(prop::option::of("[a-c1 ]{0,4}"), 0..30)) {
            let groups = group(reasons.iter().map(Option::as_deref));
            let mut members: Vec<usize> = groups.into_iter().flat_map(|group| group.members).collect();
            members.sort_unstable();
            prop_assert_eq!(members, (0..reasons.len()).collect::<Vec<_>>());
        }
    }
}
