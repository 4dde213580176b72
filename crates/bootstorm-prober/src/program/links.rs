//! Addresses on the prober's own link, from the kernel's tables.
//!
//! A packet to such an address waits until its neighbour is resolved. The kernel repeats its request once a second, and
//! no unprivileged process can speed it up; so a guest there is seen up to a second late.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `RTF_UP`: the route is in use.
const UP: u32 = 1;
/// `RTF_GATEWAY`: by way of a router.
const GATEWAY: u32 = 2;
/// `RTF_REJECT`: unreachable.
const REJECT: u32 = 0x200;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Route {
    network: u128,
    length: u32,
    metric: u32,
    direct: bool,
}

/// The routes of this network namespace
#[derive(Debug, Default)]
pub(super) struct Links {
    v4: Vec<Route>,
    v6: Vec<Route>,
}

impl Links {
    /// Reads the tables; unreadable ones count as empty.
    pub(super) fn read() -> Self {
        let text = |path| fs::read_to_string(path).unwrap_or_default();
        Self::parse(&text("/proc/net/route"), &text("/proc/net/ipv6_route"))
    }

    fn parse(v4: &str, v6: &str) -> Self {
        Self { v4: v4.lines().filter_map(route4).collect(), v6: v6.lines().filter_map(route6).collect() }
    }

    /// Whether packets to an address are sent without a router.
    pub(super) fn direct(&self, address: IpAddr) -> bool {
        let (routes, bits, width) = match address {
            IpAddr::V4(v4) if v4.is_loopback() => return false,
            IpAddr::V6(v6) if v6.is_loopback() => return false,
            IpAddr::V4(v4) => (&self.v4, u128::from(v4.to_bits()), 32),
            IpAddr::V6(v6) => (&self.v6, v6.to_bits(), 128),
        };
        let fits =
            |route: &&Route| route.length == 0 || (bits ^ route.network) >> (width - route.length) == 0;
        let best = routes.iter().filter(fits).min_by_key(|route| (width - route.length, route.metric));
        best.is_some_and(|route| route.direct)
    }
}

fn hex(word: &str) -> Option<u32> {
    u32::from_str_radix(word, 16).ok()
}

/// `Iface Destination Gateway Flags RefCnt Use Metric Mask …`; addresses are in the machine's byte order.
fn route4(line: &str) -> Option<Route> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let flags = hex(words.get(3)?)?;
    let address = |word: &str| hex(word).map(|bits| u32::from_be_bytes(bits.to_ne_bytes()));
    let network = address(words[1])?;
    let length = address(words.get(7)?)?.leading_ones();
    let metric = words[6].parse().ok()?;
    (flags & UP != 0).then_some(Route {
        network: network.into(),
        length,
        metric,
        direct: flags & (GATEWAY | REJECT) == 0,
    })
}

/// `destination length source length next-hop metric count use flags interface`
fn route6(line: &str) -> Option<Route> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let flags = hex(words.get(8)?)?;
    let network = u128::from_str_radix(words[0], 16).ok()?;
    let length = hex(words[1])?;
    let outward = *words.get(9)? != "lo";
    (flags & UP != 0 && length <= 128 && outward).then_some(Route {
        network,
        length,
        metric: hex(words[5])?,
        direct: flags & (GATEWAY | REJECT) == 0,
    })
}

/// Whether the neighbour at an address is still unresolved, as far as the kernel reports.
///
/// It lists neighbours of version 4 only; for version 6 every one counts.
pub(super) fn is_sought(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => in_arp(&fs::read_to_string("/proc/net/arp").unwrap_or_default(), v4),
        IpAddr::V6(_) => true,
    }
}

/// `address type flags hardware mask device`; no flags: not resolved yet.
fn in_arp(table: &str, address: Ipv4Addr) -> bool {
    let address = address.to_string();
    table.lines().any(|line| {
        let mut words = line.split_ascii_whitespace();
        words.next() == Some(&address) && words.nth(1) == Some("0x0")
    })
}

/// Whether this network namespace has an IPv6 address beyond its own link.
pub(super) fn has_v6() -> bool {
    global6(&fs::read_to_string("/proc/net/if_inet6").unwrap_or_default())
}

/// Whether this network namespace reaches anything over IPv4: some route leads beyond the loopback interface.
///
/// If there is nothing beyond it in either family, or if the kernel does not report it, IPv4 is assumed.
pub(super) fn has_v4() -> bool {
    fs::read_to_string("/proc/net/route").map_or(true, |table| routes4(&table)) || !has_v6()
}

/// `interface destination …`, below a header.
fn routes4(table: &str) -> bool {
    table.lines().skip(1).any(|line| line.split_ascii_whitespace().next().is_some_and(|link| link != "lo"))
}

/// `address index length scope flags interface`; the global scope is 00.
fn global6(table: &str) -> bool {
    table.lines().any(|line| line.split_ascii_whitespace().nth(3) == Some("00"))
}

/// The unspecified address of a family.
pub(super) fn unspecified(v6: bool) -> IpAddr {
    if v6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() }
}

#[cfg(all(test, target_endian = "little"))]
mod tests {
    use super::*;

    const V4: &str = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0100F40A\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t0000F40A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
eth0\t0500F40A\t0100F40A\t0007\t0\t0\t0\tFFFFFFFF\t0\t0\t0
";
    const V6: &str = "fd780000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fd780000000000000000000000000001 00000400 00000001 00000000 00000003     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
";

    #[test]
    fn the_longest_route_decides() {
        let links = Links::parse(V4, V6);
        let direct = |address: &str| links.direct(address.parse().unwrap());
        assert!(direct("10.244.0.9") && !direct("10.244.1.9"));
        assert!(!direct("10.244.0.5"), "a host route by way of a gateway");
        assert!(!direct("127.0.0.1") && !direct("::1"));
        assert!(direct("fd78::9") && !direct("fd79::9"));
        assert!(!Links::default().direct("10.0.0.1".parse().unwrap()));
    }

    #[test]
    fn a_neighbour_that_is_not_found_has_no_flags() {
        let table = "IP address       HW type     Flags       HW address            Mask     Device
10.244.0.7       0x1         0x0         00:00:00:00:00:00     *        eth0
10.244.0.8       0x1         0x2         aa:bb:cc:dd:ee:ff     *        eth0
";
        assert!(in_arp(table, Ipv4Addr::new(10, 244, 0, 7)));
        assert!(!in_arp(table, Ipv4Addr::new(10, 244, 0, 8)) && !in_arp(table, Ipv4Addr::new(10, 244, 0, 9)));
        assert!(routes4(V4) && !routes4(V4.lines().next().unwrap()));
        assert!(global6("fd780000000000000000000000000001 02 40 00 80 eth0\n"));
        assert!(!global6(
            "00000000000000000000000000000001 01 80 10 80       lo\nfe80000000000000 02 40 20 80 eth0\n"
        ));
    }
}
