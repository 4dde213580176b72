//! The container in which something is run.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::image::Tools;
use super::user::User;
use crate::model::dice::Roll;
use crate::network::Network;

/// The programs that were handed to pods, by the identity of the pod and the tag of the program
pub type Programs = Arc<Mutex<HashSet<(String, String)>>>;

/// The container in which something is run
#[derive(Debug, Clone)]
pub struct Container {
    /// What its image offers now.
    pub tools: Tools,
    /// What its processes may do.
    pub user: User,
    /// Whether its pod has a second address, of IPv6.
    pub dual_stack: bool,
    /// The machine of its node, as `uname -m` says it.
    pub machine: &'static str,
    /// Folders that can be written to: volumes that are mounted there.
    pub folders: Vec<String>,
    /// Where prober programs were put; of this pod, those whose names begin with this identity.
    pub programs: (String, Programs),
    /// The network it is on.
    pub network: Arc<dyn Network>,
    /// The draws of this run.
    pub roll: Roll,
}

impl Container {
    /// How long an answer travels.
    pub(super) fn round_trip(&mut self) -> Duration {
        Duration::from_secs_f64(self.roll.between(0.000_25, 0.001_2))
    }
}
