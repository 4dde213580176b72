//! Natural order: `boot-storm-test-2` before `boot-storm-test-10`.

use std::cmp::Ordering;

/// Compares two names: runs of digits by value, everything else by bytes.
pub(super) fn compare(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left.as_bytes(), right.as_bytes());
    while let (Some(a), Some(b)) = (left.first(), right.first()) {
        let order = if a.is_ascii_digit() && b.is_ascii_digit() {
            by_value(take_digits(&mut left), take_digits(&mut right))
        } else {
            (left, right) = (&left[1..], &right[1..]);
            a.cmp(b)
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    left.len().cmp(&right.len())
}

/// Splits off the leading digits.
fn take_digits<'a>(text: &mut &'a [u8]) -> &'a [u8] {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    *text = rest;
    digits
}

/// Compares by value without parsing a number, which might be too long for any integer; then fewer leading zeros first.
fn by_value(left: &[u8], right: &[u8]) -> Ordering {
    let significant = |digits: &[u8]| digits.iter().position(|digit| *digit != b'0').unwrap_or(digits.len());
    let (a, b) = (&left[significant(left)..], &right[significant(right)..]);
    a.len().cmp(&b.len()).then_with(|| a.cmp(b)).then_with(|| left.len().cmp(&right.len()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_inside_names_sort_by_value() {
        let mut names = ["t-10", "t-2", "t-1", "t", "t-02", "u-1", "t-2-b", "t-2-a10", "t-2-a9"];
        names.sort_by(|a, b| compare(a, b));
        assert_eq!(names, ["t", "t-1", "t-2", "t-2-a9", "t-2-a10", "t-2-b", "t-02", "t-10", "u-1"]);
    }

    proptest! {
        #[test]
        fn is_a_total_order(mut names in prop::collection::vec("[a0-2-]{0,5}", 0..12)) {
            names.sort_by(|a, b| compare(a, b));
            for (index, name) in names.iter().enumerate() {
                for later in &names[index..] {
                    prop_assert_ne!(compare(name, later), Ordering::Greater);
                }
            }
        }
    }
}
