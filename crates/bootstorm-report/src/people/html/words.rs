//! Formatting of numbers on a page, with units and figures of equal width; and the classes of stages.

use jiff::Timestamp;

pub(crate) use crate::people::words::count;
use bootstorm_model::observe::Milestone;
use bootstorm_model::stats::{Quantile, reason};

/// `12.34 s`, and `2 min 05 s` above ten minutes.
pub(crate) fn seconds(seconds: f64) -> String {
    if seconds >= 600.0 {
        let whole = seconds.round() as u64;
        return format!("{} min {:02} s", whole / 60, whole % 60);
    }
    // An empty sum is a negative zero.
    format!("{:.2} s", seconds + 0.0)
}

/// `12.34 s`, or a dash if unknown.
pub(crate) fn maybe_seconds(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), seconds)
}

/// `12.34 s`, `not reached` or `unknown`.
pub(crate) fn quantile(quantile: Quantile) -> String {
    quantile.missing().map_or_else(|| maybe_seconds(quantile.seconds()), str::to_owned)
}

/// `12.34` for a column whose heading has the unit, or a dash if unknown.
pub(crate) fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.2}"))
}

/// `12.34`, `not reached` or `unknown`, for a column whose heading has the unit.
pub(crate) fn quantile_number(quantile: Quantile) -> String {
    quantile.missing().map_or_else(|| number(quantile.seconds()), str::to_owned)
}

/// `1.58×`, or a dash if unknown.
pub(crate) fn ratio(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.2}×"))
}

/// `2026-03-04 10:00:00 UTC`.
pub(crate) fn time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A text for display: parts that differ between VMs are omitted, and arrows are real arrows.
pub(crate) fn readable(text: &str) -> String {
    reason::shown(text).replace(" -> ", " → ")
}

/// `12.5 %`.
pub(crate) fn percent(part: usize, whole: usize) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    let percent = part as f64 * 100.0 / whole as f64;
    // An incomplete share must not read as complete.
    if part < whole && percent >= 99.95 {
        return "> 99.9 %".to_owned();
    }
    format!("{percent:.1} %")
}

/// Class of the stage that ends with a milestone.
pub(crate) fn class(milestone: Milestone) -> &'static str {
    match milestone {
        Milestone::Requested | Milestone::Accepted => "stage accepted",
        Milestone::Instance => "stage instance",
        Milestone::Pod => "stage pod",
        Milestone::Volume => "stage volume",
        Milestone::Placed => "stage placed",
        Milestone::Attached => "stage attached",
        Milestone::Prepared => "stage prepared",
        Milestone::Initialized => "stage initialized",
        Milestone::Started => "stage started",
        Milestone::Agent => "stage agent",
        Milestone::Scheduled => "stage scheduled",
        Milestone::Running => "stage running",
        Milestone::Reachable => "stage reachable",
        Milestone::Stopping => "stage stopping",
        Milestone::Gone => "stage gone",
        // No boot is drawn beside it: it uses the shades of the last stages of a start.
        Milestone::Target => "stage scheduled",
        Milestone::Copying => "stage running",
        Milestone::Migrated => "stage reachable",
        _ => "stage other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_everywhere_and_unknown_is_a_dash() {
        assert_eq!(seconds(12.344), "12.34 s");
        assert_eq!(seconds(-0.0), "0.00 s");
        assert_eq!(seconds(725.4), "12 min 05 s");
        assert_eq!((maybe_seconds(None), ratio(Some(1.577))), ("–".into(), "1.58×".into()));
        assert_eq!(quantile(Quantile::NotReached), "not reached");
    }

    #[test]
    fn placeholders_are_not_shown_to_people() {
        assert_eq!(readable("no pod <id> after <n>s, a -> b"), "no pod … after …s, a → b");
    }

    #[test]
    fn not_quite_everyone_is_not_a_hundred_percent() {
        assert_eq!(percent(9_999, 10_000), "> 99.9 %");
        assert_eq!(percent(10_000, 10_000), "100.0 %");
        assert_eq!((percent(1, 8), percent(0, 0)), ("12.5 %".into(), "–".into()));
    }
}
