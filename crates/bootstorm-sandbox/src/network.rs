//! The pod network as seen from inside a pod: which address answers what.

use std::fmt;

/// A probe of an address
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Probe {
    /// One ICMP echo request.
    Ping,
    /// One TCP connection to a port.
    Tcp(u16),
    /// One HTTP request to a port; a serving guest answers 200 to every path.
    Http(u16),
    /// The banner of an SSH server on a port.
    Ssh(u16),
}

impl Probe {
    /// Whether an answer with content is required, beyond an accepted connection.
    pub fn needs_words(self) -> bool {
        matches!(self, Self::Http(_) | Self::Ssh(_))
    }
}

/// Reply to a probe
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reply {
    /// The echo, or an open connection.
    Answered,
    /// The address exists, but nothing listens on the port.
    Refused,
    /// No reply, ever.
    Silent,
}

/// Resolves addresses to simulated guests
pub trait Network: fmt::Debug + Send + Sync {
    /// The reply from an address at this moment.
    fn answers(&self, address: &str, probe: Probe) -> Reply;
}

/// A network without any other address
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

impl Network for Nobody {
    fn answers(&self, address: &str, probe: Probe) -> Reply {
        loopback(address, probe).unwrap_or(Reply::Silent)
    }
}

/// The reply of one's own address; `None` for any other.
pub fn loopback(address: &str, probe: Probe) -> Option<Reply> {
    let own = address.parse::<std::net::IpAddr>().map_or(address == "localhost", |ip| ip.is_loopback());
    own.then_some(match probe {
        Probe::Ping => Reply::Answered,
        Probe::Tcp(_) | Probe::Http(_) | Probe::Ssh(_) => Reply::Refused,
    })
}
