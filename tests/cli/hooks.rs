//! User hooks around phases: their environment, when they run again, and how they end.

use std::fs;
use std::process::Command;

use bootstorm_sandbox::value::{Value, json};

use crate::support::{Cluster, Ran, until};

fn set_up() -> Cluster {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "2", "--probe", "none"]).exits(0);
    cluster
}

fn read(cluster: &Cluster, name: &str) -> String {
    fs::read_to_string(cluster.home.path().join(name)).unwrap_or_default()
}

/// The highest number of starts of any VM.
fn rounds(cluster: &Cluster) -> u64 {
    let accounts = cluster.sandbox.ledger().machines();
    accounts.values().map(|account| account.starts.changes).max().unwrap_or(0)
}

fn is_alive(pid: &str) -> bool {
    Command::new("kill").args(["-0", pid.trim()]).status().unwrap().success()
}

#[test]
fn hooks_run_around_every_phase_of_their_kind_and_are_given_its_report() {
    let cluster = Cluster::instant();
    let say = r#"echo "$BOOTSTORM_PHASE $BOOTSTORM_RUN ${BOOTSTORM_NAMESPACE:-none}" >> said"#;
    let [create, storm, stop] =
        ["create", "storm", "stop"].map(|kind| format!("{kind}=: pass-w0rd; echo before >> said; {say}"));
    let after =
        r#"storm=cp "$BOOTSTORM_RESULT" "$BOOTSTORM_PHASE.json"; echo after >> said; echo one; echo two >&2"#;
    let ran = cluster.run(&[
        "run",
        "--end",
        "2",
        "--probe",
        "none",
        "--repeat",
        "2",
        "--log-file",
        "log",
        "--before",
        &create,
        "--before",
        &storm,
        "--before",
        &stop,
        "--after",
        after,
    ]);
    ran.exits(0).complains(&["hook: one", "hook: two"]);
    let said: Vec<String> = read(&cluster, "said").lines().map(str::to_owned).collect();
    let phases: Vec<&str> = said.iter().map(|line| line.split(' ').next().unwrap()).collect();
    let expected = ["create", "stop-1", "storm-1", "after", "stop-2", "storm-2", "after"].map(str::to_owned);
    let told: Vec<&str> = phases.into_iter().filter(|word| *word != "before").collect();
    assert_eq!(told, expected);
    assert!(said.iter().any(|line| line.starts_with("storm-2 boot-storm-test ") && !line.ends_with("none")));
    let report: Value = serde_json::from_str(&read(&cluster, "storm-2.json")).unwrap();
    let storm = report["phases"].as_array().unwrap().iter().find(|phase| phase["name"] == "storm-2").unwrap();
    assert_eq!(storm["state"], "done");
    let left = fs::read_dir(cluster.home.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().starts_with("bootstorm-")).collect();
    assert!(left.is_empty(), "{left:?}");
    let log = read(&cluster, "log");
    assert!(log.contains("hook: one") && log.contains("before storm-2"), "{log}");
    assert!(!log.contains("pass-w0rd"), "{log}");
}

#[test]
fn a_hook_that_fails_before_a_phase_leaves_it_unbegun() {
    let cluster = set_up();
    let args = ["create", "--before", "create=exit 3"];
    cluster.run(&args).exits(1).complains(&[
        "the hook before create failed: exit status: 3",
        "no request of create was sent",
        "--hook-failure warn",
    ]);
    let status = cluster.run(&["status", "-o", "json"]).exits(0).json();
    assert_eq!(status["phases"].as_array().unwrap().len(), 0, "{status}");
    let warned = cluster.run(&[&args[..], &["--hook-failure", "warn"]].concat()).exits(0);
    warned.complains(&["warning:", "exit status: 3"]);
    for (bad, why) in [("setup=x", "not create, stop or storm"), ("stop", "storm=COMMAND")] {
        cluster.run(&["stop", "--after", bad]).exits(2).complains(&[why]);
    }
}

