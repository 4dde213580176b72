//! Attempts on targets: ICMP datagram sockets and TCP connections, none of which waits.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, connect, ipproto, recv, send, socket_with,
    sockopt,
};

const FLAGS: SocketFlags = SocketFlags::NONBLOCK.union(SocketFlags::CLOEXEC);
/// Header of an echo request, and what we put behind it.
const PACKET: usize = 8 + 16;

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET }
}

/// A socket through which one address is pinged
///
/// The kernel sets identifier and checksum, and delivers only the answers to this socket's own requests. A socket of its
/// own for each target keeps requests that wait for a neighbour from filling the buffer of all others.
#[derive(Debug)]
pub(super) struct Pinger {
    socket: OwnedFd,
    packet: [u8; PACKET],
}

impl Pinger {
    /// Fails where the group range of the network namespace is closed to this process.
    pub(super) fn open(v6: bool) -> Result<OwnedFd, Errno> {
        let (family, protocol) =
            if v6 { (AddressFamily::INET6, ipproto::ICMPV6) } else { (AddressFamily::INET, ipproto::ICMP) };
        socket_with(family, SocketType::DGRAM, FLAGS, Some(protocol))
    }

    /// A pinger of an address; its answers are known by the nonce.
    pub(super) fn new(address: IpAddr, nonce: u128) -> Result<Self, Errno> {
        let socket = Self::open(address.is_ipv6())?;
        connect(&socket, &SocketAddr::new(address, 0))?;
        let mut packet = [0; PACKET];
        packet[0] = if address.is_ipv6() { 128 } else { 8 };
        packet[8..].copy_from_slice(&nonce.to_ne_bytes());
        Ok(Self { socket, packet })
    }

    pub(super) fn socket(&self) -> &OwnedFd {
        &self.socket
    }

    /// Sends a request.
    pub(super) fn send(&mut self, number: u16) -> Result<(), Errno> {
        self.packet[6..8].copy_from_slice(&number.to_be_bytes());
        send(&self.socket, &self.packet, SendFlags::empty()).map(drop)
    }

    /// Whether an answer is there. Takes everything that came in.
    pub(super) fn answered(&self) -> Result<bool, Errno> {
        let expected = if self.packet[0] == 128 { 129 } else { 0 };
        let mut answered = false;
        let mut bytes = [0; 128];
        loop {
            match recv(&self.socket, &mut bytes[..], RecvFlags::empty()) {
                Ok((length, _)) => {
                    let reply = &bytes[..length];
                    answered |= reply.first() == Some(&expected) && reply.get(8..) == Some(&self.packet[8..]);
                }
                Err(Errno::WOULDBLOCK | Errno::INTR) => return Ok(answered),
                Err(_) if answered => return Ok(true),
                Err(error) => return Err(error),
            }
        }
    }
}

/// How a connection attempt stands
#[derive(Debug)]
pub(super) enum Dialled {
    /// Somebody accepted it at once.
    Accepted,
    /// It is under way.
    Waiting(OwnedFd),
}

/// Begins to connect.
pub(super) fn dial(address: IpAddr, port: u16) -> Result<Dialled, Errno> {
    let socket = socket_with(family(address), SocketType::STREAM, FLAGS, None)?;
    match connect(&socket, &SocketAddr::new(address, port)) {
        Ok(()) => Ok(Dialled::Accepted),
        Err(Errno::INPROGRESS) => Ok(Dialled::Waiting(socket)),
        Err(error) => Err(error),
    }
}

/// What became of a connection attempt, or which error waits on a socket.
pub(super) fn outcome(socket: &OwnedFd) -> Result<(), Errno> {
    sockopt::socket_error(socket)?
}

/// Whether an error says no more than that nobody answers yet.
pub(super) fn is_silence(error: Errno) -> bool {
    matches!(
        error,
        Errno::CONNREFUSED
            | Errno::CONNRESET
            | Errno::TIMEDOUT
            | Errno::HOSTUNREACH
            | Errno::HOSTDOWN
            | Errno::AGAIN
            | Errno::NOBUFS
            | Errno::INTR
    )
}
