//! Failures by reason: the same problem of many VMs is one line, whatever names and numbers it mentions.

use std::collections::BTreeMap;

pub use crate::text::normalised;

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

/// A reason for display: differences between VMs become an ellipsis.
pub fn shown(reason: &str) -> String {
    reason.replace("<n>", "…").replace("<id>", "…")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
