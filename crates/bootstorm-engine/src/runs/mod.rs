//! Use cases on runs, with plain options: whole runs, setup, phases. The command line parses, asks and prints.

pub mod access;
pub mod caller;
pub mod phase;
pub mod settings;
pub mod setup;
pub mod shards;
pub mod whole;

pub use access::Runs;
pub use caller::{Caller, Steps};
