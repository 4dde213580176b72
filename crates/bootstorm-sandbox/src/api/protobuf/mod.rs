//! Objects in Kubernetes' protocol buffers: bodies that `kubectl` sends, and answers about built-in kinds.

mod schema;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use bytes::Bytes;
use jiff::Timestamp;

use crate::model::clock::{micro_stamp, stamp};
use crate::store::{Kind, Object};
use crate::value::{Map, Value, json};

/// Media type of an object or a list in this form
pub(super) const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";
/// Prefix of every object with its type.
const MAGIC: &[u8] = b"k8s\0";

/// A field of a message
#[derive(Debug, Clone, Copy)]
struct Field {
    number: u64,
    /// Name in JSON.
    name: &'static str,
    shape: Shape,
    zero: Zero,
}

/// Type of a field
#[derive(Debug, Clone, Copy)]
enum Shape {
    Text,
    Flag,
    Number,
    /// A message with a text.
    Quantity,
    /// A message with whole seconds.
    Time,
    /// A message with seconds and nanoseconds, of which only microseconds are used.
    MicroTime,
    /// A message with a number or a text.
    IntOrText,
    /// A message with the text of a JSON value.
    Json,
    Texts,
    Numbers,
    TextMap,
    /// Bytes by name; base64 in JSON.
    BytesMap,
    /// Quantities by name.
    Quantities,
    Message(&'static [Field]),
    Messages(&'static [Field]),
    /// A message whose fields belong to the outer object in JSON.
    Inline(&'static [Field]),
}

/// Zero values of a field that is no list or map: Go writes those of pointers only if they are set, and all others
/// always
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Zero {
    /// A pointer: zero is a value like any other.
    Set,
    /// Written always, and absent in JSON.
    Hidden,
    /// Written always, and shown in JSON.
    Shown,
}

/// Fields of a kind; `None` if it is not supported in this form.
fn fields(kind: &str) -> Option<&'static [Field]> {
    let fields: &'static [Field] = match kind {
        "ConfigMap" => schema::CONFIG_MAP,
        "Event" => schema::EVENT,
        "Job" => schema::JOB,
        "Namespace" => schema::NAMESPACE,
        "Pod" => schema::POD,
        "ResourceQuota" => schema::RESOURCE_QUOTA,
        "Role" => schema::ROLE,
        "ClusterRole" => schema::CLUSTER_ROLE,
        "RoleBinding" => schema::ROLE_BINDING,
        "ClusterRoleBinding" => schema::CLUSTER_ROLE_BINDING,
        "Secret" => schema::SECRET,
        "SelfSubjectAccessReview" => schema::SELF_SUBJECT_ACCESS_REVIEW,
        "SelfSubjectReview" => schema::SELF_SUBJECT_REVIEW,
        "SelfSubjectRulesReview" => schema::SELF_SUBJECT_RULES_REVIEW,
        "ServiceAccount" => schema::SERVICE_ACCOUNT,
        "Status" => schema::STATUS,
        "SubjectAccessReview" => schema::SUBJECT_ACCESS_REVIEW,
        _ => return None,
    };
    Some(fields)
}

/// Whether objects of a kind can be sent in this form. Custom resources never can, as on a cluster.
pub(super) fn serves(kind: &Kind) -> bool {
    kind.builtin && fields(kind.kind).is_some()
}

/// Whether a body is in this form.
pub(super) fn is_protobuf(body: &[u8]) -> bool {
    body.starts_with(MAGIC)
}

/// The object in a body; `None` if it is damaged or of an unsupported kind.
pub(crate) fn object(body: &[u8]) -> Option<Value> {
    const TYPE: &[Field] = schema::TYPE_META;
    let envelope = parts(body.strip_prefix(MAGIC)?)?;
    let find =
        |number: u64| envelope.iter().find(|(field, _)| *field == number).and_then(|(_, part)| part.bytes());
    let kind = message(find(1)?, TYPE)?;
    let mut object = message(find(2).unwrap_or_default(), fields(kind["kind"].as_str()?)?)?;
    object.extend(kind);
    Some(object.into())
}

/// The message of an object that is sent with its type.
#[cfg(test)]
pub(crate) fn opened(body: &[u8]) -> &[u8] {
    let envelope = body.strip_prefix(MAGIC).and_then(parts).unwrap_or_default();
    envelope.iter().find(|(number, _)| *number == 2).and_then(|(_, part)| part.bytes()).unwrap_or_default()
}

/// An object with its type, as sent.
pub(crate) fn whole(object: &Value) -> Bytes {
    let kind = object["kind"].as_str().unwrap_or_default();
    enveloped(object["apiVersion"].as_str().unwrap_or_default(), kind, |out| {
        put_fields(out, fields(kind).unwrap_or_default(), object);
    })
}

/// A stored object with its type, as sent; encoded once however many watchers need it.
pub(super) fn stored(kind: &Kind, object: &Object) -> Bytes {
    let message = encoded(kind, object);
    enveloped(&kind.api_version(), kind.kind, |out| out.extend_from_slice(&message))
}

/// A list, as sent.
pub(super) fn list(kind: &Kind, meta: &Value, objects: &[Object]) -> Bytes {
    enveloped(&kind.api_version(), &format!("{}List", kind.kind), |out| {
        nested(out, 1, |out| put_fields(out, schema::LIST_META, meta));
        for object in objects {
            put_bytes(out, 2, &encoded(kind, object));
        }
    })
}

/// An event of a watch, with its length; `object` is complete with its type.
pub(super) fn event(name: &str, object: &[u8]) -> Bytes {
    let mut frame = Vec::with_capacity(object.len() + 40);
    frame.extend_from_slice(&[0; 4]);
    put_bytes(&mut frame, 1, name.as_bytes());
    nested(&mut frame, 2, |out| put_bytes(out, 1, object));
    let length = u32::try_from(frame.len() - 4).unwrap_or(u32::MAX);
    frame[..4].copy_from_slice(&length.to_be_bytes());
    frame.into()
}

/// The message of a stored object, without its type.
fn encoded(kind: &Kind, object: &Object) -> Bytes {
    object.encoded(|value| {
        let mut message = Vec::with_capacity(2_048);
        put_fields(&mut message, fields(kind.kind).unwrap_or_default(), value);
        message
    })
}

/// Wraps a message together with its type.
fn enveloped(version: &str, kind: &str, raw: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut out = MAGIC.to_vec();
    nested(&mut out, 1, |out| {
        put_bytes(out, 1, version.as_bytes());
        put_bytes(out, 2, kind.as_bytes());
    });
    nested(&mut out, 2, raw);
    // The encoding and the type of the content, which API servers leave empty.
    put_bytes(&mut out, 3, b"");
    put_bytes(&mut out, 4, b"");
    out.into()
}

fn put_fields(out: &mut Vec<u8>, fields: &[Field], object: &Value) {
    for field in fields {
        if let Shape::Inline(inner) = field.shape {
            nested(out, field.number, |out| put_fields(out, inner, object));
            continue;
        }
        let value = &object[field.name];
        if !(value.is_null() && field.zero == Zero::Set) {
            put(out, field, value);
        }
    }
}

/// Writes a field; a value of another type counts as zero.
fn put(out: &mut Vec<u8>, field: &Field, value: &Value) {
    let number = field.number;
    match field.shape {
        Shape::Text => put_bytes(out, number, text(value).as_bytes()),
        Shape::Flag => put_number(out, number, u64::from(value.as_bool().unwrap_or_default())),
        Shape::Number => put_number(out, number, integer(value)),
        Shape::Quantity => nested(out, number, |out| put_quantity(out, value)),
        Shape::Time | Shape::MicroTime => nested(out, number, |out| {
            let Ok(at) = text(value).parse::<Timestamp>() else { return };
            // Nanoseconds of a plain time are always zero.
            let micro = matches!(field.shape, Shape::MicroTime);
            let nanos = if micro { at.subsec_nanosecond() / 1_000 * 1_000 } else { 0 };
            put_number(out, 1, at.as_second() as u64);
            put_number(out, 2, i64::from(nanos) as u64);
        }),
        Shape::IntOrText => nested(out, number, |out| {
            put_number(out, 1, u64::from(value.is_string()));
            put_number(out, 2, integer(value));
            put_bytes(out, 3, text(value).as_bytes());
        }),
        Shape::Json => nested(out, number, |out| put_bytes(out, 1, value.to_string().as_bytes())),
        Shape::Texts => items(value).for_each(|item| put_bytes(out, number, text(item).as_bytes())),
        Shape::Numbers => items(value).for_each(|item| put_number(out, number, integer(item))),
        Shape::TextMap => {
            put_map(out, number, value, |out, value| put_bytes(out, 2, text(value).as_bytes()));
        }
        Shape::BytesMap => put_map(out, number, value, |out, value| {
            put_bytes(out, 2, &BASE64.decode(text(value)).unwrap_or_default());
        }),
        Shape::Quantities => {
            put_map(out, number, value, |out, value| nested(out, 2, |out| put_quantity(out, value)));
        }
        Shape::Message(fields) => nested(out, number, |out| put_fields(out, fields, value)),
        Shape::Messages(fields) => {
            items(value).for_each(|item| nested(out, number, |out| put_fields(out, fields, item)));
        }
        // Written with the fields of the outer object.
        Shape::Inline(_) => {}
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A number in two's complement.
fn integer(value: &Value) -> u64 {
    value.as_i64().unwrap_or_default() as u64
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A quantity may be a number in JSON.
fn put_quantity(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Number(number) => put_bytes(out, 1, number.to_string().as_bytes()),
        other => put_bytes(out, 1, text(other).as_bytes()),
    }
}

fn put_map(out: &mut Vec<u8>, number: u64, value: &Value, put: impl Fn(&mut Vec<u8>, &Value)) {
    for (key, value) in value.as_object().into_iter().flatten() {
        nested(out, number, |out| {
            put_bytes(out, 1, key.as_bytes());
            put(out, value);
        });
    }
}

fn put_number(out: &mut Vec<u8>, number: u64, value: u64) {
    put_varint(out, number << 3);
    put_varint(out, value);
}

fn put_bytes(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    put_varint(out, number << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Writes a message of a length that is known only afterwards.
fn nested(out: &mut Vec<u8>, number: u64, write: impl FnOnce(&mut Vec<u8>)) {
    put_varint(out, number << 3 | 2);
    let place = out.len();
    // Most lengths take one byte.
    out.push(0);
    write(out);
    let length = out.len() - place - 1;
    if let Some(short) = u8::try_from(length).ok().filter(|short| *short < 0x80) {
        out[place] = short;
    } else {
        let mut prefix = Vec::with_capacity(5);
        put_varint(&mut prefix, length as u64);
        out.splice(place..=place, prefix);
    }
}

/// A variable-length number, seven bits per byte, the lowest first.
fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The value after a field number.
enum Part<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Part<'a> {
    fn bytes(&self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Number(_) => None,
        }
    }

    fn text(&self) -> Option<String> {
        Some(std::str::from_utf8(self.bytes()?).ok()?.to_owned())
    }

    fn number(&self) -> Option<i64> {
        match self {
            Self::Bytes(_) => None,
            Self::Number(number) => Some(*number as i64),
        }
    }
}

fn message(bytes: &[u8], fields: &'static [Field]) -> Option<Map> {
    let mut object = Map::new();
    for (number, part) in parts(bytes)? {
        let Some(field) = fields.iter().find(|known| known.number == number) else { continue };
        let entry = |object: &mut Map, empty: Value| -> Value {
            object.remove(field.name).filter(|known| !known.is_null()).unwrap_or(empty)
        };
        let value = match field.shape {
            Shape::Inline(fields) => {
                object.extend(message(part.bytes()?, fields)?);
                continue;
            }
            Shape::Messages(fields) => {
                let mut list = entry(&mut object, json!([]));
                list.as_array_mut()?.push(message(part.bytes()?, fields)?.into());
                list
            }
            Shape::Texts | Shape::Numbers => {
                let mut list = entry(&mut object, json!([]));
                let item = match field.shape {
                    Shape::Numbers => json!(part.number()?),
                    _ => json!(part.text()?),
                };
                list.as_array_mut()?.push(item);
                list
            }
            Shape::TextMap | Shape::BytesMap | Shape::Quantities => {
                let mut map = entry(&mut object, json!({}));
                let pair = parts(part.bytes()?)?;
                let find =
                    |number: u64| pair.iter().find(|(field, _)| *field == number).map(|(_, part)| part);
                let value = match (find(2), field.shape) {
                    (None, _) => String::new(),
                    (Some(value), Shape::BytesMap) => BASE64.encode(value.bytes()?),
                    (Some(value), Shape::Quantities) => only_text(value.bytes()?)?,
                    (Some(value), _) => value.text()?,
                };
                map[find(1)?.text()?] = json!(value);
                map
            }
            shape => {
                let value = one(shape, &part)?;
                if value.is_null() || field.zero == Zero::Hidden && is_zero(&value) {
                    continue;
                }
                value
            }
        };
        object.insert(field.name, value);
    }
    Some(object)
}

/// The value of a field that is no list or map; null is a time that is not set.
fn one(shape: Shape, part: &Part<'_>) -> Option<Value> {
    let value = match shape {
        Shape::Flag => json!(part.number()? != 0),
        Shape::Number => json!(part.number()?),
        Shape::Quantity => json!(only_text(part.bytes()?)?),
        Shape::Time | Shape::MicroTime => {
            let found = parts(part.bytes()?)?;
            if found.is_empty() {
                return Some(Value::Null);
            }
            let find = |number: u64| found.iter().find(|(field, _)| *field == number)?.1.number();
            let nanos = i32::try_from(find(2).unwrap_or_default()).ok()?;
            let at = Timestamp::new(find(1).unwrap_or_default(), nanos).ok()?;
            json!(if matches!(shape, Shape::Time) { stamp(at) } else { micro_stamp(at) })
        }
        Shape::IntOrText => {
            let found = parts(part.bytes()?)?;
            let find = |number: u64| found.iter().find(|(field, _)| *field == number).map(|(_, part)| part);
            match find(1).and_then(Part::number) {
                Some(1) => json!(find(3).and_then(Part::text).unwrap_or_default()),
                _ => json!(find(2).and_then(Part::number).unwrap_or_default()),
            }
        }
        Shape::Json => serde_json::from_str(&only_text(part.bytes()?)?).ok()?,
        Shape::Message(fields) => message(part.bytes()?, fields)?.into(),
        _ => json!(part.text()?),
    };
    Some(value)
}

/// Whether this is the encoding for none.
fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

/// The only field of a message.
fn only_text(bytes: &[u8]) -> Option<String> {
    let found = parts(bytes)?;
    found.iter().find(|(number, _)| *number == 1).map_or(Some(String::new()), |(_, part)| part.text())
}

/// Splits a message into its fields.
fn parts(mut bytes: &[u8]) -> Option<Vec<(u64, Part<'_>)>> {
    let mut parts = Vec::new();
    while !bytes.is_empty() {
        let key = number(&mut bytes)?;
        let part = match key & 7 {
            0 => Part::Number(number(&mut bytes)?),
            1 => Part::Bytes(take(&mut bytes, 8)?),
            2 => {
                let length = number(&mut bytes)?;
                Part::Bytes(take(&mut bytes, usize::try_from(length).ok()?)?)
            }
            5 => Part::Bytes(take(&mut bytes, 4)?),
            _ => return None,
        };
        parts.push((key >> 3, part));
    }
    Some(parts)
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (head, tail) = bytes.split_at_checked(length)?;
    *bytes = tail;
    Some(head)
}

/// A variable-length number, seven bits per byte, the lowest first.
fn number(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for place in 0..10 {
        let byte = *take(bytes, 1)?.first()?;
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, bytes.len() as u8], bytes].concat()
    }

    #[test]
    fn a_config_map_is_read() {
        let kind = [field(1, b"v1"), field(2, b"ConfigMap")].concat();
        let pair = [field(1, b"key"), field(2, b"value")].concat();
        let raw = [
            field(1, &[field(1, b"c"), field(2, b"")].concat()),
            field(2, &pair),
            field(3, &pair),
            vec![4 << 3, 1],
        ];
        let body = [MAGIC.to_vec(), field(1, &kind), field(2, &raw.concat())].concat();
        assert!(is_protobuf(&body));
        let expected = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "immutable": true,
            "data": {"key": "value"}, "binaryData": {"key": "dmFsdWU="}});
        assert_eq!(object(&body), Some(expected));
        assert_eq!(object(&body[..body.len() - 1]), None);
    }

    #[test]
    fn other_kinds_are_left_to_json() {
        let kind = [field(1, b"v1"), field(2, b"Node")].concat();
        assert_eq!(object(&[MAGIC.to_vec(), field(1, &kind), field(2, b"")].concat()), None);
    }

    #[test]
    fn every_type_of_field_is_read_as_it_was_written() {
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": "p", "labels": {"a": "b", "c": ""}, "creationTimestamp": "2026-01-01T00:00:01Z",
                "deletionGracePeriodSeconds": 0,
                "managedFields": [{"manager": "m", "operation": "Update", "time": "2026-01-01T00:00:01Z",
                    "fieldsType": "FieldsV1", "fieldsV1": {"f:metadata": {"f:labels": {".": {}, "f:a": {}}}}}],
                "ownerReferences": [{"kind": "Job", "name": "j", "uid": "u", "apiVersion": "batch/v1", "controller": false}],
            },
            "spec": {
                "containers": [{
                    "name": "c", "args": ["x", ""], "resources": {"limits": {"cpu": "100m", "memory": "1Gi"}},
                    "ports": [{"containerPort": 80}],
                    "livenessProbe": {"httpGet": {"port": 8443, "path": "/"}, "timeoutSeconds": 3},
                    "readinessProbe": {"tcpSocket": {"port": "http"}},
                    "env": [{"name": "E", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k", "optional": false}}}],
                }],
                "securityContext": {"runAsUser": 0, "supplementalGroups": [107, -1]},
                "tolerations": [{"operator": "Exists", "tolerationSeconds": 300}],
                "nodeSelector": {"x": "y"},
                "volumes": [
                    {"name": "e", "emptyDir": {}},
                    {"name": "q", "emptyDir": {"sizeLimit": "2Gi"}},
                    {"name": "m", "configMap": {"name": "c", "defaultMode": 420}},
                    {"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}},
                ],
            },
        });
        assert_eq!(object(&whole(&pod)), Some(pod));
        let event = json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"},
            "involvedObject": {"kind": "Pod"}, "count": -1, "firstTimestamp": "2026-01-01T00:00:01Z",
            "eventTime": "2026-01-01T00:00:01.250001Z", "reportingComponent": "", "reportingInstance": ""});
        assert_eq!(object(&whole(&event)), Some(event));
        let secret =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"k": "AAH/"}});
        assert_eq!(object(&whole(&secret)), Some(secret));
    }

    #[test]
    fn what_is_not_set_is_written_as_go_writes_it() {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}});
        let kind = [field(1, b"v1"), field(2, b"Namespace")].concat();
        let metadata = [
            field(1, b"n"),
            field(2, b""),
            field(3, b""),
            field(4, b""),
            field(5, b""),
            field(6, b""),
            vec![7 << 3, 0],
            field(8, b""),
        ];
        let raw = [field(1, &metadata.concat()), field(2, b""), field(3, &field(1, b""))].concat();
        let rest = [field(3, b""), field(4, b"")].concat();
        assert_eq!(whole(&namespace), [MAGIC, &field(1, &kind), &field(2, &raw), &rest].concat());
    }

    #[test]
    fn an_event_begins_with_its_length() {
        let object = vec![7; 300];
        let frame = event("ADDED", &object);
        assert_eq!(frame[..4], (frame.len() as u32 - 4).to_be_bytes());
        let found = parts(&frame[4..]).unwrap();
        assert_eq!(found[0].1.text().as_deref(), Some("ADDED"));
        let inner = parts(found[1].1.bytes().unwrap()).unwrap();
        assert_eq!(inner[0].1.bytes(), Some(&object[..]));
    }
}
