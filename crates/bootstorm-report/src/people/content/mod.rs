//! Content of a report, a file for each subject.

pub(crate) mod breakdown;
pub(crate) mod capacity;
pub(crate) mod comparison;
pub(crate) mod facts;
pub(crate) mod failures;
pub(crate) mod fleet;
pub(crate) mod metrics;
pub(crate) mod nodes;
pub(crate) mod observation;
pub(crate) mod outliers;
pub(crate) mod phases;
pub(crate) mod quality;
pub(crate) mod repetitions;
pub(crate) mod statistics;
pub(crate) mod thresholds;
pub(crate) mod validity;
pub(crate) mod verdict;
pub(crate) mod waves;
