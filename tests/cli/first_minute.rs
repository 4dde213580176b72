//! A user's first minute: help, versions, the state of a run, and the command log.

use std::os::unix::fs::PermissionsExt;

use bootstorm_sandbox::store::kind;
use bootstorm_sandbox::value::json;

use crate::support::Cluster;

#[test]
fn versions_are_those_of_the_program_and_of_the_cluster() {
    let cluster = Cluster::instant();
    let version = env!("CARGO_PKG_VERSION");
    cluster.run(&["version"]).exits(0).prints(&[version, "Kubernetes", "KubeVirt           v", "CDI"]);
    let told = cluster.run(&["version", "-o", "json"]).exits(0).json();
    assert_eq!(told["client"]["version"], version);
    assert!(told["server"]["kubernetes"].as_str().unwrap().starts_with("v1."), "{told}");
    assert!(told["server"]["kubevirt"].is_string(), "{told}");
    let nowhere = cluster.program().env("KUBECONFIG", "/nonexistent");
    let told = nowhere.run(&["version", "-o", "json"]).exits(0);
    assert!(told.complains(&["the cluster's versions are unknown"]).json()["server"].is_null());
    let alone = nowhere.run(&["version", "--client"]).exits(0);
    assert!(alone.stderr.is_empty() && alone.stdout.contains(version), "{alone:?}");
}

#[test]
fn flags_of_all_commands_have_a_command_of_their_own() {
    let cluster = Cluster::instant();
    let told = cluster.run(&["options"]).exits(0).stdout;
    for flag in ["--kubeconfig", "--as-group", "--retry-timeout", "--log-file", "--show-config"] {
        assert!(told.contains(flag), "{flag}: {told}");
    }
    assert!(!told.contains("--ns-prefix"), "{told}");
    let help = cluster.run(&["help", "storm"]).exits(0).stdout;
    assert_eq!(help, cluster.run(&["storm", "--help"]).exits(0).stdout);
}

#[test]
fn examples_can_be_pasted_from_a_narrow_terminal() {
    let cluster = Cluster::instant();
    let told = cluster.program().env("COLUMNS", "60").run(&["report", "--help"]).exits(0).stdout;
    let whole =
        "  kubectl bootstorm report \\\n      --fail-if 'storm.reachable.p95>90s' \\\n      --fail-if ";
    assert!(told.contains(whole), "{told}");
}

#[test]
fn a_run_whose_vms_were_deleted_says_so_and_goes_no_further() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "2", "--probe", "none"]).exits(0);
    cluster.run(&["create"]).exits(0);
    cluster.run(&["cleanup", "--yes", "--keep-record"]).exits(0);
    cluster.run(&["status"]).exits(0).prints(&[
        "cleaned up",
        "Next: kubectl bootstorm report",
        "deletes the record",
    ]);
    let all = cluster.run(&["status", "-A"]).exits(0).prints(&["cleanup", "done"]);
    all.complains(&["next command of a run: kubectl bootstorm status --ns-prefix boot-storm-test -n "]);
    for phase in ["create", "stop", "storm"] {
        cluster.run(&[phase]).exits(1).complains(&["were deleted; only its record was kept"]);
    }
    let setup = cluster.run(&["setup", "--end", "2", "--probe", "none"]).exits(1);
    setup.complains(&["were deleted; only its record was kept", "delete its record first"]);
    let namespace = cluster.sandbox.store().get(&kind::NAMESPACES, "", "boot-storm-test-1");
    assert!(namespace.is_none(), "nothing is made for a run that goes no further");
    cluster.run(&["report"]).exits(0);
    cluster.run(&["cleanup", "--yes"]).exits(0);
    cluster.run(&["status"]).exits(1).complains(&["there is no run"]);
}

