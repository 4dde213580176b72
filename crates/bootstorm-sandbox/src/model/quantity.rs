//! Kubernetes resource quantities as plain numbers.

use serde_json::Value;

/// Reads a quantity such as `250Gi`, `1k`, `100m`, `64` into a number of base units; `None` if it is not one.
pub fn parse(text: &str) -> Option<f64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && !"+-.".contains(c)).unwrap_or(text.len());
    // An exponent such as 1e3 is part of the number, while E alone is the suffix for 10^18.
    if let Ok(number) = text.parse::<f64>() {
        return number.is_finite().then_some(number);
    }
    let number: f64 = text[..digits].parse().ok()?;
    let factor = match &text[digits..] {
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024.0,
        "Mi" => 1024.0_f64.powi(2),
        "Gi" => 1024.0_f64.powi(3),
        "Ti" => 1024.0_f64.powi(4),
        "Pi" => 1024.0_f64.powi(5),
        "Ei" => 1024.0_f64.powi(6),
        _ => return None,
    };
    Some(number * factor)
}

/// Reads a quantity that may be given as a string or as a bare number.
pub fn of(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => parse(text),
        Value::Number(number) => number.as_f64(),
        _ => None,
    }
}

/// Bytes as whole mebibytes, rounded up: `544Mi`.
pub fn mebibytes(bytes: f64) -> String {
    format!("{}Mi", (bytes / 1024.0 / 1024.0).ceil() as u64)
}

/// An amount in Kubernetes' canonical form: the largest binary unit that divides it, or the bare number.
pub fn canonical(amount: f64) -> String {
    let whole = amount.ceil() as u64;
    let units = [("Ti", 40), ("Gi", 30), ("Mi", 20), ("Ki", 10)];
    let fitting = units.iter().find(|(_, bits)| whole > 0 && whole.trailing_zeros() >= *bits);
    fitting.map_or_else(|| whole.to_string(), |(unit, bits)| format!("{}{unit}", whole >> bits))
}

/// Cores in Kubernetes' canonical form: `2`, `950m`.
pub fn cores(amount: f64) -> String {
    let thousandths = (amount * 1000.0).round() as u64;
    if thousandths.is_multiple_of(1000) {
        (thousandths / 1000).to_string()
    } else {
        format!("{thousandths}m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_in_all_their_forms() {
        for (text, number) in [
            ("64", 64.0),
            ("100m", 0.1),
            ("1k", 1000.0),
            ("256Mi", 268_435_456.0),
            ("1.5Gi", 1_610_612_736.0),
            ("1e3", 1000.0),
        ] {
            assert_eq!(parse(text), Some(number), "{text}");
        }
        assert_eq!(parse("ten"), None);
        assert_eq!(parse("10Qi"), None);
        assert_eq!(of(&serde_json::json!(4)), Some(4.0));
        assert_eq!(mebibytes(1.0), "1Mi");
        assert_eq!(
            [0.0, 5.0, 1024.0, 838_860_800.0, 874_860_800.0].map(canonical),
            ["0", "5", "1Ki", "800Mi", "874860800"]
        );
        assert_eq!([2.0, 0.95, 0.1 + 0.2].map(cores), ["2", "950m", "300m"]);
    }
}
