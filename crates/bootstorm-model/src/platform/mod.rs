//! Differences between Linux, macOS and Windows behind one interface; no other code asks for the system.

mod clock;
pub mod durable;
mod files;
pub mod output;
pub mod processes;

pub use clock::{continuous, processor_time};
pub use files::{SHIM_EXTENSION, make_executable, only_for_owner, read_text};

/// Whether this is Windows, which has different scripts.
pub const IS_WINDOWS: bool = cfg!(windows);

/// Whether a port that was just in use may be listened on. On other systems this would let two processes share one.
pub const REUSES_PORTS: bool = cfg!(unix);

/// A program that writes a file to standard output, and its arguments.
pub fn shows_file(path: &str) -> (&'static str, Vec<&str>) {
    if IS_WINDOWS { ("cmd", vec!["/c", "type", path]) } else { ("cat", vec![path]) }
}
