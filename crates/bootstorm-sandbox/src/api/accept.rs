//! Response representations, negotiated with the client.

use http::{HeaderMap, header};

use super::protobuf;
use super::status::Failure;
use crate::store::Kind;

/// Form of a response
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Form {
    /// The object itself.
    Object,
    /// The object itself, in protocol buffers.
    Protobuf,
    /// Rows for display.
    Table,
    /// Metadata only.
    Metadata,
}

/// The first form accepted by the client in which the server can send this kind.
pub(super) fn form(headers: &HeaderMap, kind: &Kind) -> Result<Form, Failure> {
    let Some(accept) = text(headers) else { return Ok(Form::Object) };
    for media in accept.split(',') {
        let mut parts = media.split(';').map(str::trim);
        let binary = match parts.next() {
            Some("application/json" | "application/*" | "*/*" | "") => false,
            Some(protobuf::MEDIA_TYPE) => true,
            _ => continue,
        };
        let shown = parts.find_map(|part| part.strip_prefix("as="));
        if binary {
            if shown.is_none() && protobuf::serves(kind) {
                return Ok(Form::Protobuf);
            }
            continue;
        }
        match shown {
            None => return Ok(Form::Object),
            Some("Table") => return Ok(Form::Table),
            Some("PartialObjectMetadata" | "PartialObjectMetadataList") => return Ok(Form::Metadata),
            Some(_) => {}
        }
    }
    Err(Failure::not_acceptable(protobuf::serves(kind)))
}

/// Whether the client wants all of discovery in one document, and in which version.
pub(super) fn aggregated(headers: &HeaderMap) -> Option<&'static str> {
    let accept = text(headers)?;
    let wanted = |media: &str, version: &str| {
        let parts: Vec<&str> = media.split(';').map(str::trim).collect();
        parts.contains(&"as=APIGroupDiscoveryList") && parts.contains(&version)
    };
    let offers = [("v=v2", "v2"), ("v=v2beta1", "v2beta1")];
    accept
        .split(',')
        .find_map(|media| offers.iter().find(|(version, _)| wanted(media, version)).map(|(_, name)| *name))
}

/// Whether the client accepts any form, as virt-api requires if it answers without a body.
pub(super) fn anything(headers: &HeaderMap) -> bool {
    text(headers).is_none_or(|accept| accept.split(',').any(|media| media.trim().starts_with("*/*")))
}

pub(super) fn text(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::ACCEPT)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::kind::{CUSTOM_RESOURCE_DEFINITIONS, EVENTS, PODS, VIRTUAL_MACHINES};

    fn accepting(text: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::ACCEPT, text.parse().unwrap())])
    }

    #[test]
    fn the_first_known_form_wins() {
        let kubectl = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
        assert_eq!(form(&accepting(kubectl), &PODS), Ok(Form::Table));
        assert_eq!(form(&HeaderMap::new(), &PODS), Ok(Form::Object));
        assert!(form(&accepting("text/html"), &PODS).is_err());
    }

    #[test]
    fn protocol_buffers_are_for_built_in_kinds_that_are_described() {
        let client_go = accepting("application/vnd.kubernetes.protobuf,application/json");
        assert_eq!(form(&client_go, &PODS), Ok(Form::Protobuf));
        assert_eq!(form(&client_go, &VIRTUAL_MACHINES), Ok(Form::Object));
        assert_eq!(form(&client_go, &CUSTOM_RESOURCE_DEFINITIONS), Ok(Form::Object));
        let watching = "application/vnd.kubernetes.protobuf;stream=watch, */*";
        assert_eq!(form(&accepting(watching), &EVENTS), Ok(Form::Protobuf));
        let metadata = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
        assert_eq!(form(&accepting(metadata), &PODS), Ok(Form::Metadata));
        assert_eq!(
            form(&accepting("application/json,application/vnd.kubernetes.protobuf"), &PODS),
            Ok(Form::Object)
        );
        assert!(form(&accepting(protobuf::MEDIA_TYPE), &VIRTUAL_MACHINES).is_err());
    }

    #[test]
    fn discovery_comes_in_one_piece_when_asked() {
        let client_go = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
        assert_eq!(aggregated(&accepting(client_go)), Some("v2"));
        assert_eq!(aggregated(&accepting("application/json")), None);
    }

    #[test]
    fn a_narrow_taste_is_not_anything() {
        assert!(anything(&HeaderMap::new()) && anything(&accepting("application/json, */*")));
        assert!(!anything(&accepting("application/json")));
    }
}
