//! Every command of the guide, run as printed, with a cluster per section.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use bootstorm_sandbox::store::kind;
use bootstorm_sandbox::value::{Value, json};

use crate::support::{Cluster, until};

/// The guide's console blocks, by heading, in order.
fn sections() -> Vec<(String, Vec<String>)> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide.md")).unwrap();
    // A trailing backslash continues the line.
    let text = text.replace("\\\n", " ");
    let mut sections: Vec<(String, Vec<String>)> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match line {
            "```console" => inside = true,
            "```" => inside = false,
            line if inside => sections.last_mut().unwrap().1.push(line.to_owned()),
            line => {
                if let Some(heading) = line.strip_prefix("## ").or_else(|| line.strip_prefix("### ")) {
                    sections.push((heading.to_owned(), Vec::new()));
                }
            }
        }
    }
    sections.retain(|(_, commands)| !commands.is_empty());
    sections
}

/// A folder with this program as a plugin, and `kubectl`: the real one, or a few lines that only run the plugin.
#[allow(clippy::print_stdout, reason = "a test that passes something over has to say so")]
fn path(home: &Path) -> String {
    let folder = home.join("bin");
    std::fs::create_dir_all(&folder).unwrap();
    let plugin = folder.join("kubectl-bootstorm");
    symlink(env!("CARGO_BIN_EXE_kubectl-bootstorm"), &plugin).unwrap();
    let real =
        ["/usr/local/bin/kubectl", "/usr/bin/kubectl"].into_iter().find(|path| Path::new(path).is_file());
    let kubectl = folder.join("kubectl");
    match real {
        Some(real) => symlink(real, kubectl).unwrap(),
        None => {
            println!("there is no kubectl on this machine; commands other than the plugin's are passed over");
            let script =
                "#!/bin/sh\n[ \"$1\" = bootstorm ] || exit 0\nshift\nexec kubectl-bootstorm \"$@\"\n";
            std::fs::write(&kubectl, script).unwrap();
            std::fs::set_permissions(&kubectl, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
    format!("{}:/usr/bin:/bin", folder.display())
}

/// Running VMs that belong to a user.
fn shop(cluster: &Cluster) {
    let store = cluster.sandbox.store();
    store.create(&kind::NAMESPACES, json!({"metadata": {"name": "shop"}})).unwrap();
    for number in 1..=10 {
        let vm = json!({"metadata": {"name": format!("web-{number}"), "namespace": "shop", "labels": {"tier": "web"}},
            "spec": {"runStrategy": "Always", "template": {"spec": {"domain": {"memory": {"guest": "512Mi"}, "devices": {}}}}}});
        store.create(&kind::VIRTUAL_MACHINES, vm).unwrap();
    }
    until(|| {
        let (all, _) = store.list(&kind::VIRTUAL_MACHINES, Some("shop"));
        all.iter().all(|vm| vm.value()["status"]["ready"] == true)
    });
}

/// Attempts at a section whose storm is measured by a machine that had no CPU time for it.
const ATTEMPTS: usize = 3;

/// Follows a section; one whose times are invalid is repeated, as the guide says.
fn follow(section: &str) {
    let followed = (0..ATTEMPTS).any(|_| attempt(section));
    assert!(followed, "{section}: no valid times in {ATTEMPTS} attempts");
}

/// Runs a section's commands in order, like a shell. Returns false if a threshold was undecided by invalid times.
fn attempt(section: &str) -> bool {
    let (heading, commands) = sections()
        .into_iter()
        .find(|(heading, _)| heading == section)
        .unwrap_or_else(|| panic!("no section {section}"));
    let cluster = Cluster::changed(3, |profile| profile.node.memory_gib = 1024.0);
    shop(&cluster);
    let home = cluster.home.path();
    let environment: BTreeMap<&str, String> = BTreeMap::from([
        ("PATH", path(home)),
        ("HOME", home.display().to_string()),
        ("TMPDIR", home.display().to_string()),
        ("KUBECONFIG", cluster.kubeconfig().display().to_string()),
        ("USER", "tester".to_owned()),
    ]);
    let shell = |command: &str| {
        let child = Command::new("sh")
            .args(["-c", command])
            .env_clear()
            .envs(&environment)
            .current_dir(home)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&child.stderr).into_owned();
        (child.status, told, String::from_utf8_lossy(&child.stdout).into_owned())
    };
    for command in commands.iter().filter(|command| !command.is_empty()) {
        let (mut status, mut told, mut printed) = shell(command);
        // A machine without CPU time for a second measures invalid times; then the hint has to help.
        if !status.success() && told.contains("are invalid (") {
            (status, told, printed) = shell(&format!("{command} --force"));
        }
        // Without valid times a threshold is undecided, which is a failure of its own.
        if status.code() == Some(4) && printed.contains("undecided: the times of ") {
            return false;
        }
        assert!(status.success(), "{heading}: {command}: {status}\n{told}\n{printed}");
        assert!(!told.contains("panicked") && !told.contains("warning: unknown"), "{command}:\n{told}");
    }
    let left = cluster.sandbox.store().list(&kind::CONFIG_MAPS, Some("default")).0;
    let left: Vec<&str> =
        left.iter().map(|map| map.name()).filter(|name| name.starts_with("bootstorm-")).collect();
    assert_eq!(left, [""; 0], "{heading} cleans up what it made");
    let (shop, _) = cluster.sandbox.store().list(&kind::VIRTUAL_MACHINES, Some("shop"));
    assert!(
        shop.iter().all(|vm| vm.value()["spec"]["runStrategy"] == "Always"),
        "{heading} gives back what it took"
    );
    true
}

macro_rules! followed {
    ($($name:ident: $section:literal,)*) => {
        /// Sections followed by a test.
        const FOLLOWED: &[&str] = &[$($section),*];
        $(#[test]
        fn $name() {
            follow($section);
        })*
    };
}

followed! {
    the_first_test: "The first test",
    phase_by_phase: "Phase by phase",
    reading_the_results: "Reading the results",
    one_node: "How many VMs can one node start?",
    maintenance: "How long will everything be down after maintenance?",
    disaster: "Does the recovery time hold in a disaster?",
    storage: "Which storage is better?",
    one_node_or_all: "One node or all of them?",
    trouble: "When something goes wrong",
}

#[test]
fn no_section_with_commands_is_left_out() {
    let found: Vec<String> = sections().into_iter().map(|(heading, _)| heading).collect();
    assert_eq!(found, FOLLOWED);
}

/// Scenario 4 of the guide, with two storage classes that differ: which is faster, and by how much, in either order.
#[test]
fn two_storage_classes_are_told_apart() {
    let cluster = Cluster::with("default", 3, 10.0);
    for class in ["flash", "bulk"] {
        let args = ["run", "--ns-prefix", class, "--end", "20", "--storage-class", class, "--repeat", "3"];
        cluster.plain_program().run(&args).exits(0);
    }
    let document =
        |from: &str, to: &str| cluster.run(&["compare", from, to, "--force", "-o", "json"]).exits(0).json();
    let storm = |from: &str, to: &str| {
        let phases = document(from, to)["comparisons"][0]["phases"].as_array().unwrap().clone();
        phases.into_iter().find(|phase| phase["phase"] == "storm").unwrap()
    };
    let ratio = |storm: &Value| {
        let milestones = storm["milestones"].as_array().unwrap();
        let reachable = milestones.iter().find(|one| one["milestone"] == "reachable").unwrap();
        reachable["shifts"][0]["ratio"].clone()
    };
    let (there, back) = (storm("flash", "bulk"), storm("bulk", "flash"));
    // The spread between storms depends on the machine that runs this, but both directions must agree.
    let (one, other) = (ratio(&there), ratio(&back));
    assert!(one["value"].as_f64().unwrap() > 1.0 && other["value"].as_f64().unwrap() < 1.0, "{one} {other}");
    assert!(one["low"].is_number() && other["high"].is_number(), "three storms a side have an interval");
    let told = match there["direction"].as_str().unwrap() {
        "worse" => "better",
        same => same,
    };
    assert_eq!(back["direction"], told);
    let code = if document("flash", "bulk")["comparisons"][0]["direction"] == "worse" { 4 } else { 0 };
    cluster.run(&["compare", "flash", "bulk", "--force", "--fail-if-worse"]).exits(code);
}
