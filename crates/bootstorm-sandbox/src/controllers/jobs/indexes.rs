//! Sets of completion indexes, in the form of a status: `0-2,4`.

use std::collections::BTreeSet;

/// A set of completion indexes
pub(super) type Indexes = BTreeSet<u32>;

/// Reads `0-2,4`; skips what is not an index.
pub(super) fn parse(text: &str) -> Indexes {
    let parts = text.split(',').filter(|part| !part.is_empty());
    let ranges = parts.filter_map(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse::<u32>().ok()?..=last.parse::<u32>().ok()?)
    });
    ranges.flatten().collect()
}

/// Writes `0-2,4`.
pub(super) fn format(indexes: &Indexes) -> String {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for index in indexes {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *index => *last = *index,
            _ => runs.push((*index, *index)),
        }
    }
    let shown = runs.into_iter().map(|(first, last)| match last - first {
        0 => first.to_string(),
        // Two in a row are listed, as in Kubernetes.
        1 => format!("{first},{last}"),
        _ => format!("{first}-{last}"),
    });
    shown.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_three_are_shown_as_ranges() {
        for text in ["", "0", "0,1", "0-2,4", "1,3-7,9,10,12"] {
            assert_eq!(format(&parse(text)), text);
        }
        assert_eq!(format(&[2, 0, 1, 4].into()), "0-2,4");
    }
}
