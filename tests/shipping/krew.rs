//! The plugin manifest, checked as krew does, and an installation as krew does it, and by krew itself.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bootstorm_sandbox::value::Value;

use super::package::{package, sha256};
use super::{find, repository, text};
use crate::support::Cluster;

/// Platforms that krew knows.
const KNOWN: [(&str, &[&str]); 3] = [
    ("linux", &["386", "amd64", "arm", "arm64", "ppc64le"]),
    ("darwin", &["386", "amd64", "arm64"]),
    ("windows", &["386", "amd64", "arm64"]),
];
/// File names that krew takes for a licence, case-insensitively.
const LICENCES: [&str; 8] = [
    "license",
    "license.txt",
    "license.md",
    "licenses",
    "licenses.txt",
    "licenses.md",
    "copying",
    "copying.txt",
];
/// A release's archives.
const TARGETS: [&str; 6] = [
    "x86_64-unknown-linux-musl",
    "aarch64-unknown-linux-musl",
    "x86_64-apple-darwin",
    "aarch64-apple-darwin",
    "x86_64-pc-windows-msvc",
    "aarch64-pc-windows-msvc",
];

fn render(archives: &Path) -> Value {
    // Tests that run in parallel share a folder of archives.
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("bootstorm.yaml");
    let output = Command::new(repository("krew/render"))
        .arg("--archives")
        .arg(archives)
        .arg("--out")
        .arg(&out)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_saphyr::from_str(&fs::read_to_string(out).unwrap()).unwrap()
}

/// A release's manifest with all platforms, whose archives are small stand-ins.
fn release() -> (tempfile::TempDir, Value) {
    let folder = tempfile::tempdir().unwrap();
    for target in TARGETS {
        let name = format!("kubectl-bootstorm-v{}-{target}.tar.gz", env!("CARGO_PKG_VERSION"));
        fs::write(folder.path().join(name), target).unwrap();
    }
    let manifest = render(folder.path());
    (folder, manifest)
}

