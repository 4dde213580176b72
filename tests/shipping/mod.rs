//! What is shipped, and the rules that keep the tree as it is.

mod archive;
mod completion;
mod in_cluster;
mod krew;
mod links;
mod machinery;
mod package;
mod readme;
mod version;

use std::path::{Path, PathBuf};

/// A file of the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The text of a file of the repository.
fn text(path: &str) -> String {
    std::fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Where a program of this machine is; without it the test says so and ends.
#[allow(clippy::print_stdout, reason = "a test that is skipped has to say so")]
fn find(program: &str) -> Option<PathBuf> {
    let folders = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"];
    let found = folders.iter().map(|folder| Path::new(folder).join(program)).find(|path| path.is_file());
    if found.is_none() {
        println!("SKIPPED: there is no {program} on this machine");
    }
    found
}
