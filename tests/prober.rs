//! The prober script in real shells, with real tools, in network namespaces.
//!
//! A separate binary because it measures delays: cargo runs test binaries one after another.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "what fails here fails a test, what is measured is told"
)]

mod probe;
#[expect(dead_code, reason = "the other test binaries need more of it")]
#[path = "support/tools.rs"]
mod tools;
