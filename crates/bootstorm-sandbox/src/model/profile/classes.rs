//! Storage classes with a storage system of their own, for comparing backends.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A storage class that does not share the common pool
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct StorageClass {
    /// MB/s of its storage system.
    pub pool: f64,
    /// Maximum MB/s of a single reader.
    pub per_reader: f64,
    /// Share of throughput lost per further concurrent reader.
    pub interference: f64,
    /// CDI's method of cloning into it.
    pub clone: CloneStrategy,
    /// Binding mode of claims.
    pub binding: Binding,
}

/// CDI's clone strategy, in the words of its storage profiles
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CloneStrategy {
    /// Copied by pods.
    Copy,
    /// Cloned by the storage.
    #[default]
    CsiClone,
    /// Restored from snapshots.
    Snapshot,
}

/// Binding mode of a class
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Binding {
    /// At once.
    #[default]
    Immediate,
    /// On first use by a pod.
    WaitForFirstConsumer,
}

impl CloneStrategy {
    /// Word in a storage profile.
    pub fn word(self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::CsiClone => "csi-clone",
            Self::Snapshot => "snapshot",
        }
    }
}

impl Binding {
    /// Word in a storage class.
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

/// Two classes for comparison: an all-flash array, and spinning disks behind a busy controller (estimates).
pub(super) fn default_classes() -> BTreeMap<String, StorageClass> {
    let flash =
        StorageClass { pool: 6000.0, per_reader: 400.0, interference: 0.0, ..StorageClass::default() };
    let bulk = StorageClass { pool: 800.0, per_reader: 80.0, interference: 0.006, ..StorageClass::default() };
    BTreeMap::from([("flash".to_owned(), flash), ("bulk".to_owned(), bulk)])
}
