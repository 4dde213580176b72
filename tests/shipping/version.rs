//! What the build script says about the commit: with git, without git, and from the environment.

use std::path::Path;
use std::process::Command;

use super::{find, repository};

/// Compiles the build script as cargo does.
fn compiled(folder: &Path) -> std::path::PathBuf {
    let script = folder.join("build-script");
    let output = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args(["--edition", "2024", "-o"])
        .arg(&script)
        .arg(repository("build.rs"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    script
}

/// The commit that the script finds in a folder.
fn commit(script: &Path, folder: &Path, profile: &str, given: Option<&str>) -> String {
    let mut command = Command::new(script);
    command.current_dir(folder).env("TARGET", "a-b-c").env("PROFILE", profile).env_remove("BOOTSTORM_COMMIT");
    if let Some(given) = given {
        command.env("BOOTSTORM_COMMIT", given);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("cargo::rustc-env=BOOTSTORM_TARGET=a-b-c\n"), "{text}");
    let line = text.lines().find_map(|line| line.strip_prefix("cargo::rustc-env=BOOTSTORM_COMMIT="));
    line.unwrap().to_owned()
}

#[test]
fn the_commit_is_found_wherever_it_is_written_down() {
    let home = tempfile::tempdir().unwrap();
    let script = compiled(home.path());
    let archive = home.path().join("archive");
    std::fs::create_dir(&archive).unwrap();
    // A source archive knows no commit, and builds nevertheless.
    assert_eq!(commit(&script, &archive, "release", None), "");
    let told = "0123456789abcdef0123456789abcdef01234567";
    assert_eq!(commit(&script, &archive, "release", Some(told)), "0123456789ab");
    assert_eq!(commit(&script, &archive, "release", Some("$(rm -rf /)")), "f");
    std::fs::write(
        archive.join(".cargo_vcs_info.json"),
        format!("{{\n  \"git\": {{\n    \"sha1\": \"{told}\"\n  }}\n}}"),
    )
    .unwrap();
    assert_eq!(commit(&script, &archive, "release", None), "0123456789ab");
}

#[test]
fn git_is_asked_for_releases_only() {
    let Some(git) = find("git") else { return };
    let home = tempfile::tempdir().unwrap();
    let script = compiled(home.path());
    let clone = home.path().join("clone");
    std::fs::create_dir(&clone).unwrap();
    let run = |args: &[&str]| {
        let output =
            Command::new(&git).args(args).current_dir(&clone).env("HOME", home.path()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    run(&["init", "-q"]);
    run(&["-c", "user.name=n", "-c", "user.email=e@example.org", "commit", "-q", "--allow-empty", "-m", "m"]);
    let head = run(&["rev-parse", "HEAD"]);
    assert_eq!(commit(&script, &clone, "release", None), head[..12]);
    assert_eq!(commit(&script, &clone, "debug", None), "", "every commit would build all of it again");
}
