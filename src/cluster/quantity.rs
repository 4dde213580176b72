//! Kubernetes quantities: `16`, `15500m`, `64Gi`, `32913560Ki`, `1e3`.

/// The value of a quantity in its base unit; `None` when it is not one.
pub(super) fn value(text: &str) -> Option<f64> {
    let suffixes = [
        ("Ki", 1024f64),
        ("Mi", 1024f64.powi(2)),
        ("Gi", 1024f64.powi(3)),
        ("Ti", 1024f64.powi(4)),
        ("Pi", 1024f64.powi(5)),
        ("Ei", 1024f64.powi(6)),
        ("n", 1e-9),
        ("u", 1e-6),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
        ("E", 1e18),
    ];
    let found = suffixes.iter().find_map(|(suffix, factor)| Some((text.strip_suffix(suffix)?, *factor)));
    let (number, factor) = found.unwrap_or((text, 1.0));
    let number: f64 = number.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0)?;
    Some(number * factor)
}

#[cfg(test)]
mod tests {
    use super::value;

    #[test]
    fn units_are_understood_and_nonsense_is_not() {
        let values = ["16", "15500m", "64Gi", "1k", "1e3", "2E"].map(value);
        let expected = [16.0, 15.5, 68_719_476_736.0, 1000.0, 1000.0, 2e18];
        assert_eq!(values, expected.map(Some));
        assert_eq!(["", "Gi", "-1", "NaN", "inf", "4 Gi", "x"].map(value), [None; 7]);
    }
}