#[test]
fn a_cleanup_that_was_cut_short_is_what_comes_next() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "2", "--probe", "none"]).exits(0);
    cluster.run(&["create"]).exits(0);
    let hold =
        |vm: &mut bootstorm_sandbox::value::Value| vm["metadata"]["finalizers"] = json!(["example.com/held"]);
    cluster.sandbox.store().modify(&kind::VIRTUAL_MACHINES, "boot-storm-test-1", "boot-storm-vm", hold);
    cluster.run(&["cleanup", "--yes", "--timeout", "2s"]).exits(3);
    cluster.run(&["status"]).exits(0).prints(&["cleanup started", "Next: kubectl bootstorm cleanup"]);
    cluster.run(&["stop"]).exits(1).complains(&["a cleanup of run \"boot-storm-test\" has begun"]);
    let free = |vm: &mut bootstorm_sandbox::value::Value| vm["metadata"]["finalizers"] = json!([]);
    cluster.sandbox.store().modify(&kind::VIRTUAL_MACHINES, "boot-storm-test-1", "boot-storm-vm", free);
    cluster.run(&["cleanup", "--yes"]).exits(0);
}

#[test]
fn a_name_that_is_nearly_right_is_recognised() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--ns-prefix", "friday", "--end", "1", "--probe", "none"]).exits(0);
    cluster
        .run(&["report", "--ns-prefix", "firday"])
        .exits(1)
        .complains(&["did you mean --ns-prefix friday?", "runs of this namespace: friday"]);
    let told = cluster.run(&["storm", "--ns-prefix", "other"]).exits(1).stderr;
    assert!(!told.contains("did you mean") && told.contains("runs of this namespace: friday"), "{told}");
}

#[test]
fn a_log_tells_what_was_done_and_holds_no_secret() {
    let cluster = Cluster::instant();
    let template = "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\n\
        spec: {template: {metadata: {annotations: {pw: \"{{PW}}\"}}, spec: {domain: {memory: {guest: 256Mi}, devices: {}}}}}\n";
    std::fs::write(cluster.home.path().join("vm.yaml"), template).unwrap();
    let log = |level: &'static str| ["--log-file", "log", "--log-level", level];
    let setup = ["setup", "--end", "2", "-f", "vm.yaml", "--set", "PW=hunter2", "--probe", "none"];
    cluster.run(&[&setup[..], &log("info")].concat()).exits(0);
    cluster.run(&[&["create"][..], &log("info")].concat()).exits(0);
    let path = cluster.home.path().join("log");
    let text = std::fs::read_to_string(&path).unwrap();
    for part in [
        "command=\"setup --end 2 -f vm.yaml --set PW=*** --probe none",
        "server=\"https://127.0.0.1",
        "namespaces=2",
        "run=\"boot-storm-test\"",
        "phase began phase=create vms=2",
        "phase ended phase=create vms=2 reached=2 failed=0 unknown=0",
        "ends exit=Good",
    ] {
        assert!(text.contains(part), "{part}:\n{text}");
    }
    assert!(!text.contains("hunter2") && !text.contains("VM passed"), "{text}");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    cluster.run(&[&["stop"][..], &log("debug")].concat()).exits(0);
    cluster.run(&[&["storm"][..], &log("debug")].concat()).exits(0);
    let text = std::fs::read_to_string(&path).unwrap();
    for part in
        ["request sent target=boot-storm-test-2/boot-storm-vm", "milestone=\"running\"", "verdict grade="]
    {
        assert!(text.contains(part), "{part}:\n{text}");
    }
    cluster.run(&[&["storm"][..], &log("info")].concat()).exits(1);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("a storm starts stopped VMs") && text.contains("exit=Failed"), "{text}");
}

