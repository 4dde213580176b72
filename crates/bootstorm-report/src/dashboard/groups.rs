//! Runs with the same configuration taken together: storage, disks, placement, number of VMs.

use std::collections::BTreeMap;

use super::saved::{Part, Saved, Times};

/// What makes two runs comparable
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Configuration {
    /// Label of the storage; empty when none was given.
    pub(super) driver: String,
    /// Disks per VM, where known.
    pub(super) disks: Option<usize>,
    /// Single node, or how many.
    pub(super) placement: String,
    /// Number of VMs.
    pub(super) vms: usize,
}

/// A figure over several runs
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Range {
    /// Smallest.
    pub(super) min: f64,
    /// Mean of the runs.
    pub(super) mean: f64,
    /// Largest.
    pub(super) max: f64,
}

/// The configurations in order, each with its runs.
pub(super) fn by_configuration(runs: &[Saved]) -> BTreeMap<Configuration, Vec<&Saved>> {
    let mut groups: BTreeMap<Configuration, Vec<&Saved>> = BTreeMap::new();
    for saved in runs {
        groups.entry(Configuration::of(saved)).or_default().push(saved);
    }
    groups
}

/// The runs by number of VMs.
pub(super) fn by_size(runs: &[Saved]) -> BTreeMap<usize, Vec<&Saved>> {
    let mut groups: BTreeMap<usize, Vec<&Saved>> = BTreeMap::new();
    for saved in runs {
        groups.entry(saved.vms).or_default().push(saved);
    }
    groups
}

impl Configuration {
    fn of(saved: &Saved) -> Self {
        Self {
            driver: saved.driver.clone().unwrap_or_default(),
            disks: saved.disks,
            placement: saved.placement(),
            vms: saved.vms,
        }
    }
}

/// Smallest, mean and largest of the values that are known.
pub(super) fn range(values: impl Iterator<Item = Option<f64>>) -> Option<Range> {
    let known: Vec<f64> = values.flatten().collect();
    if known.is_empty() {
        return None;
    }
    Some(Range {
        min: known.iter().copied().fold(f64::INFINITY, f64::min),
        mean: known.iter().sum::<f64>() / known.len() as f64,
        max: known.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    })
}

/// The figure that is drawn first: the mean time to Running, which every run has.
pub(super) fn first_figure(part: &Part) -> Option<f64> {
    part.running.as_ref().and_then(|times: &Times| times.mean)
}
