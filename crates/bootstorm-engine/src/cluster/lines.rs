//! The lines of an open watch, read in place: lines received in one piece are never copied.

use bytes::{Buf, Bytes, BytesMut};
use http_body_util::BodyExt;
use kube::client::Body;

/// Maximum size of a line: an object has at most a few megabytes.
const LONGEST: usize = 64 * 1024 * 1024;

/// The lines of an open watch
pub(super) struct Lines<B = Body> {
    body: B,
    /// Received, but not yet taken.
    ready: Bytes,
    /// Beginning of an incomplete line.
    begun: BytesMut,
}

impl<B> Lines<B>
where
    B: BodyExt<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    /// The lines of an answer.
    pub(super) fn new(body: B) -> Self {
        Self { body, ready: Bytes::new(), begun: BytesMut::new() }
    }

    /// The next received line, without its end; `None` if more has to be received first.
    pub(super) fn take(&mut self) -> Option<Bytes> {
        while let Some(end) = memchr::memchr(b'\n', &self.ready) {
            let mut line = self.ready.split_to(end);
            self.ready.advance(1);
            if !self.begun.is_empty() {
                self.begun.extend_from_slice(&line);
                line = self.begun.split().freeze();
            }
            if !line.is_empty() {
                return Some(line);
            }
        }
        self.begun.extend_from_slice(&std::mem::take(&mut self.ready));
        None
    }

    /// Waits until more was received, once everything was taken; false at the end. Cancel-safe.
    ///
    /// Fails if the connection broke, or a line has no end.
    pub(super) async fn receive(&mut self) -> Result<bool, String> {
        if self.begun.len() > LONGEST {
            return Err(format!("a line of more than {} MiB", LONGEST / 1024 / 1024));
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

#[cfg(test)]
mod tests {
    use http_body::Frame;
    use http_body_util::StreamBody;

    use super::*;

    async fn read(pieces: Vec<&'static str>) -> Vec<String> {
        let frames = pieces.into_iter().map(|piece| Ok::<_, std::io::Error>(Frame::data(Bytes::from(piece))));
        let mut lines = Lines::new(StreamBody::new(futures::stream::iter(frames)));
        let mut read = Vec::new();
        while lines.receive().await.unwrap() {
            while let Some(line) = lines.take() {
                read.push(String::from_utf8(line.to_vec()).unwrap());
            }
        }
        read
    }

    #[tokio::test]
    async fn lines_come_whole_however_they_are_cut() {
        let text = "{\"a\":1}\n{\"b\":2}\n\n{\"c\":3}\n";
        let whole = ["{\"a\":1}", "{\"b\":2}", "{\"c\":3}"];
        assert_eq!(read(vec![text]).await, whole);
        for at in 1..text.len() {
            assert_eq!(read(vec![&text[..at], &text[at..]]).await, whole, "{at}");
        }
        let bytes = (0..text.len()).map(|at| &text[at..=at]).collect();
        assert_eq!(read(bytes).await, whole);
        assert_eq!(read(vec!["{\"a\":1}\n{\"cut off"]).await, ["{\"a\":1}"], "what was cut off is no line");
    }
}
