//! The pieces of an open watch, read in place: what was received in one piece is never copied.

use bytes::{Buf, Bytes, BytesMut};
use http_body_util::BodyExt;
use kube::client::Body;

/// Maximum size of a piece: an object has at most a few megabytes.
const LONGEST: usize = 64 * 1024 * 1024;
/// Bytes of the length of a frame, the highest first.
const HEADER: usize = 4;

/// Division of a watch into pieces
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// Each piece is a line, as in JSON.
    Lines,
    /// Each piece follows its length, as in protocol buffers.
    Lengths,
}

/// The pieces of an open watch
pub(super) struct Frames<B = Body> {
    framing: Framing,
    body: B,
    /// Received, but not yet taken.
    ready: Bytes,
    /// Beginning of an incomplete piece, with its length.
    begun: BytesMut,
}

impl<B> Frames<B>
where
    B: BodyExt<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    /// The pieces of an answer.
    pub(super) fn new(framing: Framing, body: B) -> Self {
        Self { framing, body, ready: Bytes::new(), begun: BytesMut::new() }
    }

    /// How it is divided.
    pub(super) fn framing(&self) -> Framing {
        self.framing
    }

    /// The next received piece, without its end or its length; `None` if more has to be received first.
    pub(super) fn take(&mut self) -> Option<Bytes> {
        loop {
            let piece = match self.framing {
                Framing::Lines => self.line(),
                Framing::Lengths => self.counted(),
            };
            if piece.as_ref().is_none_or(|piece| !piece.is_empty()) {
                return piece;
            }
        }
    }

    fn line(&mut self) -> Option<Bytes> {
        let Some(end) = memchr::memchr(b'\n', &self.ready) else {
            self.begun.extend_from_slice(&std::mem::take(&mut self.ready));
            return None;
        };
        let mut line = self.ready.split_to(end);
        self.ready.advance(1);
        if !self.begun.is_empty() {
            self.begun.extend_from_slice(&line);
            line = self.begun.split().freeze();
        }
        Some(line)
    }

    fn counted(&mut self) -> Option<Bytes> {
        if self.begun.is_empty()
            && let Some(length) = announced(&self.ready)
            && length <= self.ready.len() - HEADER
        {
            self.ready.advance(HEADER);
            return Some(self.ready.split_to(length));
        }
        loop {
            let length = announced(&self.begun);
            if length.is_some_and(|length| length > LONGEST) {
                return None;
            }
            let missing = HEADER + length.unwrap_or_default() - self.begun.len();
            if let (0, Some(_)) = (missing, length) {
                let mut frame = self.begun.split().freeze();
                frame.advance(HEADER);
                return Some(frame);
            }
            if self.ready.is_empty() {
                return None;
            }
            let part = self.ready.split_to(missing.min(self.ready.len()));
            self.begun.extend_from_slice(&part);
        }
    }

    /// Waits until more was received, once everything was taken; false at the end. Cancel-safe.
    ///
    /// Fails if the connection broke, or a piece has no end.
    pub(super) async fn receive(&mut self) -> Result<bool, String> {
        let announced = announced(&self.begun).filter(|_| self.framing == Framing::Lengths);
        if self.begun.len().max(announced.unwrap_or_default()) > LONGEST {
            return Err(format!("a piece of more than {} MiB", LONGEST / 1024 / 1024));
        }
        loop {
            let Some(frame) = self.body.frame().await else { return Ok(false) };
            if let Ok(data) = frame.map_err(|error| error.to_string())?.into_data() {
                self.ready = data;
                return Ok(true);
            }
        }
    }
}

/// The length at the beginning of a frame; `None` if it is incomplete.
fn announced(bytes: &[u8]) -> Option<usize> {
    let (header, _) = bytes.split_first_chunk::<HEADER>()?;
    usize::try_from(u32::from_be_bytes(*header)).ok()
}

#[cfg(test)]
mod tests {
    use http_body::Frame;
    use http_body_util::StreamBody;

    use super::*;

    async fn read(framing: Framing, pieces: Vec<&[u8]>) -> Result<Vec<String>, String> {
        let pieces: Vec<Bytes> = pieces.into_iter().map(Bytes::copy_from_slice).collect();
        let data = pieces.into_iter().map(|piece| Ok::<_, std::io::Error>(Frame::data(piece)));
        let mut frames = Frames::new(framing, StreamBody::new(futures::stream::iter(data)));
        let mut read = Vec::new();
        while frames.receive().await? {
            while let Some(piece) = frames.take() {
                read.push(String::from_utf8(piece.to_vec()).unwrap());
            }
        }
        Ok(read)
    }

    /// Reads a text that is received whole, in two parts, and byte by byte.
    async fn however_cut(framing: Framing, text: &[u8], whole: &[&str]) {
        assert_eq!(read(framing, vec![text]).await.unwrap(), whole);
        for at in 1..text.len() {
            assert_eq!(read(framing, vec![&text[..at], &text[at..]]).await.unwrap(), whole, "{at}");
        }
        assert_eq!(read(framing, text.chunks(1).collect()).await.unwrap(), whole);
        assert_eq!(read(framing, text.chunks(3).collect()).await.unwrap(), whole);
    }

    #[tokio::test]
    async fn lines_come_whole_however_they_are_cut() {
        let text = b"{\"a\":1}\n{\"b\":2}\n\n{\"c\":3}\n";
        however_cut(Framing::Lines, text, &["{\"a\":1}", "{\"b\":2}", "{\"c\":3}"]).await;
        let cut = read(Framing::Lines, vec![b"{\"a\":1}\n{\"cut off"]).await.unwrap();
        assert_eq!(cut, ["{\"a\":1}"], "what was cut off is no line");
    }

    #[tokio::test]
    async fn frames_come_whole_however_they_are_cut() {
        let long = "x".repeat(300);
        let frame = |text: &str| [&(text.len() as u32).to_be_bytes()[..], text.as_bytes()].concat();
        let text = [frame("a\nb"), frame(""), frame(&long), frame("c")].concat();
        however_cut(Framing::Lengths, &text, &["a\nb", &long, "c"]).await;
        let cut = read(Framing::Lengths, vec![&frame("a"), &frame("cut off")[..9]]).await.unwrap();
        assert_eq!(cut, ["a"], "what was cut off is no frame");
    }

    #[tokio::test]
    async fn an_impossible_length_is_refused_at_once() {
        let error = read(Framing::Lengths, vec![b"<html>", b"more"]).await.unwrap_err();
        assert_eq!(error, "a piece of more than 64 MiB");
    }
}
