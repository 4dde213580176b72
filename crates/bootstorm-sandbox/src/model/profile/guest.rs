//! Figures of the guests: from firmware to services, and back to power off.

use serde::{Deserialize, Serialize};

use super::super::dice::Draw;

/// The guests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Guest {
    /// Seconds of firmware, boot loader and timeouts, independent of resources.
    pub firmware: Draw,
    /// CPU seconds per vCPU from the kernel to the network (estimate; a minimal image).
    pub boot_cpu: Draw,
    /// Seconds for an address by DHCP.
    pub dhcp: Draw,
    /// Addresses per second of the cluster's DHCP server; 0 means unlimited.
    pub dhcp_per_second: f64,
    /// Seconds for an address when the agent connects first: a guest that waits for its network (estimate).
    pub late_dhcp: Draw,
    /// Seconds from the network until services listen: sshd starts after it (estimate).
    pub services: Draw,
    /// TCP ports on which services listen.
    pub ports: Vec<u16>,
    /// Seconds from the network to the guest agent (published: 1-5).
    pub agent: Draw,
    /// Seconds from the network to the end of cloud-init's final stage (estimate).
    pub cloud_init: Draw,
    /// Seconds from the power button to power off, without its writes (estimate).
    pub shutdown: Draw,
    /// CPU seconds per vCPU of a shutdown.
    pub shutdown_cpu: f64,
}

impl Default for Guest {
    fn default() -> Self {
        Self {
            firmware: Draw::new(1.0, 0.2),
            boot_cpu: Draw::new(1.2, 0.25),
            dhcp: Draw::new(0.5, 0.4),
            dhcp_per_second: 0.0,
            late_dhcp: Draw::new(5.0, 0.4),
            services: Draw::new(0.6, 0.3),
            ports: vec![22],
            agent: Draw::new(2.0, 0.4),
            cloud_init: Draw::new(4.0, 0.4),
            shutdown: Draw::new(4.0, 0.35),
            shutdown_cpu: 0.5,
        }
    }
}
