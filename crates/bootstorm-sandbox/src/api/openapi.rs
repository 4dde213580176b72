//! The subset of `OpenAPI` that `kubectl` needs to validate on the server and to explain a kind.

use super::payload::Body;
use crate::value::{Value, json};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use super::status::Failure;
use super::{accept, answer};
use crate::store::Kind;
use crate::store::kind;

/// Title of every document.
const TITLE: &str = "Kubernetes";
const VERSION: &str = "v1.36.0";

/// Answers a request below `/openapi`.
pub(super) fn serve(path: &str, headers: &HeaderMap) -> Result<Response<Body>, Failure> {
    match path {
        "v2" => Ok(second(headers)),
        "v3" => Ok(answer::value(StatusCode::OK, &index())),
        _ => {
            let place = path.strip_prefix("v3/").ok_or_else(Failure::page_not_found)?;
            let kinds: Vec<&Kind> = kind::all().iter().copied().filter(|kind| home(kind) == place).collect();
            if kinds.is_empty() {
                return Err(Failure::page_not_found());
            }
            Ok(answer::value(StatusCode::OK, &document(&kinds)))
        }
    }
}

/// Path of the document that describes a version's kinds.
fn home(kind: &Kind) -> String {
    if kind.group.is_empty() {
        format!("api/{}", kind.version)
    } else {
        format!("apis/{}", kind.api_version())
    }
}

fn index() -> Value {
    let mut paths = json!({});
    for kind in kind::all() {
        let home = home(kind);
        paths[&home] = json!({"serverRelativeURL": format!("/openapi/v3/{home}?hash={VERSION}")});
    }
    json!({"paths": paths})
}

fn document(kinds: &[&Kind]) -> Value {
    let mut paths = json!({});
    let mut schemas = json!({});
    for kind in kinds {
        let id = json!({"group": kind.group, "version": kind.version, "kind": kind.kind});
        let space = if kind.namespaced { "/namespaces/{namespace}" } else { "" };
        let path = format!("/{}{space}/{}/{{name}}", home(kind), kind.plural);
        // kubectl leaves validation to servers whose patch operation has these options.
        let option = |name: &str| json!({"name": name, "in": "query", "schema": {"type": "string"}});
        paths[path] = json!({
            "get": {"operationId": format!("read{}", kind.kind), "responses": {"200": {"description": "OK"}}, "x-kubernetes-action": "get", "x-kubernetes-group-version-kind": id},
            "patch": {
                "operationId": format!("patch{}", kind.kind),
                "parameters": [option("dryRun"), option("fieldManager"), option("fieldValidation"), option("force")],
                "responses": {"200": {"description": "OK"}},
                "x-kubernetes-action": "patch",
                "x-kubernetes-group-version-kind": id,
            },
        });
        let text = |about: &str| json!({"type": "string", "description": about});
        let open = |about: &str| json!({"type": "object", "description": about, "x-kubernetes-preserve-unknown-fields": true});
        schemas[schema_name(kind)] = json!({
            "type": "object",
            "description": format!("{} in the sandbox; its fields are not described.", kind.kind),
            "properties": {
                "apiVersion": text("The version of this representation."),
                "kind": text("The kind of this object."),
                "metadata": open("Name, labels, annotations and metadata kept by the server."),
                "spec": open("Desired state."),
                "status": open("Observed state."),
            },
            "x-kubernetes-group-version-kind": [id],
        });
    }
    json!({
        "openapi": "3.0.0",
        "info": {"title": TITLE, "version": VERSION},
        "paths": paths,
        "components": {"schemas": schemas},
    })
}

fn schema_name(kind: &Kind) -> String {
    let group = if kind.group.is_empty() { "io.k8s.api.core".to_owned() } else { kind.group.to_owned() };
    format!("{group}.{}.{}", kind.version, kind.kind)
}

/// The older form, without any definition; client-go reads it as protocol buffers.
fn second(headers: &HeaderMap) -> Response<Body> {
    let binary = accept::text(headers).is_some_and(|accept| accept.contains("proto-openapi"));
    if !binary {
        let document = json!({"swagger": "2.0", "info": {"title": TITLE, "version": VERSION}, "paths": {}});
        return answer::value(StatusCode::OK, &document);
    }
    let info = [field(1, TITLE.as_bytes()), field(2, VERSION.as_bytes())].concat();
    let mut response = answer::json(StatusCode::OK, [field(1, b"2.0"), field(2, &info)].concat());
    let media = HeaderValue::from_static("application/com.github.proto-openapi.spec.v2.v1.0+protobuf");
    response.headers_mut().insert(header::CONTENT_TYPE, media);
    response
}

/// A length-delimited field of a protocol buffer; all of ours are shorter than 128 bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut text = vec![number << 3 | 2, bytes.len() as u8];
    text.extend_from_slice(bytes);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_document_of_the_index_is_served() {
        for home in index()["paths"].as_object().unwrap().keys() {
            assert!(serve(&format!("v3/{home}"), &HeaderMap::new()).is_ok(), "{home}");
        }
        assert!(serve("v3/apis/none/v1", &HeaderMap::new()).is_err());
    }
}
