//! Watches and objects in protocol buffers, read like those in JSON: see [`super::decode`].

use std::borrow::Cow;

use super::decode::{Heard, Undecodable};
use super::metadata::{Borrowed, Decoder};
use super::protobuf::{Malformed, Message, Part, field, opened, read, status};

/// `meta.v1.WatchEvent`: unlike its object, it is sent without its type
#[derive(Default)]
struct Event<'a> {
    r#type: Cow<'a, str>,
    object: Raw<'a>,
}

impl<'a> Message<'a> for Event<'a> {
    fn take(&mut self, number: u64, value: Part<'a>) -> Result<(), Malformed> {
        match number {
            1 => self.r#type = value.text()?,
            2 => self.object = value.message()?,
            _ => {}
        }
        Ok(())
    }
}

/// `runtime.RawExtension`
#[derive(Default)]
struct Raw<'a>(&'a [u8]);

impl<'a> Message<'a> for Raw<'a> {
    fn take(&mut self, number: u64, value: Part<'a>) -> Result<(), Malformed> {
        if number == 1 {
            self.0 = value.bytes()?;
        }
        Ok(())
    }
}

/// An object of a kind, of which only the metadata are read
#[derive(Default)]
struct Titled<'a> {
    metadata: Borrowed<'a>,
}

impl<'a> Message<'a> for Titled<'a> {
    fn take(&mut self, number: u64, value: Part<'a>) -> Result<(), Malformed> {
        if number == 1 {
            self.metadata = value.message()?;
        }
        Ok(())
    }
}

/// Reads a frame of a watch; `None` if it is none.
pub(super) fn heard<T>(frame: &[u8], decode: Decoder<T>) -> Option<Heard<T>> {
    let Event { r#type, object: Raw(object) } = read(frame).ok()?;
    Some(match &*r#type {
        "BOOKMARK" => {
            let Titled { metadata } = read(opened(object).ok()?).ok()?;
            if metadata.resource_version.is_empty() {
                return None;
            }
            Heard::Bookmark(metadata.resource_version.into_owned())
        }
        "ERROR" => {
            let status = status(object);
            tracing::debug!(?status, "watch ended by the server");
            Heard::Refused { expired: status.is_some_and(|status| status.code == 410) }
        }
        _ => match opened(object) {
            Ok(message) => match item(message, decode) {
                Ok(object) => Heard::Changed { object, removed: r#type == "DELETED" },
                Err(fault) => Heard::Unreadable(fault),
            },
            Err(error) => Heard::Unreadable(undecodable(&[], error)),
        },
    })
}

/// Decodes the message of an object.
///
/// Fails with the name and version of the object, as far as they can be determined.
pub(super) fn item<T>(message: &[u8], decode: Decoder<T>) -> Result<T, Undecodable> {
    decode(message).map_err(|error| undecodable(message, error))
}

fn undecodable(mut message: &[u8], error: Malformed) -> Undecodable {
    let mut metadata = Borrowed::default();
    while let Ok(Some((number, value))) = field(&mut message) {
        let (1, Part::Bytes(mut fields)) = (number, value) else { continue };
        while let Ok(Some((number, value))) = field(&mut fields) {
            // What can be read of it is enough.
            let _ = metadata.take(number, value);
        }
    }
    Undecodable {
        namespace: metadata.namespace.into_owned(),
        name: metadata.name.into_owned(),
        version: metadata.resource_version.into_owned(),
        why: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::launchers::Pod;
    use super::super::metadata::Watched;
    use super::super::notices::CoreEvent;
    use super::super::scripted::wire::{event, field, number, object};
    use super::*;

    fn pod(frame: &[u8]) -> Option<Heard<Pod>> {
        heard(frame, Pod::DECODER.unwrap())
    }

    fn named(name: &[u8]) -> Vec<u8> {
        field(1, &[field(1, name), field(3, b"p-1"), field(5, b"u"), field(6, b"7")].concat())
    }

    #[test]
    fn events_are_told_apart() {
        let changed = |kind: &str| pod(&event(kind, &object("Pod", &named(b"a"))));
        for (kind, expected) in [("ADDED", false), ("MODIFIED", false), ("DELETED", true)] {
            let Some(Heard::Changed { object, removed }) = changed(kind) else { panic!("{kind}") };
            assert_eq!((object.resource_version(), removed), ("7", expected));
        }
        assert!(matches!(changed("BOOKMARK"), Some(Heard::Bookmark(version)) if version == "7"));
        assert!(pod(&event("BOOKMARK", &object("Pod", b""))).is_none(), "a bookmark has a version");
        for (code, expected) in [(410, true), (500, false)] {
            let status = object("Status", &[field(3, b"too old"), number(6, code)].concat());
            let Some(Heard::Refused { expired }) = pod(&event("ERROR", &status)) else { panic!("{code}") };
            assert_eq!(expired, expected);
        }
        assert!(matches!(pod(&event("ERROR", b"")), Some(Heard::Refused { expired: false })));
        assert!(pod(b"{\"type\":\"ADDED\"}").is_none());
    }

    #[test]
    fn an_object_that_cannot_be_read_is_named() {
        let unreadable = |message: &[u8]| match pod(&event("ADDED", &object("Pod", message))) {
            Some(Heard::Unreadable(fault)) => fault,
            other => panic!("{other:?}"),
        };
        let odd = unreadable(&[named(b"a"), field(3, &number(1, 7))].concat());
        assert_eq!(
            (odd.to_string().as_str(), odd.version.as_str()),
            ("p-1/a cannot be read: a field has an unexpected type", "7")
        );
        let damaged = unreadable(&[named(b"\xff"), field(3, b"")].concat());
        assert_eq!(
            (damaged.to_string().as_str(), damaged.version.as_str()),
            ("p-1/ cannot be read: a text is not UTF-8", "7")
        );
        let cut = unreadable(&[named(b"a"), vec![3 << 3 | 2, 9]].concat());
        assert_eq!(cut.to_string(), "p-1/a cannot be read: a message is cut off");
        let Some(Heard::Unreadable(bare)) = pod(&event("ADDED", &named(b"a"))) else { panic!() };
        assert_eq!((bare.version.as_str(), bare.why.as_str()), ("", "an object without its type"));
    }

    proptest! {
        #[test]
        fn nothing_that_is_received_is_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = pod(&bytes);
            let _ = pod(&event("ADDED", &object("Pod", &bytes)));
            let _ = heard(&event("ADDED", &object("Event", &bytes)), CoreEvent::DECODER.unwrap());
            let _ = status(&object("Status", &bytes));
        }
    }
}
