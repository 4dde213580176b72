//! A cluster or file that stops responding: every command ends at its own limits, and on one signal.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bootstorm_model::observe::clock::monotonic_now;
use bootstorm_sandbox::faults::{Effect, Match, Rule};
use bootstorm_sandbox::model::Misbehaviour;
use bootstorm_sandbox::store::kind;

use crate::support::{Cluster, Program, Ran, until};

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

/// Waits until it exits; fails after `limit`.
#[track_caller]
fn ended(mut child: Child, since: Instant, limit: Duration) -> Ran {
    while child.try_wait().unwrap().is_none() {
        if since.elapsed() > limit {
            child.kill().unwrap();
            panic!("still there after {limit:?}: {:?}", Ran::of(child));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ran::of(child)
}

/// From now on, no request is answered.
fn fall_silent(cluster: &Cluster) {
    let rule = Rule { matching: Match::default(), effect: Effect::Hang, remaining: None };
    cluster.sandbox.faults().add(rule);
}

fn running(cluster: &Cluster) -> usize {
    let instances = cluster.sandbox.store().list(&kind::VIRTUAL_MACHINE_INSTANCES, None).0;
    instances.iter().filter(|vmi| vmi.value()["status"]["phase"] == "Running").count()
}

/// When the API goes silent
#[derive(Debug, Clone, Copy)]
enum When {
    /// Before the command starts.
    First,
    /// Once the command holds its lock.
    Locked,
    /// Once all VMs run except one that never will, before the phase's end is saved.
    Last,
}

/// A create of four VMs, three of which come up, on a cluster that goes silent.
fn silenced(when: When, flags: &[&str]) -> (Cluster, Child) {
    let cluster = Cluster::changed(3, |profile| {
        profile.misbehave.0.insert("boot-storm-test-4/vm".into(), Misbehaviour::NeverSchedules);
    });
    cluster.run(&["setup", "--end", "4", "--probe", "none", "--vm-name", "vm"]).exits(0);
    if matches!(when, When::First) {
        fall_silent(&cluster);
    }
    let child = cluster.program().spawn(&[&["create"][..], flags].concat());
    match when {
        When::First => {}
        When::Locked => {
            let store = cluster.sandbox.store();
            until(|| store.get(&kind::LEASES, "default", "bootstorm-boot-storm-test").is_some());
            fall_silent(&cluster);
        }
        When::Last => {
            until(|| running(&cluster) == 3);
            fall_silent(&cluster);
        }
    }
    (cluster, child)
}

#[test]
fn a_cluster_that_falls_silent_is_given_up_when_the_limits_are_over() {
    let limits =
        ["--timeout", "2s", "--request-timeout", "500ms", "--retry-timeout", "1s", "--blind-limit", "2s"];
    let stages = [When::First, When::Locked, When::Last].map(|when| {
        std::thread::spawn(move || {
            let began = monotonic_now();
            let (_cluster, child) = silenced(when, &limits);
            let ran = ended(child, began, Duration::from_secs(25));
            assert_eq!(ran.code, 1, "{when:?}: {}", ran.stderr);
            ran.complains(&["no answer within 0.5s"]);
        })
    });
    for stage in stages {
        stage.join().unwrap();
    }
}

#[test]
fn one_signal_ends_a_command_on_a_cluster_that_fell_silent() {
    let stages = [When::First, When::Locked, When::Last].map(|when| {
        std::thread::spawn(move || {
            let (_cluster, child) = silenced(when, &["--timeout", "3s"]);
            if matches!(when, When::Last) {
                // By now it is saving its end.
                std::thread::sleep(Duration::from_secs(4));
            }
            until(|| handles(&child, "-TERM"));
            signal(&child, "-TERM");
            let ran = ended(child, monotonic_now(), Duration::from_secs(30));
            assert_eq!(ran.code, 130, "{when:?}: {}", ran.stderr);
            ran.complains(&["interrupted"]);
        })
    });
    for stage in stages {
        stage.join().unwrap();
    }
}

#[test]
fn one_signal_ends_a_command_that_waits_for_a_file() {
    let home = tempfile::tempdir().unwrap();
    let program = Program::new(home.path());
    assert!(Command::new("mkfifo").arg(home.path().join("pipe")).status().unwrap().success());
    for (args, name) in [
        (&["report", "--from", "pipe"][..], "-TERM"),
        (&["compare", "pipe", "other"], "-INT"),
        (&["setup", "-f", "-"], "-HUP"),
        (&["report", "--from", "-"], "-INT"),
    ] {
        // The other end stays open, and nothing arrives.
        let mut child = program.command(args).stdin(Stdio::piped()).spawn().unwrap();
        // Handlers are installed before the file is opened.
        until(|| handles(&child, name));
        let stdin = child.stdin.take();
        signal(&child, name);
        let ran = ended(child, monotonic_now(), Duration::from_secs(5));
        assert_eq!(ran.code, 130, "{args:?}: {}", ran.stderr);
        ran.complains(&["interrupted"]);
        drop(stdin);
    }
}

/// Whether a process has its own handler for a signal.
fn handles(child: &Child, name: &str) -> bool {
    let number = match name {
        "-HUP" => 1,
        "-INT" => 2,
        _ => 15,
    };
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap().trim().to_owned();
    u64::from_str_radix(&caught, 16).unwrap() & (1 << (number - 1)) != 0
}

#[test]
fn signals_that_were_ignored_at_the_start_stay_ignored() {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new("sh");
    command
        .args(["-c", r#"trap "" HUP INT; exec "$0" "$@""#])
        .arg(env!("CARGO_BIN_EXE_kubectl-bootstorm"))
        .args(["sandbox", "--write-kubeconfig", "k"])
        .env_clear()
        .env("HOME", home.path())
        .current_dir(home.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert!(!handles(&child, "-HUP") && !handles(&child, "-INT") && handles(&child, "-TERM"));
    signal(&child, "-HUP");
    signal(&child, "-INT");
    signal(&child, "-TERM");
    ended(child, monotonic_now(), Duration::from_secs(10)).exits(0);
}
