//! Reads targets on standard input, one a line, and says on standard output when each one answers.
//!
//! See `bootstorm_model::probe` for the lines. Needs no capability: ping goes through ICMP datagram sockets, which
//! `net.ipv4.ping_group_range` opens to a pod. Ends with its input, when nobody reads what it says, or when no echo was
//! asked for in two minutes.

#[cfg(target_os = "linux")]
mod program;

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    program::main()
}

/// Nodes run Linux.
#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    ExitCode::FAILURE
}
