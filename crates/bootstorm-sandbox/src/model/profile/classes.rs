//! Storage classes with a storage system of their own, so that backends can be compared.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A storage class that does not share the pool of the others
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct StorageClass {
    /// MB/s of its storage system.
    pub pool: f64,
    /// MB/s that a single reader gets at most.
    pub per_reader: f64,
    /// The share of throughput lost per further concurrent reader.
    pub interference: f64,
    /// How CDI clones into it.
    pub clone: CloneStrategy,
    /// When claims are bound.
    pub binding: Binding,
}

/// How CDI clones, in the words of its storage profiles
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CloneStrategy {
    /// Pods copy.
    Copy,
    /// The storage clones.
    #[default]
    CsiClone,
    /// Snapshots are restored.
    Snapshot,
}

/// When claims of a class are bound
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Binding {
    /// At once.
    #[default]
    Immediate,
    /// When a pod uses them.
    WaitForFirstConsumer,
}

impl CloneStrategy {
    /// The word in a storage profile.
    pub fn word(self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::CsiClone => "csi-clone",
            Self::Snapshot => "snapshot",
        }
    }
}

impl Binding {
    /// The word in a storage class.
    pub fn word(self) -> &'static str {
        match self {
            Self::Immediate => "Immediate",
            Self::WaitForFirstConsumer => "WaitForFirstConsumer",
        }
    }
}

impl Default for StorageClass {
    fn default() -> Self {
        Self {
            pool: 2400.0,
            per_reader: 100.0,
            interference: 0.003,
            clone: CloneStrategy::default(),
            binding: Binding::default(),
        }
    }
}

/// Two to compare: an all-flash array, and spinning disks behind a busy controller (estimates).
pub(super) fn default_classes() -> BTreeMap<String, StorageClass> {
    let flash =
        StorageClass { pool: 6000.0, per_reader: 400.0, interference: 0.0, ..StorageClass::default() };
    let bulk = StorageClass { pool: 800.0, per_reader: 80.0, interference: 0.006, ..StorageClass::default() };
    BTreeMap::from([("flash".to_owned(), flash), ("bulk".to_owned(), bulk)])
}
