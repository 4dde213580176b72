//! What differs between Linux, macOS and Windows, behind one interface; nothing else asks which system it is.

pub mod signals;

/// Asks the system for as many open files as a burst needs: one socket per request in flight.
///
/// Where the limit cannot be raised, connections queue.
pub fn allow_open_files(wanted: u64) {
    #[cfg(unix)]
    let _ = rlimit::increase_nofile_limit(wanted);
    // Windows does not limit sockets per process.
    #[cfg(not(unix))]
    let _ = wanted;
}
