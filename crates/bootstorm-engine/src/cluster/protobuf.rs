//! Objects in Kubernetes' protocol buffers, which API servers send for built-in kinds to clients that ask for it: fewer
//! bytes than JSON, and quicker to read.
//!
//! Messages are read in place into the same borrowed forms as JSON, and only the fields that these have.

use std::borrow::Cow;

use jiff::Timestamp;
use thiserror::Error;

/// Media type of an object, a list, or the frames of a watch, apart from its parameters
const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";
/// `Accept` header for kinds that have a decoder, of lists and watches alike, as client-go sends it. A server that has
/// only JSON answers with that.
pub(super) const ACCEPTED: &str = "application/vnd.kubernetes.protobuf,application/json";
/// Prefix of every object with its type; no JSON begins like this.
const MAGIC: &[u8] = b"k8s\0";

/// Difference of a message from the expected form
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Malformed {
    /// It ends within a field.
    #[error("a message is cut off")]
    CutOff,
    /// A field has another type, or no type at all.
    #[error("a field has an unexpected type")]
    WrongType,
    /// A text is not UTF-8.
    #[error("a text is not UTF-8")]
    NotText,
    /// A value that its type does not permit.
    #[error("a value is out of range")]
    OutOfRange,
    /// The object has no type.
    #[error("an object without its type")]
    NoEnvelope,
}

/// Whether an answer with this `Content-Type` is in this form.
pub(super) fn is_announced_by(content_type: Option<&http::HeaderValue>) -> bool {
    let media = content_type.and_then(|value| value.to_str().ok()).and_then(|value| value.split(';').next());
    media.is_some_and(|media| media.trim().eq_ignore_ascii_case(MEDIA_TYPE))
}

/// Whether a body is an object in this form.
pub(super) fn is_object(body: &[u8]) -> bool {
    body.starts_with(MAGIC)
}

/// A message, as far as its fields are used
pub(super) trait Message<'a>: Default {
    /// Takes the value of a field; unknown fields are ignored.
    fn take(&mut self, number: u64, value: Part<'a>) -> Result<(), Malformed>;
}

/// Reads a message.
pub(super) fn read<'a, M: Message<'a>>(bytes: &'a [u8]) -> Result<M, Malformed> {
    let mut message = M::default();
    fill(&mut message, bytes)?;
    Ok(message)
}

fn fill<'a, M: Message<'a>>(message: &mut M, mut bytes: &'a [u8]) -> Result<(), Malformed> {
    while let Some((number, value)) = field(&mut bytes)? {
        message.take(number, value)?;
    }
    Ok(())
}

/// The next field of a message; `None` at its end.
#[allow(clippy::inline_always, reason = "reading a pod takes twice as long without")]
#[inline(always)]
pub(super) fn field<'a>(bytes: &mut &'a [u8]) -> Result<Option<(u64, Part<'a>)>, Malformed> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let key = varint(bytes)?;
    if key < 8 {
        // No field has the number 0.
        return Err(Malformed::WrongType);
    }
    let value = match key & 7 {
        0 => Part::Number(varint(bytes)?),
        1 => split(bytes, 8).map(|_| Part::Fixed)?,
        2 => {
            let length = usize::try_from(varint(bytes)?).map_err(|_| Malformed::CutOff)?;
            Part::Bytes(split(bytes, length)?)
        }
        5 => split(bytes, 4).map(|_| Part::Fixed)?,
        _ => return Err(Malformed::WrongType),
    };
    Ok(Some((key >> 3, value)))
}

fn split<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8], Malformed> {
    let (head, tail) = bytes.split_at_checked(length).ok_or(Malformed::CutOff)?;
    *bytes = tail;
    Ok(head)
}

/// A variable-length number, seven bits per byte, the lowest first.
#[allow(clippy::inline_always, reason = "reading a pod takes twice as long without")]
#[inline(always)]
fn varint(bytes: &mut &[u8]) -> Result<u64, Malformed> {
    // Nearly all have one byte.
    if let Some((byte @ ..0x80, rest)) = bytes.split_first() {
        *bytes = rest;
        return Ok(u64::from(*byte));
    }
    long_varint(bytes)
}

fn long_varint(bytes: &mut &[u8]) -> Result<u64, Malformed> {
    let mut value = 0_u64;
    for place in 0..10 {
        let (byte, rest) = bytes.split_first().ok_or(Malformed::CutOff)?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Malformed::OutOfRange)
}

/// The value of a field
#[derive(Debug, Clone, Copy)]
pub(super) enum Part<'a> {
    Number(u64),
    /// A text, a message, or an entry of a map.
    Bytes(&'a [u8]),
    /// A number of fixed length, which no Kubernetes message has.
    Fixed,
}

