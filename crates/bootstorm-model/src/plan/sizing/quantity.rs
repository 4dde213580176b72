//! Kubernetes resource quantities, exact to one thousandth.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Add, AddAssign, Sub};

use serde_json::Value;

/// Resource → amount, such as `cpu` → 100m
pub type Amounts = BTreeMap<String, Quantity>;

/// An amount of a resource, in thousandths of its base unit (cores, bytes, pieces)
///
/// Sums saturate: amounts that large are wrong anyway, and must not end the program.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(i128);

impl Quantity {
    /// Zero.
    pub const ZERO: Self = Self(0);

    /// Whole units.
    pub const fn whole(units: u64) -> Self {
        Self(units as i128 * 1000)
    }

    /// Thousandths.
    pub const fn milli(thousandths: u64) -> Self {
        Self(thousandths as i128)
    }

    /// Mebibytes.
    pub const fn mebibytes(count: u64) -> Self {
        Self::whole(count * 1024 * 1024)
    }

    /// Reads `250Gi`, `1k`, `100m`, `1.5`, `1e3`; rounds up to a thousandth, as Kubernetes does.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || digits.len() > 30 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let (times, over) = factor(suffix)?;
        let scale = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?.checked_mul(over)?;
        let value = digits.parse::<i128>().ok()?.checked_mul(times)?;
        let rounded = value / scale + i128::from(value % scale != 0);
        Some(Self(if negative { -rounded } else { rounded }))
    }

    /// Reads a quantity that may be given as a string or as a bare number.
    pub fn of(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Self::parse(text),
            Value::Number(number) => Self::parse(&number.to_string()),
            _ => None,
        }
    }

    /// Reads a map such as `resources.requests`; skips entries that are not quantities.
    pub fn map(value: &Value) -> Amounts {
        let all = value.as_object().into_iter().flatten();
        all.filter_map(|(name, value)| Some((name.clone(), Self::of(value)?))).collect()
    }

    /// Whether it is zero.
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The amount in base units.
    pub fn amount(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// Whole units, rounded up; 0 for negative amounts.
    pub fn units(self) -> u64 {
        u64::try_from((self.0.max(0) + 999) / 1000).unwrap_or(u64::MAX)
    }

    /// How many times `need` fits into it.
    pub fn holds(self, need: Self) -> u64 {
        if need.0 <= 0 {
            return u64::MAX;
        }
        u64::try_from(self.0.max(0) / need.0).unwrap_or(u64::MAX)
    }

    /// The product with a whole number.
    #[must_use]
    pub fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(i128::from(count)))
    }

    /// The quotient, rounded up.
    #[must_use]
    pub fn divided(self, by: u64) -> Self {
        let by = i128::from(by.max(1));
        Self(self.0.max(0).saturating_add(by - 1) / by)
    }

    /// The product with any factor, truncated to whole units.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        Self(((self.0 / 1000) as f64 * factor) as i128 * 1000)
    }

    /// The ratio to another amount; `None` if that is zero.
    pub fn ratio(self, other: Self) -> Option<f64> {
        (other.0 != 0).then(|| self.0 as f64 / other.0 as f64)
    }
}

/// A suffix in thousandths per unit: multiplier and divisor.
fn factor(suffix: &str) -> Option<(i128, i128)> {
    let binary = |power: u32| Some((1000 * 1024_i128.pow(power), 1));
    let decimal = |power: i32| match u32::try_from(power + 3) {
        Ok(positive) => Some((10_i128.checked_pow(positive)?, 1)),
        Err(_) => Some((1, 10_i128.checked_pow((power + 3).unsigned_abs())?)),
    };
    match suffix {
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "" => decimal(0),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        exponent => {
            let power: i32 = exponent.strip_prefix(['e', 'E'])?.parse().ok()?;
            (-20..=20).contains(&power).then(|| decimal(power))?
        }
    }
}

impl Add for Quantity {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Quantity {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Quantity {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for Quantity {
    /// Human-readable form: `100m`, `4`, `832Mi`, `62.5Gi`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MEBI: i128 = 1024 * 1024;
        let units = self.0 / 1000;
        if self.0 % 1000 != 0 && units.abs() < MEBI {
            return write!(f, "{}m", self.0);
        }
        if units.abs() < MEBI {
            return write!(f, "{units}");
        }
        for (unit, suffix) in [(MEBI * MEBI, "Ti"), (MEBI * 1024, "Gi")] {
            if units.abs() >= 10 * unit || units.abs() >= unit && units % unit == 0 {
                let tenths = (units as f64 / unit as f64 * 10.0).round() / 10.0;
                return write!(f, "{tenths}{suffix}");
            }
        }
        write!(f, "{}Mi", (units + MEBI / 2) / MEBI)
    }
}

/// Adds every amount of `more` to `sum`.
pub fn add(sum: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        match sum.get_mut(name) {
            Some(found) => *found += *amount,
            None => {
                sum.insert(name.clone(), *amount);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_in_all_their_forms() {
        for (text, thousandths) in [
            ("64", 64_000),
            ("100m", 100),
            ("1.5", 1_500),
            ("1k", 1_000_000),
            ("256Mi", 268_435_456_000),
            ("0.5Gi", 536_870_912_000),
            ("1e3", 1_000_000),
            ("1E-2", 10),
            ("2E", 2_000_000_000_000_000_000_000),
            ("1n", 1),
            ("-5", -5_000),
            ("+.5", 500),
        ] {
            assert_eq!(Quantity::parse(text), Some(Quantity(thousandths)), "{text}");
        }
        for text in ["", "ten", "10Qi", "1.2.3", ".", "1e99", "99999999999999999999999999999999E", "--1"] {
            assert_eq!(Quantity::parse(text), None, "{text}");
        }
        assert_eq!(Quantity::of(&serde_json::json!(0.25)), Some(Quantity(250)));
        assert_eq!(Quantity::of(&serde_json::json!([1])), None);
    }

    #[test]
    fn quantities_are_written_for_people() {
        for (text, shown) in [
            ("100m", "100m"),
            ("1500m", "1500m"),
            ("4000m", "4"),
            ("110", "110"),
            ("832Mi", "832Mi"),
            ("1Gi", "1Gi"),
            ("1312Mi", "1312Mi"),
            ("64000Mi", "62.5Gi"),
            ("256Gi", "256Gi"),
            ("20Ti", "20Ti"),
        ] {
            assert_eq!(Quantity::parse(text).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn division_is_exact_where_floats_are_not() {
        let cores = Quantity::parse("0.3").unwrap();
        assert_eq!(cores.holds(Quantity::milli(100)), 3);
        assert_eq!(Quantity::ZERO.holds(Quantity::milli(1)), 0);
        assert_eq!((Quantity::ZERO - cores).holds(Quantity::milli(1)), 0);
        assert_eq!(Quantity::whole(1).holds(Quantity::ZERO), u64::MAX);
    }
}
