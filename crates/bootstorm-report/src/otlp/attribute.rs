//! Attributes of resources, spans and data points.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};

/// An attribute of text.
pub(super) fn text(name: &str, value: impl Into<String>) -> KeyValue {
    with(name, Value::StringValue(value.into()))
}

/// An attribute with a whole number.
pub(super) fn number(name: &str, value: impl Into<i64>) -> KeyValue {
    with(name, Value::IntValue(value.into()))
}

fn with(name: &str, value: Value) -> KeyValue {
    let value = Some(AnyValue { value: Some(value) });
    KeyValue { key: name.to_owned(), value, ..KeyValue::default() }
}
