//! Full disks, closed pipes and closed terminals: a clear message, or no error at all; the record stays intact.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use bootstorm_sandbox::faults::read_text;
use bootstorm_sandbox::store::kind;

use crate::support::{Cluster, Ran, until};

fn measured() -> Cluster {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "3", "--probe", "none"]).exits(0);
    cluster.run(&["create"]).exits(0);
    cluster
}

#[test]
fn a_full_disk_behind_standard_output() {
    let cluster = measured();
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let child = cluster.program().command(&["report"]).stdout(full()).spawn().unwrap();
    Ran::of(child).exits(1).complains(&["the output cannot be written", "No space left on device"]);
    let child = cluster.program().command(&["stop"]).stdout(full()).spawn().unwrap();
    Ran::of(child).exits(1).complains(&["the output cannot be written", "kubectl bootstorm report"]);
    cluster.run(&["status"]).exits(0).prints(&["stop-1", "done"]);
}

#[test]
fn a_full_disk_behind_the_log_is_no_reason_to_stop() {
    let cluster = measured();
    cluster.run(&["stop", "--log-file", "/dev/full", "--log-level", "trace"]).exits(0);
}

#[test]
fn a_full_disk_behind_the_results_names_the_file_and_leaves_no_half_of_it() {
    let cluster = measured();
    // Files are limited to two 512-byte blocks and SIGXFSZ is ignored, so a write fails half-way.
    let script = "trap '' XFSZ; ulimit -f 2; exec \"$@\"";
    let program = cluster.program().command(&["report", "--save-results", "-o", "name"]);
    let child = Command::new("/bin/sh")
        .args(["-c", script, "sh"])
        .arg(program.get_program())
        .args(program.get_args())
        .env_clear()
        .envs(program.get_envs().filter_map(|(key, value)| Some((key, value?))))
        .current_dir(cluster.home.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    Ran::of(child).exits(1).complains(&[
        "results/",
        "cannot be saved",
        "File too large",
        "the record is safe",
    ]);
    let results = walk(&cluster.home.path().join("results"));
    assert!(results.iter().all(|(name, _)| !name.ends_with("run.json")), "{results:?}");
    cluster.run(&["report", "--save-results", "-o", "name"]).exits(0);
    let results = walk(&cluster.home.path().join("results"));
    let (_, whole) = results.iter().find(|(name, _)| name.ends_with("run.json")).unwrap();
    serde_json::from_str::<bootstorm_sandbox::value::Value>(whole).unwrap();
}

fn walk(folder: &std::path::Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(walk(&path));
        } else {
            found.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap_or_default()));
        }
    }
    found
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let cluster = measured();
    let mut child = cluster.program().spawn(&["report", "-o", "json"]);
    let mut first = [0];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    Ran::of(child).exits(0);
}

#[test]
fn a_closed_terminal_and_a_polite_end_are_interrupts() {
    for signal in ["-HUP", "-TERM"] {
        let cluster = Cluster::instant();
        cluster.run(&["setup", "--end", "6", "--probe", "none"]).exits(0);
        for fault in read_text("{effect: delay, delay: 200ms, match: {verb: create}}").unwrap() {
            cluster.sandbox.faults().add(fault);
        }
        let child = cluster.program().spawn(&["create", "--concurrency", "1"]);
        until(|| !cluster.sandbox.ledger().machines().is_empty());
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.signal(), None);
        assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
        let lease = cluster.sandbox.store().get(&kind::LEASES, "default", "bootstorm-boot-storm-test");
        assert!(lease.is_none(), "the lock is given back");
        cluster.run(&["status"]).exits(0).prints(&["interrupted"]);
    }
}
