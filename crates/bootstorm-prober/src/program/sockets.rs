//! Attempts on targets: ICMP datagram sockets and TCP connections, all non-blocking.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::rc::Rc;

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, connect, ipproto, recv, send, socket_with,
    sockopt,
};

const FLAGS: SocketFlags = SocketFlags::NONBLOCK.union(SocketFlags::CLOEXEC);
/// Header of an echo request, and our payload.
const PACKET: usize = 8 + 16;

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET }
}

/// A socket that pings one address
///
/// The kernel sets identifier and checksum, and delivers only answers to this socket's own requests. A separate socket
/// for each target prevents requests that wait for a neighbour from filling the buffer of all others.
#[derive(Debug)]
pub(super) struct Pinger {
    socket: OwnedFd,
    packet: [u8; PACKET],
}

impl Pinger {
    /// Fails if the group range of the network namespace is closed to this process.
    pub(super) fn open(v6: bool) -> Result<OwnedFd, Errno> {
        let (family, protocol) =
            if v6 { (AddressFamily::INET6, ipproto::ICMPV6) } else { (AddressFamily::INET, ipproto::ICMP) };
        socket_with(family, SocketType::DGRAM, FLAGS, Some(protocol))
    }

    /// A pinger of an address; its answers are identified by the nonce.
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
        let mut sent = send(&self.socket, &self.packet, SendFlags::empty());
        // It may have returned, and so cleared, the error with which an earlier packet was answered.
        if sent.is_err_and(|error| !is_silence(error)) {
            sent = send(&self.socket, &self.packet, SendFlags::empty());
        }
        sent.map(drop)
    }

    /// The number of the last answered request, and the number of answers. Reads everything that is available.
    pub(super) fn answered(&self) -> Result<Option<(u16, u32)>, Errno> {
        let expected = if self.packet[0] == 128 { 129 } else { 0 };
        let (mut answered, mut count) = (None, 0);
        let mut bytes = [0; 128];
        loop {
            match recv(&self.socket, &mut bytes[..], RecvFlags::empty()) {
                Ok((length, _)) => {
                    let reply = &bytes[..length];
                    if reply.first() == Some(&expected) && reply.get(8..) == Some(&self.packet[8..]) {
                        count += 1;
                        answered = Some((u16::from_be_bytes([reply[6], reply[7]]), count));
                    }
                }
                Err(Errno::WOULDBLOCK | Errno::INTR) => return Ok(answered),
                Err(_) if answered.is_some() => return Ok(answered),
                Err(error) => return Err(error),
            }
        }
    }
}

/// State of a connection attempt
#[derive(Debug)]
pub(super) enum Dialled {
    /// Accepted at once.
    Accepted(OwnedFd),
    /// In progress.
    Waiting(OwnedFd),
}

/// Begins to connect.
pub(super) fn dial(address: IpAddr, port: u16) -> Result<Dialled, Errno> {
    let socket = socket_with(family(address), SocketType::STREAM, FLAGS, None)?;
    match connect(&socket, &SocketAddr::new(address, port)) {
        Ok(()) => Ok(Dialled::Accepted(socket)),
        Err(Errno::INPROGRESS) => Ok(Dialled::Waiting(socket)),
        Err(error) => Err(error),
    }
}

/// Maximum number of bytes read of an answer before giving up.
const LONGEST_ANSWER: usize = 8192;

/// A connection on which a guest has to send content
#[derive(Debug)]
pub(super) struct Exchange {
    socket: OwnedFd,
    /// Unsent rest of the request; `None` if the guest speaks first.
    request: Option<Rc<str>>,
    sent: usize,
    is_open: bool,
    answer: Vec<u8>,
}

impl Exchange {
    pub(super) fn new(socket: OwnedFd, request: Option<Rc<str>>) -> Self {
        Self { socket, request, sent: 0, is_open: false, answer: Vec::new() }
    }

    pub(super) fn socket(&self) -> &OwnedFd {
        &self.socket
    }

    /// Whether nothing is left to be sent.
    pub(super) fn has_asked(&self) -> bool {
        self.is_open && self.request.as_ref().is_none_or(|request| self.sent == request.len())
    }

