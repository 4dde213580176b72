//! Lines sent to a prober and received from it.

use std::fmt;
use std::net::IpAddr;

use super::Probe;

/// Version of the protocol that this program speaks.
const VERSION: &str = "2";

/// A line sent to a prober
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Probe an address until it answers, or continuously; with an id in use, switch to this address.
    Add {
        /// Number of the target on this stream.
        id: u32,
        /// Probe, one that needs a prober.
        probe: Probe,
        /// Address of the guest.
        address: IpAddr,
        /// Whether it is probed continuously.
        is_kept: bool,
    },
    /// Forget a target.
    Drop(u32),
    /// Send this number back.
    Echo(u64),
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add { id, probe, address, is_kept } => {
                let verb = if *is_kept { 'k' } else { 'a' };
                match probe {
                    Probe::Tcp(port) => writeln!(f, "{verb} {id} tcp {address} {port}"),
                    Probe::Http(port, path) => writeln!(f, "{verb} {id} http {address} {port} {path}"),
                    Probe::Ssh(port) => writeln!(f, "{verb} {id} ssh {address} {port}"),
                    Probe::Ping | Probe::Agent | Probe::CloudInit => {
                        writeln!(f, "{verb} {id} ping {address}")
                    }
                }
            }
            Self::Drop(id) => writeln!(f, "d {id}"),
            Self::Echo(token) => writeln!(f, "e {token}"),
        }
    }
}

/// Tool that probes the targets
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The prober program.
    Program,
    /// The script, with the tools of the image.
    Script,
}

/// How a target is tried
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tool {
    /// ICMP echo requests.
    Ping,
    /// TCP connections.
    Tcp,
}

impl Tool {
    /// Tool for a probe; `None` if it needs no prober.
    pub fn of(probe: Probe) -> Option<Self> {
        match probe {
            Probe::Ping => Some(Self::Ping),
            Probe::Tcp(_) | Probe::Http(..) | Probe::Ssh(_) => Some(Self::Tcp),
            Probe::Agent | Probe::CloudInit => None,
        }
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ping => "ping",
            Self::Tcp => "TCP",
        })
    }
}

/// A version of the Internet Protocol
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// Version 4.
    V4,
    /// Version 6.
    V6,
}

impl Family {
    /// The family of an address.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv6() { Self::V6 } else { Self::V4 }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// Hello of a prober
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hello {
    /// Kind.
    pub by: By,
    /// Whether it can ping, over IPv4 and IPv6.
    pub ping: [bool; 2],
    /// Whether it can connect, over IPv4 and IPv6.
    pub tcp: [bool; 2],
}

impl Hello {
    /// The families over which it can use a tool.
    pub fn families(&self, tool: Tool) -> impl Iterator<Item = Family> + use<> {
        let can = match tool {
            Tool::Ping => self.ping,
            Tool::Tcp => self.tcp,
        };
        [Family::V4, Family::V6].into_iter().zip(can).filter_map(|(family, can)| can.then_some(family))
    }

    /// Whether it can use a tool over any family.
    pub fn can(&self, tool: Tool) -> bool {
        self.families(tool).next().is_some()
    }

    fn parse(words: &str) -> Option<Self> {
        let mut words = words.split(' ');
        let by = match (words.next()?, words.next()?) {
            (VERSION, "program") => By::Program,
            (VERSION, "script") => By::Script,
            _ => return None,
        };
        let mut hello = Self { by, ping: [false; 2], tcp: [false; 2] };
        for word in words {
            match word {
                "ping4=yes" => hello.ping[0] = true,
                "ping6=yes" => hello.ping[1] = true,
                "tcp4=yes" => hello.tcp[0] = true,
                "tcp6=yes" => hello.tcp[1] = true,
                _ => {}
            }
        }
        Some(hello)
    }
}

/// A line received from a prober
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It runs on this kind of machine, as reported by `uname -m`, and requests a program: its size in bytes and a line
    /// end, then the bytes; or 0.
    Wanted(String),
    /// It cannot use a tool over a family, with the reason. Precedes the hello.
    Lacks(Tool, Family, String),
    /// It is up.
    Hello(Hello),
    /// A target answered: for the first time; or, if kept by the script, again.
    Reached(u32),
    /// A kept target last answered this many milliseconds ago, and no longer answers or was dropped.
    Quiet(u32, u64),
    /// A kept target answers again.
    Back {
        /// The target.
        id: u32,
        /// Milliseconds since the previous answer.
        gap: u64,
        /// Attempts in between that got no answer.
        lost: u32,
    },
    /// An echo came back.
    Echo(u64),
    /// A target cannot be probed, with the reason.
    Cannot(u32, String),
    /// A target is on the prober's own link, where the kernel resolves its address once a second.
    Neighbor(u32),
    /// A warning for the user.
    Warning(String),
}

