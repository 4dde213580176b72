//! Parsers for the values of flags.

use std::time::Duration;

use bootstorm_model::duration::{self, DurationFault};

/// Maximum duration: clocks must be able to add it to any instant.
const LONGEST: Duration = Duration::from_secs(8760 * 3600);

/// A duration in kubectl's syntax: `90s`, `1.5h30m`, `.5s`, or bare seconds.
///
/// Fails with a sentence that shows the grammar.
pub fn duration(text: &str) -> Result<Duration, String> {
    let too_long = || "at most a year (8760h) is possible".to_owned();
    match duration::parse(text) {
        Ok(duration) if duration <= LONGEST => Ok(duration),
        Ok(_) | Err(DurationFault::TooLong) => Err(too_long()),
        Err(fault) => Err(fault.to_string()),
    }
}

/// Whole seconds, rounded up: a limit is never shorter than requested, and a grace period never zero.
pub fn seconds_up(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

/// A duration that must not be zero.
pub fn limit(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("it must be greater than zero".into()),
        limit => Ok(limit),
    }
}

/// A count that is at least 1.
pub fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("it must be at least 1".into()),
        Ok(count) => Ok(count),
        Err(_) => Err("it must be a whole number".into()),
    }
}

/// Number of namespaces created concurrently; absent means that it depends on the number of nodes
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchSize(pub Option<usize>);

/// `auto`, or a count that is at least 1.
pub fn batch_size(text: &str) -> Result<BatchSize, String> {
    if text == "auto" { Ok(BatchSize(None)) } else { count(text).map(|size| BatchSize(Some(size))) }
}

/// The UUID of a run, which becomes a label.
pub fn run_id(text: &str) -> Result<String, String> {
    // As it is written in labels: other forms of the same UUID would select nothing.
    match uuid::Uuid::try_parse(text) {
        Ok(id) if id.to_string() == text => Ok(text.to_owned()),
        _ => Err("it must be a UUID in lower case, as in the label bootstorm.dev/run-id".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_of_a_second_are_rounded_up() {
        let seconds = |text| seconds_up(duration(text).unwrap());
        assert_eq!([seconds("900ms"), seconds("1900ms"), seconds("2s"), seconds("0s")], [1, 2, 2, 0]);
    }

    #[test]
    fn durations_as_kubectl_takes_them() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("0"), Ok(Duration::ZERO));
        for wrong in ["", "soon", "-5s", "10 parsecs", "5 minutes", "PT5S"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        assert!(limit("0").is_err());
        assert_eq!(duration("1.5h30m"), duration("30m1.5h"));
        assert_eq!(duration("8760h"), Ok(LONGEST));
        assert!(duration("18446744073709551615").is_err() && duration("8761h").is_err());
    }

    #[test]
    fn run_ids_are_written_as_in_labels() {
        let id = "6f1e7a2c-52fb-4f0e-9d0b-3f1f5f0c9a11";
        assert_eq!(run_id(id), Ok(id.to_owned()));
        for wrong in ["", "foo", &id.to_uppercase(), &id.replace('-', ""), &format!("{{{id}}}")] {
            assert!(run_id(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn counts() {
        assert_eq!(batch_size("auto"), Ok(BatchSize(None)));
        assert_eq!(batch_size("30"), Ok(BatchSize(Some(30))));
        assert!(batch_size("0").is_err() && count("-1").is_err());
    }
}
