//! Bodies of requests.

use crate::value::Value;
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;

use super::protobuf;
use super::status::Failure;

/// Maximum size of a request to an API server.
const LARGEST_REQUEST: usize = 3 * 1024 * 1024;
/// Maximum size of an object in etcd.
const LARGEST_OBJECT: usize = 1_572_864;

/// Reads a whole body.
pub(super) async fn read(body: Incoming) -> Result<Bytes, Failure> {
    match Limited::new(body, LARGEST_REQUEST).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(Failure::new(
            413,
            "RequestEntityTooLarge",
            format!("Request entity too large: limit is {LARGEST_REQUEST}"),
        )),
        Err(error) => Err(Failure::bad_request(format!("unable to read the body: {error}"))),
    }
}

/// The value in a body: JSON, YAML, or protocol buffers.
pub(super) fn value(body: &[u8]) -> Result<Value, Failure> {
    if protobuf::is_protobuf(body) {
        return protobuf::object(body)
            .ok_or_else(|| Failure::unsupported("application/json, application/yaml"));
    }
    match serde_json::from_slice(body) {
        Ok(value) => Ok(value),
        Err(error) => {
            let text = std::str::from_utf8(body).unwrap_or_default();
            // YAML begins where JSON cannot; damaged JSON gets the message about JSON.
            let yaml = (!text.trim_start().starts_with(['{', '[']) && !text.trim().is_empty())
                .then(|| serde_saphyr::from_str::<Value>(text).ok())
                .flatten();
            let refuse = || {
                Failure::bad_request(format!(
                    "the object provided is unrecognized (must be of type Object): {error}"
                ))
            };
            yaml.ok_or_else(refuse)
        }
    }
}

/// The object in a body.
pub(super) fn object(body: &[u8]) -> Result<Value, Failure> {
    let object = value(body)?;
    let metadata = object.get("metadata");
    if object.is_object() && metadata.is_none_or(|metadata| metadata.is_object() || metadata.is_null()) {
        return Ok(object);
    }
    Err(Failure::bad_request("the object provided is unrecognized (must be of type Object)"))
}

/// Rejects objects that a real cluster could not store.
pub(super) fn check_size(object: &Value) -> Result<(), Failure> {
    let size = object.to_string().len();
    if size <= LARGEST_OBJECT {
        return Ok(());
    }
    Err(Failure::new(500, "InternalError", "etcdserver: request is too large"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_is_understood_as_well() {
        assert_eq!(value(b"{\"a\": 1}").unwrap()["a"], 1);
        assert_eq!(value(b"a: 1\nb:\n- x\n").unwrap()["b"][0], "x");
        assert!(value(b"{\"a\": ").is_err() && value(b"").is_err());
        assert!(object(b"[]").is_err() && object(b"{\"metadata\": 3}").is_err());
    }
}