fn words(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// All rules of krew's own validation.
fn check(manifest: &Value) {
    assert_eq!(manifest["apiVersion"], "krew.googlecontainertools.github.com/v1alpha2");
    assert_eq!(manifest["kind"], "Plugin");
    let name = words(&manifest["metadata"]["name"]);
    assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{name}");
    let devices = ["con", "prn", "aux", "nul", "com1", "lpt1"];
    assert!(!name.starts_with("kube") && !devices.contains(&name), "{name}");
    let spec = &manifest["spec"];
    let version = words(&spec["version"]);
    assert_eq!(version, format!("v{}", env!("CARGO_PKG_VERSION")));
    let numbers: Vec<&str> = version[1..].split('-').next().unwrap().split('.').collect();
    assert!(numbers.len() == 3 && numbers.iter().all(|number| number.parse::<u64>().is_ok()), "{version}");
    let short = words(&spec["shortDescription"]);
    assert!(
        !short.is_empty() && short.len() < 60 && !short.contains('\n') && !short.ends_with('.'),
        "{short}"
    );
    assert!(words(&spec["description"]).lines().count() >= 3);
    assert!(words(&spec["caveats"]).contains("completion kubectl --install"));
    assert!(words(&spec["homepage"]).starts_with("https://"));
    let platforms = spec["platforms"].as_array().unwrap();
    assert!(!platforms.is_empty());
    let mut seen = Vec::new();
    for platform in platforms {
        let labels = platform["selector"]["matchLabels"].as_object().unwrap();
        assert!(labels.keys().all(|key| key == "os" || key == "arch") && labels.len() == 2, "{labels:?}");
        let (os, arch) = (words(&labels["os"]), words(&labels["arch"]));
        assert!(KNOWN.iter().any(|(known, arches)| *known == os && arches.contains(&arch)), "{os} {arch}");
        assert!(!seen.contains(&(os, arch)), "{os} {arch} twice");
        seen.push((os, arch));
        let sha = words(&platform["sha256"]);
        assert!(sha.len() == 64 && sha.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')), "{sha}");
        let uri = words(&platform["uri"]);
        assert!(uri.starts_with("https://") && uri.contains(version) && uri.ends_with(".tar.gz"), "{uri}");
        let ending = if os == "windows" { ".exe" } else { "" };
        assert_eq!(words(&platform["bin"]), format!("kubectl-bootstorm{ending}"));
        // Without a list of files, everything in the archive is installed.
        assert!(platform.get("files").is_none());
    }
}

#[test]
fn the_manifest_of_a_release_has_all_platforms() {
    let (folder, manifest) = release();
    check(&manifest);
    let platforms = manifest["spec"]["platforms"].as_array().unwrap();
    assert_eq!(platforms.len(), TARGETS.len());
    for (platform, target) in platforms.iter().zip(TARGETS) {
        let uri = words(&platform["uri"]);
        assert!(uri.contains(target), "{uri}");
        let archive = folder.path().join(uri.rsplit('/').next().unwrap());
        assert_eq!(words(&platform["sha256"]), sha256(&archive));
    }
}

#[test]
fn the_template_names_the_places_that_binstall_looks_at() {
    let template = text("krew/bootstorm.yaml");
    let cargo = text("Cargo.toml");
    let (_, repository) = cargo.split_once("\nrepository = \"").unwrap();
    let repository = repository.split('"').next().unwrap();
    assert_eq!(template.matches(&format!("{repository}/releases/download/{{{{ .TagName }}}}/")).count(), 6);
    assert!(template.contains(&format!("homepage: {repository}\n")));
    assert!(
        cargo.contains("{ repo }/releases/download/v{ version }/{ name }-v{ version }-{ target }.tar.gz")
    );
}

#[test]
fn the_manifest_in_the_repository_follows_the_template() {
    let kept: Value = serde_saphyr::from_str(&text("plugin-manifest/bootstorm.yaml")).unwrap();
    check(&kept);
    let (_folder, release) = release();
    let without_platforms = |manifest: &Value| {
        let mut manifest = manifest.clone();
        manifest["spec"]["platforms"] = Value::Null;
        manifest
    };
    assert_eq!(without_platforms(&kept), without_platforms(&release), "render it again: krew/render");
}

/// A folder with the plugin as krew leaves it: files in a store, a link on the PATH.
struct Installed {
    root: tempfile::TempDir,
    kubectl: PathBuf,
}

impl Installed {
    /// Unpacks the archive as krew does: checksum first, then every file into the store, then the link.
    fn new(kubectl: PathBuf) -> Self {
        let package = package();
        let manifest = render(package.folder.path());
        check(&manifest);
        let platform = &manifest["spec"]["platforms"][0];
        assert_eq!(words(&platform["sha256"]), sha256(&package.path), "krew checks it before anything else");
        let root = tempfile::tempdir().unwrap();
        let store = root.path().join("store/bootstorm").join(words(&manifest["spec"]["version"]));
        fs::create_dir_all(&store).unwrap();
        for entry in &package.entries {
            let path = store.join(&entry.name);
            if entry.kind == b'5' {
                fs::create_dir_all(&path).unwrap();
                continue;
            }
            fs::write(&path, &entry.content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(entry.mode)).unwrap();
        }
        let is_licence = |entry: &fs::DirEntry| {
            LICENCES.contains(&entry.file_name().to_string_lossy().to_lowercase().as_str())
        };
        assert!(fs::read_dir(&store).unwrap().flatten().any(|entry| is_licence(&entry)), "no licence");
        let bin = root.path().join("bin");
        fs::create_dir(&bin).unwrap();
        symlink(store.join(words(&platform["bin"])), bin.join("kubectl-bootstorm")).unwrap();
        Self { root, kubectl }
    }

    fn kubectl(&self, kubeconfig: &str, args: &[&str]) -> Output {
        let bin = self.root.path().join("bin");
        Command::new(&self.kubectl)
            .args(args)
            .env_clear()
            .env("HOME", self.root.path())
            .env("TMPDIR", self.root.path())
            .env("KUBECONFIG", kubeconfig)
            .env("BOOTSTORM_SOURCE", "containerdisk:quay.io/containerdisks/fedora:41")
            .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
            .output()
            .unwrap()
    }
}

#[track_caller]
fn fine(output: &Output) -> String {
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stdout}{stderr}");
    stdout.into_owned()
}

#[test]
fn installed_as_krew_does_it_runs_from_setup_to_cleanup() {
    let Some(kubectl) = find("kubectl") else { return };
    let installed = Installed::new(kubectl);
    let listed = installed.kubectl("", &["plugin", "list"]);
    assert!(fine(&listed).contains("bin/kubectl-bootstorm"), "{listed:?}");
    assert!(!String::from_utf8_lossy(&listed.stderr).contains("warning"), "{listed:?}");

    let cluster = Cluster::instant();
    let kubeconfig = cluster.kubeconfig().to_string_lossy().into_owned();
    let run = |args: &[&str]| fine(&installed.kubectl(&kubeconfig, args));
    assert!(run(&["bootstorm", "setup", "--end", "3"]).contains("run boot-storm-test is set up"));
    run(&["bootstorm", "create"]);
    run(&["bootstorm", "stop"]);
    assert!(run(&["bootstorm", "storm"]).contains("3/3"));
    assert!(run(&["bootstorm", "report"]).contains("Verdict:"));
    assert!(run(&["bootstorm", "status", "-A", "-o", "name"]).contains("boot-storm-test"));
    run(&["bootstorm", "cleanup", "--yes"]);
    assert!(!run(&["get", "namespaces", "-o", "name"]).contains("boot-storm-test"));
}

#[test]
fn installed_as_krew_does_it_runs_without_a_cluster() {
    let Some(kubectl) = find("kubectl") else { return };
    let installed = Installed::new(kubectl);
    let args = ["bootstorm", "run", "--sandbox", "--end", "3", "--speed", "50"];
    assert!(fine(&installed.kubectl("", &args)).contains("Verdict:"));
    let help = fine(&installed.kubectl("", &["bootstorm", "--help"]));
    assert!(help.contains("Usage: kubectl bootstorm "), "{help}");
    // kubectl execs the plugin, so the exit code arrives.
    assert_eq!(installed.kubectl("", &["bootstorm", "run", "--end"]).status.code(), Some(2));
}

/// One of krew's programs, built from source; `.ci/run` puts it there if Go is installed.
#[expect(clippy::print_stdout, reason = "a skipped test must be visible")]
fn krews(program: &str) -> Option<PathBuf> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools/krew")).join(program);
    if path.is_file() {
        return Some(path);
    }
    let is_wanted = std::env::var("BOOTSTORM_KREW").is_ok_and(|value| value == "always");
    assert!(!is_wanted, "BOOTSTORM_KREW=always, and there is no {}", path.display());
    println!("SKIPPED: there is no {}", path.display());
    None
}

