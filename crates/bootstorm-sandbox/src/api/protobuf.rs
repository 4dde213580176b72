//! Objects in protocol buffers, which `kubectl` sends for a few built-in kinds; answers are JSON.

use crate::value::{Map, Value, json};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;

/// Prefix of every such body.
const MAGIC: &[u8] = b"k8s\0";

/// A field of a message: its number, its name, its type.
type Field = (u64, &'static str, Shape);

#[derive(Debug, Clone, Copy)]
enum Shape {
    Text,
    Flag,
    Number,
    Texts,
    TextMap,
    BytesMap,
    /// Quantities by name; each is a message with a text.
    Quantities,
    Message(&'static [Field]),
    Messages(&'static [Field]),
}

const METADATA: &[Field] = &[
    (1, "name", Shape::Text),
    (2, "generateName", Shape::Text),
    (3, "namespace", Shape::Text),
    (5, "uid", Shape::Text),
    (6, "resourceVersion", Shape::Text),
    (11, "labels", Shape::TextMap),
    (12, "annotations", Shape::TextMap),
    (14, "finalizers", Shape::Texts),
];
const META: Field = (1, "metadata", Shape::Message(METADATA));
const RESOURCE: &[Field] = &[
    (1, "namespace", Shape::Text),
    (2, "verb", Shape::Text),
    (3, "group", Shape::Text),
    (4, "version", Shape::Text),
    (5, "resource", Shape::Text),
    (6, "subresource", Shape::Text),
    (7, "name", Shape::Text),
];
const NON_RESOURCE: &[Field] = &[(1, "path", Shape::Text), (2, "verb", Shape::Text)];
const ACCESS: &[Field] = &[
    (1, "resourceAttributes", Shape::Message(RESOURCE)),
    (2, "nonResourceAttributes", Shape::Message(NON_RESOURCE)),
];
const RULE: &[Field] = &[
    (1, "verbs", Shape::Texts),
    (2, "apiGroups", Shape::Texts),
    (3, "resources", Shape::Texts),
    (4, "resourceNames", Shape::Texts),
    (5, "nonResourceURLs", Shape::Texts),
];
const ROLE: &[Field] = &[META, (2, "rules", Shape::Messages(RULE))];
const SUBJECT: &[Field] = &[
    (1, "kind", Shape::Text),
    (2, "apiGroup", Shape::Text),
    (3, "name", Shape::Text),
    (4, "namespace", Shape::Text),
];
const ROLE_REFERENCE: &[Field] =
    &[(1, "apiGroup", Shape::Text), (2, "kind", Shape::Text), (3, "name", Shape::Text)];
const BINDING: &[Field] =
    &[META, (2, "subjects", Shape::Messages(SUBJECT)), (3, "roleRef", Shape::Message(ROLE_REFERENCE))];
/// The fields of a Job that `kubectl create job` sets.
const JOB: &[Field] = &[
    (1, "parallelism", Shape::Number),
    (2, "completions", Shape::Number),
    (6, "template", Shape::Message(&[META, (2, "spec", Shape::Message(POD))])),
    (7, "backoffLimit", Shape::Number),
    (9, "completionMode", Shape::Text),
];
const POD: &[Field] = &[
    (2, "containers", Shape::Messages(CONTAINER)),
    (3, "restartPolicy", Shape::Text),
    (8, "serviceAccountName", Shape::Text),
];
const CONTAINER: &[Field] = &[
    (1, "name", Shape::Text),
    (2, "image", Shape::Text),
    (3, "command", Shape::Texts),
    (4, "args", Shape::Texts),
];
const RULES: &[Field] = &[(1, "namespace", Shape::Text)];

/// Fields of a kind; `None` if it is not supported in this form.
fn fields(kind: &str) -> Option<&'static [Field]> {
    let fields: &'static [Field] = match kind {
        "Namespace" | "ServiceAccount" | "SelfSubjectReview" => &[META],
        "ConfigMap" => &[
            META,
            (2, "data", Shape::TextMap),
            (3, "binaryData", Shape::BytesMap),
            (4, "immutable", Shape::Flag),
        ],
        "Secret" => &[
            META,
            (2, "data", Shape::BytesMap),
            (3, "type", Shape::Text),
            (4, "stringData", Shape::TextMap),
            (5, "immutable", Shape::Flag),
        ],
        "SelfSubjectAccessReview" | "SubjectAccessReview" => &[META, (2, "spec", Shape::Message(ACCESS))],
        "ResourceQuota" => &[META, (2, "spec", Shape::Message(&[(1, "hard", Shape::Quantities)]))],
        "Role" | "ClusterRole" => ROLE,
        "RoleBinding" | "ClusterRoleBinding" => BINDING,
        "Job" => &[META, (2, "spec", Shape::Message(JOB))],
        "SelfSubjectRulesReview" => &[META, (2, "spec", Shape::Message(RULES))],
        _ => return None,
    };
    Some(fields)
}

/// Whether a body is in this form.
pub(super) fn is_protobuf(body: &[u8]) -> bool {
    body.starts_with(MAGIC)
}

/// The object in a body; `None` if it is damaged or of an unsupported kind.
pub(super) fn object(body: &[u8]) -> Option<Value> {
    const TYPE: &[Field] = &[(1, "apiVersion", Shape::Text), (2, "kind", Shape::Text)];
    let envelope = parts(body.strip_prefix(MAGIC)?)?;
    let find =
        |number: u64| envelope.iter().find(|(field, _)| *field == number).and_then(|(_, part)| part.bytes());
    let kind = message(find(1)?, TYPE)?;
    let mut object = message(find(2).unwrap_or_default(), fields(kind["kind"].as_str()?)?)?;
    object.extend(kind);
    Some(object.into())
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
}

fn message(bytes: &[u8], fields: &'static [Field]) -> Option<Map> {
    let mut object = Map::new();
    for (number, part) in parts(bytes)? {
        let Some((_, name, shape)) = fields.iter().find(|(known, ..)| *known == number) else { continue };
        let entry = |object: &mut Map, empty: Value| -> Value {
            object.remove(name).filter(|known| !known.is_null()).unwrap_or(empty)
        };
        let value = match shape {
            // An empty text is the format's encoding for none.
            Shape::Text => match part.text()? {
                text if text.is_empty() => continue,
                text => json!(text),
            },
            Shape::Flag => json!(matches!(part, Part::Number(1..))),
            Shape::Number => match part {
                Part::Number(number) => json!(number),
                Part::Bytes(_) => return None,
            },
            Shape::Messages(fields) => {
                let mut list = entry(&mut object, json!([]));
                list.as_array_mut()?.push(message(part.bytes()?, fields)?.into());
                list
            }
            Shape::Texts => {
                let mut list = entry(&mut object, json!([]));
                list.as_array_mut()?.push(json!(part.text()?));
                list
            }
            Shape::TextMap | Shape::BytesMap | Shape::Quantities => {
                let mut map = entry(&mut object, json!({}));
                let pair = parts(part.bytes()?)?;
                let find =
                    |number: u64| pair.iter().find(|(field, _)| *field == number).map(|(_, part)| part);
                let value = match (find(2), shape) {
                    (None, _) => String::new(),
                    (Some(value), Shape::BytesMap) => BASE64.encode(value.bytes()?),
                    (Some(value), Shape::Quantities) => message(value.bytes()?, &[(1, "text", Shape::Text)])?
                        .get("text")?
                        .as_str()?
                        .to_owned(),
                    (Some(value), _) => value.text()?,
                };
                map[find(1)?.text()?] = json!(value);
                map
            }
            Shape::Message(fields) => message(part.bytes()?, fields)?.into(),
        };
        object.insert((*name).to_owned(), value);
    }
    Some(object)
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
        let kind = [field(1, b"v1"), field(2, b"Pod")].concat();
        assert_eq!(object(&[MAGIC.to_vec(), field(1, &kind), field(2, b"")].concat()), None);
    }
}