#[test]
fn what_did_not_succeed_after_a_phase_runs_again_and_nothing_is_measured_again() {
    let cluster = set_up();
    cluster.run(&["create"]).exits(0);
    cluster.run(&["stop"]).exits(0);
    let args = ["storm", "--after", "storm=test -e ready && echo ran >> runs"];
    cluster.run(&args).exits(1).complains(&[
        "the hook after storm-1 failed",
        "kubectl bootstorm report --ns-prefix boot-storm-test",
    ]);
    cluster.run(&["status"]).prints(&["The hook after storm-1 has failed", "repeat the command"]);
    assert_eq!(cluster.run(&["status", "-o", "json"]).json()["after_due"], json!(["storm-1"]));
    fs::write(cluster.home.path().join("ready"), "").unwrap();
    cluster.run(&args).exits(0).prints(&["storm-1"]);
    assert!(!cluster.run(&["status"]).exits(0).stdout.contains("hook"));
    assert_eq!((read(&cluster, "runs").as_str(), rounds(&cluster)), ("ran\n", 1));
    cluster.run(&args).exits(1).complains(&["a storm starts stopped VMs"]);
    assert_eq!(read(&cluster, "runs"), "ran\n");
}

#[test]
fn a_killed_command_runs_its_hook_again() {
    let cluster = set_up();
    let after = "create=test -e second || { touch first; sleep 600; }; echo ran >> runs";
    let mut child = cluster.program().spawn(&["create", "--after", after]);
    until(|| cluster.home.path().join("first").exists());
    child.kill().unwrap();
    child.wait().unwrap();
    fs::write(cluster.home.path().join("second"), "").unwrap();
    cluster.run(&["create", "--after", after]).exits(0);
    assert_eq!(read(&cluster, "runs"), "ran\n");
    cluster.run(&["create", "--after", after]).exits(0).complains(&["nothing to do"]);
    assert_eq!(read(&cluster, "runs"), "ran\n");
}

#[test]
fn a_hook_ends_at_its_limit_and_with_the_user_with_all_its_children() {
    let cluster = set_up();
    let before = "create=sleep 600 & echo $! > pid.new; mv pid.new pid; wait";
    let ran = cluster.run(&["create", "--before", before, "--hook-timeout", "300ms"]);
    ran.exits(1).complains(&["did not end within 0.3s and was terminated; --hook-timeout"]);
    let pid = read(&cluster, "pid");
    until(|| !is_alive(&pid));
    fs::remove_file(cluster.home.path().join("pid")).unwrap();
    let child = cluster.program().spawn(&["create", "--before", before]);
    until(|| cluster.home.path().join("pid").exists());
    let interrupt = ["-INT", &child.id().to_string()];
    assert!(Command::new("kill").args(interrupt).status().unwrap().success());
    Ran::of(child).exits(130).complains(&["interrupted in the hook before create", "runs again"]);
    let pid = read(&cluster, "pid");
    until(|| !is_alive(&pid));
    cluster.run(&["create"]).exits(0);
}

#[test]
fn a_dry_run_names_the_hooks_and_runs_none() {
    let cluster = set_up();
    let hooks = ["--dry-run", "--before", "create=touch ran", "--after", "storm=touch ran"];
    let told = cluster.run(&[&["create"][..], &hooks].concat()).exits(0);
    let told = told.complains(&["before each create this would run: touch ran"]);
    assert!(!told.stderr.contains("after each storm"), "{}", told.stderr);
    let whole = ["run", "--ns-prefix", "other", "--end", "2", "--probe", "none"];
    cluster.run(&[&whole[..], &hooks].concat()).exits(0).complains(&[
        "before each create this would run: touch ran",
        "after each storm this would run: touch ran",
    ]);
    assert!(!cluster.home.path().join("ran").exists());
}
