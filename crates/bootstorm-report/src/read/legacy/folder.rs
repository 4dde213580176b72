//! Names of the origin tool's folders: `20260304-100000_boot-storm-test_1-100`.

use jiff::civil::DateTime;
use jiff::{Timestamp, tz::TimeZone};

/// Parts of a folder's name
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    /// Its beginning. The name has no zone; it is taken as UTC.
    pub(super) time: Timestamp,
    /// Namespace prefix.
    pub(super) prefix: String,
    /// First index.
    pub(super) start: u32,
    /// Last index.
    pub(super) end: u32,
}

impl Named {
    /// Reads a folder's name; `None` if it does not have that form.
    pub(super) fn of(name: &str) -> Option<Self> {
        let (time, rest) = name.split_once('_')?;
        let (prefix, range) = rest.rsplit_once('_')?;
        let (start, end) = range.split_once('-')?;
        let time = DateTime::strptime("%Y%m%d-%H%M%S", time).ok()?;
        Some(Self {
            time: TimeZone::UTC.to_timestamp(time).ok()?,
            prefix: prefix.to_owned(),
            start: start.parse().ok()?,
            end: end.parse().ok()?,
        })
    }
}

/// The number at the end of a namespace.
pub(super) fn index(namespace: &str) -> Option<u32> {
    namespace.rsplit('-').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_and_others_are_not() {
        let named = Named::of("20260304-101112_my_prefix-x_3-100").unwrap();
        assert_eq!((named.prefix.as_str(), named.start, named.end), ("my_prefix-x", 3, 100));
        assert_eq!(named.time.to_string(), "2026-03-04T10:11:12Z");
        for name in ["", "results", "20260304-101112_p", "20261304-101112_p_1-2", "20260304-101112_p_1-x"] {
            assert_eq!(Named::of(name), None, "{name}");
        }
        assert_eq!((index("a-b-12"), index("a-b")), (Some(12), None));
    }
}