impl<'a> Part<'a> {
    /// The bytes.
    pub(super) fn bytes(self) -> Result<&'a [u8], Malformed> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Number(_) | Self::Fixed => Err(Malformed::WrongType),
        }
    }

    /// The text.
    pub(super) fn text(self) -> Result<Cow<'a, str>, Malformed> {
        std::str::from_utf8(self.bytes()?).map(Cow::Borrowed).map_err(|_| Malformed::NotText)
    }

    /// The text; `None` if it is empty, which is how a text that is not set is written.
    pub(super) fn some_text(self) -> Result<Option<String>, Malformed> {
        let text = self.text()?;
        Ok(if text.is_empty() { None } else { Some(text.into_owned()) })
    }

    /// The message.
    pub(super) fn message<M: Message<'a>>(self) -> Result<M, Malformed> {
        read(self.bytes()?)
    }

    /// Reads the message into one that is there, as the format demands of a field that comes twice.
    pub(super) fn merge<M: Message<'a>>(self, message: &mut M) -> Result<(), Malformed> {
        fill(message, self.bytes()?)
    }

    /// Key and value of an entry of a map of texts.
    pub(super) fn pair(self) -> Result<Pair<'a>, Malformed> {
        self.message()
    }

    /// The number; negative ones are in two's complement.
    pub(super) fn integer<N: TryFrom<i64>>(self) -> Result<N, Malformed> {
        let Self::Number(number) = self else { return Err(Malformed::WrongType) };
        N::try_from(number as i64).map_err(|_| Malformed::OutOfRange)
    }

    /// The truth value.
    pub(super) fn flag(self) -> Result<bool, Malformed> {
        Ok(self.integer::<i64>()? != 0)
    }

    /// The time; `None` if it is empty, which is how a time that is not set is written.
    pub(super) fn time(self) -> Result<Option<Timestamp>, Malformed> {
        if self.bytes()?.is_empty() {
            return Ok(None);
        }
        let Time { seconds, nanoseconds } = self.message()?;
        Timestamp::new(seconds, nanoseconds).map(Some).map_err(|_| Malformed::OutOfRange)
    }
}

/// `meta.v1.Time` or `meta.v1.MicroTime`
#[derive(Default)]
struct Time {
    seconds: i64,
    nanoseconds: i32,
}

impl Message<'_> for Time {
    fn take(&mut self, number: u64, value: Part<'_>) -> Result<(), Malformed> {
        match number {
            1 => self.seconds = value.integer()?,
            2 => self.nanoseconds = value.integer()?,
            _ => {}
        }
        Ok(())
    }
}

/// An entry of a map of texts
#[derive(Default)]
pub(super) struct Pair<'a> {
    key: &'a [u8],
    value: &'a [u8],
}

impl Pair<'_> {
    /// The value, if this is its key. Other entries are not looked into.
    pub(super) fn of(&self, key: &str) -> Result<Option<String>, Malformed> {
        if self.key != key.as_bytes() {
            return Ok(None);
        }
        let value = Part::Bytes(self.value).text()?;
        Ok(Some(value.into_owned()))
    }
}

impl<'a> Message<'a> for Pair<'a> {
    fn take(&mut self, number: u64, value: Part<'a>) -> Result<(), Malformed> {
        match number {
            1 => self.key = value.bytes()?,
            2 => self.value = value.bytes()?,
            _ => {}
        }
        Ok(())
    }
}

/// `runtime.Unknown`: an object and its type
#[derive(Default)]
struct Envelope<'a> {
    kind: Cow<'a, str>,
    raw: Option<&'a [u8]>,
}

impl<'a> Message<'a> for Envelope<'a> {
    fn take(&mut self, number: u64, value: Part<'a>) -> Result<(), Malformed> {
        match number {
            1 => self.kind = value.message::<TypeMeta<'a>>()?.kind,
            2 => self.raw = Some(value.bytes()?),
            _ => {}
        }
        Ok(())
    }
}

#[derive(Default)]
struct TypeMeta<'a> {
    kind: Cow<'a, str>,
}

impl<'a> Message<'a> for TypeMeta<'a> {
    fn take(&mut self, number: u64, value: Part<'a>) -> Result<(), Malformed> {
        if number == 2 {
            self.kind = value.text()?;
        }
        Ok(())
    }
}

/// The message of an object that is sent with its type.
pub(super) fn opened(body: &[u8]) -> Result<&[u8], Malformed> {
    typed(body).map(|(_, message)| message)
}

/// The kind of an object that is sent with its type, and its message.
fn typed(body: &[u8]) -> Result<(Cow<'_, str>, &[u8]), Malformed> {
    let Envelope { kind, raw } = match body.strip_prefix(MAGIC) {
        Some(envelope) => read(envelope)?,
        None if MAGIC.starts_with(body) => return Err(Malformed::CutOff),
        None => return Err(Malformed::NoEnvelope),
    };
    // Servers write even an empty message; without one, the body ends after the type.
    Ok((kind, raw.ok_or(Malformed::CutOff)?))
}

/// `meta.v1.Status`
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Status<'a> {
    pub(super) message: Cow<'a, str>,
    pub(super) reason: Cow<'a, str>,
    pub(super) code: i32,
}

impl<'a> Message<'a> for Status<'a> {
    fn take(&mut self, number: u64, value: Part<'a>) -> Result<(), Malformed> {
        match number {
            3 => self.message = value.text()?,
            4 => self.reason = value.text()?,
            6 => self.code = value.integer()?,
            _ => {}
        }
        Ok(())
    }
}

/// The `Status` in a body; `None` if it holds anything else.
pub(super) fn status(body: &[u8]) -> Option<Status<'_>> {
    let (kind, message) = typed(body).ok()?;
    if kind == "Status" { read(message).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::super::scripted::wire::{field, number, object};
    use super::*;

    #[test]
    fn the_form_is_that_of_the_answer() {
        let announced = |text: &str| is_announced_by(Some(&text.parse().unwrap()));
        assert!(announced("application/vnd.kubernetes.protobuf;stream=watch"));
        assert!(announced("application/vnd.kubernetes.protobuf"));
        assert!(!announced("application/json") && !announced("text/html; charset=utf-8"));
        assert!(!is_announced_by(None));
    }

    #[test]
    fn a_status_is_found_only_where_there_is_one() {
        let body = object("Status", &[field(3, b"no"), field(4, b"Forbidden"), number(6, 403)].concat());
        let told = status(&body).unwrap();
        assert_eq!((&*told.message, &*told.reason, told.code), ("no", "Forbidden", 403));
        assert_eq!(status(&object("Pod", &field(3, b"no"))), None);
        assert!((0..body.len()).all(|end| status(&body[..end]).is_none_or(|status| status.code == 403)));
    }
}
