//! Splits a stream of bytes into lines, however it is fragmented and whatever it contains.

/// Maximum number of bytes kept of a line; the rest of a longer line is dropped.
pub const LONGEST_LINE: usize = 4096;

/// Collects bytes until a line is complete; holds at most [`LONGEST_LINE`] bytes of an unfinished one
#[derive(Debug, Default)]
pub struct LineBuffer {
    unfinished: Vec<u8>,
}

impl LineBuffer {
    /// Appends bytes; returns the completed lines, without their ends. Invalid UTF-8 is replaced.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.keep(&rest[..end]);
            lines.push(String::from_utf8_lossy(&std::mem::take(&mut self.unfinished)).into_owned());
            rest = &rest[end + 1..];
        }
        self.keep(rest);
        lines
    }

    /// Remainder after the last line end, once the stream has ended.
    pub fn finish(&mut self) -> Option<String> {
        let last = std::mem::take(&mut self.unfinished);
        (!last.is_empty()).then(|| String::from_utf8_lossy(&last).into_owned())
    }

    /// Number of buffered bytes.
    pub fn held(&self) -> usize {
        self.unfinished.len()
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LONGEST_LINE - self.unfinished.len();
        self.unfinished.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_out_whole_however_they_were_cut() {
        let text = "h 1 ping=yes nc=no\nr 12\n\nüx\n";
        for size in 1..text.len() {
            let mut buffer = LineBuffer::default();
            let lines: Vec<String> =
                text.as_bytes().chunks(size).flat_map(|bytes| buffer.push(bytes)).collect();
            assert_eq!(lines, ["h 1 ping=yes nc=no", "r 12", "", "üx"], "{size}");
            assert_eq!(buffer.finish(), None);
        }
    }

    #[test]
    fn a_line_without_end_takes_no_more_room_than_allowed() {
        let mut buffer = LineBuffer::default();
        for _ in 0..1000 {
            assert!(buffer.push(&[b'x'; 10_000]).is_empty());
            assert!(buffer.held() <= LONGEST_LINE);
        }
        assert_eq!(buffer.push(b"\nr 1\n")[1], "r 1", "the next line is read again");
        assert_eq!(buffer.push(b"\xff\n"), ["\u{fffd}"]);
        buffer.push(b"last");
        assert_eq!(buffer.finish().as_deref(), Some("last"));
    }
}