    /// Does what is possible now: returns whether the guest gave the expected answer, or `None` while that is open.
    pub(super) fn go_on(&mut self) -> Result<Option<bool>, Errno> {
        if !self.is_open {
            outcome(&self.socket)?;
            self.is_open = true;
        }
        while !self.has_asked() {
            let rest = self.request.as_ref().map_or(&[][..], |request| &request.as_bytes()[self.sent..]);
            match send(&self.socket, rest, SendFlags::NOSIGNAL) {
                Ok(count) => self.sent += count,
                Err(Errno::WOULDBLOCK | Errno::INTR) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        let mut bytes = [0; 1024];
        loop {
            match recv(&self.socket, &mut bytes[..], RecvFlags::empty()) {
                // It ended without the answer.
                Ok((0, _)) => return Ok(Some(false)),
                Ok((length, _)) => {
                    self.answer.extend_from_slice(&bytes[..length]);
                    let judged = if self.request.is_some() { http(&self.answer) } else { ssh(&self.answer) };
                    if judged.is_some() || self.answer.len() > LONGEST_ANSWER {
                        return Ok(Some(judged == Some(true)));
                    }
                }
                Err(Errno::WOULDBLOCK | Errno::INTR) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }
}

/// Whether an answer has an accepted status, by its first line; `None` while that is incomplete.
fn http(answer: &[u8]) -> Option<bool> {
    let line = &answer[..answer.iter().position(|byte| *byte == b'\n')?];
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let is_http = words.next().is_some_and(|word| word.starts_with(b"HTTP/1."));
    let status = words.next().and_then(|word| std::str::from_utf8(word).ok()?.parse::<u16>().ok());
    Some(is_http && status.is_some_and(|status| (200..400).contains(&status)))
}

/// Whether a server's output contains the line of an SSH server, which may be preceded by others (RFC 4253, 4.2).
fn ssh(answer: &[u8]) -> Option<bool> {
    let mut lines = answer.split_inclusive(|byte| *byte == b'\n');
    lines.any(|line| line.starts_with(b"SSH-") && line.ends_with(b"\n")).then_some(true)
}

/// Result of a connection attempt, or the pending error of a socket.
pub(super) fn outcome(socket: &OwnedFd) -> Result<(), Errno> {
    sockopt::socket_error(socket)?
}

/// Whether an error that reached a socket after its packet had left means only that nothing answers yet.
///
/// Routers and firewalls on the way answer in place of a guest whose network is not ready: "no route", "unreachable" or
/// "prohibited". The same errors of the call that was to send the packet are this pod's own.
pub(super) fn is_silence_of_the_network(error: Errno) -> bool {
    is_silence(error)
        || matches!(
            error,
            Errno::NETUNREACH
                | Errno::NETDOWN
                | Errno::NONET
                | Errno::ACCESS
                | Errno::PROTO
                | Errno::NOPROTOOPT
        )
}

/// Whether an error of an attempt means only that nothing answers yet.
pub(super) fn is_silence(error: Errno) -> bool {
    matches!(
        error,
        Errno::CONNREFUSED
            | Errno::CONNRESET
            | Errno::PIPE
            | Errno::TIMEDOUT
            | Errno::HOSTUNREACH
            | Errno::HOSTDOWN
            | Errno::AGAIN
            | Errno::NOBUFS
            | Errno::INTR
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_way_to_a_guest_answers_is_silence_and_what_this_pod_answers_is_not() {
        for error in [Errno::NETUNREACH, Errno::ACCESS] {
            assert!(is_silence_of_the_network(error) && !is_silence(error), "{error}");
        }
        assert!(
            is_silence_of_the_network(Errno::HOSTUNREACH) && is_silence_of_the_network(Errno::CONNREFUSED)
        );
        assert!(!is_silence_of_the_network(Errno::MFILE) && !is_silence_of_the_network(Errno::INVAL));
    }

    #[test]
    fn a_status_counts_as_for_a_kubelet() {
        for good in [
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.0 204\n",
            "HTTP/1.1 302 Found\r\nLocation: /\r\n",
            "HTTP/1.1 399 \r\n",
        ] {
            assert_eq!(http(good.as_bytes()), Some(true), "{good}");
        }
        for bad in [
            "HTTP/1.1 503 x\r\n",
            "HTTP/1.1 404\r\n",
            "HTTP/1.1 OK\r\n",
            "SSH-2.0-x\r\n",
            "\r\n",
            "HTTP/2 200\n",
        ] {
            assert_eq!(http(bad.as_bytes()), Some(false), "{bad}");
        }
        assert_eq!(http(b"HTTP/1.1 20"), None);
    }

    #[test]
    fn a_banner_may_come_after_other_lines() {
        assert_eq!(ssh(b"SSH-2.0-OpenSSH_9.9\r\n"), Some(true));
        assert_eq!(ssh(b"welcome\r\nSSH-2.0-x\r\n"), Some(true));
        for not_yet in [&b"SSH-2.0-Open"[..], b"welcome\r\n", b"", b"x SSH-2.0-y\r\n"] {
            assert_eq!(ssh(not_yet), None);
        }
    }
}
