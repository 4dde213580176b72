//! Passes the commit and the target to the program.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=BOOTSTORM_COMMIT");
    let target = std::env::var("TARGET").unwrap_or_default();
    println!("cargo::rustc-env=BOOTSTORM_TARGET={target}");
    println!("cargo::rustc-env=BOOTSTORM_COMMIT={}", commit().unwrap_or_default());
}

/// The commit: from the environment, from the registry package, or from git.
///
/// A source archive has none of these. A development build does not ask git: every commit would rebuild everything.
fn commit() -> Option<String> {
    let given = std::env::var("BOOTSTORM_COMMIT").ok().filter(|given| !given.is_empty());
    given.or_else(packaged).or_else(|| if is_release() { from_git() } else { None }).map(|full| short(&full))
}

/// What `cargo package` recorded.
fn packaged() -> Option<String> {
    let text = std::fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let (_, after) = text.split_once("\"sha1\": \"")?;
    Some(after.split('"').next()?.to_owned())
}

fn from_git() -> Option<String> {
    // The folder may be inside another repository.
    if !Path::new(".git").exists() {
        return None;
    }
    for place in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", place]) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    git(&["rev-parse", "HEAD"])
}

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

fn is_release() -> bool {
    std::env::var("PROFILE").is_ok_and(|profile| profile == "release")
}

fn short(commit: &str) -> String {
    commit.chars().filter(char::is_ascii_hexdigit).take(12).collect()
}
