//! Durations in kubectl's syntax: Go's `time.ParseDuration`, or bare seconds.

use std::time::Duration;

use thiserror::Error;

/// Nanoseconds of each unit that Go knows; both code points of the micro sign are one unit.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];
/// The magnitude of Go's smallest duration.
const MOST_NANOSECONDS: u64 = 1 << 63;

/// Reason why a text is not a duration
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DurationFault {
    /// Does not follow the grammar.
    #[error("write it like 90s, 10m, 1h30m or 90")]
    Grammar,
    /// Below zero.
    #[error("it must not be negative")]
    Negative,
    /// Exceeds 292 years.
    #[error("it is too long")]
    TooLong,
}

/// Reads a duration: `90s`, `1.5h30m`, `.5s`, or bare seconds.
///
/// This is how kubectl reads `--request-timeout`. Negative values fail too; they are meaningless here.
pub fn parse(text: &str) -> Result<Duration, DurationFault> {
    if let Some(seconds) = bare_seconds(text) {
        return seconds.map(Duration::from_secs);
    }
    let nanoseconds = nanoseconds(text)?;
    u64::try_from(nanoseconds).map(Duration::from_nanos).map_err(|_| DurationFault::Negative)
}

/// Reads a number without a unit; negative ones are left to the grammar of durations.
fn bare_seconds(text: &str) -> Option<Result<u64, DurationFault>> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().ok().filter(|seconds| i64::try_from(*seconds).is_ok()).ok_or(DurationFault::TooLong))
}

/// Reads a duration exactly as Go's `time.ParseDuration` does, in nanoseconds.
///
/// Fractions of a nanosecond are truncated through a 64-bit float, as in Go.
pub fn nanoseconds(text: &str) -> Result<i64, DurationFault> {
    let (is_negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(DurationFault::Grammar);
    }
    let mut total = 0_u64;
    while !rest.is_empty() {
        let (term, after) = term(rest)?;
        total =
            total.checked_add(term).filter(|sum| *sum <= MOST_NANOSECONDS).ok_or(DurationFault::TooLong)?;
        rest = after;
    }
    if is_negative {
        return Ok(0_i64.wrapping_sub_unsigned(total));
    }
    i64::try_from(total).map_err(|_| DurationFault::TooLong)
}

/// Reads one number with its unit; returns its nanoseconds and the rest of the text.
fn term(text: &str) -> Result<(u64, &str), DurationFault> {
    let (whole, rest) = digits(text);
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => digits(rest),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(DurationFault::Grammar);
    }
    let end = rest.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(end);
    let unit = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, unit)| *unit);
    let unit = unit.ok_or(DurationFault::Grammar)?;
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| DurationFault::TooLong)? };
    let nanoseconds = whole.checked_mul(unit).ok_or(DurationFault::TooLong)?;
    let nanoseconds = nanoseconds.saturating_add(part_of(fraction, unit));
    if nanoseconds > MOST_NANOSECONDS { Err(DurationFault::TooLong) } else { Ok((nanoseconds, rest)) }
}

/// Nanoseconds of a decimal fraction; digits that do not fit 63 bits are ignored, as Go does.
fn part_of(fraction: &str, unit: u64) -> u64 {
    let (mut value, mut scale) = (0_u64, 1.0_f64);
    for digit in fraction.bytes().map(|byte| u64::from(byte - b'0')) {
        let next = value.checked_mul(10).and_then(|value| value.checked_add(digit));
        match next.filter(|next| *next <= MOST_NANOSECONDS) {
            Some(next) => value = next,
            None => break,
        }
        scale *= 10.0;
    }
    (value as f64 * (unit as f64 / scale)) as u64
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// Formats a duration in whole seconds in the form that [`parse`] reads: `45s`, `10m`, `1h30m`.
pub fn told(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let parts = [(seconds / 3600, 'h'), (seconds / 60 % 60, 'm'), (seconds % 60, 's')];
    let text: String =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect();
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Input, tab, Go's nanoseconds or `-`; written by `scripts/tables/durations.go`.
    const TABLE: &str = include_str!("../tests/tables/durations.tsv");

    #[test]
    fn durations_are_what_go_takes() {
        let rows: Vec<(&str, &str)> = TABLE.lines().filter_map(|line| line.split_once('\t')).collect();
        assert!(rows.len() >= 40, "{}", rows.len());
        for (quoted, expected) in rows {
            let text: String = serde_json::from_str(quoted).unwrap();
            let found = nanoseconds(&text).map_or("-".to_owned(), |value| value.to_string());
            assert_eq!(found, expected, "{quoted}");
        }
    }

    #[test]
    fn bare_numbers_are_seconds() {
        for (text, seconds) in [("90", 90), ("0", 0), ("007", 7), ("+5", 5), ("1m", 60)] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse("-5"), Err(DurationFault::Grammar));
        assert_eq!(parse("-5s"), Err(DurationFault::Negative));
        assert_eq!(parse("18446744073709551616"), Err(DurationFault::TooLong));
        assert_eq!(parse("1.5"), Err(DurationFault::Grammar));
    }

    #[test]
    fn what_is_told_can_be_read_again() {
        for (seconds, text) in [(0, "0s"), (45, "45s"), (600, "10m"), (5400, "1h30m"), (3601, "1h1s")] {
            assert_eq!(told(Duration::from_secs(seconds)), text);
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)));
        }
    }
}
