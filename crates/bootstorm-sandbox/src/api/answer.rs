//! Responses that carry objects, in the form requested by the client.

use super::payload::Body;
use crate::value::{Value, json};
use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderValue, Response, StatusCode, header};

use super::accept::Form;
use super::{payload, protobuf, table};
use crate::store::{Kind, Object};

/// Metadata of a list
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ListMeta {
    pub(super) revision: u64,
    pub(super) next: Option<String>,
    pub(super) remaining: Option<usize>,
}

impl ListMeta {
    fn value(&self) -> Value {
        let mut meta = json!({"resourceVersion": self.revision.to_string()});
        if let Some(next) = &self.next {
            meta["continue"] = json!(next);
        }
        if let Some(remaining) = self.remaining {
            meta["remainingItemCount"] = json!(remaining);
        }
        meta
    }
}

pub(super) fn json(code: StatusCode, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(payload::full(body));
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    response
}

pub(super) fn value(code: StatusCode, value: &Value) -> Response<Body> {
    json(code, value.to_string())
}

/// A body in the requested form.
pub(super) fn sent(code: StatusCode, form: Form, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = json(code, body);
    if form == Form::Protobuf {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(protobuf::MEDIA_TYPE));
    }
    response
}

/// A `Status`, which is protocol buffers if the object would be, and JSON otherwise.
pub(super) fn status(code: StatusCode, form: Form, status: &Value) -> Response<Body> {
    match form {
        Form::Protobuf => sent(code, form, protobuf::whole(status)),
        _ => value(code, status),
    }
}

/// One object in the requested form.
pub(super) fn rendered(kind: &'static Kind, object: &Value, form: Form, columns: table::Include) -> Bytes {
    let shown = match form {
        Form::Protobuf => return protobuf::whole(object),
        Form::Object => object.to_string(),
        Form::Metadata => payload::metadata(object).to_string(),
        Form::Table => {
            let meta = ListMeta { revision: revision(object), ..ListMeta::default() };
            table::of(kind, [object], &meta.value(), columns).to_string()
        }
    };
    shown.into()
}

/// One stored object, avoiding reserialisation if possible.
pub(super) fn text(kind: &'static Kind, object: &Object, form: Form, columns: table::Include) -> Bytes {
    match form {
        Form::Object => object.json(),
        Form::Protobuf => protobuf::stored(kind, object),
        _ => rendered(kind, object.value(), form, columns),
    }
}

/// A list in the requested form.
pub(super) fn list(
    kind: &'static Kind,
    objects: &[Object],
    meta: &ListMeta,
    form: Form,
    columns: table::Include,
) -> Response<Body> {
    let body = match form {
        Form::Protobuf => protobuf::list(kind, &meta.value(), objects),
        Form::Object => joined(&kind.api_version(), &format!("{}List", kind.kind), meta, objects),
        Form::Table => {
            let values = objects.iter().map(|object| object.value());
            Bytes::from(table::of(kind, values, &meta.value(), columns).to_string())
        }
        Form::Metadata => {
            let items: Vec<Value> = objects.iter().map(|object| payload::metadata(object.value())).collect();
            let list = json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": meta.value(), "items": items});
            Bytes::from(list.to_string())
        }
    };
    sent(StatusCode::OK, form, body)
}

fn revision(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"].as_str().and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// Joins the texts of objects into a list; even ten thousand objects are not parsed or reserialised for it.
fn joined(api_version: &str, kind: &str, meta: &ListMeta, objects: &[Object]) -> Bytes {
    let texts: Vec<Bytes> = objects.iter().map(|object| object.json()).collect();
    let mut body = BytesMut::with_capacity(256 + texts.iter().map(|text| text.len() + 1).sum::<usize>());
    let head = json!({"kind": kind, "apiVersion": api_version, "metadata": meta.value()}).to_string();
    body.put_slice(head.strip_suffix('}').unwrap_or(&head).as_bytes());
    body.put_slice(b",\"items\":[");
    for (place, text) in texts.iter().enumerate() {
        if place > 0 {
            body.put_u8(b',');
        }
        body.put_slice(text);
    }
    body.put_slice(b"]}");
    body.freeze()
}
