//! Use cases on runs, with plain options: whole runs, setup, phases. The command line parses, asks and prints.

pub mod access;
pub mod whole;

pub use access::Runs;
