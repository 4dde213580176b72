//! What is shipped, and the rules that keep the tree in order.

mod archive;
mod completion;
mod in_cluster;
mod krew;
mod links;
mod machinery;
mod package;
mod pages;
mod readme;
mod version;

use std::path::{Path, PathBuf};

use crate::support::tools::{find, skipped};

/// A file of the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The text of a repository file.
fn text(path: &str) -> String {
    std::fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}
