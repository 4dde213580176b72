//! The pod network over the simulated pods and guests: what answers at an address, and from when.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::cluster::Cluster;
use super::guests::{Launcher, Stage};
use crate::network::{self, Network, Probe, Reply};

/// Upper 96 bits of the pods' second addresses: `fd10:128::/96`.
const SECOND: u128 = 0xfd10_0128 << 64;

/// Port on which guests speak SSH; on all others that they listen on, they speak HTTP.
const SSH: u16 = 22;

/// The network of one simulated cluster
#[derive(Debug, Clone)]
pub struct PodNetwork(Arc<Cluster>);

impl PodNetwork {
    /// The network of this cluster.
    pub(super) fn new(cluster: Arc<Cluster>) -> Self {
        Self(cluster)
    }

    fn guest(&self, launcher: &Launcher, probe: Probe) -> Reply {
        let state = launcher.state();
        if state.stage == Stage::Idle {
            // Nothing is forwarded before virt-handler has defined the domain, so the pod itself answers.
            return pod(probe);
        }
        // A proxy that accepts connections instead of the guest sends no content.
        if launcher.proxied && !probe.needs_words() {
            return Reply::Answered;
        }
        match (probe, &launcher.ports) {
            // With a list of ports, only these are forwarded; the pod answers on all others.
            (Probe::Ping, Some(_)) => return pod(probe),
            (Probe::Tcp(port) | Probe::Http(port) | Probe::Ssh(port), Some(ports))
                if !ports.contains(&port) =>
            {
                return pod(probe);
            }
            _ => {}
        }
        if state.network_at.is_none() {
            return Reply::Silent;
        }
        match probe {
            Probe::Ping => Reply::Answered,
            Probe::Tcp(port) | Probe::Http(port) | Probe::Ssh(port) => {
                let serves = state.services_at.is_some_and(|at| at <= self.0.clock.now());
                let listens = self.0.profile.guest.ports.contains(&port);
                let speaks = match probe {
                    Probe::Ssh(_) => port == SSH,
                    Probe::Http(_) => port != SSH,
                    _ => true,
                };
                if serves && listens && speaks { Reply::Answered } else { Reply::Refused }
            }
        }
    }
}

impl Network for PodNetwork {
    fn answers(&self, address: &str, probe: Probe) -> Reply {
        if let Some(reply) = network::loopback(address, probe) {
            return reply;
        }
        let first = match first_address(address) {
            Some(_) if !self.0.profile.node.dual_stack => return Reply::Silent,
            Some(first) => first.to_string(),
            None => address.to_owned(),
        };
        match self.0.guests.launcher_at(&first) {
            Some(launcher) => self.guest(&launcher, probe),
            None if self.0.guests.holds(&first) => pod(probe),
            None => Reply::Silent,
        }
    }
}

/// The pod's own reply: the address exists, and nothing listens.
fn pod(probe: Probe) -> Reply {
    match probe {
        Probe::Ping => Reply::Answered,
        Probe::Tcp(_) | Probe::Http(_) | Probe::Ssh(_) => Reply::Refused,
    }
}

/// All addresses of a pod, given the first one, in the order of its status.
pub fn addresses(first: &str, dual_stack: bool) -> Vec<String> {
    let second = first.parse::<Ipv4Addr>().ok().filter(|_| dual_stack).map(second_address);
    std::iter::once(first.to_owned()).chain(second.map(|ip| ip.to_string())).collect()
}

/// The second address is derived from the first, so that there is no state to keep in sync.
fn second_address(first: Ipv4Addr) -> Ipv6Addr {
    Ipv6Addr::from(SECOND << 32 | u128::from(u32::from(first)))
}

/// The first address of a pod, given the second one.
fn first_address(second: &str) -> Option<Ipv4Addr> {
    let bits = u128::from(second.parse::<Ipv6Addr>().ok()?);
    (bits >> 32 == SECOND).then(|| Ipv4Addr::from(bits as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_has_a_second_address_if_there_are_two_stacks() {
        assert_eq!(addresses("10.128.0.7", false), ["10.128.0.7"]);
        let both = addresses("10.128.0.7", true);
        assert_eq!(both, ["10.128.0.7", "fd10:128::a80:7"]);
        assert_eq!(first_address(&both[1]), Some(Ipv4Addr::new(10, 128, 0, 7)));
        assert_eq!(first_address("fe80::1"), None);
    }
}
