//! Scalars as kubectl's YAML library resolves them: YAML 1.1 with Go's numbers.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Prefix of the tags that YAML itself defines.
const YAML: &str = "tag:yaml.org,2002:";

/// A scalar's value
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Integer(i64),
    /// An integer that needs the 64th bit.
    Large(u64),
    Float(f64),
    Text(String),
}

impl Scalar {
    fn is_a(&self, tag: &str) -> bool {
        match tag {
            "null" => *self == Self::Null,
            "bool" => matches!(self, Self::Bool(_)),
            "int" => matches!(self, Self::Integer(_) | Self::Large(_)),
            "float" => matches!(self, Self::Float(_)),
            _ => false,
        }
    }
}

/// Resolves a scalar; fails if its text does not fit its tag.
pub(super) fn resolve(tag: Option<&str>, text: &str) -> Result<Scalar, &'static str> {
    let misfit = "the value does not fit its tag";
    let Some(tag) = tag else {
        return Ok(untagged(text));
    };
    match tag.strip_prefix(YAML).unwrap_or("") {
        "binary" => {
            let bytes = STANDARD.decode(text.replace(['\r', '\n'], ""));
            let bytes = bytes.map_err(|_| "a !!binary value holds no base64")?;
            Ok(Scalar::Text(String::from_utf8_lossy(&bytes).into_owned()))
        }
        "timestamp" if is_timestamp(text) => Ok(Scalar::Text(text.to_owned())),
        "timestamp" => Err(misfit),
        tag @ ("null" | "bool" | "int" | "float") => match untagged(text) {
            Scalar::Integer(value) if tag == "float" => Ok(Scalar::Float(value as f64)),
            found if found.is_a(tag) => Ok(found),
            _ => Err(misfit),
        },
        _ => Ok(Scalar::Text(text.to_owned())),
    }
}

fn untagged(text: &str) -> Scalar {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Scalar::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Scalar::Bool(false)
        }
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Null,
        ".nan" | ".NaN" | ".NAN" => Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Scalar::Float(f64::NEG_INFINITY),
        _ => number(text).unwrap_or_else(|| Scalar::Text(text.to_owned())),
    }
}

/// A number as the library recognises it: by its first character, without its underscores.
fn number(text: &str) -> Option<Scalar> {
    match text.as_bytes().first()? {
        b'.' => without_separators(text).and_then(|text| float(&text)).map(Scalar::Float),
        b'0'..=b'9' | b'+' | b'-' => {
            let plain = text.replace('_', "");
            integer(&plain).or_else(|| float(&plain).map(Scalar::Float))
        }
        _ => None,
    }
}

/// Removes underscores between digits; `None` if one is elsewhere.
fn without_separators(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let is_digit =
        |place: Option<usize>| place.and_then(|place| bytes.get(place)).is_some_and(u8::is_ascii_digit);
    let mut places = text.match_indices('_').map(|(place, _)| place);
    let are_between = places.all(|place| is_digit(place.checked_sub(1)) && is_digit(Some(place + 1)));
    are_between.then(|| text.replace('_', ""))
}

/// An integer of Go's `ParseInt` or `ParseUint` in base 0.
fn integer(text: &str) -> Option<Scalar> {
    let (sign, digits) = match text.as_bytes().first()? {
        sign @ (b'+' | b'-') => (Some(*sign), &text[1..]),
        _ => (None, text),
    };
    let prefix = digits.get(..2).unwrap_or_default().to_ascii_lowercase();
    let (radix, digits) = match prefix.as_str() {
        "0x" => (16, &digits[2..]),
        "0o" => (8, &digits[2..]),
        "0b" => (2, &digits[2..]),
        _ if digits.len() > 1 && digits.starts_with('0') => (8, &digits[1..]),
        _ => (10, digits),
    };
    if !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    if sign == Some(b'-') {
        return 0_i64.checked_sub_unsigned(magnitude).map(Scalar::Integer);
    }
    match i64::try_from(magnitude) {
        Ok(value) => Some(Scalar::Integer(value)),
        // Only an unsigned number may need the 64th bit.
        Err(_) => sign.is_none().then_some(Scalar::Large(magnitude)),
    }
}

/// A decimal float: `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`; one that is out of range is not a float.
fn float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_mantissa = are_digits(whole) && are_digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    let is_exponent = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !digits.is_empty() && are_digits(digits)
    });
    if !is_mantissa || !is_exponent {
        return None;
    }
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

/// Whether a text begins with a date, as the tag `!!timestamp` requires; the value is the text itself.
fn is_timestamp(text: &str) -> bool {
    let date = text.split([' ', 't', 'T']).next().unwrap_or_default();
    let parts: Vec<&str> = date.split('-').collect();
    let within = |text: &str, limits: std::ops::RangeInclusive<u32>| {
        text.len() <= 2 && text.parse().is_ok_and(|number| limits.contains(&number))
    };
    matches!(parts[..], [year, month, day]
        if year.len() == 4 && year.bytes().all(|byte| byte.is_ascii_digit()) && within(month, 1..=12) && within(day, 1..=31))
}
