//! The model of a boot storm: plans, observations, timelines, records, and their analysis.
//!
//! Pure: no async, no input or output. Only [`observe::clock`] and [`platform`] read the system's clocks.

pub mod component;
pub mod duration;
pub mod exit;
pub mod failure;
pub mod fleet;
pub mod observation;
pub mod observe;
pub mod outage;
pub mod plan;
pub mod platform;
pub mod probe;
pub mod record;
pub mod shards;
pub mod stats;
pub mod text;
pub mod tracker;
