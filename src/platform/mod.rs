//! Differences between Linux, macOS and Windows behind one interface; no other code asks for the system.

pub mod signals;

/// Raises the limit on open files for a burst: one socket per request in flight.
///
/// If the limit cannot be raised, connections queue.
pub fn allow_open_files(wanted: u64) {
    #[cfg(unix)]
    let _ = rlimit::increase_nofile_limit(wanted);
    // Windows does not limit sockets per process.
    #[cfg(not(unix))]
    let _ = wanted;
}
