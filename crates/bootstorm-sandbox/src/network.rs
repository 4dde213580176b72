//! The network of the pods as somebody in a pod meets it: what answers at which address.

use std::fmt;

/// A question to an address
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Probe {
    /// One ICMP echo request.
    Ping,
    /// One TCP connection to a port.
    Tcp(u16),
    /// One HTTP request to a port; a guest that serves answers 200 to every path.
    Http(u16),
    /// The banner of an SSH server on a port.
    Ssh(u16),
}

impl Probe {
    /// Whether whoever accepts a connection has not answered with that.
    pub fn needs_words(self) -> bool {
        matches!(self, Self::Http(_) | Self::Ssh(_))
    }
}

/// What comes back
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reply {
    /// The echo, or an open connection.
    Answered,
    /// Somebody is there, but nobody listens on the port.
    Refused,
    /// Nothing, ever.
    Silent,
}

/// Who knows what answers
pub trait Network: fmt::Debug + Send + Sync {
    /// What comes back from an address if it is asked now.
    fn answers(&self, address: &str, probe: Probe) -> Reply;
}

/// A network in which everybody is alone
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

impl Network for Nobody {
    fn answers(&self, address: &str, probe: Probe) -> Reply {
        loopback(address, probe).unwrap_or(Reply::Silent)
    }
}

/// What one's own address answers; `None` for any other.
pub fn loopback(address: &str, probe: Probe) -> Option<Reply> {
    let own = address.parse::<std::net::IpAddr>().map_or(address == "localhost", |ip| ip.is_loopback());
    own.then_some(match probe {
        Probe::Ping => Reply::Answered,
        Probe::Tcp(_) | Probe::Http(_) | Probe::Ssh(_) => Reply::Refused,
    })
}
