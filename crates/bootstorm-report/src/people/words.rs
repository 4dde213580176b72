//! Formatting of numbers and counts in sentences.

use bootstorm_model::stats::Quantile;

/// `12.34s`.
pub(crate) fn seconds(seconds: f64) -> String {
    format!("{seconds:.2}s")
}

/// Human-readable seconds: `10s`, `1.5s`.
pub(crate) fn plain_seconds(seconds: f64) -> String {
    format!("{seconds}s")
}

/// `12.34s`, or `-` if unknown.
pub(crate) fn maybe_seconds(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), seconds)
}

/// `12.34s`, or `not reached`.
pub(crate) fn quantile(quantile: Quantile) -> String {
    quantile.missing().map_or_else(|| maybe_seconds(quantile.seconds()), str::to_owned)
}

/// Why a phase has no recovery.
pub(crate) const START_UNKNOWN: &str = "The recovery is unknown: the first request was sent by a process that was killed before it saved the time.";

/// `1 VM`, `2 VMs`.
pub(crate) fn count(n: impl TryInto<u64>, noun: &str) -> String {
    match n.try_into().unwrap_or(u64::MAX) {
        1 => format!("1 {noun}"),
        n => format!("{n} {noun}s"),
    }
}

/// `1 VM`, `2 VMs`.
pub(crate) fn vms(n: usize) -> String {
    count(n, "VM")
}

/// Number of items to show of `all` where `most` have room: a line that says "and 1 more" has room for the last one.
pub(crate) fn shown(all: usize, most: usize) -> usize {
    if all == most + 1 { all } else { most.min(all) }
}

/// A sentence with an initial capital.
pub(crate) fn capital(text: &str) -> String {
    let mut characters = text.chars();
    let first: String = characters.next().map(char::to_uppercase).into_iter().flatten().collect();
    first + characters.as_str()
}

/// A few names, and the number of further ones.
pub(crate) fn some<'a>(names: impl ExactSizeIterator<Item = &'a str>, most: usize) -> String {
    let more = names.len().saturating_sub(most);
    let named = names.take(most).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{named} and {more} more") } else { named }
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn the_last_of_several_takes_the_line_that_would_count_it() {
        assert_eq!([3, 4, 5, 6].map(|all| shown(all, 4)), [3, 4, 5, 4]);
    }
}
