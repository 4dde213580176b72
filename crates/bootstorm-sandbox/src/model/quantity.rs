//! Kubernetes resource quantities as plain numbers.

use crate::value::Value;
use bootstorm_model::plan::sizing::Quantity;

/// Reads a quantity that may be given as a string or as a bare number, in base units.
pub fn of(value: &Value) -> Option<f64> {
    let text = value.as_str().map(str::to_owned).or_else(|| Some(value.as_number()?.to_string()))?;
    Quantity::parse(&text).map(Quantity::amount)
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
    fn amounts_are_written_in_canonical_form() {
        assert_eq!(of(&crate::value::json!("1.5Gi")), Some(1_610_612_736.0));
        assert_eq!(of(&crate::value::json!(4)), Some(4.0));
        assert_eq!(mebibytes(1.0), "1Mi");
        assert_eq!(
            [0.0, 5.0, 1024.0, 838_860_800.0, 874_860_800.0].map(canonical),
            ["0", "5", "1Ki", "800Mi", "874860800"]
        );
        assert_eq!([2.0, 0.95, 0.1 + 0.2].map(cores), ["2", "950m", "300m"]);
    }
}
