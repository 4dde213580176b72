//! Figures of storage: disks of the nodes, the shared pool, and classes with their own storage.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::dice::Draw;
use super::StorageClass;
use super::classes::default_classes;

/// Storage. Node disks hold container images and disks, the pool holds claims.
///
/// QEMU opens disks with `cache=none` if possible, so each guest reads for itself; only the storage's own cache is
/// between it and the medium. Data just written, such as an image just pulled or a volume just cloned, is still in that
/// cache. That is why a first boot right after provisioning is quicker than a boot of the same machine later, when
/// everything has been destaged; and why guests that have just flushed their dirty pages while powering off leave the
/// medium busy for the next starts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Storage {
    /// MB/s of a node's disk (estimate: one SATA or modest `NVMe` device).
    pub node_disk: f64,
    /// MB/s of the shared pool (estimate: a small Ceph or array over 25 Gbit/s).
    pub pool: f64,
    /// Maximum MB/s of a single reader.
    pub per_reader: f64,
    /// Share of throughput lost per further concurrent reader: interleaved streams are random to the medium.
    pub interference: f64,
    /// Seconds for which written data can be read from the cache (estimate: write-back until destaged).
    pub cache: f64,
    /// MB that starting a machine reads before its guest runs: launcher, firmware, image metadata (estimate; KV
    /// #6054 sees about 171 MiB of overhead per instance).
    pub start_read: f64,
    /// MB that a guest reads until it answers (published 300 MB to 1 GB for Linux; a minimal image here).
    pub boot_read: f64,
    /// MB of dirty pages that a guest writes while it powers off (estimate).
    pub shutdown_write: f64,
    /// Attachments per second over the whole cluster, for claims of the pool (CSI: 2.5 at 5 QPS).
    pub attaches_per_second: f64,
    /// Burst of attachments before that rate applies (CSI: burst 10, two writes each).
    pub attach_burst: f64,
    /// Seconds for one attachment (published: 1-3).
    pub attach: Draw,
    /// Storage classes that do not share the pool.
    pub classes: BTreeMap<String, StorageClass>,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            node_disk: 610.0,
            pool: 2400.0,
            per_reader: 100.0,
            interference: 0.003,
            cache: 16.0,
            start_read: 180.0,
            boot_read: 165.0,
            shutdown_write: 150.0,
            attaches_per_second: 2.5,
            attach_burst: 5.0,
            attach: Draw::new(1.5, 0.3),
            classes: default_classes(),
        }
    }
}
