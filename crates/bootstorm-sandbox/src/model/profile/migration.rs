//! Figures of live migrations: memory, bandwidth, and the blackout.

use serde::{Deserialize, Serialize};

use super::super::dice::Draw;

/// Live migrations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Migration {
    /// MB per second that leave a node, shared by its migrations (estimate: most of 10 Gbit/s).
    pub link: f64,
    /// Share of its memory that a guest has touched, and that is copied first (estimate).
    pub touched: f64,
    /// MB of memory per second that a guest dirties (estimate; an idle guest).
    pub dirty: Draw,
    /// Seconds that virt-handler needs to prepare the target (estimate).
    pub prepare: Draw,
    /// Seconds in which the guest runs on neither node (estimate; QEMU aims at 0.3 at most).
    pub blackout: Draw,
    /// Seconds until virt-controller rechecks a migration that waits for its turn (KV).
    pub look_again: f64,
}

impl Default for Migration {
    fn default() -> Self {
        Self {
            link: 1100.0,
            touched: 0.4,
            dirty: Draw::new(20.0, 0.6),
            prepare: Draw::new(0.8, 0.3),
            blackout: Draw::new(0.12, 0.5),
            look_again: 5.0,
        }
    }
}

/// Total seconds of copying rounds, each of the memory dirtied during the previous one; infinite if they do not
/// converge.
pub fn copying(memory: f64, dirty: f64, bandwidth: f64) -> f64 {
    if bandwidth <= dirty { f64::INFINITY } else { memory / (bandwidth - dirty) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_add_up_and_do_not_converge_where_the_guest_is_faster() {
        // 1000 MB at 100 MB/s with half of it dirtied each time: 10 s, 5 s, 2.5 s and so on.
        assert!((copying(1000.0, 50.0, 100.0) - 20.0).abs() < 1e-9);
        assert!(copying(1000.0, 100.0, 100.0).is_infinite());
    }
}
