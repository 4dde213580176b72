//! Refusals as `Status` objects, like those of a real API server.

use std::borrow::Cow;

use super::payload::Body;
use super::protobuf;
use crate::value::{Map, Value, json};
use http::{HeaderValue, Response, StatusCode, header};

use crate::store::{Kind, StoreError, TooOld};

/// A refused request
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Failure {
    code: u16,
    reason: Cow<'static, str>,
    message: String,
    details: Map,
    retry_after: Option<u32>,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Status,
    /// virt-api indents its output by one space.
    Indented,
    Text,
}

/// One invalid field
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cause {
    pub(super) reason: &'static str,
    pub(super) field: String,
    pub(super) message: String,
}

impl Cause {
    pub(super) fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { reason: "FieldValueInvalid", field: field.into(), message: message.into() }
    }
}

impl Failure {
    pub(super) fn new(code: u16, reason: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
            message: message.into(),
            details: Map::new(),
            retry_after: None,
            form: Form::Status,
        }
    }

    /// An answer that is not a `Status`, but text.
    pub(super) fn text(code: u16, message: impl Into<String>) -> Self {
        Self { form: Form::Text, ..Self::new(code, "", message) }
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    pub(super) fn page_not_found() -> Self {
        Self::text(404, "404 page not found\n")
    }

    pub(super) fn not_found(kind: &Kind, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{} \"{name}\" not found", kind.qualified())).about(kind, name)
    }

    pub(super) fn method_not_allowed() -> Self {
        Self::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
    }

    pub(super) fn not_acceptable(protobuf: bool) -> Self {
        let mut message =
            "only the following media types are accepted: application/json, application/yaml".to_owned();
        if protobuf {
            message = format!("{message}, {}", protobuf::MEDIA_TYPE);
        }
        Self::new(406, "NotAcceptable", message)
    }

    pub(super) fn unsupported(accepted: &str) -> Self {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {accepted}"
        );
        Self::new(415, "UnsupportedMediaType", message)
    }

    pub(super) fn forbidden(kind: &Kind, name: &str, why: &str) -> Self {
        let message = format!("{} \"{name}\" is forbidden: {why}", kind.qualified());
        Self::new(403, "Forbidden", message).about(kind, name)
    }

    pub(super) fn conflict(kind: &Kind, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} \"{name}\": {why}", kind.qualified());
        Self::new(409, "Conflict", message).about(kind, name)
    }

    /// The object was changed since the caller read it.
    pub(super) fn stale(kind: &Kind, name: &str) -> Self {
        let why =
            "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(kind, name, why)
    }

    /// Fields rejected by the API server itself.
    pub(super) fn invalid(kind: &Kind, name: &str, causes: &[Cause]) -> Self {
        let qualified = if kind.group.is_empty() {
            kind.kind.to_owned()
        } else {
            format!("{}.{}", kind.kind, kind.group)
        };
        let said: Vec<String> =
            causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
        let list = if said.len() == 1 { said.concat() } else { format!("[{}]", said.join(", ")) };
        let mut failure = Self::new(422, "Invalid", format!("{qualified} \"{name}\" is invalid: {list}"));
        failure.details.insert("name".to_owned(), json!(name));
        if !kind.group.is_empty() {
            failure.details.insert("group".to_owned(), json!(kind.group));
        }
        failure.details.insert("kind".to_owned(), json!(kind.kind));
        failure.because(causes)
    }

    /// Fields rejected by an admission webhook.
    pub(super) fn denied(webhook: &str, causes: &[Cause]) -> Self {
        let said: Vec<&str> = causes.iter().take(10).map(|cause| cause.message.as_str()).collect();
        let message = format!("admission webhook \"{webhook}\" denied the request: {}", said.join(", "));
        Self::new(422, "Invalid", message).because(&causes[..causes.len().min(10)])
    }

    /// A list or watch from a revision that is forgotten.
    pub(super) fn expired(error: TooOld) -> Self {
        Self::new(410, "Expired", error.to_string())
    }

    /// Adds the object.
    pub(super) fn about(mut self, kind: &Kind, name: &str) -> Self {
        if !name.is_empty() {
            self.details.insert("name".to_owned(), json!(name));
        }
        if !kind.group.is_empty() {
            self.details.insert("group".to_owned(), json!(kind.group));
        }
        self.details.insert("kind".to_owned(), json!(kind.plural));
        self
    }

    /// Adds the invalid fields.
    pub(super) fn because(mut self, causes: &[Cause]) -> Self {
        let causes: Vec<Value> = causes
            .iter()
            .map(|cause| json!({"reason": cause.reason, "message": cause.message, "field": cause.field}))
            .collect();
        self.details.insert("causes".to_owned(), causes.into());
        self
    }

    /// Adds one detail.
    pub(super) fn detail(mut self, key: &str, value: Value) -> Self {
        self.details.insert(key.to_owned(), value);
        self
    }

    pub(super) fn retry_after(mut self, seconds: Option<u32>) -> Self {
        self.retry_after = seconds;
        self
    }

    pub(super) fn indented(mut self) -> Self {
        self.form = Form::Indented;
        self
    }

    #[cfg(test)]
    pub(super) fn code(&self) -> u16 {
        self.code
    }

    /// The `Status` object.
    pub(super) fn status(&self) -> Value {
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        });
        let mut details = self.details.clone();
        if let Some(seconds) = self.retry_after {
            details.insert("retryAfterSeconds".to_owned(), json!(seconds));
        }
        if !details.is_empty() || self.reason == "MethodNotAllowed" {
            status["details"] = details.into();
        }
        status
    }

    /// The answer as sent to a client that prefers protocol buffers.
    pub(super) fn response_in_protobuf(&self) -> Response<Body> {
        let mut response = self.response();
        if self.form == Form::Status {
            response
                .headers_mut()
                .insert(header::CONTENT_TYPE, HeaderValue::from_static(protobuf::MEDIA_TYPE));
            *response.body_mut() = super::payload::full(protobuf::whole(&self.status()));
        }
        response
    }

    /// The answer as sent.
    pub(super) fn response(&self) -> Response<Body> {
        let (kind, body) = match self.form {
            Form::Text => ("text/plain; charset=utf-8", self.message.clone()),
            Form::Status => ("application/json", self.status().to_string()),
            Form::Indented => ("application/json", indent(&self.status())),
        };
        let mut response = Response::new(super::payload::full(body));
        *response.status_mut() = StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        let known = |qualified: &str| {
            crate::store::kind::all().iter().find(|kind| kind.qualified() == qualified).copied()
        };
        let about = |failure: Self, kind: &str, name: &str| match known(kind) {
            Some(kind) => failure.about(kind, name),
            None => failure,
        };
        match &error {
            StoreError::NotFound { kind, name } => about(Self::new(404, "NotFound", message), kind, name),
            StoreError::AlreadyExists { kind, name } => {
                about(Self::new(409, "AlreadyExists", message), kind, name)
            }
            StoreError::NoNamespace { namespace } => {
                about(Self::new(404, "NotFound", message), "namespaces", namespace)
            }
            StoreError::NamespaceTerminating { kind, name, namespace } => {
                let cause = Cause {
                    reason: "NamespaceTerminating",
                    field: "metadata.namespace".to_owned(),
                    message: format!("namespace {namespace} is being terminated"),
                };
                about(Self::new(403, "Forbidden", message), kind, name).because(&[cause])
            }
            StoreError::OverQuota { kind, name, .. } => {
                about(Self::new(403, "Forbidden", message), kind, name)
            }
            StoreError::Precondition { kind, name, .. } => {
                about(Self::new(409, "Conflict", message), kind, name)
            }
        }
    }
}

