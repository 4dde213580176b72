//! Runs the whole test against a sandbox in another process and compares the record with the truth file.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test or the bench")]

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use bootstorm_sandbox::value::Value;
use tempfile::TempDir;

/// Measuring tests run alone.
static ALONE: Mutex<()> = Mutex::new(());

/// The moment that is compared
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// First seen in phase `Running`.
    Running,
    /// Deletion.
    Gone,
    /// First instant at which the guest answers.
    Reachable,
}

/// A finished run and its truth
pub(crate) struct Experiment {
    record: Value,
    truth: HashMap<(String, Kind), i64>,
    _home: TempDir,
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn program(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-bootstorm"));
    command.env_clear().env("HOME", home).env("PATH", "/usr/bin:/bin").current_dir(home).stdin(Stdio::null());
    command
}

impl Experiment {
    /// Sets up, creates, stops and storms `vms` VMs; `flags` apply to every timed phase.
    pub(crate) fn run(vms: usize, profile: &str, flags: &[&str]) -> Self {
        Self::run_with(vms, profile, flags, |_| {})
    }

    /// The same, with `during` acting on the cluster during the storm.
    pub(crate) fn run_with(vms: usize, profile: &str, flags: &[&str], during: impl FnOnce(&Path)) -> Self {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let home = tempfile::tempdir().unwrap();
        let truth_file = home.path().join("truth.jsonl");
        // Enough nodes for every VM, as on a real cluster of that size.
        let nodes = (vms / 60).max(3).to_string();
        let mut child = program(home.path())
            .args([
                "sandbox",
                "--write-kubeconfig",
                "kubeconfig",
                "--profile",
                profile,
                "--nodes",
                &nodes,
                "--truth",
            ])
            .arg(&truth_file)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        assert_eq!(ready.trim(), "kubeconfig");
        let server = Server(child);
        let run = |args: &[&str]| {
            let output = program(home.path()).env("KUBECONFIG", "kubeconfig").args(args).output().unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{args:?}: {stderr}");
        };
        let end = vms.to_string();
        run(&["setup", "--end", &end, "--source", "containerdisk:quay.io/containerdisks/fedora:41"]);
        let phase = |name: &'static str| [name].iter().chain(flags).copied().collect::<Vec<&str>>();
        run(&phase("create"));
        run(&phase("stop"));
        std::thread::scope(|scope| {
            let storm = scope.spawn(|| run(&phase("storm")));
            during(&home.path().join("kubeconfig"));
            storm.join().unwrap();
        });
        run(&["report", "--save-results", "-o", "name"]);
        let record =
            serde_json::from_str(&std::fs::read_to_string(find(home.path(), "run.json")).unwrap()).unwrap();
        // The server writes the truth at its own pace; its exit flushes everything.
        let pid = server.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let mut server = server;
        server.0.wait().unwrap();
        let truth = read_truth(&truth_file);
        Self { record, truth, _home: home }
    }

    /// Absolute errors in milliseconds, sorted; every moment must have been seen.
    pub(crate) fn errors(&self, phase: &str, kind: Kind) -> Vec<f64> {
        let differences = self.differences(phase, kind);
        assert!(differences.iter().all(|(source, ..)| source == "seen"), "{differences:?}");
        let mut errors: Vec<f64> = differences.into_iter().map(|(_, millis, _)| millis.abs()).collect();
        errors.sort_by(f64::total_cmp);
        errors
    }

    /// Source, measured minus true time in milliseconds, and true time in seconds since the start of the phase.
    pub(crate) fn differences(&self, phase: &str, kind: Kind) -> Vec<(String, f64, f64)> {
        let phase = self.phase(phase);
        let began: jiff::Timestamp = phase["began"].as_str().unwrap().parse().unwrap();
        let milestone = match kind {
            Kind::Running => "running",
            Kind::Gone => "gone",
            Kind::Reachable => "reachable",
        };
        let difference = |timeline: &Value| {
            let moment = &timeline["moments"][milestone];
            let measured = i128::from(moment["at"].as_i64()?) * 1000 + began.as_nanosecond();
            let uid = timeline["instance_uid"].as_str()?.to_owned();
            let truth = i128::from(*self.truth.get(&(uid, kind))?);
            let source = moment["source"].as_str()?.to_owned();
            Some((source, (measured - truth) as f64 / 1e6, (truth - began.as_nanosecond()) as f64 / 1e9))
        };
        phase["timelines"].as_array().unwrap().iter().filter_map(difference).collect()
    }

    /// A phase's JSON in the record.
    pub(crate) fn phase(&self, phase: &str) -> &Value {
        self.record["phases"].as_array().unwrap().iter().find(|found| found["name"] == phase).unwrap()
    }
}

/// UID and kind of moment → nanoseconds since the epoch.
fn read_truth(path: &Path) -> HashMap<(String, Kind), i64> {
    let mut truth = HashMap::new();
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        let uid = entry["uid"].as_str().unwrap().to_owned();
        let at = entry["at"].as_i64().unwrap();
        let word = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
        let kind = match (word("kind").as_str(), word("action").as_str(), word("phase").as_str()) {
            ("guests", "network", _) => Kind::Reachable,
            ("virtualmachineinstances", "deleted", _) => Kind::Gone,
            ("virtualmachineinstances", _, "Running") => Kind::Running,
            _ => continue,
        };
        truth.entry((uid, kind)).or_insert(at);
    }
    truth
}

fn find(folder: &Path, name: &str) -> PathBuf {
    let mut folders = vec![folder.join("results")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|found| found == name) {
                return path;
            }
        }
    }
    panic!("no {name}");
}

/// Nearest rank; `sorted` must not be empty.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let rank = (share * sorted.len() as f64).ceil().max(1.0) as usize;
    sorted[rank.min(sorted.len()) - 1]
}
