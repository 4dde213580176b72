//! Size limits of `ConfigMaps` and Secrets.

use crate::value::{Value, json};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;

use super::super::status::{Cause, Failure};
use crate::store::Kind;
use crate::store::kind::{CONFIG_MAPS, SECRETS};

/// Maximum content of a `ConfigMap` or a Secret: a mebibyte.
const LARGEST: usize = 1_048_576;

pub(super) fn check(kind: &Kind, before: Option<&Value>, after: &mut Value) -> Result<(), Failure> {
    if !kind.is(&CONFIG_MAPS) && !kind.is(&SECRETS) {
        return Ok(());
    }
    if kind.is(&SECRETS) {
        encode_plain_text(after);
    }
    let name = after["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let size = weigh(&after["data"], kind.is(&SECRETS)) + weigh(&after["binaryData"], true);
    if size > LARGEST {
        let message = format!("Too long: may not be more than {LARGEST} bytes");
        let field = if kind.is(&SECRETS) { "data" } else { "[]" }.to_owned();
        return Err(Failure::invalid(kind, &name, &[Cause { reason: "FieldValueTooLong", field, message }]));
    }
    if let Some(before) = before
        && before["immutable"] == true
    {
        let changed = ["data", "binaryData", "immutable"]
            .into_iter()
            .find(|field| before.get(*field) != after.get(*field));
        if let Some(field) = changed {
            let message = "Forbidden: field is immutable when `immutable` is set".to_owned();
            let cause = Cause { reason: "FieldValueForbidden", field: field.to_owned(), message };
            return Err(Failure::invalid(kind, &name, &[cause]));
        }
    }
    Ok(())
}

/// Size of stored content; encoded values count as decoded.
fn weigh(data: &Value, encoded: bool) -> usize {
    let weight = |text: &str| if encoded { text.len() / 4 * 3 } else { text.len() };
    data.as_object().into_iter().flatten().map(|(_, value)| value.as_str().map_or(0, weight)).sum()
}

fn encode_plain_text(secret: &mut Value) {
    if let Some(Value::Object(plain)) = secret.as_object_mut().and_then(|secret| secret.remove("stringData"))
    {
        if !secret["data"].is_object() {
            secret["data"] = json!({});
        }
        for (key, value) in plain.iter() {
            secret["data"][key] = json!(BASE64.encode(value.as_str().unwrap_or_default().as_bytes()));
        }
    }
    if secret.get("type").is_none() {
        secret["type"] = json!("Opaque");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_map_stays_as_it_is() {
        let before = json!({"data": {"a": "1"}, "immutable": true});
        assert!(check(&CONFIG_MAPS, Some(&before), &mut before.clone()).is_ok());
        let mut after = json!({"data": {"a": "2"}, "immutable": true});
        assert_eq!(check(&CONFIG_MAPS, Some(&before), &mut after).unwrap_err().code(), 422);
    }

    #[test]
    fn a_mebibyte_is_the_limit() {
        let mut fits = json!({"data": {"a": "x".repeat(LARGEST)}});
        assert!(check(&CONFIG_MAPS, None, &mut fits).is_ok());
        fits["data"]["b"] = json!("x");
        assert!(check(&CONFIG_MAPS, None, &mut fits).is_err());
    }

    #[test]
    fn plain_text_in_a_secret_is_encoded() {
        let mut secret = json!({"stringData": {"a": "foo"}});
        check(&SECRETS, None, &mut secret).unwrap();
        assert_eq!(secret, json!({"data": {"a": "Zm9v"}, "type": "Opaque"}));
    }
}