#[test]
fn krew_itself_installs_runs_and_removes_it() {
    let (Some(krew), Some(validate)) = (krews("krew"), krews("validate-krew-manifest")) else { return };
    let (Some(kubectl), Some(git)) = (find("kubectl"), find("git")) else { return };
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name);
    let root = path("krew");
    let run = |program: &Path, args: &[&str]| {
        Command::new(program)
            .args(args)
            .env_clear()
            .env("HOME", home.path())
            .env("TMPDIR", home.path())
            .env("KREW_ROOT", &root)
            .env("KREW_DEFAULT_INDEX_URI", path("index"))
            .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", root.join("bin").display()))
            .current_dir(home.path())
            .output()
            .unwrap()
    };
    let package = package();
    let manifest = path("bootstorm.yaml").to_string_lossy().into_owned();
    let archives = package.folder.path().to_string_lossy().into_owned();
    fine(&run(&repository("krew/render"), &["--archives", &archives, "--out", &manifest]));
    let checked = run(&validate, &["-manifest", &manifest, "-skip-install"]);
    fine(&checked);
    assert!(String::from_utf8_lossy(&checked.stderr).contains("structural validation OK"), "{checked:?}");

    // An index like krew's own: a repository with plugin manifests.
    fs::create_dir_all(path("index/plugins")).unwrap();
    fs::copy(&manifest, path("index/plugins/bootstorm.yaml")).unwrap();
    let index = path("index").to_string_lossy().into_owned();
    let who = ["-c", "user.name=test", "-c", "user.email=test@localhost"];
    fine(&run(&git, &["init", "--quiet", &index]));
    fine(&run(&git, &["-C", &index, "add", "."]));
    fine(&run(&git, &[&["-C", &index], &who[..], &["commit", "--quiet", "-m", "index"]].concat()));
    fine(&run(&krew, &["update"]));
    assert!(fine(&run(&krew, &["search", "bootstorm"])).contains("bootstorm"));

    let archive = package.path.to_string_lossy().into_owned();
    fine(&run(&krew, &["install", "--manifest", &manifest, "--archive", &archive]));
    assert!(fine(&run(&krew, &["list"])).contains("bootstorm"));
    let args = ["bootstorm", "run", "--sandbox", "--end", "2", "--speed", "50"];
    assert!(fine(&run(&kubectl, &args)).contains("Verdict:"));
    fine(&run(&krew, &["uninstall", "bootstorm"]));
    assert!(fs::read_dir(root.join("bin")).unwrap().next().is_none(), "the link is left");
}
