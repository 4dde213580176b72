//! Workflows, manifests and recipes: files that no compiler reads.

use std::fs;
use std::process::Command;

use bootstorm_sandbox::value::Value;

use super::{find, repository, text};

/// A file of YAML documents.
fn documents(path: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn yaml(path: &str) -> Value {
    documents(path).remove(0)
}

#[test]
fn every_yaml_file_is_yaml() {
    let mut checked = 0;
    for folder in [
        ".github",
        ".github/workflows",
        ".github/ISSUE_TEMPLATE",
        "examples",
        "examples/in-cluster",
        "plugin-manifest",
    ] {
        for entry in fs::read_dir(repository(folder)).unwrap().flatten() {
            let path = entry.path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let filled_in_later = fs::read_to_string(&path).is_ok_and(|text| text.contains("${"));
            let is_yaml = path.extension().is_some_and(|extension| extension == "yml" || extension == "yaml");
            // The program fills in the placeholders of a VM manifest; those of workflows are in strings.
            if is_yaml && (folder.starts_with(".github") || !filled_in_later) {
                documents(&format!("{folder}/{name}"));
                checked += 1;
            }
        }
    }
    assert!(checked >= 8, "only {checked} files were found");
}

#[test]
fn actions_are_pinned_by_commit() {
    for workflow in [".github/workflows/ci.yml", ".github/workflows/release.yml"] {
        for line in text(workflow).lines().filter(|line| line.contains("uses:")) {
            let (_, pin) = line.split_once('@').unwrap();
            let (commit, version) = pin.split_once(" # v").unwrap_or_default();
            let is_commit = commit.len() == 40 && commit.chars().all(|c| c.is_ascii_hexdigit());
            assert!(is_commit && !version.is_empty(), "{workflow}: {line}");
        }
    }
}

#[test]
fn a_release_is_built_for_every_platform_of_the_manifest() {
    let release = yaml(".github/workflows/release.yml");
    let built = release["jobs"]["build"]["strategy"]["matrix"]["include"].as_array().unwrap();
    let template = text("krew/bootstorm.yaml");
    assert_eq!(built.len(), template.matches("addURIAndSha").count());
    for entry in built {
        let target = entry["target"].as_str().unwrap();
        assert!(template.contains(&format!("-{target}.tar.gz")), "{target}");
        assert!(text("deny.toml").contains(target), "{target}");
    }
    let all = release.to_string();
    for part in
        ["attest-build-provenance", "SHA256SUMS", "krew-release-bot@", "krew_template_file", "--profile dist"]
    {
        assert!(all.contains(part), "{part}");
    }
}

#[test]
fn workflows_may_do_no_more_than_they_need() {
    for path in [".github/workflows/ci.yml", ".github/workflows/release.yml"] {
        let workflow = yaml(path);
        assert_eq!(workflow["permissions"], bootstorm_sandbox::value::json!({"contents": "read"}), "{path}");
        for (name, job) in workflow["jobs"].as_object().unwrap() {
            for step in job["steps"].as_array().unwrap() {
                let runs = step["run"].is_string() != step["uses"].is_string();
                assert!(runs, "{path}, {name}: {step}");
                if let Some(uses) = step["uses"].as_str() {
                    assert!(uses.contains('@') && !uses.ends_with("@main"), "{path}: {uses}");
                }
            }
        }
    }
    assert!(text(".github/workflows/ci.yml").contains(".ci/run"));
}

#[test]
fn recipes_are_plain_commands() {
    let just = text("justfile");
    for line in just.lines().filter(|line| line.starts_with("    ")) {
        let command = line.trim().trim_start_matches('@').split(' ').next().unwrap();
        assert!(["cargo", "just", ".ci/run", "krew/package", "krew/render"].contains(&command), "{line}");
    }
}

#[test]
fn scripts_are_understood_by_their_shells() {
    let Some(bash) = find("bash") else { return };
    for script in [".ci/run", "krew/package", "krew/render"] {
        let output = Command::new(&bash).arg("-n").arg(repository(script)).output().unwrap();
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(text(script).contains("set -euo pipefail"), "{script}");
    }
}

#[test]
fn the_image_holds_little_and_runs_as_nobody() {
    let file = text("Containerfile");
    let instructions: Vec<(&str, &str)> = file
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| line.split_once(' ').unwrap())
        .collect();
    let known = ["FROM", "RUN", "WORKDIR", "ARG", "COPY", "USER", "ENTRYPOINT"];
    assert!(instructions.iter().all(|(word, _)| known.contains(word)), "{instructions:?}");
    let stages: Vec<&str> =
        instructions.iter().filter(|(word, _)| *word == "FROM").map(|(_, rest)| *rest).collect();
    assert!(stages[0].ends_with(" AS build") && !stages[0].contains(":latest"), "{stages:?}");
    assert_eq!(stages[1..], ["scratch"]);
    let (_, image) = file.split_once("FROM scratch").unwrap();
    // Everything in the image comes from the first stage, and there is no shell to run anything.
    assert!(
        !image.contains("RUN") && image.matches("COPY").count() == image.matches("COPY --from=build").count()
    );
    assert!(image.contains("/src/LICENSE") && image.contains("USER 65532:65532"));
    assert!(image.trim_end().ends_with("ENTRYPOINT [\"/kubectl-bootstorm\"]"));
    let base = stages[0].split([':', '-']).nth(1).unwrap();
    let oldest = text("Cargo.toml");
    let oldest = oldest.split_once("rust-version = \"").unwrap().1.split('"').next().unwrap().to_owned();
    let minor = |version: &str| version.split('.').nth(1).unwrap().parse::<u32>().unwrap();
    assert!(minor(base) >= minor(&oldest), "{base} builds what needs {oldest}");
}

