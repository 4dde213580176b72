//! What differs between Linux, macOS and Windows, behind one interface; nothing else asks which system it is.

mod clock;
pub mod durable;
mod files;
pub mod output;
pub mod processes;

pub use clock::{continuous, processor_time};
pub use files::{SHIM_EXTENSION, make_executable, only_for_owner, read_text};

/// Whether this is Windows, where scripts look different.
pub const IS_WINDOWS: bool = cfg!(windows);

/// Whether a port that was in use a moment ago may be listened on. Elsewhere this would mean that two may share one.
pub const REUSES_PORTS: bool = cfg!(unix);

/// The program that writes a file to standard output, and its arguments.
pub fn shows_file(path: &str) -> (&'static str, Vec<&str>) {
    if IS_WINDOWS { ("cmd", vec!["/c", "type", path]) } else { ("cat", vec![path]) }
}
