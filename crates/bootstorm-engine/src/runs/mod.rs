//! Use cases on runs, with plain options: whole runs, setup, adoption, phases, series, observations,
//! cleanup, shards. The command line parses, asks and prints.

pub mod access;
pub mod adopt;
pub mod caller;
pub mod cleanup;
pub mod job;
pub mod observation;
pub mod phase;
pub mod series;
pub mod settings;
pub mod setup;
pub mod shards;
pub mod whole;
pub mod worker;

pub use access::Runs;
pub use caller::{Caller, Judge, Steps};
