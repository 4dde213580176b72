//! Faults from a file.

use std::io;
use std::path::Path;

use thiserror::Error;

use super::reading::{WrongEntry, read_text};
use super::rule::Fault;
use bootstorm_model::platform;

/// Maximum size of a faults file in bytes.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

/// Error of a faults file
#[derive(Debug, Error)]
pub enum FileError {
    /// Unreadable.
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    /// Invalid entry.
    #[error(transparent)]
    Wrong(#[from] WrongEntry),
}

/// The faults in a file, in YAML or JSON.
///
/// Fails with the system's error, or with the error in the file.
pub fn load(path: &Path) -> Result<Vec<Fault>, FileError> {
    Ok(read_text(&platform::read_text(path, MOST_BYTES)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_can_be_used() {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/faults.yaml");
        assert!(load(&example).unwrap().len() > 5);
        assert!(matches!(load(Path::new("/nowhere/faults.yaml")), Err(FileError::Unreadable(_))));
    }
}
