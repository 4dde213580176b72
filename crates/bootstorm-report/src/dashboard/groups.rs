//! Groups of runs with the same configuration: everything that was chosen or found before the first VM was created.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::saved::{Part, Saved, Setting, Times};
use bootstorm_model::stats::{Quantile, Sample};

/// Properties that make two runs comparable
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Configuration {
    /// Label of the storage; empty if none was given.
    pub(super) driver: String,
    /// Disks per VM, where known.
    pub(super) disks: Option<usize>,
    /// Single node, or number of nodes.
    pub(super) placement: String,
    /// Number of VMs.
    pub(super) vms: usize,
    /// Source of the disks, storage class, cluster, probe, pinning and size.
    pub(super) setting: Setting,
    /// Milestone of the times.
    pub(super) to: &'static str,
}

/// Comparison of the last run of a configuration with those before it
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Trend {
    /// Its mean ÷ the median of the earlier means.
    pub(super) ratio: f64,
    /// Number of earlier runs.
    pub(super) before: usize,
    /// Direction in which it lies outside their spread.
    pub(super) out: Option<Way>,
}

/// A direction outside a spread
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Way {
    /// Slower than every run before.
    Slower,
    /// Faster than every run before.
    Faster,
}

/// Minimum number of runs for a meaningful spread.
const ENOUGH: usize = 3;

impl Trend {
    /// Trend of the runs of a configuration, in the order in which they began; `None` if there is none before the last.
    pub(super) fn of(runs: &[&Saved]) -> Option<Self> {
        let figures: Vec<f64> = runs.iter().filter_map(|saved| saved.figure()).collect();
        let (last, before) = figures.split_last()?;
        runs.last()?.figure()?;
        let sample = Sample::new(before.iter().copied(), 0);
        let median = Quantile::median(before.iter().copied().map(Quantile::At))
            .seconds()
            .filter(|median| *median > 0.0)?;
        let beyond = |end: Option<f64>, way: fn(f64, f64) -> bool| end.is_some_and(|end| way(*last, end));
        let out = match before.len() {
            few if few < ENOUGH => None,
            _ if beyond(sample.max(), |last, most| last > most) => Some(Way::Slower),
            _ if beyond(sample.min(), |last, least| last < least) => Some(Way::Faster),
            _ => None,
        };
        Some(Self { ratio: last / median, before: before.len(), out })
    }

    /// `1.12× the median of 5 before, slower than any of them`.
    pub(super) fn words(&self) -> String {
        let out = match self.out {
            Some(Way::Slower) => ", slower than any of them",
            Some(Way::Faster) => ", faster than any of them",
            None => "",
        };
        format!("{:.2}× the median of {} before{out}", self.ratio, self.before)
    }
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

/// The figures of a configuration, for the milestone of its runs
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Figures {
    /// Mean of the creations, each of which counts once.
    pub(super) create: Option<f64>,
    /// Mean of the storms.
    pub(super) storm: Option<f64>,
    /// Slowest VM of the storms.
    pub(super) max: Option<f64>,
    /// `storm ÷ create`, if any of the runs can be compared.
    pub(super) ratio: Option<f64>,
}

impl Figures {
    /// The figures of the runs of a configuration.
    pub(super) fn of(runs: &[&Saved]) -> Self {
        let mut seen = BTreeSet::new();
        let first = runs.iter().filter(|saved| saved.create.is_some() && seen.insert(saved.run));
        let create = range(first.map(|saved| saved.shown().create)).map(|range| range.mean);
        let storm = range(runs.iter().map(|saved| saved.shown().storm)).map(|range| range.mean);
        let is_compared = runs.iter().any(|saved| saved.shown().ratio.is_some());
        let both = create.filter(|create| is_compared && *create > 0.0).zip(storm);
        Self {
            create,
            storm,
            max: range(runs.iter().map(|saved| saved.shown().max)).map(|range| range.max),
            ratio: both.map(|(create, storm)| storm / create),
        }
    }
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
    pub(super) fn of(saved: &Saved) -> Self {
        Self {
            driver: saved.driver.clone().unwrap_or_default(),
            disks: saved.disks,
            placement: saved.placement(),
            vms: saved.vms,
            setting: saved.setting.clone(),
            to: saved.shown().to,
        }
    }
}

/// Minimum, mean and maximum of the known values.
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

/// The default figure: the mean time to Running, which every run has.
pub(super) fn first_figure(part: &Part) -> Option<f64> {
    part.running.as_ref().and_then(|times: &Times| times.mean)
}