#[test]
fn one_run_is_written_in_several_formats_at_once() {
    let cluster = Cluster::instant();
    let path = |name: &str| cluster.home.path().join(name);
    let files = [
        "--output-file",
        "json=run.json",
        "--output-file",
        "junit=run.xml",
        "--output-file",
        "summary=run.txt",
    ];
    let run = ["run", "--end", "2", "--probe", "none", "--fail-if", "failed>0"];
    cluster.run(&[&run[..], &files].concat()).exits(0).complains(&["written: run.json", "written: run.xml"]);
    let document: bootstorm_sandbox::value::Value =
        serde_json::from_slice(&std::fs::read(path("run.json")).unwrap()).unwrap();
    let phases: Vec<_> = document["phases"].as_array().unwrap().iter().map(|phase| &phase["name"]).collect();
    assert_eq!(phases, ["create", "stop-1", "storm-1"]);
    assert_eq!(document["thresholds"][0]["result"], "kept");
    assert!(std::fs::read_to_string(path("run.xml")).unwrap().contains("<testsuite"));
    let summary = std::fs::read_to_string(path("run.txt")).unwrap();
    assert!(
        summary.contains("Verdict") && !summary.contains('…') && !summary.contains('\u{1b}'),
        "{summary}"
    );
    // Files of an earlier run are replaced; foreign files are not, and the command says so before it does anything.
    cluster.run(&[&["report"][..], &files].concat()).exits(0);
    std::fs::write(path("notes.txt"), "mine").unwrap();
    let refusals: [(&str, i32, &str); 6] = [
        ("json=notes.txt", 1, "this program did not write it"),
        ("json=nowhere/run.json", 1, "there is no folder nowhere"),
        ("json=/proc/run.json", 1, "/proc/run.json cannot be written"),
        ("jsn=run.json", 2, "there is no format \"jsn\""),
        ("run.json", 2, "write it as FORMAT=PATH"),
        ("json=-", 2, "-o FORMAT"),
    ];
    for (file, code, why) in refusals {
        let args = ["run", "--ns-prefix", "other", "--end", "2", "--output-file", file];
        cluster.run(&args).exits(code).complains(&[why]);
    }
    let twice = ["report", "--output-file", "json=a", "--output-file", "csv=a"];
    cluster.run(&twice).exits(2).complains(&["a is named twice"]);
    assert_eq!(std::fs::read_to_string(path("notes.txt")).unwrap(), "mine");
    cluster.run(&["status", "--ns-prefix", "other"]).exits(1);
}

#[test]
fn a_folder_that_cannot_be_written_is_told_before_anything_is_created() {
    let cluster = Cluster::instant();
    let args = ["run", "--end", "2", "--save-results", "--results-folder", "/proc/results"];
    cluster.run(&args).exits(1).complains(&["no results can be saved in /proc/results"]);
    cluster.run(&["status"]).exits(1);
}

#[test]
fn nothing_is_cut_in_a_file() {
    let cluster = Cluster::instant();
    cluster.run(&["run", "--end", "2", "--probe", "none", "--vm-name", &"long-".repeat(11)[..54]]).exits(0);
    let report = |columns: Option<&str>| {
        let mut command = cluster.program().command(&["report", "-o", "summary"]);
        match columns {
            Some(columns) => command.env("COLUMNS", columns),
            None => command.env_remove("COLUMNS"),
        };
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    assert!(report(Some("60")).contains('…'), "{}", report(Some("60")));
    assert!(!report(None).contains('…'), "{}", report(None));
}

#[test]
fn a_dry_run_of_the_whole_run_tells_every_phase() {
    let cluster = Cluster::instant();
    let run = ["run", "--end", "3", "--probe", "none", "--dry-run", "--timeout", "5m"];
    cluster.run(&run).exits(0).complains(&[
        "3 requests would be sent, nothing was changed",
        "then create: 3 requests, at most 5m",
        "then stop-1: 3 requests, at most 5m",
        "then storm-1: 3 requests, at most 5m",
        "all of it takes at most 15m by its limits",
    ]);
    let series = [&run[..], &["--repeat", "4", "--wave", "2/10s", "--phase-timeout", "2m"]].concat();
    cluster.run(&series).exits(0).complains(&[
        "then 4 times a stop and a storm, each: 3 requests, at most 2m",
        "all of it takes at most 18m by its limits, and the time that the storm's shape takes",
    ]);
    cluster.run(&["status"]).exits(1);
}
