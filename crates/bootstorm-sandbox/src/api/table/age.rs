//! Ages as kubectl shows them: `5s`, `3m12s`, `2d4h`.

use std::str::FromStr;

use jiff::Timestamp;

use bootstorm_model::observe::clock::wall_now;

/// Age of a timestamp.
pub(super) fn since(stamp: Option<&str>) -> String {
    match stamp.map(Timestamp::from_str) {
        Some(Ok(then)) => human(wall_now().as_second() - then.as_second()),
        _ => "<unknown>".to_owned(),
    }
}

/// Time between two timestamps, or until now.
pub(super) fn between(from: Option<&str>, to: Option<&str>) -> String {
    let second = |stamp: &str| Timestamp::from_str(stamp).ok().map(Timestamp::as_second);
    let end = to.and_then(second).unwrap_or_else(|| wall_now().as_second());
    from.and_then(second).map(|begin| human(end - begin)).unwrap_or_default()
}

fn human(seconds: i64) -> String {
    const DAY: i64 = 24;
    const YEAR: i64 = 365;
    let both = |big: i64, unit: &str, small: i64, part: &str| {
        if small == 0 { format!("{big}{unit}") } else { format!("{big}{unit}{small}{part}") }
    };
    let (minutes, hours) = (seconds / 60, seconds / 3_600);
    let days = hours / DAY;
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1..=0 => "0s".to_owned(),
        1..120 => format!("{seconds}s"),
        _ if minutes < 10 => both(minutes, "m", seconds % 60, "s"),
        _ if minutes < 180 => format!("{minutes}m"),
        _ if hours < 8 => both(hours, "h", minutes % 60, "m"),
        _ if hours < 2 * DAY => format!("{hours}h"),
        _ if days < 8 => both(days, "d", hours % DAY, "h"),
        _ if days < 2 * YEAR => format!("{days}d"),
        _ if days < 8 * YEAR => both(days / YEAR, "y", days % YEAR, "d"),
        _ => format!("{}y", days / YEAR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_coarser_the_older() {
        let expected = [
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (192, "3m12s"),
            (700, "11m"),
            (3 * 3600 + 60, "3h1m"),
            (40 * 3600, "40h"),
            (52 * 3600, "2d4h"),
        ];
        for (seconds, text) in expected {
            assert_eq!(human(seconds), text);
        }
        assert_eq!(since(None), "<unknown>");
    }
}
