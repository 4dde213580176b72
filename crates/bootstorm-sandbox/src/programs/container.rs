//! The container of a command.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::image::Tools;
use super::user::User;
use crate::model::dice::Roll;
use crate::network::Network;

/// Programs sent to pods, by UID of the pod and tag of the program
pub type Programs = Arc<Mutex<HashSet<(String, String)>>>;

/// The container of a command
#[derive(Debug, Clone)]
pub struct Container {
    /// Tools that its image currently offers.
    pub tools: Tools,
    /// Privileges of its processes.
    pub user: User,
    /// Whether its pod has a second, IPv6 address.
    pub dual_stack: bool,
    /// Machine of its node, as reported by `uname -m`.
    pub machine: &'static str,
    /// Writable folders: mounted volumes.
    pub folders: Vec<String>,
    /// Stored prober programs; those of this pod begin with this UID.
    pub programs: (String, Programs),
    /// Network.
    pub network: Arc<dyn Network>,
    /// Random draws of this run.
    pub roll: Roll,
}

impl Container {
    /// Round-trip time of an answer.
    pub(super) fn round_trip(&mut self) -> Duration {
        Duration::from_secs_f64(self.roll.between(0.000_25, 0.001_2))
    }
}
