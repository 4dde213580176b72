//! Bodies of answers.

use std::io;

use crate::value::{Value, json};
use bytes::Bytes;
use futures::{Stream, TryStreamExt};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};

/// Body of an answer: one piece, or a stream of pieces that may break
pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// A body of one piece.
pub(super) fn full(content: impl Into<Bytes>) -> Body {
    Full::new(content.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A body sent piece by piece; an error breaks the connection.
pub(super) fn streamed(pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Body {
    StreamBody::new(pieces.map_ok(Frame::data)).boxed_unsync()
}

/// The metadata only, as an object of its own kind.
pub(super) fn metadata(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
}
