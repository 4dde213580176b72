//! Information in the path of a saved run: `[{driver}/]{N}-disk/{YYYYMMDD-HHMMSS}_{prefix}_{start}-{end}`.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Information from a path
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Label of the storage under test: everything before the disks.
    pub(super) driver: Option<String>,
    /// Disks per VM.
    pub(super) disks: Option<usize>,
    /// Beginning of the run, taken as UTC.
    pub(super) began: Option<Timestamp>,
    /// Namespace prefix.
    pub(super) prefix: Option<String>,
}

impl Place {
    /// Reads a path with forward slashes, relative to the base folder.
    pub(super) fn of(path: &str) -> Self {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        let disk = parts.iter().position(|part| part.ends_with("-disk"));
        let name = parts.last().copied().unwrap_or_default();
        let (time, rest) = name.split_once('_').unwrap_or((name, ""));
        let prefix = rest.rsplit_once('_').map_or(rest, |(prefix, _)| prefix);
        let driver = match disk {
            Some(disk) => parts[..disk].join("/"),
            None => parts[..parts.len().saturating_sub(1)].join("/"),
        };
        Self {
            driver: Some(driver).filter(|driver| !driver.is_empty()),
            disks: disk.and_then(|disk| parts[disk].trim_end_matches("-disk").parse().ok()),
            began: time_of(time),
            prefix: Some(prefix.to_owned()).filter(|prefix| !prefix.is_empty()),
        }
    }
}

/// The time in a folder's name. The Python tool writes local time without a zone; it is taken as UTC.
fn time_of(text: &str) -> Option<Timestamp> {
    let time = DateTime::strptime("%Y%m%d-%H%M%S", text).ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_depths_of_the_tree_are_read() {
        let place = Place::of("portworx-3.6/2-disk/20260304-100000_boot-storm-test_1-50");
        assert_eq!(place.driver.as_deref(), Some("portworx-3.6"));
        assert_eq!((place.disks, place.prefix.as_deref()), (Some(2), Some("boot-storm-test")));
        assert_eq!(place.began.unwrap().to_string(), "2026-03-04T10:00:00Z");
        let place = Place::of("unknown-disk/20260304-100000_a_b_1-2");
        assert_eq!((place.driver, place.disks, place.prefix.as_deref()), (None, None, Some("a_b")));
    }

    #[test]
    fn a_foreign_name_says_nothing() {
        assert_eq!(Place::of("notes"), Place { prefix: None, ..Place::default() });
        assert_eq!(Place::of("x/20261399-000000_y_1-2").began, None);
    }
}
