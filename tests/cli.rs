//! The one integration-test binary: the program as a process, the sandbox, and what is shipped.

#[path = "cli/mod.rs"]
mod cli;
mod sandbox;
mod shipping;
mod support;
