//! Input lines, and splitting standard input into them.

use std::net::IpAddr;
use std::rc::Rc;

/// Maximum number of bytes kept of a line.
const LONGEST: usize = 4096;

/// Expected answer of a target
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// An answer to an ICMP echo request.
    Ping,
    /// Acceptance of a TCP connection on this port.
    Tcp(u16),
    /// An answer to this request on this port with a status from 200 to 399.
    Http(u16, Rc<str>),
    /// The banner of an SSH server on this port.
    Ssh(u16),
}

/// Text of a request; the program uses a connection for one answer only.
fn request(address: &str, port: u16, path: &str) -> String {
    let host = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
    let host = if port == 80 { host } else { format!("{host}:{port}") };
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: bootstorm-prober\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    )
}

/// An input line
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ask {
    /// Probe this address under this number, replacing an earlier target of that number: until it answers, or, if kept,
    /// continuously.
    Add { id: u32, kind: Kind, address: IpAddr, is_kept: bool },
    /// Forget a target.
    Drop(u32),
    /// Send this back.
    Echo(String),
    /// This target is invalid, with the reason.
    Wrong(u32, &'static str),
}

impl Ask {
    /// Reads a line; `None` if it means nothing.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match *words.as_slice() {
            ["e", ..] => Some(Self::Echo(line.trim_end().get(2..).unwrap_or_default().to_owned())),
            ["d", id] => Some(Self::Drop(id.parse().ok()?)),
            [verb @ ("a" | "k"), id, ref probe @ ..] => {
                let id = id.parse().ok()?;
                let (kind, address) = match *probe {
                    ["ping", address] => (Some(Kind::Ping), address),
                    ["tcp", address, text] => (port(text).map(Kind::Tcp), address),
                    ["ssh", address, text] => (port(text).map(Kind::Ssh), address),
                    ["http", address, text, path] => {
                        let kind = |port| Kind::Http(port, request(address, port, path).into());
                        (port(text).map(kind), address)
                    }
                    [] => return None,
                    _ => return Some(Self::Wrong(id, "not a probe of this prober")),
                };
                Some(Self::add(id, kind, address, verb == "k"))
            }
            _ => None,
        }
    }

    fn add(id: u32, kind: Option<Kind>, address: &str, is_kept: bool) -> Self {
        match (kind, address.parse()) {
            (Some(kind), Ok(address)) => Self::Add { id, kind, address, is_kept },
            (None, _) => Self::Wrong(id, "not a port"),
            (_, Err(_)) => Self::Wrong(id, "not an address"),
        }
    }
}

fn port(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port > 0)
}

/// Collects bytes until a line is complete
#[derive(Debug, Default)]
pub(super) struct Lines(Vec<u8>);

impl Lines {
    /// Appends bytes; returns the completed lines.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = LONGEST.saturating_sub(self.0.len());
            let text = piece.strip_suffix(b"\n").unwrap_or(piece);
            self.0.extend_from_slice(&text[..text.len().min(room)]);
            if text.len() < piece.len() {
                lines.push(String::from_utf8_lossy(&std::mem::take(&mut self.0)).into_owned());
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        let v4: IpAddr = "10.0.0.1".parse().unwrap();
        let v6: IpAddr = "fd00::1".parse().unwrap();
        let add = |id, kind, address, is_kept| Some(Ask::Add { id, kind, address, is_kept });
        assert_eq!(Ask::parse("a 7 ping fd00::1"), add(7, Kind::Ping, v6, false));
        assert_eq!(Ask::parse("k 7 ping fd00::1"), add(7, Kind::Ping, v6, true));
        assert_eq!(Ask::parse("a 8 tcp 10.0.0.1 22\r"), add(8, Kind::Tcp(22), v4, false));
        assert_eq!(Ask::parse("k 8 ssh 10.0.0.1 22"), add(8, Kind::Ssh(22), v4, true));
        let Some(Ask::Add { id: 9, kind: Kind::Http(8080, request), .. }) =
            Ask::parse("a 9 http fd00::1 8080 /x?y=1")
        else {
            panic!("no request")
        };
        assert!(request.starts_with("GET /x?y=1 HTTP/1.1\r\nHost: [fd00::1]:8080\r\n"), "{request}");
        assert!(request.ends_with("\r\n\r\n"));
        assert_eq!(Ask::parse("d 7"), Some(Ask::Drop(7)));
        assert_eq!(Ask::parse("e one two"), Some(Ask::Echo("one two".into())));
        assert_eq!(Ask::parse("a 1 tcp 10.0.0.1 0"), Some(Ask::Wrong(1, "not a port")));
        assert_eq!(Ask::parse("a 1 ping nowhere"), Some(Ask::Wrong(1, "not an address")));
        assert_eq!(Ask::parse("a 1 udp 10.0.0.1 53"), Some(Ask::Wrong(1, "not a probe of this prober")));
        for nothing in ["", "z 1", "a", "a 1", "k 1", "a 1x ping 10.0.0.1", "d", "d $(z)"] {
            assert_eq!(Ask::parse(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn lines_come_out_whole_however_they_were_cut() {
        let text = "a 1 ping fd00::1\n\ne 5\n";
        for size in 1..text.len() {
            let mut lines = Lines::default();
            let whole: Vec<String> =
                text.as_bytes().chunks(size).flat_map(|piece| lines.push(piece)).collect();
            assert_eq!(whole, ["a 1 ping fd00::1", "", "e 5"], "{size}");
        }
        let mut lines = Lines::default();
        (0..100).for_each(|_| assert!(lines.push(&[b'x'; 1000]).is_empty()));
        assert_eq!(lines.0.len(), LONGEST);
    }
}
