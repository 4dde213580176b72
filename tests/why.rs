//! What the terminal output alone says about why a storm is slow.
//!
//! A separate binary because it needs the machine to itself: cargo runs test binaries one after another.

#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

use std::process::{Command, Stdio};

/// Runs the whole test with 100 VMs on a simulated cluster; returns the terminal output at 80 columns.
fn run(profile: &str) -> String {
    let home = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_kubectl-bootstorm"))
        .args(["-o", "guide", "run", "--sandbox", "--profile", profile, "--end", "100", "--speed", "3"])
        .env_clear()
        .envs([("HOME", home.path().to_str().unwrap()), ("PATH", "/usr/bin:/bin"), ("COLUMNS", "80")])
        .current_dir(home.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn slow_storage_is_named_with_what_to_try() {
    let page = run("slow-storage");
    let words = page.split_whitespace().collect::<Vec<_>>().join(" ");
    for told in [
        "Bottleneck: storage - ",
        " % of the extra time is spent there",
        "stages that read disks took ",
        "Try: start VMs in waves, so that fewer read at once: --wave",
        "This points to storage:",
        "Use a faster storage tier",
    ] {
        assert!(words.contains(told), "{told}:\n{page}");
    }
    for other in ["network:", "compute:", "hypervisor:"] {
        assert!(!words.contains(&format!("This points to {other}")), "{other}\n{page}");
    }
    let share = |stage: &str| -> f64 {
        let line = page.lines().find(|line| line.starts_with(stage) && line.ends_with(" %"));
        let cells: Vec<&str> = line.unwrap_or_default().split_whitespace().collect();
        cells.iter().rev().nth(1).and_then(|share| share.parse().ok()).unwrap_or_default()
    };
    assert!(share("initialized -> started") + share("running -> reachable") > 60.0, "{page}");
    assert!(page.lines().all(|line| line.chars().count() <= 80), "{page}");
}