impl Answer {
    /// Reads a line; `None` for anything else, such as the output of a tool.
    pub fn parse(line: &str) -> Option<Self> {
        let line = line.trim_end();
        let (op, rest) = line.split_once(' ')?;
        match op {
            "n" => Some(Self::Wanted(plain(rest))),
            "l" => {
                let (what, why) = rest.split_once(' ').unwrap_or((rest, "no reason given"));
                let (tool, family) = match what {
                    "ping4" => (Tool::Ping, Family::V4),
                    "ping6" => (Tool::Ping, Family::V6),
                    "tcp4" => (Tool::Tcp, Family::V4),
                    "tcp6" => (Tool::Tcp, Family::V6),
                    _ => return None,
                };
                Some(Self::Lacks(tool, family, plain(why)))
            }
            "h" => Hello::parse(rest).map(Self::Hello),
            "r" => rest.parse().ok().map(Self::Reached),
            "q" => {
                let (id, millis) = rest.split_once(' ')?;
                Some(Self::Quiet(id.parse().ok()?, millis.parse().ok()?))
            }
            "b" => {
                let mut words = rest.split(' ');
                let (id, gap, lost) = (words.next()?, words.next()?, words.next()?);
                Some(Self::Back { id: id.parse().ok()?, gap: gap.parse().ok()?, lost: lost.parse().ok()? })
            }
            "t" => rest.parse().ok().map(Self::Echo),
            "x" => {
                let (id, why) = rest.split_once(' ').unwrap_or((rest, "no reason given"));
                id.parse().ok().map(|id| Self::Cannot(id, plain(why)))
            }
            "o" => rest.parse().ok().map(Self::Neighbor),
            "w" => Some(Self::Warning(plain(rest))),
            _ => None,
        }
    }
}

/// Text from a pod, shortened and without control characters.
pub fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_asked_is_one_line_each() {
        let v6: IpAddr = "fd00::1".parse().unwrap();
        let v4: IpAddr = "10.0.0.1".parse().unwrap();
        let add = |id, probe, address, is_kept| Ask::Add { id, probe, address, is_kept }.to_string();
        assert_eq!(add(7, Probe::Ping, v6, false), "a 7 ping fd00::1\n");
        assert_eq!(add(7, Probe::Ping, v6, true), "k 7 ping fd00::1\n");
        assert_eq!(add(8, Probe::Tcp(22), v4, false), "a 8 tcp 10.0.0.1 22\n");
        assert_eq!(Ask::Drop(7).to_string(), "d 7\n");
    }

    #[test]
    fn answers_are_read_and_chatter_is_not() {
        let hello = Hello { by: By::Script, ping: [true, false], tcp: [false, true] };
        let line = "h 2 script ping4=yes ping6=no tcp4=no tcp6=yes\r\n";
        assert_eq!(Answer::parse(line), Some(Answer::Hello(hello)));
        assert_eq!(hello.families(Tool::Tcp).collect::<Vec<_>>(), [Family::V6]);
        let lacks = Answer::Lacks(Tool::Ping, Family::V6, "unknown host".into());
        assert_eq!(Answer::parse("l ping6 unknown host"), Some(lacks));
        assert_eq!(Answer::parse("n x86_64"), Some(Answer::Wanted("x86_64".into())));
        assert_eq!(Answer::parse("o 4"), Some(Answer::Neighbor(4)));
        assert_eq!(Answer::parse("w so it is"), Some(Answer::Warning("so it is".into())));
        assert_eq!(Answer::parse("r 12\n"), Some(Answer::Reached(12)));
        assert_eq!(Answer::parse("q 3 412"), Some(Answer::Quiet(3, 412)));
        assert_eq!(Answer::parse("b 3 812 3"), Some(Answer::Back { id: 3, gap: 812, lost: 3 }));
        assert_eq!(Answer::parse("t 99"), Some(Answer::Echo(99)));
        assert_eq!(Answer::parse("x 3 not permitted\u{1b}"), Some(Answer::Cannot(3, "not permitted".into())));
        for chatter in [
            "",
            "r",
            "r x",
            "q 1",
            "b 1 2",
            "b 1 2 x",
            "h 1 ping=yes nc=no",
            "h 2 magic",
            "l udp4 why",
            "64 bytes from 10.0.0.1",
            "x",
        ] {
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
