//! The one integration-test binary: the program as a process, the sandbox, and what is shipped.

#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

#[path = "cli/mod.rs"]
mod cli;
mod fuzz;
mod sandbox;
mod shipping;
mod support;
mod survival;
#[path = "cli/terminal.rs"]
mod terminal;
