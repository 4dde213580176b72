//! Standard input, line by line.

use bytes::Bytes;
use tokio::sync::mpsc;

/// Splits input into lines
#[derive(Debug, Default)]
pub(super) struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    /// The next line without its end, or `None` at the end of input
    ///
    /// Cancel-safe: nothing is lost if the future is dropped while it waits. A last line without an end counts.
    pub(super) async fn next(&mut self, stdin: &mut mpsc::Receiver<Bytes>) -> Option<String> {
        loop {
            if let Some(line) = self.ready() {
                return Some(line);
            }
            match stdin.recv().await {
                Some(piece) => self.rest.extend_from_slice(&piece),
                None if self.rest.is_empty() => return None,
                None => self.rest.push(b'\n'),
            }
        }
    }

    /// Takes raw bytes; `None` if the input ends before that many came.
    pub(super) async fn take(&mut self, count: usize, stdin: &mut mpsc::Receiver<Bytes>) -> Option<Vec<u8>> {
        while self.rest.len() < count {
            self.rest.extend_from_slice(&stdin.recv().await?);
        }
        Some(self.rest.drain(..count).collect())
    }

    /// A line that is already complete.
    fn ready(&mut self) -> Option<String> {
        let end = self.rest.iter().position(|byte| *byte == b'\n')?;
        let line: Vec<u8> = self.rest.drain(..=end).collect();
        let text = String::from_utf8_lossy(&line[..end]);
        Some(text.trim_end_matches('\r').to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pieces_become_lines() {
        let (sender, mut stdin) = mpsc::channel(8);
        for piece in ["5\nby", "tesa 1\nb", " 2\n", "c"] {
            sender.send(Bytes::from(piece)).await.unwrap();
        }
        drop(sender);
        let mut lines = Lines::default();
        assert_eq!(lines.next(&mut stdin).await.as_deref(), Some("5"));
        assert_eq!(lines.take(5, &mut stdin).await.map(|bytes| bytes.len()), Some(5));
        let mut seen = Vec::new();
        while let Some(line) = lines.next(&mut stdin).await {
            seen.push(line);
        }
        assert_eq!(seen, ["a 1", "b 2", "c"]);
    }
}
