//! The tables of what other programs read, made again by these programs where they are installed.

use std::path::{Path, PathBuf};
use std::process::Command;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn durations_are_still_what_go_takes() {
    let script = repository().join("scripts/tables/durations.go");
    let Ok(output) = Command::new("go").arg("run").arg(script).env("GOTOOLCHAIN", "local").output() else {
        eprintln!("skipped: no go");
        return;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), include_str!("tables/durations.tsv"));
}
