//! The lines that go to a prober and come back.

use std::fmt;
use std::net::IpAddr;

use super::Probe;

/// Version of the protocol that this program speaks.
const VERSION: &str = "1";

/// A line to a prober
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Probe this until it answers; or, with an id in use, probe this address from now on.
    Add {
        /// Number of the target on this stream.
        id: u32,
        /// `Ping` or `Tcp`.
        probe: Probe,
        /// Where the guest is.
        address: IpAddr,
    },
    /// Forget a target.
    Drop(u32),
    /// Say this number back.
    Echo(u64),
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add { id, probe: Probe::Tcp(port), address } => writeln!(f, "a {id} tcp {address} {port}"),
            Self::Add { id, address, .. } => writeln!(f, "a {id} ping {address}"),
            Self::Drop(id) => writeln!(f, "d {id}"),
            Self::Echo(token) => writeln!(f, "e {token}"),
        }
    }
}

/// What a prober says of itself first
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hello {
    /// It has `ping`.
    pub ping: bool,
    /// It has `nc`.
    pub nc: bool,
}

/// A line from a prober
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is up.
    Hello(Hello),
    /// A target answered.
    Reached(u32),
    /// An echo came back.
    Echo(u64),
    /// A target cannot be probed, and why.
    Cannot(u32, String),
}

impl Answer {
    /// Reads a line; anything else, such as the chatter of a tool, is nothing.
    pub fn parse(line: &str) -> Option<Self> {
        let line = line.trim_end();
        let (op, rest) = line.split_once(' ')?;
        match op {
            "h" => {
                let mut words = rest.split(' ');
                let has = |word: Option<&str>, tool| word == Some(tool);
                (words.next() == Some(VERSION)).then(|| {
                    let (ping, nc) = (words.next(), words.next());
                    Self::Hello(Hello { ping: has(ping, "ping=yes"), nc: has(nc, "nc=yes") })
                })
            }
            "r" => rest.parse().ok().map(Self::Reached),
            "t" => rest.parse().ok().map(Self::Echo),
            "x" => {
                let (id, why) = rest.split_once(' ').unwrap_or((rest, "no reason given"));
                let why: String = why.chars().filter(|c| !c.is_control()).take(200).collect();
                id.parse().ok().map(|id| Self::Cannot(id, why))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_asked_is_one_line_each() {
        let v6: IpAddr = "fd00::1".parse().unwrap();
        assert_eq!(Ask::Add { id: 7, probe: Probe::Ping, address: v6 }.to_string(), "a 7 ping fd00::1\n");
        let v4: IpAddr = "10.0.0.1".parse().unwrap();
        assert_eq!(
            Ask::Add { id: 8, probe: Probe::Tcp(22), address: v4 }.to_string(),
            "a 8 tcp 10.0.0.1 22\n"
        );
        assert_eq!(Ask::Drop(7).to_string(), "d 7\n");
    }

    #[test]
    fn answers_are_read_and_chatter_is_not() {
        let hello = Answer::Hello(Hello { ping: true, nc: false });
        assert_eq!(Answer::parse("h 1 ping=yes nc=no\r\n"), Some(hello));
        assert_eq!(Answer::parse("r 12\n"), Some(Answer::Reached(12)));
        assert_eq!(Answer::parse("t 99"), Some(Answer::Echo(99)));
        assert_eq!(Answer::parse("x 3 not permitted\u{1b}"), Some(Answer::Cannot(3, "not permitted".into())));
        for chatter in ["", "r", "r x", "h 2 ping=yes", "64 bytes from 10.0.0.1", "x"] {
            assert_eq!(Answer::parse(chatter), None, "{chatter}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_read_without_panic(line in ".{0,300}") {
            let _ = Answer::parse(&line);
        }
    }
}