#[test]
fn the_job_runs_a_command_that_there_is_as_the_account_that_may() {
    use clap::Parser;
    let job = yaml("examples/in-cluster/job.yaml");
    let pod = &job["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    let args = container["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap());
    bootstorm::commands::Cli::try_parse_from(std::iter::once("kubectl-bootstorm").chain(args)).unwrap();
    assert_eq!(container["securityContext"]["allowPrivilegeEscalation"], false);
    let rbac = documents("examples/in-cluster/rbac.yaml");
    let account = rbac.iter().find(|object| object["kind"] == "ServiceAccount").unwrap();
    assert_eq!(account["metadata"]["name"], pod["serviceAccountName"]);
    assert_eq!(account["metadata"]["namespace"], job["metadata"]["namespace"]);
}

#[test]
fn every_licence_of_a_dependency_is_an_allowed_one() {
    let deny = text("deny.toml");
    let (_, list) = deny.split_once("\nallow = [").unwrap();
    let allowed: Vec<&str> = list.split(']').next().unwrap().split('"').skip(1).step_by(2).collect();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let metadata = |scope: &[&str]| {
        let mut command = Command::new(&cargo);
        command.args(["metadata", "--locked", "--offline", "--format-version", "1", "--manifest-path"]);
        command.arg(repository("Cargo.toml")).args(scope).output().unwrap()
    };
    // A build fetches only what its target needs; the rest is available only after `cargo fetch`.
    let mut output = metadata(&[]);
    if !output.status.success() {
        output = metadata(&["--filter-platform", env!("BOOTSTORM_TARGET")]);
    }
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 100);
    for package in packages {
        let licence = package["license"].as_str().unwrap_or_default();
        let one = |word: &str| allowed.contains(&word.trim_matches(|c| c == '(' || c == ')' || c == ' '));
        // Those that occur: alternatives within a group of joint requirements.
        let all = |group: &str| group.replace('/', " OR ").split(" OR ").any(one);
        assert!(licence.split(" AND ").all(all), "{}: {licence}", package["name"]);
    }
}

#[test]
fn no_files_import_each_other_but_for_the_definition_of_the_command_line() {
    let Some(python) = find("python3") else { return };
    let crates =
        ["src", "crates/bootstorm-engine/src", "crates/bootstorm-model/src", "crates/bootstorm-prober/src"];
    let more = ["crates/bootstorm-report/src", "crates/bootstorm-sandbox/src"];
    let output = Command::new(python)
        .arg("scripts/circles")
        .args(crates.iter().chain(&more))
        .current_dir(repository(""))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.is_empty(), "{errors}");
    let circles = String::from_utf8(output.stdout).unwrap();
    let noted = text("docs/architecture.md");
    let (_, noted) = noted.split_once("### One circle of imports").unwrap();
    for module in circles.split_whitespace().filter(|word| word.contains("::")) {
        assert!(
            noted.contains(&format!("`{module}`")),
            "{module} is in a circle that nobody noted:\n{circles}"
        );
    }
    assert_eq!(circles.lines().count(), 1, "{circles}");
}

#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn the_allocator_has_the_options_that_the_documentation_counts_on() {
    let config = text(".cargo/config.toml");
    let options = config.lines().find_map(|line| line.strip_prefix("JEMALLOC_SYS_WITH_MALLOC_CONF = "));
    let options = options.unwrap().trim_matches('"');
    let output = Command::new(env!("CARGO_BIN_EXE_kubectl-bootstorm"))
        .arg("--version")
        .env("_RJEM_MALLOC_CONF", "stats_print:true")
        .output()
        .unwrap();
    let statistics = String::from_utf8_lossy(&output.stderr);
    let built = statistics.lines().find(|line| line.contains("config.malloc_conf"));
    assert!(built.is_some_and(|line| line.contains(options)), "{options}: {statistics:.2000}");
}