fn indent(value: &Value) -> String {
    use serde::Serialize;
    let mut text = Vec::new();
    let format = serde_json::ser::PrettyFormatter::with_indent(b" ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, format);
    // Values always serialise, and writing to memory cannot fail.
    let _ = value.serialize(&mut serializer);
    String::from_utf8(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::kind::VIRTUAL_MACHINES;

    #[test]
    fn a_conflict_reads_as_on_a_cluster() {
        let status = Failure::stale(&VIRTUAL_MACHINES, "w").status();
        assert_eq!(
            status["message"],
            "Operation cannot be fulfilled on virtualmachines.kubevirt.io \"w\": the object has been modified; please apply your changes to the latest version and try again"
        );
        assert_eq!(
            status["details"],
            json!({"name": "w", "group": "kubevirt.io", "kind": "virtualmachines"})
        );
        assert_eq!((&status["code"], &status["reason"]), (&json!(409), &json!("Conflict")));
    }

    #[test]
    fn a_denied_request_names_the_fields() {
        let status = Failure::denied(
            "v.kubevirt.io",
            &[Cause::invalid("spec.running", "RunStrategy must be specified")],
        )
        .status();
        assert_eq!(
            status["message"],
            "admission webhook \"v.kubevirt.io\" denied the request: RunStrategy must be specified"
        );
        assert_eq!(status["details"]["causes"][0]["field"], "spec.running");
    }

    #[test]
    fn a_failing_namespace_is_explained() {
        let error = StoreError::NamespaceTerminating {
            kind: "virtualmachines.kubevirt.io".into(),
            name: "vm1".into(),
            namespace: "a".into(),
        };
        let status = Failure::from(error).status();
        assert_eq!((&status["code"], &status["reason"]), (&json!(403), &json!("Forbidden")));
        assert_eq!(status["details"]["causes"][0]["reason"], "NamespaceTerminating");
    }
}
