//! Faults from a file.

use std::io;
use std::path::Path;

use thiserror::Error;

use super::reading::{WrongEntry, read_text};
use super::rule::Fault;
use bootstorm_model::platform;

/// The most bytes of such a file.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

/// A file of faults that cannot be used
#[derive(Debug, Error)]
pub enum FileError {
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    /// It says something that cannot be done.
    #[error(transparent)]
    Wrong(#[from] WrongEntry),
}

/// The faults in a file, in YAML or JSON.
///
/// Fails with what the system says, or with what is wrong in the file.
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
