//! A release archive: krew's requirements, and what users expect in it.

use bootstorm::commands::definition::definition;

use super::package::{EPOCH, pack, package, sha256};

#[test]
fn it_is_a_gzipped_tar_of_files_and_folders_only() {
    let package = package();
    assert!(std::fs::read(&package.path).unwrap().starts_with(&[0x1f, 0x8b]));
    for entry in &package.entries {
        // krew rejects links, absolute names and any name with two dots in it.
        assert!(matches!(entry.kind, b'0' | b'5'), "{}: {}", entry.name, entry.kind);
        assert!(!entry.name.starts_with('/') && !entry.name.contains(".."), "{}", entry.name);
    }
}

#[test]
fn what_has_to_be_run_can_be_run_and_the_rest_only_read() {
    for entry in &package().entries {
        let program = ["kubectl-bootstorm", "kubectl_complete-bootstorm"].contains(&entry.name.as_str());
        let expected = if program || entry.kind == b'5' { 0o755 } else { 0o644 };
        assert_eq!(entry.mode & 0o7777, expected, "{}", entry.name);
    }
}

#[test]
fn it_is_flat_and_complete() {
    let package = package();
    for name in ["kubectl-bootstorm", "kubectl_complete-bootstorm", "LICENSE", "README.md"] {
        assert!(!package.entry(name).content.is_empty(), "{name}");
    }
    for command in definition().get_subcommands().filter(|command| !command.is_hide_set()) {
        package.entry(&format!("man/kubectl-bootstorm-{}.1", command.get_name()));
    }
    package.entry("man/kubectl-bootstorm.1");
    for shell in ["kubectl-bootstorm.bash", "_kubectl-bootstorm", "kubectl-bootstorm.fish"] {
        package.entry(&format!("completions/{shell}"));
    }
    let licence = String::from_utf8(package.entry("LICENSE").content.clone()).unwrap();
    assert!(licence.contains("Apache License"));
}

#[test]
fn it_lists_what_is_built_in_with_its_licence() {
    let text = String::from_utf8(package().entry("LICENSES.txt").content.clone()).unwrap();
    let crates: Vec<&str> = text.lines().collect();
    assert!(crates.len() > 100 && crates.is_sorted(), "{text}");
    for name in ["kube-client", "rustls", "tokio", "bootstorm-model"] {
        assert!(crates.iter().any(|line| line.starts_with(&format!("{name} v"))), "no {name} in:\n{text}");
    }
    for line in crates {
        let words: Vec<&str> = line.splitn(3, ' ').collect();
        assert!(words.len() == 3 && words[1].starts_with('v'), "{line}");
        assert!(!line.contains("(/"), "a path: {line}");
    }
}

#[test]
fn its_name_has_the_version_and_the_target() {
    let name = package().path.file_name().unwrap().to_string_lossy().into_owned();
    let version = env!("CARGO_PKG_VERSION");
    assert!(name.starts_with(&format!("kubectl-bootstorm-v{version}-{}", std::env::consts::ARCH)), "{name}");
    assert!(name.ends_with(".tar.gz"), "{name}");
}

#[test]
fn its_checksum_lies_beside_it() {
    let package = package();
    let name = package.path.file_name().unwrap().to_string_lossy().into_owned();
    let written = std::fs::read_to_string(package.folder.path().join(format!("{name}.sha256"))).unwrap();
    assert_eq!(written, format!("{}  {name}\n", sha256(&package.path)));
}

#[test]
fn the_same_files_give_the_same_archive() {
    // A small file stands in for the binary: only what is around it can differ between two packings.
    let folder = tempfile::tempdir().unwrap();
    let binary = folder.path().join("kubectl-bootstorm");
    std::fs::write(&binary, "a binary").unwrap();
    let first = pack(&binary, &folder.path().join("first"));
    // Other times and modes in the checkout must make no difference.
    std::fs::set_permissions(&binary, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let later = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(2_000_000_000);
    std::fs::File::options().write(true).open(&binary).unwrap().set_modified(later).unwrap();
    let second = pack(&binary, &folder.path().join("second"));
    assert_eq!(sha256(&first), sha256(&second));
}

#[test]
fn nobody_of_this_machine_is_in_it() {
    let package = package();
    let mut names = package.names();
    for entry in &package.entries {
        assert_eq!((entry.owner, entry.time), ((0, 0), EPOCH.parse().unwrap()), "{}", entry.name);
    }
    let given = names.clone();
    names.sort_unstable();
    assert_eq!(given, names, "names are sorted");
}

#[test]
fn man_pages_are_understood() {
    let Some(groff) = super::find("groff") else { return };
    for entry in package().entries.iter().filter(|entry| entry.name.ends_with(".1")) {
        let folder = tempfile::tempdir().unwrap();
        let page = folder.path().join("page.1");
        std::fs::write(&page, &entry.content).unwrap();
        let output =
            std::process::Command::new(&groff).args(["-man", "-Tascii", "-ww"]).arg(&page).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{}: {output:?}", entry.name);
        let text = plain(&output.stdout);
        assert!(text.contains("EXAMPLES") && text.contains("kubectl bootstorm"), "{}: {text}", entry.name);
    }
}

/// Without the overstrikes that print bold on a typewriter.
fn plain(struck: &[u8]) -> String {
    let mut text = String::new();
    for character in String::from_utf8_lossy(struck).chars() {
        if character == '\u{8}' {
            let _ = text.pop();
        } else {
            text.push(character);
        }
    }
    text
}
