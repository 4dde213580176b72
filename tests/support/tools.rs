//! Programs of this machine that some tests drive.

use std::path::{Path, PathBuf};

/// If set to `never`, a test whose tool is missing fails instead of being skipped.
const SKIPPING: &str = "BOOTSTORM_SKIP";

/// A program's path; the test is skipped without it.
#[track_caller]
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let folders = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"];
    let found = folders.iter().map(|folder| Path::new(folder).join(program)).find(|path| path.is_file());
    if found.is_none() {
        skipped(&format!("there is no {program} on this machine"));
    }
    found
}

/// Reports what is not tested, and why; fails if nothing may be skipped.
#[track_caller]
#[allow(clippy::print_stdout, reason = "a skipped test must be visible")]
pub(crate) fn skipped(why: &str) {
    println!("SKIPPED: {why}");
    let is_forbidden = std::env::var(SKIPPING).is_ok_and(|value| value == "never");
    assert!(!is_forbidden, "{SKIPPING}=never, and this test would be skipped: {why}");
}
