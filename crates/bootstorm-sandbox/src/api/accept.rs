//! Response representations, negotiated with the client.

use http::{HeaderMap, header};

use super::status::Failure;

/// Form of a response
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Form {
    /// The object itself.
    Object,
    /// Rows for display.
    Table,
    /// Metadata only.
    Metadata,
}

/// The first form accepted by the client that the server can produce.
pub(super) fn form(headers: &HeaderMap) -> Result<Form, Failure> {
    let Some(accept) = text(headers) else { return Ok(Form::Object) };
    for media in accept.split(',') {
        let mut parts = media.split(';').map(str::trim);
        let known = matches!(parts.next(), Some("application/json" | "application/*" | "*/*" | ""));
        if !known {
            continue;
        }
        let kind = parts.find_map(|part| part.strip_prefix("as="));
        match kind {
            None => return Ok(Form::Object),
            Some("Table") => return Ok(Form::Table),
            Some("PartialObjectMetadata" | "PartialObjectMetadataList") => return Ok(Form::Metadata),
            Some(_) => {}
        }
    }
    Err(Failure::not_acceptable())
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

    fn accepting(text: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::ACCEPT, text.parse().unwrap())])
    }

    #[test]
    fn the_first_known_form_wins() {
        let kubectl = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
        assert_eq!(form(&accepting(kubectl)), Ok(Form::Table));
        assert_eq!(
            form(&accepting("application/vnd.kubernetes.protobuf,application/json")),
            Ok(Form::Object)
        );
        assert_eq!(form(&HeaderMap::new()), Ok(Form::Object));
        assert!(form(&accepting("text/html")).is_err());
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
