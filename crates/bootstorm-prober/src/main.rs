//! Reads targets on standard input, one per line, and reports on standard output when each one answers.
//!
//! See `bootstorm_model::probe` for the protocol. Needs no capability: ping uses ICMP datagram sockets, which
//! `net.ipv4.ping_group_range` opens to a pod. Ends with its input, when its output is closed, or when no echo was
//! requested for two minutes.

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
